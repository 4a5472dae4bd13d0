"""The README's commands, as they are written there but for the address and the picture."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install import environment
from tests.shapes.chats import CHECKPOINT
from tests.shapes.showcase import CONTENTS
from tests.support.host import BIN, Host

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.e2e


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def adapted(block: str, host: Host, picture_uri: str) -> str:
    assert "http://127.0.0.1:9997" in block
    assert "https://example.com/picture.jpg" in block
    return block.replace("http://127.0.0.1:9997", host.url).replace(
        "https://example.com/picture.jpg", picture_uri
    )


def command(block: str) -> list[str]:
    return shlex.split(block.replace("\\\n", ""))


def test_install(wheel: Path, tmp_path: Path) -> None:
    """From a folder with our wheel in place of the package index, which has the rest."""
    made = environment.create(tmp_path / "venv")
    environment.uv("pip", "install", "--quiet", "--python", str(made.python), "pip")
    pip = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    done = made.run("-m", *command(quickstart("pip install").splitlines()[0]), env=pip)
    assert "Successfully installed xinference-internvl2" in done.stdout
    assert not re.search("does not provide the extra", done.stdout + done.stderr)


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The quickstart as a new user types it: a home that is empty, and no variables but those that
    are printed, which hold in the first terminal alone."""
    *variables, server = command(quickstart("pip install").splitlines()[1])
    assert server == "xinference-local"
    home = tmp_path_factory.mktemp("home")
    second = {key: value for key, value in os.environ.items() if not key.startswith("XINFERENCE_")}
    second["HOME"] = str(home)
    host = Host(home)
    host.environment = second | dict(word.split("=", 1) for word in variables)
    with host:
        host.environment = second
        words = command(quickstart("xinference launch"))[2:]
        done = host.cli("launch", *words, "--model-path", str(CHECKPOINT))
        assert done.returncode == 0, done.stderr
        yield host
        assert host.cli("terminate", "--model-uid", "internvl2").returncode == 0


def quickstart(first: str) -> str:
    """The block of the README that begins so, which the first pages of the site print as well."""
    found = next(block for block in blocks("sh") if block.startswith(first))
    for page in ("index.rst", "quickstart.rst"):
        assert textwrap.indent(found, "   ") in (REPOSITORY / "docs" / page).read_text("utf-8")
    return found


def test_curl(launched: Host, picture_uri: str) -> None:
    block = quickstart("curl")
    script = adapted(block, launched, picture_uri)
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == CONTENTS


def test_loading_is_shown(launched: Host) -> None:
    """What the web page and `xinference launch` ask for: of the model that is ready by now."""
    (replica,) = launched.get("/v1/models/internvl2/progress")["replicas"]
    assert replica["info"] == "Ready"
    assert replica["progress"] == 1


def test_python(launched: Host, picture_uri: str) -> None:
    (block,) = blocks("python")
    script = adapted(block, launched, picture_uri)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == CONTENTS


def test_every_make_target_and_file_named_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for name in ("xinference", "xinference-local"):
        assert os.access(BIN / name, os.X_OK)
