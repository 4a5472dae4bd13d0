"""Sphinx configuration."""

import re
import sys
from pathlib import Path

project = "xinference-internvl2"
author = "the xinference-internvl2 contributors"
copyright = author
sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
extensions = ["boxed_answer", "mistake", "room_pictures", "request_options", "sphinx_copybutton"]
exclude_patterns = ["_build", "_extensions"]
nitpicky = True
html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5394",
        "color-brand-content": "#0b5394",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8ec5ff",
        "color-brand-content": "#8ec5ff",
    },
}
# What a prompt begins with is not part of a command.
copybutton_prompt_text = "$ "


def _changelog(_app: object, name: str, source: list[str]) -> None:
    """Put CHANGELOG.md, which has headings, lists and code, onto the page of that name."""
    if name != "changelog":
        return
    text = Path(__file__).parent.parent.joinpath("CHANGELOG.md").read_text("utf-8")
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)
    for mark, line in (("#", "="), ("##", "-"), ("###", "^")):
        text = re.sub(
            rf"^{mark} (.+)$", lambda m, line=line: f"{m[1]}\n{line * len(m[1])}", text, flags=re.M
        )
    source[0] = text


def setup(app: object) -> None:
    """Connect what is above."""
    app.connect("source-read", _changelog)  # type: ignore[attr-defined]
