"""Building and checking: what is written when, and what is said of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generator.__main__ import main

PAGE = "docs/models/base.rst"
ENGINES = "docs/models/base-engines.rst"
FAMILIES = "plugin/xinference_internvl2/families"


def _build(*arguments: str) -> int:
    return main(["build", "--output", "out", *arguments, "spec.yaml"])


@pytest.fixture
def spec(base: str, folder: Path) -> Path:
    path = folder / "spec.yaml"
    path.write_text(base, "utf-8")
    return path


def _files(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_build_writes_once(spec: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _build() == 0
    assert capsys.readouterr().out == (
        f"out/{PAGE}: written\n"
        f"out/{FAMILIES}/base.json: written\n"
        f"out/{ENGINES}: written\n"
        f"out/{FAMILIES}/base.runtime.json: written\n"
        "4 written, 0 unchanged\n"
    )
    written = _files(folder / "out")
    data = {f"{FAMILIES}/base.json", f"{FAMILIES}/base.runtime.json"}
    assert set(written) == {PAGE, ENGINES} | data
    times = {path: (folder / "out" / path).stat().st_mtime_ns for path in written}

    assert _build() == 0
    assert capsys.readouterr().out == "0 written, 4 unchanged\n"
    assert {path: (folder / "out" / path).stat().st_mtime_ns for path in written} == times


def test_written_files_have_the_usual_permissions(spec: Path, folder: Path) -> None:
    assert _build() == 0
    (folder / "usual").touch()
    usual = (folder / "usual").stat().st_mode
    assert (folder / "out" / PAGE).stat().st_mode == usual


def test_files_are_replaced_as_a_whole(spec: Path, folder: Path) -> None:
    assert _build() == 0
    page = folder / "out" / PAGE
    old = page.read_bytes()
    with page.open("rb") as reader:  # somebody who reads while it is built again
        spec.write_text(spec.read_text("utf-8").replace("A family.", "Another."), "utf-8")
        assert _build() == 0
        assert reader.read() == old
    assert page.read_bytes() != old


def test_check_shows_the_difference(
    spec: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _build() == 0
    capsys.readouterr()
    assert _build("--check") == 0
    assert capsys.readouterr().out == "4 unchanged\n"

    page = folder / "out" / PAGE
    page.write_text(page.read_text("utf-8").replace("A family.", "Another family."), "utf-8")
    before = _files(folder)
    assert _build("--check") == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[:2] == [f"--- out/{PAGE}", f"+++ out/{PAGE} (generated)"]
    assert "\n-- **Description:** Another family.\n+- **Description:** A family.\n" in printed.out
    assert printed.err == (
        "1 of 4 generated files differ; run: python -m generator build --output out spec.yaml\n"
    )
    assert _files(folder) == before


def test_check_shows_a_missing_file(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _build("--check") == 1
    printed = capsys.readouterr()
    assert f"--- /dev/null\n+++ out/{PAGE} (generated)\n@@ -0,0 +1," in printed.out
    assert "4 of 4 generated files differ" in printed.err


def test_check_of_a_file_that_is_no_text(
    spec: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _build() == 0
    (folder / "out" / PAGE).write_bytes(b"\xff\xfe no line break")
    capsys.readouterr()
    assert _build("--check") == 1
    assert "-\\xff\\xfe no line break\n\\ No newline at end of file\n" in capsys.readouterr().out


def test_output_is_deterministic(spec: Path, folder: Path, root: Path) -> None:
    results = []
    for seed in "01":
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        command = [sys.executable, "-m", "generator", "build", "--output", seed, "spec.yaml"]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        results.append(_files(folder / seed))
    assert results[0] == results[1]


def _error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert _build(*arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["build", "check"])
def test_file_in_place_of_the_output_folder(
    arguments: tuple[str, ...], spec: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").touch()
    assert _error(capsys, *arguments) == "out is not a directory; move that file away\n"


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["build", "check"])
def test_directory_in_place_of_an_output(
    arguments: tuple[str, ...], spec: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = folder / "out" / FAMILIES / "base.runtime.json"
    taken.mkdir(parents=True)
    message = f"out/{FAMILIES}/base.runtime.json is a directory; move it away\n"
    assert _error(capsys, *arguments) == message
    assert _files(folder) == {"spec.yaml": spec.read_bytes()}


def test_full_disk_leaves_everything_as_it_was(
    spec: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def fail(path: Path, data: bytes) -> int:
        if "runtime" in path.name:
            write(path, data[:10])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert _error(capsys) == (
        f"out/{FAMILIES}/base.runtime.json cannot be written (No space left on device); "
        "check the folder and its permissions\n"
    )
    assert _files(folder) == {"spec.yaml": spec.read_bytes()}


def test_generated_files_name_their_source(spec: Path, folder: Path, root: Path) -> None:
    assert _build() == 0
    runtime = folder / "out" / FAMILIES / "base.runtime.json"
    assert runtime.read_text("utf-8").startswith('{\n  "generated_from": "spec.yaml",\n')
    assert str(folder) not in runtime.read_text("utf-8")
    repository = root / FAMILIES / "internvl2.runtime.json"
    assert '"generated_from": "family_specs/internvl2.yaml"' in repository.read_text("utf-8")


def test_family_that_others_serve_has_no_runtime_file(base: str, spec: Path, folder: Path) -> None:
    formats = base[base.index("prompt_formats") : base.index("model_specs")]
    serving = base[base.index("    prompt_format:") :]
    spec.write_text(base.replace(formats, "").replace(serving, ""), "utf-8")
    assert _build() == 0
    assert set(_files(folder / "out")) == {PAGE, f"{FAMILIES}/base.json"}
    assert "- **Engines**: \n" in (folder / "out" / PAGE).read_text("utf-8")
