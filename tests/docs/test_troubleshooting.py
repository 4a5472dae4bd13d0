"""The sentences that the page about troubles quotes are those that are said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.host import find_package

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/troubleshooting.rst").read_text("utf-8")
OF_OTHERS = {"Errno", "Address already in use", "CUDA out of memory", "Remote server", "closed"}
# What a message names, in place of which another could stand.
NAMES = r"…|AWQ in 4 bit|\d+|[\[\]]|['\"][\w.-]+['\"]"
NAMES += r"|internvl2|Int4|Transformers|pytorch|/?config\.json|model_type"
LONG = 6


def quoted() -> list[str]:
    """The terms of the lists that quote a message, which has a space."""
    lines = [line for line in PAGE.splitlines() if line.startswith("``")]
    return [term for line in lines for term in re.findall(r"``(.+?)``(?=,|$| |\.)", line)]


def said() -> str:
    """The code of the plugin and of the host's launches, with texts over several lines joined."""
    files = [*(ROOT / "plugin").rglob("*.py")]
    for part in ("client", "core", "deploy", "model/llm", "device_utils.py", "model/utils.py"):
        path = find_package() / part
        files += [path] if path.is_file() else path.rglob("*.py")
    code = "\n".join(path.read_text("utf-8") for path in files if "test" not in path.parts)
    return re.sub(r'"\s*\n\s*f?"', "", code)


@pytest.fixture(scope="module")
def code() -> str:
    return said()


@pytest.mark.parametrize("message", [text for text in quoted() if " " in text])
def test_what_is_quoted_is_said(code: str, message: str) -> None:
    for part in (part.strip(" :") for part in re.split(NAMES, message)):
        assert len(part) < LONG or part in OF_OTHERS or part in code, part
