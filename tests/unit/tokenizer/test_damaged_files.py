"""Files that are damaged, malformed or hostile: each is named in one sentence."""

from __future__ import annotations

import builtins
import shutil
import socket
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.unit.tokenizer.files import (
    KINDS,
    TURN,
    append,
    config,
    cut,
    decoder,
    edit_config,
    edit_json,
    legacy,
    piece,
    refusal,
    remove,
    replace,
    without,
)
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.tokenizer import vocab_and_merges
from xinference_internvl2.tokenizer.damaged_file import quote
from xinference_internvl2.tokenizer.sentencepiece import (
    CONTROL,
    NORMAL,
    USER_DEFINED,
    read_sentencepiece,
)
from xinference_internvl2.tokenizer.tokenizer import (
    load_tokenizer,
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["evil.Tokenizer", "LlamaTokenizer", "BertTokenizer", "../x", 7, None]
)
def test_classes_and_code_of_the_checkpoint_are_never_used(
    directories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: object
) -> None:
    expected = load_tokenizer(directories[kind])(TURN + "hi").input_ids
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Tokenizer: pass\n"
    for module in ("evil", "tokenization_internlm2", "tokenizer", "sentencepiece"):
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    edit_config(
        tmp_path, tokenizer_class=name, auto_map={"AutoTokenizer": ["evil.Tokenizer", None]}
    )
    edit_config(tmp_path, name_or_path="some/model", trust_remote_code=True)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("asked the terminal or the network")

    monkeypatch.setattr(builtins, "input", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    assert load_tokenizer(tmp_path)(TURN + "hi").input_ids == expected
    assert not (tmp_path / "ran").exists()
    assert not [
        m for m in set(sys.modules) - before if "evil" in m or "tokenization_internlm2" in m
    ]


BAD = {
    "no config": ("internlm2", remove("tokenizer_config.json"), "tokenizer_config.json is missing"),
    "no model": ("internlm2", remove("tokenizer.model"), "has none of tokenizer.model"),
    "no merges": ("qwen2", remove("merges.txt"), "has none of tokenizer.model"),
    "no json": ("llama3", remove("tokenizer.json"), "has none of tokenizer.model"),
    "cut model": ("internlm2", cut("tokenizer.model", 5000), "damaged or not a SentencePiece"),
    "empty model": ("phi3", cut("tokenizer.model", 0), "damaged or not"),
    "pointer": ("yi", replace("tokenizer.model", b"version https://git-lfs"), "damaged or not"),
    "noise": ("yi", replace("tokenizer.model", bytes(range(256)) * 9), "damaged or not"),
    "unigram": ("phi3", append(b"\x12\x02\x18\x01"), "is not a BPE model"),
    "normalizer": ("phi3", append(b"\x1a\x03\x12\x01x"), "normalizes the text"),
    "strips": ("phi3", append(b"\x1a\x02\x20\x01"), "normalizes the text"),
    "twice": ("phi3", append(b"\x0a\x04\x0a\x02in"), "a piece twice"),
    "cut vocab": ("qwen2", cut("vocab.json", 1000), "vocab.json is not valid JSON"),
    "other merges": ("qwen2", replace("merges.txt", b"#v\nzq qz\n"), "do not belong together"),
    "cut json": ("llama3", cut("tokenizer.json", 1000), "is not valid JSON"),
    "other json": ("llama3", replace("tokenizer.json", b"[1]"), "does not describe a tokenizer"),
    "config json": ("phi3", cut("tokenizer_config.json", 50), "is not valid JSON"),
    "config list": ("phi3", replace("tokenizer_config.json", b"[]"), "is not a JSON object"),
    "no <img>": ("internlm2", without("<img>"), "has no <img>"),
    "no context": ("qwen2", without("<IMG_CONTEXT>"), "<IMG_CONTEXT>"),
    "no added": ("phi3", lambda d: edit_config(d, added_tokens_decoder={}), "has no <img>, </img>"),
    "odd added": ("phi3", lambda d: edit_config(d, added_tokens_decoder=[1]), "does not map ids"),
    "odd id": (
        "phi3",
        lambda d: edit_config(d, added_tokens_decoder={"99999999999": {"content": "x"}}),
        "does not map ids",
    ),
    "odd bos": ("phi3", lambda d: edit_config(d, bos_token="<bos>"), "bos_token '<bos>'"),
    "odd special": ("yi", lambda d: edit_config(d, additional_special_tokens=[1]), "list of texts"),
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_files_are_named_in_one_sentence(directories, tmp_path: Path, case: str) -> None:
    kind, damage, words = BAD[case]
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    damage(tmp_path)
    with pytest.raises(CheckpointError) as error:
        load_tokenizer(tmp_path)
    message = str(error.value)
    assert words in message
    assert str(tmp_path) in message
    assert "\n" not in message
    assert error.value.__cause__ is None


@pytest.mark.parametrize("kind", ["phi3", "yi"])
def test_every_cut_of_a_model_file_is_noticed(directories, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tokenizer.model"
    data = (directories[kind] / "tokenizer.model").read_bytes()
    data = data.removesuffix(b"\x2a\0")  # an empty message that nothing reads
    for size in [*range(0, len(data) - 200, 97), *range(len(data) - 200, len(data))]:
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError, match="is damaged"):
            read_sentencepiece(path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere is not a directory"):
        load_tokenizer(tmp_path / "nowhere")


def test_long_and_too_many_pieces_are_refused(directories, tmp_path: Path) -> None:
    for number, (extra, words) in enumerate(
        [
            (piece("q" * 257, 1), "has a piece of more than 256 characters"),
            (piece("q" * 257, 4), "has a piece of more than 256 characters"),
            (b"".join(piece(f"<{i}>", 4) for i in range(4097)), "more than 4096 user-defined"),
        ]
    ):
        directory = tmp_path / str(number)
        shutil.copytree(directories["phi3"], directory)
        append(extra)(directory)
        assert words in refusal(lambda d=directory: load_tokenizer(d))
    append_ok = tmp_path / "ok"
    shutil.copytree(directories["phi3"], append_ok)
    append(piece("q" * 256, 1))(append_ok)
    model = read_sentencepiece(append_ok / "tokenizer.model")
    assert len(model.texts[-1]) == 256
    most = 4096 - len(model.ids_of(USER_DEFINED))
    append(b"".join(piece(f"<{i}>", USER_DEFINED) for i in range(most)))(append_ok)
    model = read_sentencepiece(append_ok / "tokenizer.model")
    assert len(model.ids_of(USER_DEFINED)) == 4096


@pytest.mark.parametrize(
    ("kind", "name", "megabytes"),
    [
        ("phi3", "tokenizer.model", 8),
        ("qwen2", "vocab.json", 32),
        ("qwen2", "merges.txt", 32),
        ("llama3", "tokenizer.json", 32),
        ("qwen2", "tokenizer_config.json", 4),
    ],
)
def test_the_size_of_a_tokenizer_file(
    directories, tmp_path: Path, kind: str, name: str, megabytes: int
) -> None:
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    for size, larger in ((megabytes << 20, False), ((megabytes << 20) + 1, True)):
        with (tmp_path / name).open("wb") as file:
            file.write(b"\x07")  # nothing that any of them begins with
            file.truncate(size)
        message = refusal(lambda: load_tokenizer(tmp_path))
        assert (f"is larger than {megabytes} MiB" in message) is larger


def fast_token(**values: object):
    """The last added token of a `tokenizer.json`, changed."""
    return edit_json("tokenizer.json", lambda all_: all_["added_tokens"][-1].update(values))


ADDED = "added_tokens_decoder does not map ids to tokens"


MALFORMED = {
    "decoder text": ("phi3", config(added_tokens_decoder="x"), f'config.json: {ADDED}: "x"'),
    "entry list": ("phi3", config(**decoder(["x"])), f'{ADDED}: 3 is not an object: ["x"]'),
    "entry null": ("phi3", config(**decoder(None)), f"{ADDED}: 3 is not an object: null"),
    "content list": ("phi3", config(**decoder({"content": ["x"]})), 'characters: ["x"]'),
    "content number": ("yi", config(**decoder({"content": 7})), "characters: 7"),
    "content empty": ("yi", config(**decoder({"content": ""})), 'characters: ""'),
    "content long": ("yi", config(**decoder({"content": "x" * 257})), "1 to 256 characters"),
    "content missing": ("yi", config(**decoder({})), "characters: null"),
    "content half": ("qwen2", config(**decoder({"content": "\ud800"})), r'characters: "\ud800"'),
    "flag": ("yi", config(**decoder({"content": "x", "rstrip": []})), "rstrip is neither true"),
    "id text": ("phi3", config(**decoder({"content": "x"}, "x")), f'{ADDED}: an id: "x"'),
    "id negative": ("phi3", config(**decoder({"content": "x"}, "-1")), f'{ADDED}: an id: "-1"'),
    "id fraction": ("phi3", config(**decoder({"content": "x"}, "1.5")), 'an id: "1.5"'),
    "id twice": ("phi3", config(**decoder({"content": "x"}, "03")), 'an id: "03"'),
    "id other digits": ("phi3", config(**decoder({"content": "x"}, "３")), r'an id: "\uff13"'),
    "id large": ("phi3", config(**decoder({"content": "x"}, "9" * 99)), f'an id: "{"9" * 99}"'),
    "id rather large": ("phi3", config(**decoder({"content": "x"}, "16777216")), '"16777216"'),
    "bos half": ("phi3", config(bos_token="\ud800"), r'bos_token is not a text: "\ud800"'),
    "eos half": ("qwen2", config(eos_token="\ud800"), r'eos_token is not a text: "\ud800"'),
    "pad object": ("qwen2", config(pad_token={"content": [1]}), 'a text: {"content": [1]}'),
    "unk list": ("llama3", config(unk_token=["x"]), 'unk_token is not a text: ["x"]'),
    "eos number": ("yi", config(eos_token=2), "eos_token is not a text: 2"),
    "special half": ("yi", config(additional_special_tokens=["\udfff"]), r'texts: ["\udfff"]'),
    "special text": ("yi", config(additional_special_tokens="<img>"), 'texts: "<img>"'),
    "special many": ("yi", config(additional_special_tokens=["x"] * 4097), "has 4097 tokens"),
    "added list": ("qwen2", legacy([1]), "added_tokens.json is not a JSON object"),
    "added text": ("qwen2", legacy({"<img>": "x"}), 'added_tokens.json: the id of "<img>" is not'),
    "added fraction": ("qwen2", legacy({"<img>": 1.5}), "to 16777215: 1.5"),
    "added truth": ("qwen2", legacy({"<img>": True}), "to 16777215: true"),
    "added negative": ("qwen2", legacy({"<img>": -1}), "to 16777215: -1"),
    "added large": ("qwen2", legacy({"<img>": 10**40}), "to 16777215: 1" + "0" * 40),
    "added twice": ("qwen2", legacy({"<a>": 640, "<b>": 640}), "<b>\" is another token's: 640"),
    "added half": ("qwen2", legacy({"\ud800": 640}), r'characters: "\ud800"'),
    "added empty": ("qwen2", legacy({"": 640}), 'characters: ""'),
    "added many": ("qwen2", legacy({f"<{i}>": i for i in range(4097)}), "has 4097 tokens"),
    "fast none": (
        "llama3",
        edit_json("tokenizer.json", lambda values: values.pop("added_tokens")),
        "tokenizer.json: added_tokens is not a list: null",
    ),
    "fast id": ("llama3", fast_token(id="x"), '.id is not a whole number from 0 to 16777215: "x"'),
    "fast large": ("llama3", fast_token(id=1 << 40), "to 16777215: 1099511627776"),
    "fast twice": ("llama3", fast_token(id=640), ".id is another token's: 640"),
    "fast other": ("llama3", fast_token(content="<x>"), "gives the id"),
    "fast content": ("llama3", fast_token(content=["x"]), 'characters: ["x"]'),
    "fast flag": ("llama3", fast_token(normalized=1), "normalized is neither true nor false: 1"),
    "fast elsewhere": (
        "llama3",
        lambda d: [fast_token(id=9999)(d), edit_config(d, added_tokens_decoder=None)],
        "has the id 9999, but the vocabulary gives it",
    ),
    "deep": (
        "phi3",
        lambda d: (d / "tokenizer_config.json").write_text(
            '{"bos_token": ' + "[" * 900 + "]" * 900 + "}"
        ),
        "tokenizer_config.json is nested more than 32 levels deep",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_values_are_named_with_file_and_field(
    directories, tmp_path: Path, case: str
) -> None:
    kind, damage, words = MALFORMED[case]
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    if case.startswith("fast") or kind == "llama3":
        (tmp_path / "added_tokens.json").unlink(missing_ok=True)
    damage(tmp_path)
    message = refusal(lambda: load_tokenizer(tmp_path))
    assert words in message
    assert str(tmp_path) in message


def test_how_many_lines_of_merges_there_may_be(
    directories, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (directories["qwen2"] / "merges.txt").read_bytes().count(b"\n")
    monkeypatch.setattr(vocab_and_merges, "MAX_MERGES", lines)
    assert load_tokenizer(directories["qwen2"])("a").input_ids
    monkeypatch.setattr(vocab_and_merges, "MAX_MERGES", lines - 1)
    message = refusal(lambda: load_tokenizer(directories["qwen2"]))
    assert f"merges.txt has more than {lines - 1} lines" in message


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("x" * 198, f'"{"x" * 198}"'),
        ("x" * 199, f'"{"x" * 199}…'),
        ("x" * 9999, f'"{"x" * 199}…'),
        (["é"], '["\\u00e9"]'),
    ],
)
def test_as_much_of_a_value_is_quoted(value: object, quoted: str) -> None:
    assert quote(value) == quoted


@pytest.mark.parametrize(("kind", "token"), [("phi3", "<|end|>"), ("internlm2", "<|im_end|>")])
def test_a_piece_that_repeats_a_control_token_under_another_id_is_refused(
    directories, tmp_path: Path, kind: str, token: str
) -> None:
    """Its merges would make the control token of the plain letters of a user's text."""
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    known = read_sentencepiece(tmp_path / "tokenizer.model").texts
    # Beyond the ids of added tokens, which replace pieces.
    pieces = [f"filler{number}" for number in range(100)]
    pieces += [letter for letter in dict.fromkeys(token) if letter not in known]
    pieces += [token[:end] for end in range(2, len(token) + 1)]
    append(b"".join(piece(text, NORMAL) for text in pieces[:-1]))(tmp_path)
    load_tokenizer(tmp_path)
    append(piece(token, NORMAL))(tmp_path)
    assert f"the token {quote(token)} has the id" in refusal(lambda: load_tokenizer(tmp_path))


@pytest.mark.parametrize("own", [CONTROL, USER_DEFINED])
@pytest.mark.parametrize(("kind", "token"), [("phi3", "<|end|>"), ("internlm2", "<|im_end|>")])
def test_a_piece_without_merges_may_repeat_an_added_token(
    directories, tmp_path: Path, kind: str, token: str, own: int
) -> None:
    """Its text is the added token's, as it is in the published code."""
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    pieces = [piece(f"filler{number}", NORMAL) for number in range(100)]
    append(b"".join([*pieces, piece(token, own)]))(tmp_path)
    published = load_tokenizer(directories[kind])
    assert load_tokenizer(tmp_path).encode(token) == published.encode(token)


@pytest.mark.parametrize("data", ["[1]", '{"bos_token": ["x"]}', "{", r'{"eos_token": "\ud800"}'])
def test_the_special_tokens_map_is_not_read(directories, tmp_path: Path, data: str) -> None:
    shutil.copytree(directories["yi"], tmp_path, dirs_exist_ok=True)
    (tmp_path / "special_tokens_map.json").write_text(data, encoding="utf-8")
    expected = load_tokenizer(directories["yi"])
    assert load_tokenizer(tmp_path)(TURN).input_ids == expected(TURN).input_ids
    assert load_tokenizer(tmp_path).eos_token == expected.eos_token
