"""The examples of the documentation, run as they are written but for the address and the model."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.chat.media import draw_picture, encode, video
from tests.support.served import Served

pytestmark = pytest.mark.e2e
DOCS = Path(__file__).resolve().parents[2] / "docs"
HELPERS = (DOCS / "examples/helpers.py").read_text(encoding="utf-8")
PAGE = (DOCS / "requests.rst").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"literalinclude:: examples/(\w+\.py)", PAGE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures and the video that the examples name."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "picture.jpg").write_bytes(encode(draw_picture(640, 360), "JPEG"))
    (folder / "other.png").write_bytes(encode(draw_picture(200, 200)))
    (folder / "clip.mp4").write_bytes(video())
    return folder


def run(seeing: Served, files: Path, example: str) -> str:
    address, name = "http://127.0.0.1:9997", 'model="internvl2"'
    script = f"{HELPERS}\n{(DOCS / 'examples' / example).read_text(encoding='utf-8')}"
    assert address in script
    assert name in script
    script = script.replace(address, seeing.host.url).replace(name, f'model="{seeing.uid}"')
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=files, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_on_the_page() -> None:
    assert {*EXAMPLES} == {file.name for file in (DOCS / "examples").iterdir()}


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name != "helpers.py"])
def test_the_examples_run(seeing: Served, files: Path, example: str) -> None:
    assert run(seeing, files, example).strip()


@pytest.mark.parametrize("script", sorted((DOCS / "apis").glob("*.py")), ids=lambda it: it.stem)
def test_the_examples_of_the_other_apis_run(seeing: Served, files: Path, script: Path) -> None:
    assert f"literalinclude:: {script.name}" in script.with_suffix(".rst").read_text("utf-8")
    code = script.read_text("utf-8").replace("http://127.0.0.1:9997", seeing.host.url)
    code = code.replace('"internvl2"', f'"{seeing.uid}"')
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=files, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_refusal_is_the_one_that_is_shown(seeing: Served, files: Path) -> None:
    assert run(seeing, files, "refused.py").strip() in PAGE
