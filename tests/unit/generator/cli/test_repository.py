"""The repository itself: in step with its specs, and built as a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generator.__main__ import main

FAMILIES = "plugin/xinference_internvl2/families"


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of what the generator reads and writes in the repository."""
    for part in ("generator", "family_specs", "docs/models", "docs/reference", FAMILIES):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / part, tmp_path / part, ignore=ignored)
    return tmp_path


def _run(copy: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(copy)} | variables
    command = [sys.executable, "-m", "generator", *arguments]
    return subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, timeout=60, encoding="utf-8"
    )


def test_repository_is_up_to_date(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["build", "--check"])
    printed = capsys.readouterr()
    assert status == 0, printed.out + printed.err


def test_drift_in_a_copy_of_the_repository(copy: Path) -> None:
    assert _run(copy, "build", "--check").returncode == 0
    page = copy / "docs/models/internvl2.rst"
    good = page.read_bytes()
    page.write_bytes(good.replace(b"32768", b"4096"))
    result = _run(copy, "build", "--check")
    assert result.returncode == 1
    assert "-- **Context Length:** 4096\n+- **Context Length:** 32768\n" in result.stdout
    command = "python -m generator build"
    assert result.stderr.endswith(f"generated files differ; run: {command}\n")
    assert _run(copy, *command.split()[3:]).returncode == 0
    assert page.read_bytes() == good


@pytest.mark.parametrize("arguments", [("build",), ("build", "--check")])
def test_file_without_a_spec(copy: Path, arguments: tuple[str, ...]) -> None:
    (copy / FAMILIES / "gone.json").write_text("[]\n", "utf-8")
    result = _run(copy, *arguments)
    assert result.returncode == 1
    assert result.stderr == f"{FAMILIES}/gone.json: no spec describes this file; delete it\n"


def test_repository_without_specs(copy: Path) -> None:
    for spec in (copy / "family_specs").glob("*.yaml"):
        spec.unlink()
    result = _run(copy, "validate")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "family_specs: there is no *.yaml file here; describe a family in one\n"
    )


def test_terminal_that_cannot_show_the_text(copy: Path) -> None:
    (copy / FAMILIES / "internvl2.runtime.json").unlink()
    result = _run(copy, "build", "--check", PYTHONIOENCODING="ascii")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "\\u4f60\\u662f" in result.stdout


def test_reader_that_stops_early(copy: Path) -> None:
    (copy / "docs/models/internvl2.rst").unlink()
    command = f"{sys.executable} -m generator build --check | head -n 1"
    result = subprocess.run(command, shell=True, cwd=copy, capture_output=True, timeout=60)
    assert result.stdout == b"--- /dev/null\n"
    assert b"Traceback" not in result.stderr


def test_neither_the_host_nor_its_engines_are_imported(copy: Path) -> None:
    code = (
        "import sys; from generator.__main__ import main; main(['build'])\n"
        "print({'xinference', 'torch', 'transformers', 'vllm'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=copy, capture_output=True, timeout=60, encoding="utf-8"
    )
    assert result.stdout.splitlines()[-1] == "set()", result.stderr


SKIPPED = """
import sys
from generator.__main__ import main
main(["build"])
print({"jinja2", "jsonschema", "jsonschema_rs", "yaml"} & set(sys.modules))
"""


def test_unchanged_build_imports_no_library(copy: Path) -> None:
    assert _run(copy, "build").returncode == 0
    command = [sys.executable, "-c", SKIPPED]
    result = subprocess.run(command, cwd=copy, capture_output=True, timeout=60, encoding="utf-8")
    assert re.fullmatch(r"0 written, \d+ unchanged\nset\(\)\n", result.stdout), result.stderr
    (copy / FAMILIES / "gone.json").write_text("[]\n", "utf-8")
    result = _run(copy, "build")
    assert result.returncode == 1
    assert result.stderr == f"{FAMILIES}/gone.json: no spec describes this file; delete it\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "written"),
    [
        ("generator/outputs/templates/model.rst.jinja", "Languages:", "Tongues:", "internvl2.rst"),
        ("generator/outputs/loader_data.py", '"model_name"', '"name"', "internvl2.runtime.json"),
        ("family_specs/family.schema.json", "the name of the family", "its name", "spec.rst"),
    ],
    ids=["template", "code", "schema"],
)
def test_build_after_an_edit_of_the_generator(
    file: str, old: str, new: str, written: str, copy: Path
) -> None:
    assert _run(copy, "build").stdout.startswith("0 written, ")
    path = copy / file
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    assert f"{written}: written\n" in _run(copy, "build").stdout
