"""The native tokenizers against slow ones written for the test, and against the goldens."""

from __future__ import annotations

import builtins
import copy
import json
import pickle
import random
import shutil
import socket
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.tiny.tokenizer_files import write_tokenizer
from tests.unit.tokenizer.reference import (
    SlowByteLevel,
    SlowSentencePiece,
    SlowTokenizer,
    random_text,
)
from xinference_internvl2.errors import CheckpointError, RequestError
from xinference_internvl2.tokenizer.files import token_id
from xinference_internvl2.tokenizer.sentencepiece import read_sentencepiece
from xinference_internvl2.tokenizer.tokenizer import (
    InternVL2Tokenizer,
    encode_segments,
    load_tokenizer,
)

SHARED = Path(__file__).resolve().parents[4] / "shared" / "reference"
KINDS = ("qwen2", "internlm2", "phi3", "yi", "llama3")
LEGACY = "phi3-legacy"  # the Llama class with a space before every run of text
HUB = ("InternVL2-1B", "InternVL2-2B")
GOLDENS = ("internlm2_2b", "internlm2_w_awq", "phi3_4b")
TURN = "<|im_start|>user\n"


@pytest.fixture(scope="session")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {name: SHARED / "hub" / name for name in HUB}
    found |= {name: SHARED / "goldens" / name for name in GOLDENS}
    for kind in (*KINDS, LEGACY):
        found[kind] = tmp_path_factory.mktemp(kind)
        write_tokenizer(found[kind], kind.partition("-")[0])
    edit_config(found[LEGACY], legacy=True)
    return found


@pytest.fixture(scope="session")
def load(directories: dict[str, Path]):
    """Both tokenizers of a name, loaded once."""
    cache: dict[str, tuple[InternVL2Tokenizer, SlowTokenizer]] = {}

    def pair(name: str) -> tuple[InternVL2Tokenizer, SlowTokenizer]:
        if not directories[name].is_dir():
            pytest.skip(f"{directories[name]} is absent")
        if name not in cache:
            sentencepiece = (directories[name] / "tokenizer.model").is_file()
            slow = SlowSentencePiece if sentencepiece else SlowByteLevel
            cache[name] = load_tokenizer(directories[name]), slow(directories[name])
        return cache[name]

    return pair


def edit_config(directory: Path, **values: object) -> None:
    path = directory / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | values), encoding="utf-8")


@pytest.mark.parametrize("name", [*KINDS, LEGACY, *HUB, "internlm2_2b", "phi3_4b"])
def test_ids_and_texts_equal_the_slow_tokenizer(load, name: str) -> None:
    fast, slow = load(name)
    rng = random.Random(name)
    for number in range(2000):
        text = random_text(rng, list(slow.added))
        ids = slow.encode(text)
        assert fast(text).input_ids == ids, (number, text)
        assert encode_segments(fast, [(text, True)]) == ids, (number, text)
        if name != LEGACY:  # its class adds and drops spaces around control tokens
            assert fast.decode(ids) == slow.decode(ids), (number, text)


@pytest.mark.parametrize("name", [*KINDS, *HUB])
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\n",
        "a" * 2_001,
        " " * 2_001,
        "你好，世界。" * 2_000,
        "<img>" + "<IMG_CONTEXT>" * 3_328 + "</img>\nWhat?",
        "abababab" * 5 + "aaaaaaa",
    ],
    ids=lambda text: f"{len(text)} of {text[:5]!r}",
)
def test_extreme_texts(load, name: str, text: str) -> None:
    fast, slow = load(name)
    assert fast(text).input_ids == slow.encode(text)
    assert encode_segments(fast, [(text, True)]) == slow.encode(text)


@pytest.mark.parametrize("name", [*KINDS, *HUB])
@pytest.mark.parametrize("text", ["a" * 200_000, " " * 200_000, "hello 你好 " * 20_000])
def test_long_texts_are_neither_cut_nor_warned_about(load, name: str, text: str) -> None:
    fast, _ = load(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ids = fast(text, truncation=True).input_ids
    assert encode_segments(fast, [(text, False)]) == ids
    assert fast.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize("name", [*KINDS, *HUB])
def test_any_ids_decode_as_the_slow_tokenizer_decodes_them(load, name: str) -> None:
    """Also where they stop in the middle of a character, as a stream does."""
    fast, slow = load(name)
    rng = random.Random(name)
    first = 3 if isinstance(slow, SlowSentencePiece) else 0
    size = fast.vocab_size if isinstance(slow, SlowByteLevel) else slow.sp.get_piece_size()
    for _ in range(500):
        ids = [rng.randrange(first, size) for _ in range(rng.randint(1, 20))]
        if not any(i in slow.names for i in ids):
            assert fast.decode(ids) == slow.decode(ids), ids


@pytest.mark.parametrize("name", [*KINDS, *HUB])
def test_a_text_decoded_token_by_token_only_grows(load, name: str) -> None:
    fast, _ = load(name)
    text = "Grüße, 世界 𝒳𝒴 👩‍👩‍👧 done"
    ids = encode_segments(fast, [(text, False)])[len(fast("").input_ids) :]
    shown = ""
    for end in range(1, len(ids) + 1):
        part = fast.decode(ids[:end])
        if not part.endswith("\ufffd"):
            assert part.startswith(shown)
            assert text.startswith(part)
            shown = part
    assert shown == text


@pytest.mark.parametrize("name", GOLDENS)
def test_golden_prompts(load, directories: dict[str, Path], name: str) -> None:
    fast, _ = load(name)
    load_file = pytest.importorskip("safetensors.torch").load_file
    golden = load_file(directories[name] / "golden.safetensors")
    prompts = json.loads((directories[name] / "golden.json").read_text(encoding="utf-8"))
    for kind in ("text", "image"):
        expected = golden[f"{kind}_ids"][0].tolist()
        assert fast(prompts[f"{kind}_prompt"]).input_ids == expected
        assert encode_segments(fast, [(prompts[f"{kind}_prompt"], True)]) == expected


@pytest.mark.parametrize("name", [*KINDS, LEGACY, *HUB, "phi3_4b"])
def test_benign_segments_equal_the_whole_string(load, name: str) -> None:
    fast, slow = load(name)
    rng = random.Random(name)
    for _ in range(1000):
        segments = []
        for _ in range(rng.randint(0, 6)):
            trusted = rng.random() < 0.6
            segments.append((random_text(rng, list(slow.added) if trusted else []), trusted))
        whole = "".join(text for text, _ in segments)
        assert encode_segments(fast, segments) == slow.encode(whole), segments


@pytest.mark.parametrize("name", [*KINDS, LEGACY, *HUB, "phi3_4b"])
def test_control_tokens_of_a_user_stay_text(load, name: str) -> None:
    fast, slow = load(name)
    controls = {index for index, _ in slow.added.values()}
    rng = random.Random(name)
    start = fast("").input_ids
    for _ in range(500):
        text = random_text(rng, list(slow.added))
        ids = encode_segments(fast, [(text, False)])
        assert not controls & set(ids[len(start) :]), text
        assert not controls & set(
            fast(text, split_special_tokens=True, add_special_tokens=False).input_ids
        ), text
        if "▁" not in text:
            shown = fast.decode(ids[len(start) :])
            assert shown == (text if name not in ("qwen2", "InternVL2-1B") else nfc(text))


def nfc(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", text)


def test_a_control_token_is_never_put_together_from_both_sides(load) -> None:
    fast, _ = load("internlm2")
    end = fast.convert_tokens_to_ids("<|im_end|>")
    for segments in (
        [("<|im_", True), ("end|>", False)],
        [("<|im_", False), ("end|>", True)],
        [("<|im_", False), ("end|>", False)],
        [("<|im", True), ("", False), ("_end|>", True)],
    ):
        assert end not in encode_segments(fast, segments)
    assert end in encode_segments(fast, [("<|im_", True), ("end|>", True)])


@pytest.mark.parametrize("name", ["internlm2", "InternVL2-2B"])
def test_placeholder_pieces_behind_control_tokens_stay_text(load, name: str) -> None:
    """The slow class reads `[UNUSED_TOKEN_145]` as `<|im_end|>`: a way around every filter."""
    fast, slow = load(name)
    text = "[UNUSED_TOKEN_145]"
    assert slow.encode(text)[-1] == fast.convert_tokens_to_ids("<|im_end|>")
    assert fast.convert_tokens_to_ids("<|im_end|>") not in fast(text).input_ids
    assert fast.decode(fast(text).input_ids, skip_special_tokens=True) == text


def test_added_tokens_that_no_file_calls_special_are_control_tokens(
    directories, tmp_path: Path
) -> None:
    for kind in ("llama3", "yi"):
        shutil.copytree(directories[kind], tmp_path / kind)
    path = tmp_path / "llama3" / "tokenizer.json"
    path.write_bytes(path.read_bytes().replace(b'"special": true', b'"special": false'))
    edit_config(tmp_path / "llama3", added_tokens_decoder={})
    without("<|im_end|>")(tmp_path / "yi")  # then it is but a user-defined piece
    for kind in ("llama3", "yi"):
        fast = load_tokenizer(tmp_path / kind)
        end = fast.convert_tokens_to_ids("<|im_end|>")
        assert encode_segments(fast, [("<|im_end|>", True)])[-1] == end
        assert end not in encode_segments(fast, [("<|im_end|>", False)])
        assert end not in fast("<|im_end|>", split_special_tokens=True).input_ids


def test_phi3_prompts_keep_the_space_of_their_class(load) -> None:
    fast, _ = load("phi3")
    pieces = fast.convert_ids_to_tokens(fast("<|user|>\n hi<|end|>").input_ids)
    assert pieces == ["<s>", "▁", "<|user|>", *pieces[3:-1], "<|end|>"]
    assert "".join(pieces[3:-1]) == "hi"
    assert fast.convert_ids_to_tokens(fast("<img>").input_ids) == ["<s>", "<img>"]


@pytest.mark.parametrize("kind", KINDS)
def test_named_tokens_padding_and_length(load, kind: str) -> None:
    fast, slow = load(kind)
    assert (fast.eos_token, fast.pad_token) == (slow.config["eos_token"], slow.config["pad_token"])
    assert len(fast) == max(index for index, _ in slow.added.values()) + 1
    short, long = fast("a").input_ids, fast("a b c d e f").input_ids
    batch = fast(["a", "a b c d e f"], padding=True)
    pads = len(long) - len(short)
    assert batch.input_ids == [[fast.pad_token_id] * pads + short, long]
    assert batch.attention_mask[0] == [0] * pads + [1] * len(short)
    # The padding that a call leaves behind must not reach the next prompt.
    assert len(fast("a", padding="max_length", max_length=50).input_ids) == 50
    assert encode_segments(fast, [("a", True)]) == short


@pytest.mark.parametrize("name", [*KINDS, "InternVL2-2B"])
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_copies_encode_the_same(load, name: str, copied) -> None:
    fast, _ = load(name)
    segments = [(TURN + "hi ", True), ("<|im_end|> 你好", False)]
    twin = copied(fast)
    assert encode_segments(twin, segments) == encode_segments(fast, segments)
    assert twin(TURN).input_ids == fast(TURN).input_ids


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


def cut(file: str, size: int):
    def change(directory: Path) -> None:
        path = directory / file
        path.write_bytes(path.read_bytes()[:size])

    return change


def replace(file: str, data: bytes):
    return lambda directory: (directory / file).write_bytes(data)


def remove(*files: str):
    return lambda directory: [(directory / file).unlink() for file in files]


def without(token: str):
    def change(directory: Path) -> None:
        text = (directory / "tokenizer_config.json").read_text(encoding="utf-8")
        decoder = json.loads(text)["added_tokens_decoder"]
        kept = {i: entry for i, entry in decoder.items() if entry["content"] != token}
        edit_config(directory, added_tokens_decoder=kept)

    return change


def append(data: bytes):
    def change(directory: Path) -> None:
        path = directory / "tokenizer.model"
        path.write_bytes(path.read_bytes() + data)

    return change


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
    "cut vocab": ("qwen2", cut("vocab.json", 1000), "damaged or do not belong together"),
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


def test_truncation_and_padding_of_a_tokenizer_json_are_dropped(
    directories, tmp_path: Path
) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "tokenizer.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["truncation"] = dict(max_length=4, strategy="LongestFirst", stride=0, direction="Right")
    values["padding"] = dict(
        strategy={"Fixed": 9},
        direction="Right",
        pad_to_multiple_of=None,
        pad_id=0,
        pad_type_id=0,
        pad_token="!",
    )
    path.write_text(json.dumps(values), encoding="utf-8")
    assert load_tokenizer(tmp_path).backend_tokenizer.truncation is None
    expected = load_tokenizer(directories["llama3"])
    for text in ("", "a b c d e f g h i j k l"):
        assert load_tokenizer(tmp_path)(text).input_ids == expected(text).input_ids
        assert encode_segments(load_tokenizer(tmp_path), [(text, True)]) == expected(text).input_ids


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere is not a directory"):
        load_tokenizer(tmp_path / "nowhere")


def test_half_a_surrogate_pair_is_the_clients_fault(load) -> None:
    fast, _ = load("qwen2")
    with pytest.raises(RequestError, match=r"half a surrogate pair, '\\ud83d', at character 1"):
        encode_segments(fast, [(TURN, True), ("a\ud83d", False)])


def test_a_control_token_may_take_over_a_piece(directories, load, tmp_path: Path) -> None:
    text = "the picture in the garden"
    taken = load("phi3")[0](text, add_special_tokens=False).input_ids[0]
    shutil.copytree(directories["phi3"], tmp_path, dirs_exist_ok=True)
    decoder = load("phi3")[1].config["added_tokens_decoder"] | {str(taken): {"content": "<new>"}}
    edit_config(tmp_path, added_tokens_decoder=decoder)
    fast = load_tokenizer(tmp_path)
    assert fast.convert_tokens_to_ids("<new>") == taken
    ids = fast(text, add_special_tokens=False).input_ids
    assert taken not in ids
    assert fast.decode(ids) == text


def test_tokens_unknown_to_the_vocabulary_get_no_id(directories, tmp_path: Path) -> None:
    shutil.copytree(directories["phi3"], tmp_path, dirs_exist_ok=True)
    edit_config(tmp_path, pad_token="<pad>", additional_special_tokens=["<new>"])
    fast = load_tokenizer(tmp_path)
    assert fast.pad_token is None
    assert len(fast) == len(load_tokenizer(directories["phi3"]))


CONTEXT = "<IMG_CONTEXT>"


def edit_json(file: str, change: Callable[[dict], object]):
    def edit(directory: Path) -> None:
        path = directory / file
        values = json.loads(path.read_text(encoding="utf-8"))
        change(values)
        path.write_text(json.dumps(values), encoding="utf-8")

    return edit


def refusal(call: Callable[[], object]) -> str:
    """The one sentence with which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as error:
        call()
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 700
    return message


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
BYTE_LEVEL |= {"use_regex": False}
LLAMA3_SPLIT = {
    "type": "Split",
    "pattern": {
        "Regex": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    },
    "behavior": "Isolated",
    "invert": False,
}


def split(**changes: object) -> dict[str, object]:
    return {
        "type": "Sequence",
        "pretokenizers": [LLAMA3_SPLIT | changes, BYTE_LEVEL],
    }


def template(single: str, ids: list[int], name: str = "<|begin_of_text|>") -> dict[str, object]:
    """A post-processor; `single` is given by letters, b for the token and A for the text."""
    bos, text = ({"SpecialToken": {"id": name, "type_id": 0}}, {"Sequence": {"id": "A"}})
    text["Sequence"]["type_id"] = 0
    other = {"Sequence": {"id": "B", "type_id": 1}}
    return {
        "type": "TemplateProcessing",
        "single": [bos if letter == "b" else text for letter in single],
        "pair": [bos, text, bos, other],
        "special_tokens": {name: {"id": name, "ids": ids, "tokens": [name]}},
    }


REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 100}
COMPONENTS = {
    "multiplies": ("normalizer", {"type": "Sequence", "normalizers": [REPLACE] * 3}),
    "replaces": ("normalizer", REPLACE),
    "panics": ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
    "lists": ("normalizer", ["NFC"]),
    "blows up": ("pre_tokenizer", split(pattern={"Regex": "(a+)+$"})),
    "string": ("pre_tokenizer", split(pattern={"String": "a"})),
    "removes": ("pre_tokenizer", split(behavior="Removed")),
    "inverts": ("pre_tokenizer", split(invert=True)),
    "splits only": ("pre_tokenizer", LLAMA3_SPLIT),
    "no steps": ("pre_tokenizer", {"type": "Sequence", "pretokenizers": []}),
    "many steps": ("pre_tokenizer", {"type": "Sequence", "pretokenizers": [BYTE_LEVEL] * 3}),
    "metaspace": ("pre_tokenizer", {"type": "Metaspace"}),
    "adds spaces": ("pre_tokenizer", BYTE_LEVEL | {"add_prefix_space": True}),
    "none": ("pre_tokenizer", None),
    "text": ("pre_tokenizer", "ByteLevel"),
    "no decoder": ("decoder", None),
    "decodes": ("decoder", {"type": "ByteFallback"}),
    "bert": ("post_processor", {"type": "BertProcessing", "sep": ["a", 1], "cls": ["b", 2]}),
    "other id": ("post_processor", template("bA", [9_999_999])),
    "no token": ("post_processor", template("bA", [640], name="<none>")),
    "many ids": ("post_processor", template("bA", [640] * 99)),
    "text twice": ("post_processor", template("bAA", [640])),
    "after": ("post_processor", template("bAb", [640])),
    "many": ("post_processor", template("b" * 99 + "A", [640])),
    "nothing": ("post_processor", template("", [640])),
    "bad template": ("post_processor", {"type": "TemplateProcessing", "single": 1}),
    "word level": ("model", {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}),
    "no model": ("model", None),
}


@pytest.mark.parametrize("case", COMPONENTS)
def test_only_known_components_of_a_tokenizer_json(directories, tmp_path: Path, case: str) -> None:
    name, value = COMPONENTS[case]
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    edit_json("tokenizer.json", lambda values: values.update({name: value}))(tmp_path)
    message = refusal(lambda: load_tokenizer(tmp_path))
    found = {k: v for k, v in value.items() if k != "vocab"} if case == "word level" else value
    assert f"tokenizer.json: the {name} is {json.dumps(found)[:150]}" in message


def test_random_merges_are_refused(directories, tmp_path: Path) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    edit_json("tokenizer.json", lambda values: values["model"].update(dropout=0.5))(tmp_path)
    assert '"dropout": 0.5' in refusal(lambda: load_tokenizer(tmp_path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pre_tokenizer", split()),
        ("pre_tokenizer", BYTE_LEVEL | {"use_regex": True}),
        ("normalizer", {"type": "NFC"}),
        ("post_processor", None),
        ("post_processor", BYTE_LEVEL),
        ("post_processor", template("bA", [640])),
    ],
)
def test_the_known_components_are_accepted(
    directories, tmp_path: Path, name: str, value: object
) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    edit_json("tokenizer.json", lambda values: values.update({name: value}))(tmp_path)
    fast = load_tokenizer(tmp_path)
    plain = fast("a red circle", add_special_tokens=False).input_ids
    start = [] if name == "post_processor" and value in (None, BYTE_LEVEL) else [640]
    assert encode_segments(fast, [("a red circle", True)]) == start + plain
    assert fast.decode(plain) == "a red circle"


@pytest.mark.parametrize("name", ["qwen2", "llama3", "InternVL2-1B"])
def test_a_text_at_which_the_library_panics_is_the_clients_fault(load, name: str) -> None:
    fast, _ = load(name)
    text = " " * 11_000_000
    for call in (lambda: encode_segments(fast, [(text, False)]), lambda: fast(text)):
        with pytest.raises(RequestError, match="more than the tokenizer can split") as error:
            call()
        assert error.value.__cause__ is None
    assert fast.decode(encode_segments(fast, [("hi", False)])).endswith("hi")


def test_files_at_which_the_library_panics_are_refused(directories, tmp_path: Path) -> None:
    shutil.copytree(directories["llama3"], tmp_path, dirs_exist_ok=True)
    change = {"continuing_subword_prefix": "much longer than any piece"}
    edit_json("tokenizer.json", lambda values: values["model"].update(change))(tmp_path)
    assert str(tmp_path) in refusal(lambda: load_tokenizer(tmp_path))


def test_only_panics_are_turned_into_errors(load, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = copy.copy(load("qwen2")[0])

    class PanicException(BaseException):
        """By the same name, from elsewhere."""

    for kind in (KeyboardInterrupt, SystemExit, PanicException, MemoryError):

        def fail(*args: object, kind: type[BaseException] = kind) -> None:
            raise kind

        monkeypatch.setattr(fast, "_parts", fail)
        with pytest.raises(kind):
            encode_segments(fast, [("a", True)])


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_added_tokens_load_in_a_moment(directories, tmp_path: Path, kind: str) -> None:
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "tokenizer_config.json"
    decoder = json.loads(path.read_text(encoding="utf-8"))["added_tokens_decoder"]
    first, size = max(map(int, decoder)) + 1, len(decoder)
    decoder |= {str(first + i): {"content": f"<{i}>"} for i in range(4096 - size)}
    edit_config(tmp_path, added_tokens_decoder=decoder)
    began = time.process_time()
    fast = load_tokenizer(tmp_path)
    assert time.process_time() - began < 2
    last = f"<{4095 - size}>"
    assert encode_segments(fast, [(last, True)])[-1] == first + 4095 - size
    assert first + 4095 - size not in encode_segments(fast, [(last, False)])
    decoder[str(first + 4096)] = {"content": "<one too many>"}
    edit_config(tmp_path, added_tokens_decoder=decoder)
    message = refusal(lambda: load_tokenizer(tmp_path))
    assert "added_tokens_decoder has 4097 tokens" in message


def piece(text: str, kind: int) -> bytes:
    """One more piece of a SentencePiece model, in protobuf's wire format."""

    def sized(data: bytes) -> bytes:
        return bytes([len(data) & 127 | 128, len(data) >> 7]) + data

    return b"\x0a" + sized(b"\x0a" + sized(text.encode()) + bytes([0x18, kind]))


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
    assert len(read_sentencepiece(append_ok / "tokenizer.model").texts[-1]) == 256


def config(**values: object):
    return lambda directory: edit_config(directory, **values)


def decoder(entry: object, index: object = "3") -> dict[str, object]:
    return {"added_tokens_decoder": {index: entry}}


def legacy(values: object):
    """`added_tokens.json` in place of the field of `tokenizer_config.json`."""

    def change(directory: Path) -> None:
        edit_config(directory, added_tokens_decoder=None)
        (directory / "added_tokens.json").write_text(json.dumps(values), encoding="utf-8")

    return change


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
        "bos_token is not a text: ",
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


@pytest.mark.parametrize("data", ["[1]", '{"bos_token": ["x"]}', "{", r'{"eos_token": "\ud800"}'])
def test_the_special_tokens_map_is_not_read(directories, tmp_path: Path, data: str) -> None:
    shutil.copytree(directories["yi"], tmp_path, dirs_exist_ok=True)
    (tmp_path / "special_tokens_map.json").write_text(data, encoding="utf-8")
    expected = load_tokenizer(directories["yi"])
    assert load_tokenizer(tmp_path)(TURN).input_ids == expected(TURN).input_ids
    assert load_tokenizer(tmp_path).eos_token == expected.eos_token


@pytest.mark.parametrize("start", ["$A", "<s> $A", "a:1"])
def test_a_start_token_is_no_template(directories, tmp_path: Path, start: str) -> None:
    shutil.copytree(directories["phi3"], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "tokenizer_config.json"
    added = json.loads(path.read_text(encoding="utf-8"))["added_tokens_decoder"]
    added["1"]["content"] = start
    edit_config(tmp_path, added_tokens_decoder=added, bos_token=start)
    fast = load_tokenizer(tmp_path)
    assert fast("").input_ids == [1]
    assert fast("hello").input_ids == load_tokenizer(directories["phi3"])("hello").input_ids


def only_in(file: str):
    """Leave but one of the places that name the control tokens."""

    def change(directory: Path) -> None:
        if file != "tokenizer_config.json":
            edit_json("tokenizer_config.json", lambda v: v.pop("added_tokens_decoder"))(directory)
        if file != "added_tokens.json":
            (directory / "added_tokens.json").unlink()
        if file != "tokenizer.json" and (directory / "tokenizer.json").is_file():
            edit_json("tokenizer.json", lambda v: v.update(added_tokens=[]))(directory)

    return change


PLACES = [(kind, file) for kind in KINDS for file in ("tokenizer_config.json", "added_tokens.json")]


@pytest.mark.parametrize(("kind", "file"), [*PLACES, ("llama3", "tokenizer.json")])
def test_the_id_of_a_token_is_found_where_the_loader_finds_it(
    directories, load, tmp_path: Path, kind: str, file: str
) -> None:
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    only_in(file)(tmp_path)
    fast, slow = load(kind)
    index = fast.convert_tokens_to_ids(CONTEXT)
    assert token_id(tmp_path, CONTEXT, index + 1) == index
    again = load_tokenizer(tmp_path)
    assert again.convert_tokens_to_ids(CONTEXT) == index
    for text in ("", "<img><IMG_CONTEXT></img>\nWhat is 你好?", TURN + "hi<|im_end|>"):
        if kind != "phi3" or "<|" not in text:  # only one place says which tokens eat spaces
            assert encode_segments(again, [(text, True)]) == slow.encode(text)
    for size in (index, 0):
        assert "<IMG_CONTEXT> within the vocabulary; download tokenizer_config.json and" in refusal(
            lambda size=size: token_id(tmp_path, CONTEXT, size)
        )


def test_the_id_of_a_missing_token(directories, tmp_path: Path) -> None:
    names_none = "the tokenizer's files name no id for"
    assert names_none in refusal(lambda: token_id(tmp_path, CONTEXT, 9999))
    shutil.copytree(directories["yi"], tmp_path, dirs_exist_ok=True)
    assert f"{names_none} <none>" in refusal(lambda: token_id(tmp_path, "<none>", 9999))
    without(CONTEXT)(tmp_path)
    assert names_none in refusal(lambda: token_id(tmp_path, CONTEXT, 9999))
    edit_config(tmp_path, added_tokens_decoder=[1])
    assert "does not map ids" in refusal(lambda: token_id(tmp_path, CONTEXT, 9999))


@pytest.mark.parametrize("name", HUB)
def test_the_id_of_a_published_token(load, directories, name: str) -> None:
    fast, _ = load(name)
    expected = fast.convert_tokens_to_ids(CONTEXT)
    assert token_id(directories[name], CONTEXT, expected + 1) == expected


def test_a_user_defined_piece_has_an_id(directories, tmp_path: Path) -> None:
    shutil.copytree(directories["yi"], tmp_path, dirs_exist_ok=True)
    without("<|im_end|>")(tmp_path)
    expected = load_tokenizer(tmp_path).convert_tokens_to_ids("<|im_end|>")
    assert token_id(tmp_path, "<|im_end|>", 9999) == expected
