"""The site: built without a warning, every link within it leads somewhere, nothing is fetched."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Page(HTMLParser):
    """The anchors and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.anchors |= {values[key] for key in ("id", "name") if key in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in ("img", "script", "link", "iframe"):
            self.loaded += [values[key] for key in ("src", "href") if key in values]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """Every page of the site."""
    pytest.importorskip("sphinx")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    cache = ["-d", str(folder / "doctrees")]
    result = subprocess.run(
        [*command, *cache, str(ROOT / "docs"), str(folder / "html")],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    pages = sorted((folder / "html").rglob("*.html"))
    return {path: Page(path.read_text("utf-8")) for path in pages}


def test_pages(site: dict[Path, Page]) -> None:
    names = {path.name for path in site}
    assert names >= {
        *("index.html", "quickstart.html", "requests.html", "memory.html", "engines.html"),
        *("prompts.html", "launch_options.html"),
        *("operate.html", "troubleshooting.html", "specs.html", "spec.html", "tutorial.html"),
        *("ci.html", "architecture.html", "changelog.html", "internvl2.html", "search.html"),
        *("internvl2-engines.html", "internvl2.5.html", "internvl2.5-mpo.html"),
        *("internvl-chat.html", "internvl-chat-engines.html"),
    }


def test_links_within_the_site_lead_somewhere(site: dict[Path, Page]) -> None:
    broken = []
    for path, page in site.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = site[target].anchors if target in site else set()
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in anchors):
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_nothing_is_fetched_from_elsewhere(site: dict[Path, Page]) -> None:
    assert [link for page in site.values() for link in page.loaded if urlsplit(link).netloc] == []


def test_links_to_elsewhere_are_safe(site: dict[Path, Page]) -> None:
    schemes = {urlsplit(link).scheme for page in site.values() for link in page.links}
    assert schemes <= {"", "https", "http"}


def test_code_can_be_copied_and_the_site_searched(site: dict[Path, Page]) -> None:
    loaded = " ".join(link for page in site.values() for link in page.loaded)
    assert "copybutton.js" in loaded
    assert any((path.parent / "searchindex.js").exists() for path in site)


def test_commands_are_read_whole() -> None:
    """As wide as the text of a page is."""
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.rst")]
    for file in (file for file in files if "_build" not in file.parts):
        text = file.read_text("utf-8")
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        blocks += re.findall(r"code-block:: sh\n\n((?:   .*\n|\n)+)", text)
        lines = [line.removeprefix("   ") for block in blocks for line in block.splitlines()]
        assert [line for line in lines if len(line) > 88] == [], file
