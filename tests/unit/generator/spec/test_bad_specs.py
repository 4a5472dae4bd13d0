# ruff: noqa: E501 (a line of output stands here as it is printed)
"""What the generator says of bad specs, line by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.__main__ import main
from tests.unit.generator.specs import BASE, RICH

BAD_SPECS = Path(__file__).with_name("bad_specs")
"""Specs with a mistake, each with the lines that are said of it at its end."""

# What a file of text cannot show.
WHOLE: list[tuple[str, bytes, list[str]]] = [
    ("empty file", b"", ["1:1: $: the file is empty; describe a model family in it"]),
    (
        "only a comment",
        b"# nothing\n",
        ["1:1: $: the file is empty; describe a model family in it"],
    ),
    (
        "list at the root",
        b"- model_name: base\n",
        ["1:1: $: this is a list, but must be a mapping: one model family"],
    ),
    (
        "text at the root",
        b"base\n",
        ["1:1: $: 'base' is text, but must be a mapping: one model family"],
    ),
    (
        "binary file",
        bytes(range(256)),
        ["2:118: $: the byte 0x80 is not UTF-8; save the file as UTF-8"],
    ),
    (
        "NUL in the text",
        b"model_name: base\0\n",
        ["1:17: $: the character U+0000 is not allowed; remove it"],
    ),
    (
        "UTF-16",
        b"\xff\xfem\x00",
        ["1:1: $: the byte 0xff is not UTF-8; save the file as UTF-8"],
    ),
    (
        "byte that is not UTF-8",
        b"model_name: b\xe4se\n",
        ["1:14: $: the byte 0xe4 is not UTF-8; save the file as UTF-8"],
    ),
    (
        "alias bomb",
        b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 10)) for c in b"bcdefghi"
        ),
        ["5:20: $: more than 50000 values, aliases written out; split the family"],
    ),
    ("nested lists", b"[" * 100_000, ["1:34: $: nested deeper than 32 levels; flatten it"]),
    ("nested mappings", b"{a: " * 100_000, ["1:133: $: nested deeper than 32 levels; flatten it"]),
    ("nested blocks", b"- " * 100_000, ["1:67: $: nested deeper than 32 levels; flatten it"]),
    (
        "large file",
        b"#" * ((1 << 20) + 1),
        ["1:1: $: the file is larger than 1 MiB; split the family"],
    ),
    (
        "many values",
        b"a: [" + b"x," * 60_000 + b"]",
        ["1:99999: $: more than 50000 values, aliases written out; split the family"],
    ),
    (
        "half a character",
        b'a: "\\ud800"\n',
        [
            "1:7: $: not valid YAML: found invalid Unicode character escape code while parsing a quoted scalar; correct it"
        ],
    ),
]


def _lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Run the generator, which must refuse, and return what it prints."""
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


@pytest.mark.parametrize("path", sorted(BAD_SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_bad_spec(path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, _, said = path.read_bytes().decode("utf-8").partition("# says:\n")
    (folder / "spec.yaml").write_bytes(text.encode("utf-8"))
    assert _lines(capsys, "build", "--output", "out", "spec.yaml") == [
        line.replace("# ", "spec.yaml:", 1) for line in said.splitlines()
    ]
    assert not (folder / "out").exists()


def test_there_are_bad_specs() -> None:
    assert len(list(BAD_SPECS.glob("*.yaml"))) >= 98


@pytest.mark.parametrize(
    ("data", "lines"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE]
)
def test_whole_file(
    data: bytes, lines: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "spec.yaml").write_bytes(data)
    assert _lines(capsys, "build", "--output", "out", "spec.yaml") == [
        f"spec.yaml:{line}" for line in lines
    ]
    assert not (folder / "out").exists()


@pytest.mark.parametrize("text", [BASE, RICH], ids=["base", "rich"])
def test_good_spec(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "spec.yaml").write_text(text, "utf-8")
    assert main(["validate", "spec.yaml"]) == 0
    assert capsys.readouterr().out == "spec.yaml: valid\n"


def _missing(folder: Path) -> None:
    pass


def _directory(folder: Path) -> None:
    (folder / "spec.yaml").mkdir()


def _loop(folder: Path) -> None:
    (folder / "spec.yaml").symlink_to("spec.yaml")


def _device(folder: Path) -> None:
    (folder / "spec.yaml").symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_missing, "there is no such file; check the name"),
        (_directory, "this is a directory; name a spec file in it"),
        (
            _loop,
            "the file cannot be read (Too many levels of symbolic links); "
            "check the name and its permissions",
        ),
        (_device, "this is not a regular file; name a spec file"),
    ],
)
def test_unreadable_spec(
    make: Callable[[Path], None], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(folder)
    assert _lines(capsys, "validate", "spec.yaml") == [f"spec.yaml:1:1: $: {message}"]


def test_file_in_place_of_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "file").touch()
    assert _lines(capsys, "validate", "file/spec.yaml") == [
        "file/spec.yaml:1:1: $: the file cannot be read (Not a directory); "
        "check the name and its permissions"
    ]


def test_every_file_of_a_run_is_reported_and_nothing_written(
    base: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "good.yaml").write_text(base, "utf-8")
    (folder / "b.yaml").write_text(base.replace("[chat]", "[chut]"), "utf-8")
    (folder / "a.yaml").write_text(base.replace("4096", "no"), "utf-8")
    assert _lines(capsys, "build", "--output", "out", "good.yaml", "b.yaml", "a.yaml") == [
        "a.yaml:3:17: $.context_length: 'no' is text, but must be a whole number: "
        "the longest context in tokens, prompt and answer together",
        "b.yaml:5:17: $.model_ability[0]: 'chut' is not one of 'embed', 'generate', 'chat', "
        "'tools', 'vision', 'audio', 'omni', 'reasoning', 'hybrid'; did you mean 'chat'?",
    ]
    assert not (folder / "out").exists()


def test_two_files_with_one_family(
    base: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.yaml").write_text(base, "utf-8")
    (folder / "b.yaml").write_text(base.replace("model_name: base", "model_name: Base"), "utf-8")
    assert _lines(capsys, "validate", "a.yaml", "b.yaml") == [
        "b.yaml:1:13: $.model_name: 'Base' is already the family of a.yaml; rename one of the two"
    ]


def test_one_file_named_twice(base: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(base, "utf-8")
    assert main(["validate", "a.yaml", "./a.yaml"]) == 0


def test_many_mistakes_are_all_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = "".join(f"{'model_nam' * 6}{number}: x\n" for number in range(3_000))
    (folder / "spec.yaml").write_text(keys, "utf-8")
    assert len(_lines(capsys, "validate", "spec.yaml")) > 3_000
