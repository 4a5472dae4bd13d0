"""From token ids to text, in parts that never have to be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.tiny import make_checkpoint
from xinference_internvl2.chat.detokenizer import MAX_UNDECODED, Detokenizer
from xinference_internvl2.tokenizer.tokenizer import (
    InternVL2Tokenizer,
    encode_segments,
    load_tokenizer,
)

TEXTS = [
    "The quick brown fox",
    "一只敏捷的棕色狐狸 🦊 und 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "  two spaces\n\n\ttabs ",
    "",
    "a",
]


@pytest.fixture(scope="module", params=["qwen2", "internlm2", "phi3", "llama"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp(request.param), backbone=request.param)


@pytest.fixture(scope="module")
def tokenizer(checkpoint: Path) -> InternVL2Tokenizer:
    return load_tokenizer(checkpoint)


def streamed(
    tokenizer: InternVL2Tokenizer, ids: Sequence[int], stop: Sequence[str] = (), **options: Any
) -> tuple[list[str], bool]:
    detokenizer = Detokenizer(tokenizer, stop, **options)
    parts = []
    for token in ids:
        parts.append(detokenizer.add(token))
        if detokenizer.stopped:
            break
    return [*parts, detokenizer.finish()], detokenizer.stopped


@pytest.mark.parametrize("text", TEXTS)
def test_the_parts_are_the_whole(tokenizer: InternVL2Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    parts, done = streamed(tokenizer, ids)
    assert "".join(parts) == tokenizer.decode(ids)
    assert not done
    assert not any("\ufffd" in part for part in parts)


def test_a_text_arrives_before_its_end(tokenizer: InternVL2Tokenizer) -> None:
    ids = tokenizer.encode(TEXTS[0], add_special_tokens=False)
    parts, _ = streamed(tokenizer, ids)
    assert sum(bool(part) for part in parts[:-1]) > 2
    assert parts[-1] == ""


@pytest.mark.parametrize(
    ("stop", "left"),
    [
        (["brown"], "The quick "),
        (["quick brown f", "zzz"], "The "),
        (["fox", "The"], ""),
        (["nowhere"], "The quick brown fox"),
        (["fox!"], "The quick brown fox"),
    ],
)
def test_stop_strings(tokenizer: InternVL2Tokenizer, stop: list[str], left: str) -> None:
    ids = tokenizer.encode(TEXTS[0], add_special_tokens=False)
    parts, done = streamed(tokenizer, ids, stop)
    whole = tokenizer.decode(ids)
    assert "".join(parts).lstrip() == left.lstrip()
    assert done == any(string in whole for string in stop)


def test_an_unfinished_character_is_kept_to_the_end(tokenizer: InternVL2Tokenizer) -> None:
    ids = tokenizer.encode("ok 🦊", add_special_tokens=False)[:-1]
    parts, _ = streamed(tokenizer, ids)
    assert "\ufffd" not in "".join(parts[:-1])
    assert "".join(parts) == tokenizer.decode(ids)


def test_any_tokens_stream_to_what_they_decode_to(tokenizer: InternVL2Tokenizer) -> None:
    """Words, control tokens and pieces of characters in any order."""
    random = Random(0)
    words = tokenizer.encode("The answer is 42, <ref>狐狸</ref> ok.", add_special_tokens=False)
    controls = tokenizer.all_special_ids
    for _ in range(300):
        ids = [random.choice(random.choice([words, words, controls])) for _ in range(12)]
        parts, _ = streamed(tokenizer, ids)
        if "\ufffd" not in tokenizer.decode(ids):
            assert "".join(parts) == tokenizer.decode(ids, skip_special_tokens=True), ids


def test_garbage_is_not_held_back_for_ever(tokenizer: InternVL2Tokenizer) -> None:
    first = tokenizer.encode("🦊", add_special_tokens=False)[-2]
    parts, _ = streamed(tokenizer, [first] * 500)
    assert sum(bool(part) for part in parts[:-1]) > 5


def test_so_many_tokens_without_clear_text_are_waited_for() -> None:
    class Tokenizer:
        def decode(self, ids: list[int], **options: object) -> str:
            return "\ufffd" * len(ids)

    detokenizer = Detokenizer(Tokenizer())
    assert [detokenizer.add(1) for _ in range(MAX_UNDECODED - 1)] == [""] * (MAX_UNDECODED - 1)
    assert detokenizer.add(1) == "\ufffd" * MAX_UNDECODED


def test_a_stop_string_in_the_last_piece_is_cut() -> None:
    class Tokenizer:
        def decode(self, ids: list[int], **options: object) -> str:
            return "".join({1: "yes STOP\ufffd", 2: "no"}[token] for token in ids)

    detokenizer = Detokenizer(Tokenizer(), ["STOP"])
    assert detokenizer.add(1) + detokenizer.finish() == "yes "
    assert detokenizer.stopped


def test_control_tokens_are_not_in_the_text(tokenizer: InternVL2Tokenizer) -> None:
    ids = tokenizer.encode("left", add_special_tokens=False)
    ids += [tokenizer.convert_tokens_to_ids("<img>")]
    assert "".join(streamed(tokenizer, ids)[0]) == tokenizer.decode(ids[:-1])


GROUNDED = "<ref>red 狐狸</ref><box>[[10, 20, 300, 400]]</box>"


def grounded_ids(tokenizer: InternVL2Tokenizer, end: str) -> list[int]:
    ids = encode_segments(tokenizer, [("See ", False), (GROUNDED, True), (" ok", False)])
    return [*ids[len(tokenizer.encode("")) :], tokenizer.convert_tokens_to_ids(end)]


def test_control_tokens_are_in_the_text_where_they_are_asked_for(
    checkpoint: Path, tokenizer: InternVL2Tokenizer
) -> None:
    end = "<|end|>" if checkpoint.name.startswith("phi3") else "<|im_end|>"
    ids = grounded_ids(tokenizer, end)
    hidden = [tokenizer.convert_tokens_to_ids(end)]
    parts, _ = streamed(tokenizer, ids, skip_special_tokens=False, hidden=hidden)
    assert "".join(parts) == tokenizer.decode(ids[:-1], skip_special_tokens=False)
    assert GROUNDED in "".join(parts).replace("> red", ">red").replace("> [[", ">[[")
    assert sum(bool(part) for part in parts[:-1]) > 8
    parts, stopped = streamed(tokenizer, ids, ["</ref>"], skip_special_tokens=False, hidden=hidden)
    assert stopped
    assert "".join(parts).endswith("狐狸")


def test_any_tokens_stream_to_what_they_decode_to_with_control_tokens(
    tokenizer: InternVL2Tokenizer,
) -> None:
    random = Random(1)
    words = tokenizer.encode("The answer is 42, 狐狸 ok.", add_special_tokens=False)
    controls = tokenizer.all_special_ids
    for _ in range(300):
        ids = [random.choice(random.choice([words, words, controls])) for _ in range(12)]
        parts, _ = streamed(tokenizer, ids, skip_special_tokens=False)
        if "\ufffd" not in tokenizer.decode(ids):
            assert "".join(parts) == tokenizer.decode(ids), ids


def test_stop_strings_are_looked_for_after_the_first_tokens(tokenizer: InternVL2Tokenizer) -> None:
    """One that is complete with token number `min_tokens` does not count, one after it does."""
    ids = tokenizer.encode("a fox and a fox", add_special_tokens=False)
    whole = tokenizer.decode(ids)
    first = next(n for n in range(len(ids)) if "fox" in tokenizer.decode(ids[:n]))
    for min_tokens, end in ((first - 1, whole.index("fox")), (first, whole.rindex("fox"))):
        parts, stopped = streamed(tokenizer, ids, ["fox"], min_tokens=min_tokens)
        assert stopped
        assert "".join(parts) == whole[:end]
