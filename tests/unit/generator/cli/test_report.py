"""How the generator says what it found: text, GitHub's annotations, JSON, colours."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from generator.__main__ import main
from generator.cli.report import _format_annotation

PAGE = "out/docs/models/base.rst"


@pytest.fixture
def spec(base: str, folder: Path) -> Path:
    path = folder / "spec.yaml"
    path.write_text(base, "utf-8")
    return path


def _spoil(spec: Path) -> None:
    text = spec.read_text("utf-8").replace("[chat]", "[chut]").replace("4096", "no")
    spec.write_text(text, "utf-8")


def _json(capsys: pytest.CaptureFixture[str]) -> Any:
    printed = capsys.readouterr()
    assert printed.err == ""
    return json.loads(printed.out)


def test_annotations(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--format", "github", "spec.yaml"]) == 0
    assert capsys.readouterr().out == "spec.yaml: valid\n"
    _spoil(spec)
    assert main(["validate", "--format", "github", "spec.yaml"]) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines() == [
        "::error file=spec.yaml,line=3,col=17::$.context_length: 'no' is text, but must be a "
        "whole number: the longest context in tokens, prompt and answer together",
        "::error file=spec.yaml,line=5,col=17::$.model_ability[0]: 'chut' is not one of 'embed', "
        "'generate', 'chat', 'tools', 'vision', 'audio', 'omni', 'reasoning', 'hybrid'; "
        "did you mean 'chat'?",
    ]


def test_annotation_of_what_has_a_meaning_there() -> None:
    assert _format_annotation("100%\r\n::error::x", "a:b,c%.yaml", (1, 2)) == (
        "::error file=a%3Ab%2Cc%25.yaml,line=1,col=2::100%25%0D%0A::error::x"
    )


def test_annotation_of_drift(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["build", "--format", "github", "--output", "out", "spec.yaml"]
    assert main(build) == 0
    page = Path(PAGE)
    page.write_text(page.read_text("utf-8").replace("A family.", "Another."), "utf-8")
    capsys.readouterr()
    assert main([*build, "--check"]) == 1
    printed = capsys.readouterr()
    command = "python -m generator build --output out spec.yaml"
    assert printed.err == ""
    assert printed.out.splitlines()[-2:] == [
        f"::error file={PAGE}::this differs from what is generated; run: {command}",
        f"::error::1 of 4 generated files differ; run: {command}",
    ]


def test_json(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["build", "--format", "json", "--output", "out", "spec.yaml"]
    assert main(build) == 0
    data = _json(capsys)
    assert data["problems"] == []
    assert data["files"][0] == {"file": PAGE, "state": "written"}
    assert len(data["files"]) == 4
    assert main([*build, "--check"]) == 0
    assert _json(capsys) == {"problems": [], "files": []}

    Path(PAGE).unlink()
    assert main([*build, "--check"]) == 1
    data = _json(capsys)
    assert data["files"] == [{"file": PAGE, "state": "differs"}]
    assert data["problems"][0]["message"].startswith("1 of 4 generated files differ; run: ")

    _spoil(spec)
    assert main(build) == 1
    data = _json(capsys)
    assert data["files"] == []
    assert [(p["line"], p["column"], p["path"]) for p in data["problems"]] == [
        (3, 17, "$.context_length"),
        (5, 17, "$.model_ability[0]"),
    ]


def test_json_of_what_cannot_be_written(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").touch()
    assert main(["build", "--format", "json", "--output", "out", "spec.yaml"]) == 1
    assert _json(capsys)["problems"] == [
        {"file": None, "message": "out is not a directory; move that file away"}
    ]


def test_what_stands_at_no_line_of_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "two.json").write_text('[{"model_name": "a"}]', "utf-8")
    for style, said in [
        ("text", "two.json: this is no registration"),
        ("github", "::error file=two.json::this is no registration"),
    ]:
        assert main(["import", "two.json", "--format", style]) == 1
        printed = capsys.readouterr()
        assert (printed.out + printed.err).startswith(said)
    assert main(["import", "two.json", "--format", "json"]) == 1
    (problem,) = _json(capsys)["problems"]
    assert problem["file"] == "two.json"
    assert problem["message"].startswith("this is no registration")
    assert problem.keys() == {"file", "message"}


def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the streams of this test a terminal that shows colours."""
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def _lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    main(arguments)
    printed = capsys.readouterr()
    return (printed.out + printed.err).splitlines()


def test_colours(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _terminal(monkeypatch)
    build = ["build", "--output", "out", "spec.yaml"]
    assert "\033" not in "".join(_lines(capsys, *build))
    page = Path(PAGE)
    page.write_text(page.read_text("utf-8").replace("A family.", "Another."), "utf-8")
    lines = _lines(capsys, *build, "--check")
    assert "\033[31m-- **Description:** Another.\033[0m" in lines
    assert "\033[32m+- **Description:** A family.\033[0m" in lines
    _spoil(spec)
    first, *_ = _lines(capsys, "validate", "spec.yaml")
    assert first.startswith("\033[1mspec.yaml:3:17:\033[0m \033[36m$.context_length:\033[0m 'no'")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours(
    name: str,
    value: str,
    spec: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    _spoil(spec)
    assert "\033" not in "".join(_lines(capsys, "validate", "spec.yaml"))


def test_reference_of_all_fields(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert printed == (root / "docs/reference/spec.rst").read_text("utf-8")
    assert "\n``context_length``\n   *whole number, required.* The longest context" in printed
    core = pytest.importorskip("docutils.core")
    core.publish_doctree(printed, settings_overrides={"halt_level": 2})
