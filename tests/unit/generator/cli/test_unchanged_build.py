"""The record of the last build: with it a build does what it does without one, only sooner."""

from __future__ import annotations

import ast
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import generator.spec.load
from generator.__main__ import main
from generator.cli import build
from generator.outputs import build_record, write

PAGE = "docs/models/base.rst"
REGISTRATION = "plugin/xinference_internvl2/families/base.json"
RUNTIME = "plugin/xinference_internvl2/families/base.runtime.json"
BUILD = ["build", "--output", "out", "spec.yaml"]


@pytest.fixture
def spec(base: str, folder: Path) -> Path:
    """A spec that has been built."""
    path = folder / "spec.yaml"
    path.write_text(base, "utf-8")
    assert main(BUILD) == 0
    return path


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was loaded: nothing, where a build is skipped."""
    load, calls = generator.spec.load.load_all, list[object]()

    def count(paths: object) -> object:
        calls.append(paths)
        return load(paths)  # type: ignore[arg-type]

    monkeypatch.setattr(generator.spec.load, "load_all", count)
    return calls


def _state(folder: Path) -> dict[str, str | bytes]:
    return {
        path.relative_to(folder).as_posix(): (
            os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def run_twice(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., int]:
    """Run with the record, and in a copy of the folder without one; both have to do the same."""

    def run(*arguments: str) -> int:
        copy = tmp_path_factory.mktemp("copy") / "folder"
        shutil.copytree(folder, copy, symlinks=True)
        capsys.readouterr()
        found = main(arguments), capsys.readouterr(), _state(folder)
        with monkeypatch.context() as patch:
            patch.setattr(build_record, "RECORD", copy.parent / "none")
            patch.chdir(copy)
            assert (main(arguments), capsys.readouterr(), _state(copy)) == found
        return found[0]

    return run


Run = Callable[..., int]


def test_unchanged_build_is_skipped(
    spec: Path, folder: Path, loaded: list[object], run_twice: Run
) -> None:
    before = _state(folder)
    os.utime(spec)
    assert main(BUILD) == 0
    assert (loaded, _state(folder)) == ([], before)
    assert run_twice(*BUILD) == 0
    assert len(loaded) == 1  # by the run without a record


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def _rename(folder: Path) -> None:
    """The same bytes under the same name, but the name leads to another file."""
    (folder / "spec.yaml").rename(folder / "real.yaml")
    (folder / "spec.yaml").symlink_to("real.yaml")


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


EDITS: dict[str, Callable[[Path], object]] = {
    "spec": lambda folder: _replace(folder / "spec.yaml", "A family.", "Another."),
    "spec that is wrong": lambda folder: _replace(folder / "spec.yaml", "[chat]", "[chut]"),
    "spec that is gone": lambda folder: (folder / "spec.yaml").unlink(),
    "spec by way of a link": _rename,
    "page": lambda folder: _replace(folder / "out" / PAGE, "A family.", "B family."),
    "page that is gone": lambda folder: (folder / "out" / PAGE).unlink(),
    "registration": lambda folder: (folder / "out" / REGISTRATION).write_bytes(b"\xff"),
    "directory for a page": lambda folder: _make_directory(folder / "out" / PAGE),
    "outputs that are gone": lambda folder: shutil.rmtree(folder / "out"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edit(edit: str, spec: Path, folder: Path, loaded: list[object], run_twice: Run) -> None:
    EDITS[edit](folder)
    run_twice(*BUILD)
    assert len(loaded) == 2
    run_twice(*BUILD)


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--output", "out", "spec.yaml", "other.yaml"],
        ["build", "--output", "out", "other.yaml"],
        ["build", "--output", "elsewhere", "spec.yaml"],
    ],
    ids=["more specs", "another spec", "another folder"],
)
def test_other_arguments(
    arguments: list[str], base: str, spec: Path, folder: Path, loaded: list[object], run_twice: Run
) -> None:
    (folder / "other.yaml").write_text(base.replace("model_name: base", "model_name: other"))
    assert run_twice(*arguments) == 0
    assert len(loaded) == 2
    assert run_twice(*BUILD) == 0
    assert run_twice(*arguments) == 0


def test_same_spec_under_another_name(spec: Path, folder: Path, run_twice: Run) -> None:
    (folder / "other.yaml").symlink_to("spec.yaml")
    assert run_twice("build", "--output", "out", "other.yaml") == 0
    runtime = (folder / "out" / RUNTIME).read_text("utf-8")
    assert '"generated_from": "other.yaml"' in runtime


def test_same_family_in_two_specs(
    spec: Path, folder: Path, run_twice: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(spec, folder / "twin.yaml")
    for _ in range(2):
        assert run_twice(*BUILD, "twin.yaml") == 1
    assert main([*BUILD, "twin.yaml"]) == 1
    assert "'base' is already the family of spec.yaml" in capsys.readouterr().err


def test_wrong_spec_is_not_recorded(spec: Path, record: Path, run_twice: Run) -> None:
    before = record.read_bytes()
    _replace(spec, "[chat]", "[chut]")
    assert run_twice(*BUILD) == 1
    assert record.read_bytes() == before
    _replace(spec, "[chut]", "[chat]")
    assert run_twice(*BUILD) == 0


def test_check_neither_reads_nor_writes_it(spec: Path, folder: Path, record: Path) -> None:
    page = folder / "out" / PAGE
    _replace(page, "A family.", "B family.")
    inputs = build_record.digest_inputs([Path("spec.yaml")], whole=False)
    files = {path: path.read_text("utf-8") for path in Path("out").rglob("*.*")}
    build_record.write_record(inputs, files, Path("out"))
    assert main(BUILD) == 0  # so well is it forged
    assert "B family." in page.read_text("utf-8")
    assert main(["build", "--check", *BUILD[1:]]) == 1
    record.unlink()
    assert main(["build", "--check", *BUILD[1:]]) == 1
    assert not record.exists()


def _lines(record: Path) -> list[bytes]:
    return record.read_bytes().splitlines(keepends=True)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": lambda record: record.unlink(),
    "empty": lambda record: record.write_bytes(b""),
    "cut": lambda record: record.write_bytes(record.read_bytes()[:-20]),
    "a line less": lambda record: record.write_bytes(b"".join(_lines(record)[:-1])),
    "another path": lambda record: _replace(record, PAGE, "../spec.yaml"),
    "only a seal": lambda record: record.write_bytes(record.read_bytes()[:64]),
    "no text": lambda record: record.write_bytes(b"\xff\x00" * 999),
    "huge": lambda record: os.truncate(record, 1 << 40),
    "a directory": _make_directory,
    "a pipe": lambda record: (record.unlink(), os.mkfifo(record)),
    "a link to itself": lambda record: (record.unlink(), record.symlink_to(record.name)),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_record(
    damage: str, spec: Path, folder: Path, record: Path, loaded: list[object], run_twice: Run
) -> None:
    DAMAGES[damage](record)
    _replace(folder / "out" / RUNTIME, "base", "last")
    assert run_twice(*BUILD) == 0
    assert len(loaded) == 2
    assert run_twice(*BUILD) == 0


@pytest.mark.parametrize(("size", "read"), [(1 << 24, True), ((1 << 24) + 1, False)])
def test_size_of_a_file_that_is_read(size: int, read: bool, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.truncate(file, size)
    assert (build_record._digest_file(file) is not None) is read


def test_no_place_for_a_record(
    spec: Path, record: Path, run_twice: Run, loaded: list[object]
) -> None:
    shutil.rmtree(record.parent)
    record.parent.touch()
    for _ in range(2):
        assert run_twice(*BUILD) == 0
    assert len(loaded) == 4


@pytest.mark.timeout(60)
def test_pipe_in_place_of_a_spec(spec: Path, run_twice: Run) -> None:
    spec.unlink()
    os.mkfifo(spec)
    assert main(BUILD) == 1


def test_interrupted_build(
    base: str, spec: Path, folder: Path, run_twice: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the files are of the new spec; then the old one comes back."""
    _replace(spec, "A family.", "Another.")
    replace = os.replace

    def stop(source: Path, target: Path) -> None:
        if target.suffix == ".json":
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(write.os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            main(BUILD)
    assert "Another." in (folder / "out" / PAGE).read_text("utf-8")
    spec.write_text(base, "utf-8")
    assert run_twice(*BUILD) == 0
    assert "Another." not in (folder / "out" / PAGE).read_text("utf-8")


@pytest.mark.parametrize("after", ["A family.", "Another."])
def test_two_builds_at_once(
    after: str, spec: Path, folder: Path, run_twice: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one of an older spec writes after that of a newer one."""
    (folder / "out" / PAGE).unlink()

    def meanwhile(files: dict[Path, str]) -> None:
        monkeypatch.setattr(build, "write_files", write.write_files)
        _replace(spec, "A family.", "Another.")
        assert main(BUILD) == 0
        write.write_files(files)

    monkeypatch.setattr(build, "write_files", meanwhile)
    assert main(BUILD) == 0
    _replace(spec, "Another.", after)
    assert run_twice(*BUILD) == 0
    assert after in (folder / "out" / PAGE).read_text("utf-8")


def test_spec_edited_while_it_is_built(
    base: str, spec: Path, folder: Path, run_twice: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outputs are of the new text, which is not what was there when the build began."""
    load = generator.spec.load.load_all

    def edit(paths: list[Path]) -> object:
        _replace(spec, "A family.", "Another.")
        return load(paths)

    (folder / "out" / PAGE).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(generator.spec.load, "load_all", edit)
        assert main(BUILD) == 0
    spec.write_text(base, "utf-8")
    assert run_twice(*BUILD) == 0
    assert "A family." in (folder / "out" / PAGE).read_text("utf-8")


def test_code_edited_while_it_runs(
    spec: Path, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.unlink()
    monkeypatch.setattr(build_record, "_digest_generator", lambda: "of what is there now")
    assert main(BUILD) == 0
    assert not record.exists()


def test_libraries_are_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_library"
    package.mkdir()
    (package / "__init__.py").write_text("version = 1")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(build_record, "_LIBRARIES", ("some_library",))
    before = build_record._digest_generator()
    assert build_record._digest_generator() == before
    (package / "__init__.py").write_text("version = 10")
    assert build_record._digest_generator() != before
    monkeypatch.setattr(build_record, "_LIBRARIES", ("not_installed",))
    assert build_record._digest_generator() != before


def test_every_library_is_among_them(root: Path) -> None:
    found = set()
    for path in (root / "generator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.split(".")[0])
    assert found - set(sys.stdlib_module_names) == set(build_record._LIBRARIES)
