"""Importing registrations: what is refused, what is completed, and what is never dropped unsaid."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.__main__ import main
from generator.spec import yaml_reader
from tests.unit.generator.mutations import mutated
from tests.unit.generator.specs import load_data

RECORD: dict[str, Any] = {
    "version": 2,
    "context_length": 4096,
    "model_name": "base",
    "model_lang": ["en"],
    "model_ability": ["chat"],
    "model_description": "A family.",
    "model_specs": [
        {
            "model_format": "ggufv2",
            "model_size_in_billions": 7,
            "model_src": {
                "huggingface": {
                    "quantizations": ["Q4_0", "Q8_0"],
                    "model_id": "owner/base",
                    "model_file_name_template": "base-{quantization}.gguf",
                },
                "modelscope": {
                    "quantizations": ["Q4_0"],
                    "model_id": "Owner/base",
                    "model_file_name_template": "base-{quantization}.gguf",
                },
            },
        }
    ],
    "architectures": ["BaseModel"],
    "updated_at": 1700000000,
}
CUSTOM = RECORD | {
    "model_specs": [
        {"model_format": "pytorch", "model_size_in_billions": 7, "quantization": "none"}
    ]
}

REFUSED: list[tuple[str, str, str]] = [
    ("nothing", "", "1:1: $: not valid JSON: Expecting value; correct it"),
    (
        "no JSON",
        "[\n  {,",
        "2:4: $: not valid JSON: Expecting property name enclosed in double quotes; correct it",
    ),
    ("no byte of UTF-8", "\udcff", "1:1: $: the byte 0xff is not UTF-8; save the file as UTF-8"),
    ("nested too deep", "[" * 100_000, " nested too deep, or a number too long; correct it"),
    ("number too long", "1" * 5_000, " nested too deep, or a number too long; correct it"),
    *(
        (
            what,
            json.dumps(data),
            " this is no registration (a mapping with 'model_name' and 'model_specs', "
            "or a list of such); name another file",
        )
        for what, data in [
            ("empty list", []),
            ("text", "base"),
            ("list of texts", ["base"]),
            ("no name", {"model_specs": [{}]}),
            ("no specs", {"model_name": "base", "model_specs": []}),
            ("spec of text", {"model_name": "base", "model_specs": ["a"]}),
            ("source of text", {"model_name": "base", "model_specs": [{"model_src": {"a": "b"}}]}),
            ("hub of numbers", {"model_name": "base", "model_specs": [{"model_hub": 3}]}),
        ]
    ),
    (
        "name of another folder",
        json.dumps(RECORD | {"model_name": "../base"}),
        " '../base' cannot be the name of a file; rename the family",
    ),
    (
        "key twice",
        '{"model_name": "base", "model_specs": [{"b": 2, "a": 1, "a": 3}]}',
        " the key 'a' stands twice in a mapping; remove one",
    ),
    (
        "records of one name",
        json.dumps([RECORD, RECORD | {"model_name": "Base"}]),
        " 'Base' is there twice, but a spec is one record; rename one of them",
    ),
]


def _import(folder: Path, data: Any, *arguments: str) -> int:
    (folder / "base.json").write_text(json.dumps(data), "utf-8")
    os.utime(folder / "base.json", (1767323045, 1767323045))
    return main(["import", "base.json", *arguments])


@pytest.mark.parametrize(
    ("text", "line"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(text: str, line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "base.json").write_text(text, "utf-8", "surrogateescape")
    assert main(["import", "base.json", "-o", "specs"]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"base.json:{line}\n")
    assert not (folder / "specs").exists()


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (1 << 24, "the character U+0000 is not allowed; remove it"),
        ((1 << 24) + 1, "the file is larger than 16 MiB; split the family"),
    ],
)
def test_size_of_a_registration(
    size: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "base.json").touch()
    os.truncate("base.json", size)
    assert main(["import", "base.json"]) == 1
    assert capsys.readouterr().err == f"base.json:1:1: $: {said}\n"


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (1 << 20, "the character U+0000 is not allowed; remove it"),
        ((1 << 20) + 1, "the file is larger than 1 MiB; split the family"),
    ],
)
def test_size_of_a_page(
    size: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "base.rst").touch()
    os.truncate("base.rst", size)
    assert _import(folder, RECORD, "--pages", ".") == 0
    assert capsys.readouterr().err == (f"base.json: base: $: no engines from base.rst: {said}\n")


def test_missing_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "base.json"]) == 1
    assert capsys.readouterr().err == "base.json:1:1: $: there is no such file; check the name\n"


def test_the_only_family_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(folder, [RECORD]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith("# yaml-language-server: $schema=family.schema.json\n")
    data = yaml_reader.compose(printed.out)[0].value
    (spec,) = data["model_specs"]
    # What both hubs say stands once; what one of them has stands there.
    assert spec["quantizations"] == ["Q4_0", "Q8_0"]
    assert spec["model_file_name_template"] == "base-{quantization}.gguf"
    assert spec["model_src"] == {
        "huggingface": {"model_id": "owner/base"},
        "modelscope": {"model_id": "Owner/base", "quantizations": ["Q4_0"]},
    }


def test_the_only_family_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(folder, RECORD | {"wish": 1}, "--format", "json") == 0
    data = json.loads(capsys.readouterr().out)
    (spec,) = data["specs"]
    assert spec["family"] == "base"
    assert yaml_reader.compose(spec["text"])[0].value["model_name"] == "base"
    assert data["notes"] == ["base.json: base: $.wish: the format has no such key; left out"]
    assert (data["problems"], data["files"]) == ([], [])


def test_several_families_need_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = [RECORD, RECORD | {"model_name": "other"}]
    assert _import(folder, both) == 1
    assert capsys.readouterr().err == (
        "2 families need a folder; give one with -o, or one --family\n"
    )
    assert _import(folder, both, "--family", "other") == 0
    assert "\nmodel_name: other\n" in capsys.readouterr().out
    assert _import(folder, both, "--family", "another") == 1
    assert capsys.readouterr().err == ("base.json: no family is called 'another'; correct it\n")


def test_a_spec_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _import(folder, RECORD, "-o", "specs") == 0
    assert capsys.readouterr().out == "specs/base.yaml: written\n1 written, 0 unchanged\n"
    assert _import(folder, RECORD, "-o", "specs") == 0
    assert capsys.readouterr().out == "0 written, 1 unchanged\n"
    (folder / "specs/base.yaml").write_text("mine\n", "utf-8")
    assert _import(folder, [RECORD, RECORD | {"model_name": "other"}], "-o", "specs") == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "specs/base.yaml is there already; move it away\n")
    assert [path.name for path in (folder / "specs").iterdir()] == ["base.yaml"]


def test_a_family_is_once_in_the_catalog_for_modelscope(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "scope.json").write_text(json.dumps([CUSTOM, CUSTOM]), "utf-8")
    assert _import(folder, RECORD, "--modelscope", "scope.json") == 1
    assert capsys.readouterr().err == (
        "scope.json: 'base' is there twice, but a spec is one record; rename one of them\n"
    )


def test_the_schema_is_found_from_within_the_repository(root: Path) -> None:
    from generator.importing.import_families import _format_head

    line = _format_head(Path("a.json"), root / "family_specs/more").splitlines()[0]
    assert line == "# yaml-language-server: $schema=../family.schema.json"


def test_what_is_left_out_and_filled_in_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = copy.deepcopy(CUSTOM) | {"wish": 1, "virtualenv": {"packages": [], "color": "red"}}
    del record["updated_at"], record["context_length"], record["model_description"]
    record["model_specs"][0] |= {"model_uri": "/data/base", "model_size_in_billions": 1.8}
    assert _import(folder, record) == 1
    printed = capsys.readouterr()
    assert "model_size_in_billions: 1_8\n" in printed.out
    assert "updated_at: 1767323045  # 2026-01-02\n" in printed.out
    assert "context_length: 2048\n" in printed.out
    name = "base.json: base:"
    stands = "stands in for it"
    assert printed.err.splitlines() == [
        f"{name} $.model_specs[0].model_uri: a place on one machine; left out, "
        "launch with --model-path instead",
        f"{name} $.model_specs[0].model_size_in_billions: 1.8 is written as 1_8, "
        "which means the same",
        f"{name} $.updated_at: not in the registration; "
        f"the time when the file was changed {stands}",
        f"{name} $.context_length: not in the registration; Xinference's default {stands}",
        f"{name} $.model_description: not in the registration; the name {stands}",
        f"{name} $.virtualenv.color: the format has no such key; left out",
        f"{name} $.wish: the format has no such key; left out",
        "base.yaml:19:20: $.model_specs[0].model_src.huggingface: missing key 'model_id'; add it",
    ]


def test_dimensions_that_the_host_does_not_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = copy.deepcopy(RECORD)
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
    metadata = dict.fromkeys([*names, "num_attention_heads"], 8)
    source = record["model_specs"][0]["model_src"]["huggingface"]
    source["model_metadata"] = metadata
    source["model_metadata_by_quantization"] = {
        "Q4_0": metadata | {"weights_bytes": 1},
        "Q8_0": metadata | {"weights_bytes": 2},
    }
    assert _import(folder, record) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        "base.json: base: $.model_specs[0].model_src.huggingface.model_metadata: "
        "beside 'model_metadata_by_quantization' Xinference does not read it; left out\n"
    )
    spec = yaml_reader.compose(printed.out)[0].value["model_specs"][0]
    assert spec["model_src"]["huggingface"]["model_metadata"] == metadata
    assert spec["model_src"]["huggingface"]["model_metadata_by_quantization"] == {
        "Q4_0": {"weights_bytes": 1},
        "Q8_0": {"weights_bytes": 2},
    }


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([RECORD, CUSTOM]).flatmap(mutated))
def test_no_registration_makes_it_crash(data: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "base.json")
        path.write_text(json.dumps(data), "utf-8")
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            status = main(["import", str(path), "-o", folder, "--modelscope", str(path)])
        assert status in (0, 1)
        written = list(Path(folder).glob("*.yaml"))
        assert status == 1 or written


def test_what_a_registration_lacks_is_asked_for_and_can_be_given(
    folder: Path, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {key: value for key, value in RECORD.items() if key != "architectures"}
    asked = "$.architectures: not in the registration; which are they? Give them with"
    assert _import(folder, record) == 1
    assert f"base.json: base: {asked} --architectures\n" in capsys.readouterr().err
    (folder / "formats.yaml").write_text(base, "utf-8")
    given = ("--architectures", "One,Two", "--prompt-formats", "formats.yaml")
    assert _import(folder, record, *given) == 0
    printed = capsys.readouterr()
    assert asked not in printed.err
    assert printed.err == (
        "base.json: base: $.prompt_formats: which checkpoint has which? Add prompt_format, "
        "backbone and engines to each that this plugin is to serve\n"
    )
    data = load_data(printed.out)
    assert data["architectures"] == ["One", "Two"]
    assert data["prompt_formats"] == load_data(base)["prompt_formats"]


def test_what_is_given_beside_a_registration_that_has_it_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _import(folder, RECORD, "--architectures", "Other") == 0
    printed = capsys.readouterr()
    assert load_data(printed.out)["architectures"] == ["BaseModel"]
    assert printed.err == (
        "base.json: base: $.architectures: the registration has it; "
        "what was given beside it is left out\n"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: b\n", "formats.yaml: there are no prompt_formats here; add them"),
        ("[a\n", "formats.yaml:2:1: $: not valid YAML"),
    ],
)
def test_a_file_without_prompt_formats(
    text: str, line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "formats.yaml").write_text(text, "utf-8")
    assert _import(folder, RECORD, "--prompt-formats", "formats.yaml") == 1
    assert capsys.readouterr().err.startswith(line)
