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
import warnings
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.tiny.tokenizer_files import write_tokenizer
from tests.unit.tokenizer_reference import (
    SlowByteLevel,
    SlowSentencePiece,
    SlowTokenizer,
    random_text,
)
from xinference_internvl2.errors import CheckpointError, RequestError
from xinference_internvl2.sentencepiece_model import read_sentencepiece
from xinference_internvl2.tokenizer import InternVL2Tokenizer, encode_segments, load_tokenizer

SHARED = Path(__file__).resolve().parents[3] / "shared" / "reference"
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
