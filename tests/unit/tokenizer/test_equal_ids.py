"""The native tokenizers encode and decode as slow ones written for the test, and as the goldens."""

from __future__ import annotations

import copy
import json
import pickle
import random
import warnings
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.unit.tokenizer.files import GOLDENS, HUB, KINDS, LEGACY, TURN
from tests.unit.tokenizer.reference import (
    SlowByteLevel,
    SlowSentencePiece,
    random_text,
)
from xinference_internvl2.errors import RequestError
from xinference_internvl2.tokenizer.tokenizer import (
    encode_segments,
)


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


def test_half_a_surrogate_pair_is_the_clients_fault(load) -> None:
    fast, _ = load("qwen2")
    with pytest.raises(RequestError, match=r"half a surrogate pair, '\\ud83d', at character 1"):
        encode_segments(fast, [(TURN, True), ("a\ud83d", False)])


@pytest.mark.parametrize("name", ["qwen2", "llama3", "InternVL2-1B"])
def test_a_text_at_which_the_library_panics_is_the_clients_fault(load, name: str) -> None:
    fast, _ = load(name)
    text = " " * 11_000_000
    for call in (lambda: encode_segments(fast, [(text, False)]), lambda: fast(text)):
        with pytest.raises(RequestError, match="more than the tokenizer can split") as error:
            call()
        assert error.value.__cause__ is None
    assert fast.decode(encode_segments(fast, [("hi", False)])).endswith("hi")


def test_only_panics_are_turned_into_errors(load, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = copy.copy(load("qwen2")[0])

    class PanicException(BaseException):
        """By the same name, from elsewhere."""

    for kind in (KeyboardInterrupt, SystemExit, PanicException, MemoryError):

        def fail(*args: object, kind: type[BaseException] = kind) -> None:
            raise kind

        monkeypatch.setattr(fast._tokens_in_text, "split", fail)
        with pytest.raises(kind):
            encode_segments(fast, [("a", True)])
