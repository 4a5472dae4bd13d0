"""Answers of random weights that are held to a form, several forms at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from transformers import PreTrainedModel

from tests.support.chat.forms import SHAPES
from tests.tiny import make_checkpoint
from xinference_internvl2.engine_outputs import FinishOutput, TokenOutput
from xinference_internvl2.errors import RequestError
from xinference_internvl2.grammar import BROKEN_OFF, ONE_SPACE
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer, load_tokenizer
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.grammar_constraint import (
    Constraint,
    ConstraintBuilder,
)

from .conftest import run, started

FORMS: list[tuple[str, Any]] = [
    ("json", {"x-guidance": ONE_SPACE, **SHAPES}),
    ("regex", "[a-c]{3}-[0-9]{2}"),
    ("choice", ["left", "right"]),
    ("grammar", 'start: "<" ("x" | "y")~3 ">"'),
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> InternVL2Tokenizer:
    # The weights of `tiny` are those of a checkpoint of the same name.
    return load_tokenizer(make_checkpoint(tmp_path_factory.mktemp("words"), backbone="qwen2"))


@pytest.fixture(scope="module")
def grammars(tiny: PreTrainedModel, tokenizer: InternVL2Tokenizer) -> ConstraintBuilder:
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    return ConstraintBuilder(tokenizer, tiny.config.text_config.vocab_size, [end])


async def answers(
    engine: AsyncEngine, tokenizer: InternVL2Tokenizer, constraint: Constraint, **sampling: Any
) -> tuple[list[str], set[str]]:
    """The texts of a request, and how they ended."""
    from xinference_internvl2.transformers.engine.sequence import Prompt

    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    params = SamplingParams(**{"max_tokens": 200, **sampling})
    found: dict[int, list[int]] = {choice: [] for choice in range(params.n)}
    ends = set()
    async for output in engine.generate(Prompt([5, 6, 7]), params, [end], constraint):
        if isinstance(output, TokenOutput):
            found[output.choice].append(output.id)
        elif isinstance(output, FinishOutput):
            ends.add(output.reason)
    return [tokenizer.decode(ids) for ids in found.values()], ends


def check(kind: str, value: Any, text: str) -> None:
    if kind == "json":
        jsonschema.validate(json.loads(text), value)
    elif kind == "choice":
        assert text in value
    else:
        import re

        assert re.fullmatch(value if kind == "regex" else "<[xy]{3}>", text)


def test_answers_of_different_forms_are_written_at_once(
    tiny: PreTrainedModel, tokenizer: InternVL2Tokenizer, grammars: ConstraintBuilder
) -> None:
    async def all_at_once(engine: AsyncEngine) -> list[tuple[list[str], set[str]]]:
        jobs = [
            answers(engine, tokenizer, grammars.build(*form), temperature=t, seed=1, n=n)
            for form in FORMS
            for t, n in ((0.0, 1), (1.0, 3))
        ]
        return await asyncio.gather(*jobs)

    with started(tiny) as engine:
        found = run(all_at_once(engine))
    for (kind, value), (texts, ends) in zip([f for f in FORMS for _ in (0, 1)], found, strict=True):
        assert ends == {"stop"}
        for text in texts:
            check(kind, value, text)


def test_a_form_that_fails_in_the_middle_fails_its_request_alone(
    tiny: PreTrainedModel, tokenizer: InternVL2Tokenizer, grammars: ConstraintBuilder
) -> None:
    """The library reads `<ref>` as one token, and then does not know it as the text of the form."""

    async def both(engine: AsyncEngine) -> tuple[Any, ...]:
        jobs = [
            answers(engine, tokenizer, grammars.build("choice", [choice]))
            for choice in ("a <ref>", "left")
        ]
        return tuple(await asyncio.gather(*jobs, return_exceptions=True))

    with started(tiny) as engine:
        failed, answered = run(both(engine))
    assert isinstance(failed, RequestError)
    assert str(failed) == BROKEN_OFF
    assert answered == (["left"], {"stop"})


@pytest.mark.parametrize("backbone", ["qwen2", "internlm2", "llama", "phi3"])
def test_every_tokenizer_knows_the_form_and_the_end(tmp_path: Path, backbone: str) -> None:
    tokenizer = load_tokenizer(make_checkpoint(tmp_path / backbone, backbone=backbone))
    stop = tokenizer.convert_tokens_to_ids("<|end|>" if backbone == "phi3" else "<|im_end|>")
    constraint = ConstraintBuilder(tokenizer, len(tokenizer), [stop]).build(
        "choice", ["red", "blue"]
    )
    said: list[int] = []
    generator = torch.Generator().manual_seed(0)
    for _ in range(9):
        row = constraint.mask(torch.randn(1, len(tokenizer), generator=generator))
        token = int(row.argmax())
        if token == stop:
            break
        constraint.accept(token)
        said.append(token)
    assert b"".join(map(tokenizer.token_bytes, said)) in (b"red", b"blue")
    assert token == stop
