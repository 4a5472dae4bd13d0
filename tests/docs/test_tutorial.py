"""The tutorial's files are those that it shows; here they become a second family."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from xinference_internvl2.families import records as runtime
from xinference_internvl2.families.engine_matrix import serves
from xinference_internvl2.families.find_prompt_format import find_prompt_format

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SCRIPT = "generator/run_from_anywhere.py"
SPEC = "family_specs/shelf-vision.yaml"
FAMILIES = "plugin/xinference_internvl2/families"


def _generator(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=60)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """An empty folder, with what the tutorial says to write."""
    (tmp_path / "family_specs").mkdir()
    for name in (SPEC, "pyproject.toml"):
        (tmp_path / name).write_bytes((DOCS / "tutorial" / name).read_bytes())
    return tmp_path


def _shown(heading: str) -> str:
    """Return the first block of code after a heading of the tutorial."""
    text = (DOCS / "tutorial.rst").read_text("utf-8")
    text = text[text.index(f"\n{heading}\n") :]
    block = re.search(r"\.\. code-block:: \w+\n\n((?:   .*\n|\n)+)", text)
    assert block
    return "".join(line[3:] for line in block[1].splitlines(keepends=True)).strip()


def test_what_is_printed_is_what_is_shown(shelf: Path) -> None:
    command, *printed = _shown("2. Generate").splitlines()
    assert command.startswith(f"$ python ../xinference-internvl2/{SCRIPT} build ")
    result = _generator(shelf, *command.split()[3:])
    assert result.stdout.splitlines() == printed
    assert (result.returncode, result.stderr) == (0, "")
    names = [line.removesuffix(": written") for line in printed[:-1]]
    assert all((shelf / name).is_file() for name in names)


def test_the_mistake_is_shown_as_it_is_printed(shelf: Path) -> None:
    text = (shelf / SPEC).read_text("utf-8")
    (shelf / SPEC).write_text(text.replace("vLLM: [none]", "vLLM: [int4]"), "utf-8")
    result = _generator(shelf, "build", "--output", ".", SPEC)
    assert result.returncode == 1
    assert result.stderr.strip() in (DOCS / "tutorial.rst").read_text("utf-8")
    assert not (shelf / "docs").exists()


def test_the_wheel_adds_the_family(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _generator(shelf, "build", "--output", ".", SPEC).returncode == 0
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    subprocess.run(build, cwd=shelf, check=True, capture_output=True, timeout=120)
    (wheel,) = (shelf / "dist").glob("*.whl")
    assert wheel.name in (DOCS / "tutorial.rst").read_text("utf-8")
    installed = shelf / "site-packages"
    shutil.copytree(ROOT / FAMILIES, installed / "xinference_internvl2/families")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        archive.extractall(installed)
    assert sorted(Path(name).name for name in names) == [
        "shelf-vision.json",
        "shelf-vision.runtime.json",
    ]
    monkeypatch.setattr(runtime, "FAMILIES", installed / "xinference_internvl2/families")
    runtime.load_runtimes.cache_clear()
    try:
        assert {"internvl2", "shelf-vision"} < set(runtime.load_runtimes())
        _serves_both()
    finally:
        runtime.load_runtimes.cache_clear()


def _serves_both() -> None:
    class Record:
        model_family = None
        model_format = "pytorch"
        model_size_in_billions = 1

        def __init__(self, name: str) -> None:
            self.model_name = name

    for name in ("internvl2", "shelf-vision"):
        family = Record(name)
        assert serves(family, family, "8-bit", "Transformers") is True
        assert serves(family, family, "8-bit", "vLLM") is not True
    own = find_prompt_format("Hermes-2", "shelf-vision")
    assert own.system_text == "You count products on shelves."
    assert find_prompt_format("Hermes-2").system_text != own.system_text


def test_the_hook_finds_drift(shelf: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["language"] == "script"
    script, *arguments = hook["entry"].split()
    # As pre-commit runs it: from its clone of this repository, in the repository of the family.
    command = [str(ROOT / script), *arguments, SPEC]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run() -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PATH": path}
        return subprocess.run(
            command, cwd=shelf, env=environment, capture_output=True, encoding="utf-8", timeout=60
        )

    first = run()
    assert first.returncode == 1
    assert first.stderr.endswith("run: python -m generator build --output . " + SPEC + "\n")
    assert _generator(shelf, "build", "--output", ".", SPEC).returncode == 0
    assert (run().returncode, run().stdout) == (0, "4 unchanged\n")
    record = shelf / FAMILIES / "shelf-vision.json"
    data = json.loads(record.read_text("utf-8"))
    data[0]["context_length"] = 1
    record.write_text(json.dumps(data), "utf-8")
    assert run().returncode == 1
    pattern = re.compile(hook["files"])
    assert all(pattern.search(name) for name in (SPEC, f"{FAMILIES}/shelf-vision.json"))


def test_the_step_for_ci_is_the_hooks_command() -> None:
    page = (DOCS / "ci.rst").read_text("utf-8")
    step = " ".join(page[page.index(f"python .generator/{SCRIPT}") :].split()[:9])
    assert step == (
        f"python .generator/{SCRIPT} build --check --format github "
        "--output . family_specs/shelf-vision.yaml"
    )
