"""From tokens to texts, whatever the order in which an engine reports them."""

from __future__ import annotations

import asyncio

from tests.support.chat.engine import Engine, detokenizers, tokens
from xinference_internvl2.chat.text_deltas import TextDelta, detokenize
from xinference_internvl2.engine_outputs import FinishOutput
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer


def collected(
    engine: Engine, tokenizer: InternVL2Tokenizer, choices: int, stop: tuple[str, ...] = ()
) -> list[TextDelta]:
    async def collect() -> list[TextDelta]:
        return [
            part
            async for part in detokenize(
                engine(), detokenizers(tokenizer, choices, stop), tokenizer
            )
        ]

    return asyncio.run(collect())


def text_of(parts: list[TextDelta], choice: int) -> str:
    return "".join(part.text for part in parts if part.choice == choice)


def ends(parts: list[TextDelta]) -> dict[int, str | None]:
    return {part.choice: part.ending.finish_reason for part in parts if part.ending}


def test_answers_that_are_written_together_are_kept_apart(tokenizer: InternVL2Tokenizer) -> None:
    first, second = (
        tokens(tokenizer, 0, "The quick 狐狸 fox"),
        tokens(tokenizer, 1, "jumps 🦊 over"),
    )
    mixed = [token for pair in zip(first, second, strict=False) for token in pair]
    rest = [*first[len(second) :], *second[len(first) :]]
    engine = Engine([*mixed, *rest, FinishOutput(1, "length"), FinishOutput(0, "stop")])
    parts = collected(engine, tokenizer, 2)
    assert text_of(parts, 0) == tokenizer.decode([token.id for token in first])
    assert text_of(parts, 1) == tokenizer.decode([token.id for token in second])
    assert ends(parts) == {0: "stop", 1: "length"}
    assert sum(part.tokens for part in parts) == len(first) + len(second)


def test_an_engine_is_stopped_when_all_answers_have_met_a_stop_string(
    tokenizer: InternVL2Tokenizer,
) -> None:
    both = [
        *tokens(tokenizer, 0, "The quick brown fox"),
        *tokens(tokenizer, 1, "over the lazy dog"),
    ]
    endless = [
        *both,
        *tokens(tokenizer, 0, "The lazy dog") * 50,
        FinishOutput(0, "length"),
        FinishOutput(1, "length"),
    ]
    engine = Engine(endless)
    parts = collected(engine, tokenizer, 2, ("quick", "lazy"))
    assert (text_of(parts, 0).strip(), text_of(parts, 1).strip()) == ("The", "over the")
    assert ends(parts) == {0: "stop", 1: "stop"}
    assert engine.stopped
    assert engine.reported <= len(both)


def test_a_client_that_leaves_stops_the_engine(tokenizer: InternVL2Tokenizer) -> None:
    engine = Engine(tokens(tokenizer, 0, "The quick brown fox") * 10)

    async def leave() -> None:
        parts = detokenize(engine(), detokenizers(tokenizer, 1), tokenizer)
        await anext(parts)
        await parts.aclose()

    asyncio.run(leave())
    assert engine.stopped
    assert engine.reported == 1


def test_an_answer_that_repeats_itself_ends(tokenizer: InternVL2Tokenizer) -> None:
    again = tokens(tokenizer, 0, "The lazy dog")
    engine = Engine([*again * 50, FinishOutput(0, "length")])

    async def collect() -> list[TextDelta]:
        parts = detokenize(
            engine(), detokenizers(tokenizer, 1), tokenizer, repetition=(len(again), 3)
        )
        return [part async for part in parts]

    parts = asyncio.run(collect())
    assert text_of(parts, 0) == tokenizer.decode([token.id for token in again * 3])
    assert ends(parts) == {0: "stop"}
    assert engine.stopped
