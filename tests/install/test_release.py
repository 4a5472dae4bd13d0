"""What is released: sdist and wheel as an index shows them, and as they install."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from . import environment
from .environment import REPOSITORY

PINS = REPOSITORY / "tests/constraints.txt"


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_an_index_takes_both(sdist: Path, wheel: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_the_checkout_builds_the_wheel_of_the_sdist(wheel: Path, tmp_path: Path) -> None:
    environment.uv("build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(REPOSITORY))
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_metadata_tells_the_truth(metadata: Message) -> None:
    workflow = (REPOSITORY / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)
    tested = re.findall(r"3\.\d+", matrix)
    classifiers = metadata.get_all("Classifier", [])
    assert [c for c in classifiers if "Python :: 3." in c] == [
        f"Programming Language :: Python :: {version}" for version in tested
    ]
    assert metadata["Requires-Python"] == f">={tested[0]}"
    assert metadata["License-File"] == "LICENSE"


def test_the_readme_leads_nowhere_relative(metadata: Message) -> None:
    """An index shows it far from the repository."""
    text = str(metadata.get_payload())
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 3
    assert [target for target in targets if not target.startswith("https://")] == []
    ours = [url.split(", ")[1] for url in metadata.get_all("Project-URL", [])]
    home = next(url for url in ours if url.count("/") == 4)
    for target in [*targets, *ours]:
        path = re.sub(rf"^{home}(/(blob|raw|tree)/main/)?", "", target)
        if target.startswith(home) and path not in ("", "/issues"):
            assert (REPOSITORY / path).exists(), target


def test_installed_with_all_that_it_needs(wheel: Path, tmp_path: Path) -> None:
    """As for a user who has nothing yet; the `.pth` file alone makes Xinference know the family."""
    made = environment.create(tmp_path / "venv")
    python = ["--quiet", "--python", str(made.python)]
    environment.uv("pip", "install", *python, "--constraint", str(PINS), str(wheel))
    version = "import xinference_internvl2 as plugin; print(plugin.__version__)"
    imported = made.run("-c", version)
    assert imported.stdout.strip() == wheel.name.split("-")[1]
    found = made.probe("booted", tmp_path / "home")
    assert found["family_names"].count("internvl2") == 1
    assert found["messages"] == []
