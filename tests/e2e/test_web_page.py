"""The host's web page in a real browser: a family of ours is found, launched and asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright
from xinference.client import RESTfulClient

from tests.install.environment import REPOSITORY
from tests.shapes.chats import CHECKPOINT
from tests.shapes.showcase import CONTENTS, draw_shapes
from tests.support.chat.media import encode
from tests.support.host import Host

pytestmark = pytest.mark.e2e
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = REPOSITORY / "build/screenshots"
LAUNCH_SECONDS = 180
CHOICES = {
    "Model Engine": "Transformers",
    "Model Format": "pytorch",
    "Model Size": "1",
    "Quantization": "none",
}


@pytest.fixture
def page(host: Host, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of the host in a browser; what it shows is kept if the test fails."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"there is no browser here: {', '.join(BROWSERS)}; .ci/run installs Chromium")
    # Containers, in which tests run as root, have no sandbox.
    options: Any = {"executable_path": browser, "args": ["--no-sandbox"]}
    with sync_playwright() as playwright, playwright.chromium.launch(**options) as running:
        page = running.new_page(viewport={"width": 1400, "height": 1400})
        failed = request.session.testsfailed
        yield page
        if request.session.testsfailed > failed:
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png", full_page=True)


def choose(form: Locator, label: str, value: str) -> None:
    """Open the list of a field, and take `value` from it."""
    field = form.locator(f"xpath=.//label[starts-with(., '{label}')]/following-sibling::div[1]")
    field.click()
    form.page.locator("[data-slot=select-option]").get_by_text(value, exact=True).click()
    expect(field).to_have_text(value)


def fill_in(form: Locator, path: Path, uid: str) -> None:
    for label, value in CHOICES.items():
        choose(form, label, value)
    form.get_by_placeholder("Model name by default").fill(uid)
    form.get_by_placeholder("For PyTorch, provide the model directory").fill(str(path))


def test_a_model_is_launched_in_the_web_page(host: Host, page: Page) -> None:
    before = host.count_virtual_environments()
    page.goto(f"{host.url}/launch-model/llm")
    page.get_by_placeholder("Search for model name").fill("internvl2")
    expect(page.get_by_text("internvl2", exact=True)).to_be_visible(timeout=60_000)
    # The first of the families whose names begin so.
    page.get_by_role("button", name="Launch", exact=True).first.click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("internvl2", exact=True)).to_be_visible()
    fill_in(form, CHECKPOINT, "from-the-page")
    form.get_by_role("button", name="Deploy").click()
    expect(form.get_by_text("Launch Progress")).to_be_visible(timeout=30_000)
    expect(form).to_be_hidden(timeout=LAUNCH_SECONDS * 1000)
    page.goto(f"{host.url}/running-model")
    # The page shows one model of those that are running.
    page.get_by_text("from-the-page", exact=True).first.click(timeout=30_000)
    running = page.get_by_text("from-the-page-rep0").first
    expect(running).to_be_visible(timeout=30_000)
    expect(page.get_by_text("READY").first).to_be_visible()
    page.goto(f"{host.url}/running-model/from-the-page")
    shown = {"name": "picture.png", "mimeType": "image/png", "buffer": encode(draw_shapes())}
    page.locator("input[type=file]").set_input_files(shown)
    page.get_by_placeholder("Enter a message").fill("What is in the picture?")
    page.get_by_placeholder("Enter a message").press("Enter")
    expect(page.get_by_text(CONTENTS)).to_be_visible(timeout=60_000)
    # A server isolates models if nobody says otherwise.
    assert host.count_virtual_environments() == before + 1
    RESTfulClient(host.url).terminate_model("from-the-page")
