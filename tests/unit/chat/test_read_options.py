"""The options of a request: what is read, what is refused, and what makes no difference."""

from __future__ import annotations

import math
from typing import Any

import pytest

from xinference_internvl2.chat.build_sampling_params import read_sampling
from xinference_internvl2.chat.max_tokens import DEFAULT_MAX_TOKENS
from xinference_internvl2.chat.option_table import (
    ONLY_NEUTRAL,
    OPTIONS,
    STREAM_OPTIONS,
    TEMPLATE_OPTIONS,
    WITHOUT_EFFECT,
)
from xinference_internvl2.chat.read_options import read_options
from xinference_internvl2.errors import RequestError
from xinference_internvl2.grammar import ONE_SPACE
from xinference_internvl2.sampling_params import SamplingParams


def read(config: dict[str, Any]) -> SamplingParams:
    return read_sampling(read_options(config), 2000)


def json_form(schema: dict[str, Any]) -> tuple[str, Any]:
    """A schema, with as much space as a text may have."""
    return "json", {"x-guidance": ONE_SPACE, **schema}


SAMPLINGS: list[tuple[dict[str, Any], SamplingParams]] = [
    ({}, SamplingParams(DEFAULT_MAX_TOKENS)),
    ({"max_tokens": 7}, SamplingParams(7)),
    ({"max_tokens": 10**9}, SamplingParams(2000)),
    ({"temperature": 0, "top_p": 0.5}, SamplingParams(DEFAULT_MAX_TOKENS, 0.0, 0.5)),
    ({"temperature": 1e-320}, SamplingParams(DEFAULT_MAX_TOKENS, 0.0)),
    ({"temperature": 0.7}, SamplingParams(DEFAULT_MAX_TOKENS, 0.7)),
    ({"top_p": 0.9}, SamplingParams(DEFAULT_MAX_TOKENS, 1.0, 0.9)),
    ({"top_k": 5}, SamplingParams(DEFAULT_MAX_TOKENS, 1.0, top_k=5)),
    ({"top_k": -1}, SamplingParams(DEFAULT_MAX_TOKENS)),
    ({"top_p": 1, "top_k": 0, "min_p": 0.0}, SamplingParams(DEFAULT_MAX_TOKENS)),
    ({"top_k": 50.0}, SamplingParams(DEFAULT_MAX_TOKENS, 1.0, top_k=50)),
    ({"top_k": 1 << 40}, SamplingParams(DEFAULT_MAX_TOKENS, 1.0, top_k=1 << 20)),
    ({"min_p": 0.1}, SamplingParams(DEFAULT_MAX_TOKENS, 1.0, min_p=0.1)),
    ({"do_sample": False, "temperature": 0.7}, SamplingParams(DEFAULT_MAX_TOKENS)),
    ({"do_sample": True, "temperature": 0.7}, SamplingParams(DEFAULT_MAX_TOKENS, 0.7)),
    ({"do_sample": True}, SamplingParams(DEFAULT_MAX_TOKENS, 1.0)),
    ({"min_tokens": 5}, SamplingParams(DEFAULT_MAX_TOKENS, min_tokens=5)),
    ({"min_tokens": 5000, "max_tokens": 5000}, SamplingParams(2000, min_tokens=2000)),
    ({"seed": 0}, SamplingParams(DEFAULT_MAX_TOKENS, seed=0)),
    ({"repetition_penalty": 1.2}, SamplingParams(DEFAULT_MAX_TOKENS, repetition_penalty=1.2)),
    ({"stop": "a"}, SamplingParams(DEFAULT_MAX_TOKENS, stop=("a",))),
    ({"stop": ["a", "b"]}, SamplingParams(DEFAULT_MAX_TOKENS, stop=("a", "b"))),
    ({"stop": None}, SamplingParams(DEFAULT_MAX_TOKENS)),
    ({"n": 3, "temperature": 1}, SamplingParams(DEFAULT_MAX_TOKENS, 1.0, n=3)),
    ({"extra_body": {"n": 2, "top_k": 5}}, SamplingParams(DEFAULT_MAX_TOKENS, 1.0, top_k=5, n=2)),
    ({"presence_penalty": -2}, SamplingParams(DEFAULT_MAX_TOKENS, presence_penalty=-2.0)),
    ({"frequency_penalty": 0.5}, SamplingParams(DEFAULT_MAX_TOKENS, frequency_penalty=0.5)),
    ({"logprobs": True}, SamplingParams(DEFAULT_MAX_TOKENS, logprobs=0)),
    ({"logprobs": True, "top_logprobs": 5}, SamplingParams(DEFAULT_MAX_TOKENS, logprobs=5)),
    ({"logprobs": False, "top_logprobs": 0}, SamplingParams(DEFAULT_MAX_TOKENS)),
    ({"response_format": {"type": "text"}}, SamplingParams(DEFAULT_MAX_TOKENS)),
    (
        {"response_format": {"type": "json_object"}},
        SamplingParams(DEFAULT_MAX_TOKENS, constraint=json_form({"type": "object"})),
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": [1]}}}},
        SamplingParams(DEFAULT_MAX_TOKENS, constraint=json_form({"enum": [1]})),
    ),
    ({"guided_choice": ["a"]}, SamplingParams(DEFAULT_MAX_TOKENS, constraint=("choice", ["a"]))),
    (
        {"guided_json": '{"enum": [1]}'},
        SamplingParams(DEFAULT_MAX_TOKENS, constraint=json_form({"enum": [1]})),
    ),
    (
        {"guided_json_object": True},
        SamplingParams(DEFAULT_MAX_TOKENS, constraint=json_form({"type": "object"})),
    ),
    (
        {"structured_outputs": {"regex": "a+", "json": None, "json_object": False}},
        SamplingParams(DEFAULT_MAX_TOKENS, constraint=("regex", "a+")),
    ),
]


@pytest.mark.parametrize(("config", "sampling"), SAMPLINGS)
def test_sampling(config: dict[str, Any], sampling: SamplingParams) -> None:
    assert read(config) == sampling


def _ask_for_nothing() -> list[dict[str, Any]]:
    """Every option with each of its neutral values, and those without effect with any."""
    neutral = [{o.name: value} for o in OPTIONS.values() for value in o.neutral]
    free = [{name: value} for name in WITHOUT_EFFECT for value in (True, "x", 5, {"a": 1})]
    nested = [
        {outer: {o.name: value}}
        for outer, table in (
            ("stream_options", STREAM_OPTIONS),
            ("chat_template_kwargs", TEMPLATE_OPTIONS),
        )
        for o in table.values()
        for value in o.neutral
    ]
    null = [{name: None} for name in (*OPTIONS, "unknown")]
    host = [{"_anthropic_cache_control": {"ttl": 300}}]
    return [*neutral, *free, *nested, *null, *host, {"extra_body": {"best_of": 1.0}}]


@pytest.mark.parametrize("config", _ask_for_nothing())
def test_what_asks_for_nothing_is_as_if_it_were_not_there(
    config: dict[str, Any],
) -> None:
    assert read_options(config) == {}


OTHERWISE = [0, 1, 7, True, False, "x", [], ["x"], {}, {"x": 1}]


@pytest.mark.parametrize("name", ONLY_NEUTRAL)
@pytest.mark.parametrize("value", OTHERWISE)
def test_nothing_but_its_neutral_values_passes(name: str, value: Any) -> None:
    """Neither another value that Python takes for false, nor true in place of 1."""
    option = ONLY_NEUTRAL[name]
    if any(value == neutral and type(value) is type(neutral) for neutral in option.neutral):
        return
    with pytest.raises(RequestError) as caught:
        read_options({name: value})
    assert str(caught.value) == f"{name} is not supported: {option.effect}; leave it out"


BAD_SAMPLINGS: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "max_tokens 0 is not a whole number from 1 to "),
    ({"max_tokens": -1}, "max_tokens -1 is not"),
    ({"max_tokens": "5"}, "max_tokens '5' is not"),
    ({"max_tokens": True}, "max_tokens True is not"),
    ({"temperature": -0.1}, "temperature -0.1 is not a number from 0 to 100"),
    ({"temperature": math.nan}, "temperature nan is not"),
    ({"temperature": math.inf}, "temperature inf is not"),
    ({"temperature": "hot"}, "temperature 'hot' is not"),
    ({"top_p": 1.5}, "top_p 1.5 is not a number from 0 to 1"),
    ({"top_k": "x"}, "top_k 'x' is not"),
    ({"repetition_penalty": 0}, "repetition_penalty 0 is not"),
    ({"seed": 1 << 63}, "seed 9223372036854775808 is not a whole number"),
    ({"seed": -1}, "seed -1 is not"),
    ({"seed": "1"}, "seed '1' is not"),
    ({"stop": [""]}, "stop '' is not a string of 1 to 256 characters"),
    ({"stop": ["x" * 257]}, "stop 'xxxx"),
    ({"stop": ["a"] * 17}, "stop has to be a string or a list of at most 16 strings"),
    ({"stop": {"a": 1}}, "stop has to be a string or a list"),
    ({"stop": [1]}, "stop 1 is not a string"),
    ({"stop": "a\ud800"}, r"stop 'a\ud800' has half a surrogate pair; send valid Unicode"),
    ({"bad_words": ["a", "\udfff"]}, r"bad_words '\udfff' has half a surrogate pair"),
    ({"cache_salt": "\udc00"}, r"cache_salt '\udc00' has half a surrogate pair"),
    ({"n": 0}, "n 0 is not a whole number from 1 to 16"),
    ({"n": 17}, "n 17 is not"),
    ({"n": 2}, "n 2 needs a temperature above 0, or all answers would be the same"),
    ({"n": 2, "temperature": 0}, "n 2 needs a temperature above 0"),
    ({"guided_regex": 5}, "guided_regex 5 is not a string"),
    ({"guided_choice": "red"}, "guided_choice 'red' is not a list of strings"),
    ({"guided_choice": [1]}, "guided_choice [1] is not a list of strings"),
    ({"guided_json": [1]}, "guided_json [1] is not an object or a string"),
    ({"guided_json": "[1]"}, "guided_json '[1]' is not a JSON schema that is an object"),
    ({"guided_json": "{"}, "guided_json '{' is not a JSON schema that is an object"),
    ({"guided_regex": "(?=a)"}, "the form of the answer cannot be kept: "),
    ({"structured_outputs": {"regex": 5}}, "structured_outputs.regex 5 is not a string"),
    (
        {"structured_outputs": {"structural_tag": "x"}},
        "structured_outputs.structural_tag is not supported; use json, regex, choice, grammar, ",
    ),
    ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "response_format, structured_out"),
    ({"min_tokens": 2, "guided_regex": "a"}, "min_tokens contradicts an answer of a given form"),
    ({"bad_words": ["a"], "guided_regex": "a"}, "bad_words contradicts an answer of a given form"),
    ({"allowed_token_ids": [1], "guided_regex": "a"}, "allowed_token_ids contradicts an answer"),
    ({"stop_token_ids": [-1]}, "stop_token_ids [-1] is not a list of at most 64 token ids"),
    ({"stop_token_ids": [True]}, "stop_token_ids [True] is not a list of at most 64 token ids"),
    ({"allowed_token_ids": "5"}, "allowed_token_ids '5' is not a list of at most 1024 token ids"),
    ({"logit_bias": {"five": 1}}, "logit_bias {'five': 1} is not an object of at most 1024 token"),
    ({"logit_bias": {"5": 101}}, "logit_bias {'5': 101} is not an object of at most 1024 token"),
    ({"repetition_ngram_size": 65}, "repetition_ngram_size 65 is not a whole number from 0 to 64"),
    ({"guided_grammar": ""}, "guided_grammar '' is not a string"),
    ({"presence_penalty": 3}, "presence_penalty 3 is not a number from -2 to 2"),
    ({"frequency_penalty": "x"}, "frequency_penalty 'x' is not"),
    ({"logprobs": 5}, "logprobs 5 is not true or false"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs 21 is not a whole number from 0 to 20"),
    ({"top_logprobs": 2}, "top_logprobs 2 needs logprobs to be true"),
    ({"response_format": {"type": "xml"}}, "response_format of type 'xml' is not text"),
    ({"response_format": {"type": "json_schema"}}, "response_format of type 'json_schema'"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}},
        "response_format.json_schema.schema has to be an object",
    ),
    (
        {"guided_regex": "a", "guided_choice": ["a"]},
        "response_format, structured_outputs and",
    ),
    ({"response_format": "json_object"}, "response_format 'json_object' is not an object"),
    ({"response_format": {"type": "json_object", "odd": 0}}, "response_format.odd is not"),
    (
        {"response_format": {"type": "json_object", "json_schema": {}}},
        "response_format.json_schema is not supported",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}, "odd": 0}}},
        "response_format.json_schema.odd is not supported",
    ),
    ({"max_tokens": 5, "max_completion_tokens": 6}, "max_completion_tokens contradicts max_tokens"),
    ({"min_p": 1.1}, "min_p 1.1 is not a number from 0 to 1"),
    ({"top_k": 5.5}, "top_k 5.5 is not a whole number from -1 to "),
    ({"do_sample": 0}, "do_sample 0 is not true or false"),
    ({"do_sample": True, "temperature": 0}, "do_sample true needs a temperature above 0, not 0"),
    ({"do_sample": False, "n": 2, "temperature": 1}, "n 2 needs a temperature above 0"),
    ({"min_tokens": 6, "max_tokens": 5}, "min_tokens 6 is more than the 5 of max_tokens"),
    ({"ignore_eos": True, "guided_regex": "a"}, "ignore_eos contradicts an answer of a given form"),
    ({"ignore_eos": 1}, "ignore_eos 1 is not true or false"),
    ({"skip_special_tokens": "no"}, "skip_special_tokens 'no' is not true or false"),
    ({"stream": 1}, "stream 1 is not true or false"),
    ({"stream_options": True}, "stream_options True is not an object"),
    (
        {"stream_options": {"usage": True}},
        "stream_options.usage is not supported for this model; leave it out",
    ),
    ({"detokenize": False}, "detokenize is not supported: "),
    ({"no_repeat_ngram_size": 3}, "no_repeat_ngram_size is not supported: use repetition_ngram"),
    ({"tools": [{}]}, "tools is not supported: the model calls no tools; leave it out"),
    ({"tool_choice": "required"}, "tool_choice is not supported: the model calls no tools"),
    ({"reasoning_effort": "high"}, "reasoning_effort is not supported: the model does not reason"),
    (
        {"chat_template_kwargs": {"enable_thinking": True}},
        "chat_template_kwargs.enable_thinking is not supported: the model does not reason",
    ),
    (
        {"chat_template_kwargs": {"tools": []}},
        "chat_template_kwargs.tools is not supported for this model; leave it out",
    ),
    (
        {"add_generation_prompt": True, "chat_template_kwargs": {"add_generation_prompt": False}},
        "chat_template_kwargs.add_generation_prompt contradicts add_generation_prompt",
    ),
    ({"max_dynamic_patch": 0}, "max_dynamic_patch is not supported for this model; leave it out"),
    ({"extra_body": {"max_dynamic_patch": 3}}, "max_dynamic_patch is not supported"),
    ({"extra_body": 1}, "extra_body has to be an object"),
]


@pytest.mark.parametrize(("config", "sentence"), BAD_SAMPLINGS)
def test_bad_sampling(config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(config)
    assert str(caught.value).startswith(sentence)


MAX_TOKEN = (1 << 31) - 1
# Option: the value at its lower bound, one beyond it, at its upper bound, one beyond it.
BOUNDS: list[tuple[str, Any, Any, Any, Any]] = [
    ("max_tokens", 1, 0, 1 << 31, (1 << 31) + 1),
    ("temperature", 0, -1e-9, 100, 100.01),
    ("top_p", 0, -1e-9, 1, 1.0001),
    ("top_k", -1, -2, (1 << 63) - 1, 1 << 63),
    ("min_p", 0, -1e-9, 1, 1.0001),
    ("min_tokens", 0, -1, DEFAULT_MAX_TOKENS, DEFAULT_MAX_TOKENS + 1),
    ("cache_salt", "x", "", "x" * 65536, "x" * 65537),
    ("repetition_penalty", 1e-3, 0.9e-3, 1e3, 1001),
    ("presence_penalty", -2, -2.01, 2, 2.01),
    ("frequency_penalty", -2, -2.01, 2, 2.01),
    ("seed", 0, -1, (1 << 63) - 1, 1 << 63),
    ("n", 1, 0, 16, 17),
    ("top_logprobs", 0, -1, 20, 21),
    ("stop", "x", "", "x" * 256, "x" * 257),
    ("stop", [], [""], ["x"] * 16, ["x"] * 17),
    ("stop_token_ids", [0], [-1], [*range(64)], [*range(65)]),
    ("stop_token_ids", [0], [True], [MAX_TOKEN], [MAX_TOKEN + 1]),
    ("allowed_token_ids", [0], [0.0], [MAX_TOKEN], [MAX_TOKEN + 1]),
    ("logit_bias", {"0": 1}, {"-1": 1}, {str(MAX_TOKEN): 100}, {str(MAX_TOKEN + 1): 100}),
    ("allowed_token_ids", [0], [-1], [*range(1024)], [*range(1025)]),
    ("logit_bias", {"0": -100}, {"0": -101}, {str(i): 1 for i in range(1024)}, {"0": 100.5}),
    ("logit_bias", {"0": 100}, {"0": 101}, {"0": -100}, {str(i): 1 for i in range(1025)}),
    ("bad_words", "x", "", ["x" * 64] * 64, ["x"] * 65),
    ("bad_words", ["x"], [""], ["x" * 64], ["x" * 65]),
    ("repetition_ngram_size", 1, -1, 64, 65),
    ("repetition_ngram_threshold", 2, 1, 1000, 1001),
    ("request_id", "x", "", "x" * 256, "x" * 257),
]


@pytest.mark.parametrize(("name", "low", "below", "high", "above"), BOUNDS)
def test_bounds(name: str, low: Any, below: Any, high: Any, above: Any) -> None:
    others = {"n": {"temperature": 1}, "top_logprobs": {"logprobs": True}}.get(name, {})
    for value in (low, high):
        read({name: value, **others})
    for value in (below, above):
        with pytest.raises(RequestError, match=name):
            read({name: value, **others})


def test_a_temperature_below_a_ten_thousandth_is_greedy() -> None:
    assert [read({"temperature": t}).temperature for t in (0.99e-4, 1e-4)] == [0.0, 1e-4]
    assert read({"do_sample": True, "temperature": 1e-4}).temperature == 1e-4
    with pytest.raises(RequestError, match=r"do_sample true needs a temperature above 0, not 9.9e"):
        read({"do_sample": True, "temperature": 0.99e-4})
