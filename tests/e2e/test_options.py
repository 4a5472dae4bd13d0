"""The options of a request through the server, on both engines."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from tests.chat.cases import IM_SYSTEM, SQUARE
from tests.chat.media import image, text, user

from .conftest import Served
from .reference import inputs, loaded

pytestmark = pytest.mark.e2e
HI = user("Hi")
PROMPT = f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n"
# Without space, in which random weights could go on for ever.
COLOUR = {"enum": ["red", "blue"]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "picture", "schema": COLOUR}}


def content(answer: Any) -> str:
    return str(answer.choices[0].message.content)


def penalized(served: Served, tokens: int, presence: float, frequency: float) -> str:
    """The greedy answer by the definition of the penalties, each token without a cache."""
    model, _, tokenizer = loaded(served.checkpoint)
    ids = inputs(served.checkpoint, PROMPT, [])["input_ids"]
    said: list[int] = []
    for _ in range(tokens):
        with torch.inference_mode():
            whole = torch.cat([ids, torch.tensor([said], dtype=torch.long)], dim=1)
            found = model(input_ids=whole).logits
        logits = found[0, -1].clone()
        for token in set(said):
            logits[token] -= presence + frequency * said.count(token)
        said.append(int(logits.argmax()))
    return str(tokenizer.decode(said, skip_special_tokens=True))


@pytest.mark.parametrize(("presence", "frequency"), [(-2.0, 0.0), (0.0, -1.5), (-1.0, 0.5)])
def test_penalties(served: Served, presence: float, frequency: float) -> None:
    answer = served.chat(HI, presence_penalty=presence, frequency_penalty=frequency)
    assert content(answer) == penalized(served, 16, presence, frequency)


def test_a_repetition_penalty_changes_the_answer(served: Served) -> None:
    plain = content(served.chat(HI))
    assert content(served.chat(HI, extra_body={"repetition_penalty": 0.3})) != plain
    assert content(served.chat(HI, extra_body={"repetition_penalty": 1.0})) == plain


def test_top_k_of_one_is_greedy(served: Served) -> None:
    answer = served.chat(HI, temperature=1.0, seed=1, extra_body={"top_k": 1})
    assert content(answer) == content(served.chat(HI, temperature=0))


def test_several_answers(served: Served) -> None:
    options: dict[str, Any] = {"temperature": 1.0, "seed": 7}
    answer = served.chat(HI, n=3, **options)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert [choice.finish_reason for choice in answer.choices] == ["length"] * 3
    assert answer.usage.completion_tokens == 48
    texts = [choice.message.content for choice in answer.choices]
    assert len(set(texts)) == 3
    for number in range(3):
        assert content(served.chat(HI, temperature=1.0, seed=7 + number)) == texts[number]
    streamed = ["", "", ""]
    ends: dict[int, str] = {}
    for chunk in served.chat(HI, n=3, stream=True, **options):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
    assert streamed == texts
    assert ends == {0: "length", 1: "length", 2: "length"}


def test_logprobs(served: Served) -> None:
    model, _, tokenizer = loaded(served.checkpoint)
    answer = served.chat(HI, logprobs=True, top_logprobs=3, max_tokens=6)
    entries = answer.choices[0].logprobs.content
    assert len(entries) == 6
    joined = bytes(byte for entry in entries for byte in entry.bytes)
    assert joined.decode("utf-8", "replace").strip() == content(answer).strip()
    ids = inputs(served.checkpoint, PROMPT, [])["input_ids"]
    for entry in entries:
        with torch.inference_mode():
            logprobs = model(input_ids=ids).logits[0, -1].log_softmax(-1)
        values, likeliest = logprobs.topk(3)
        assert entry.logprob == pytest.approx(float(values[0]), abs=1e-3)
        assert [top.logprob for top in entry.top_logprobs] == pytest.approx(
            values.tolist(), abs=1e-3
        )
        assert [bytes(top.bytes) for top in entry.top_logprobs] == [
            tokenizer.token_bytes(token) for token in likeliest.tolist()
        ]
        assert entry.token == entry.top_logprobs[0].token
        ids = torch.cat([ids, likeliest[None, :1]], dim=1)


def test_logprobs_in_a_stream(served: Served) -> None:
    whole = served.chat(HI, logprobs=True, max_tokens=6).choices[0]
    found: list[Any] = []
    for chunk in served.chat(HI, logprobs=True, max_tokens=6, stream=True):
        for choice in chunk.choices:
            found += choice.logprobs.content if choice.logprobs else []
    assert [entry.token for entry in found] == [entry.token for entry in whole.logprobs.content]
    assert served.chat(HI, max_tokens=2).choices[0].logprobs is None


def test_max_completion_tokens(served: Served) -> None:
    client = served.client().chat.completions
    answer = client.create(model=served.uid, messages=[HI], max_completion_tokens=5)  # type: ignore[list-item]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5


def test_a_stop_string_may_span_chunks(served: Served) -> None:
    whole = content(served.chat(HI))
    stop = whole[2:9]
    answer = served.chat(HI, stop=stop)
    assert answer.choices[0].finish_reason == "stop"
    assert content(answer) == whole[: whole.index(stop)]


def test_structured_output(served: Served) -> None:
    """vLLM has grammars, Transformers has not and says so."""
    message = user([image(SQUARE), text("Which colour?")])
    if served.uid == "vllm":
        answer = served.chat(message, response_format=SCHEMA, max_tokens=64)
        assert json.loads(content(answer)) in ("red", "blue")
        assert answer.choices[0].finish_reason == "stop"
        chosen = served.chat(message, extra_body={"guided_choice": ["left", "right"]})
        assert content(chosen) in ("left", "right")
        return
    refusal = served.refusal(message, response_format=SCHEMA)
    assert refusal == "response_format is not supported on this engine; launch the model on vLLM"
    assert served.chat(HI, response_format={"type": "text"}).choices[0].message.content


def test_a_choice_that_is_no_list_is_refused(served: Served) -> None:
    vllm = served.uid.startswith("vllm")
    sentence = "'red' is not a list of strings" if vllm else "is not supported on this engine"
    assert f"guided_choice {sentence}" in served.refusal(HI, extra_body={"guided_choice": "red"})


def test_a_grammar_that_is_none_is_refused(served: Served) -> None:
    refusal = served.refusal(HI, extra_body={"guided_grammar": "no grammar"})
    assert refusal.startswith(("guided_grammar is not supported", "vLLM refuses the request"))
    assert served.chat(HI, max_tokens=1).usage.completion_tokens == 1


UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"best_of": 3}, "best_of is not supported"),
    ({"max_dynamic_patch": 3}, "max_dynamic_patch is not supported"),
    ({"logit_bias": {"5": 1}}, "logit_bias is not supported"),
    ({"n": 0}, "n 0 is not a whole number from 1 to 16"),
    ({"n": 100}, "n 100 is not a whole number from 1 to 16"),
    ({"n": 2, "temperature": 0}, "n 2 needs a temperature above 0"),
    ({"seed": -1}, "seed -1 is not a whole number"),
    ({"top_p": 1.5}, "top_p"),
    ({"temperature": -1}, "temperature"),
    ({"presence_penalty": 5}, "presence_penalty 5"),
    ({"top_logprobs": 3}, "top_logprobs 3 needs logprobs to be true"),
    ({"stop": ["a"] * 17}, "stop has to be a string or a list of at most 16"),
    ({"mm_processor_kwargs": {"max_dynamic_patch": 99}}, "max_dynamic_patch 99 is not"),
    ({"mm_processor_kwargs": {"size": 99}}, "mm_processor_kwargs.size is not supported"),
    (
        {"chat_template_kwargs": {"enable_thinking": True}},
        "chat_template_kwargs.enable_thinking is",
    ),
    ({"detokenize": False}, "detokenize is not supported"),
    ({"unheard_of": 0}, "unheard_of is not supported for this model; leave it out"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tool"),
]


@pytest.mark.parametrize(("options", "sentence"), UNSUPPORTED)
def test_what_is_not_done_is_refused_by_name(
    served: Served, options: dict[str, Any], sentence: str
) -> None:
    assert sentence in served.refusal(HI, extra_body=options)


def test_options_of_no_effect_are_accepted(served: Served) -> None:
    plain = content(served.chat(HI))
    answer = served.chat(HI, user="me", metadata={"a": "b"}, n=1, tool_choice="none")
    assert content(answer) == plain


NEUTRAL = {
    **{"best_of": 1, "num_beams": 1, "length_penalty": 1.0, "min_p": 0, "lora_name": ""},
    **{"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": False}},
    **{"skip_special_tokens": True, "detokenize": True, "add_generation_prompt": True},
}


def test_options_that_ask_for_nothing_change_nothing(served: Served) -> None:
    assert content(served.chat(HI, extra_body=NEUTRAL)) == content(served.chat(HI))


def test_a_benchmark_gets_as_many_tokens_as_it_asks_for(served: Served) -> None:
    for options in ({"ignore_eos": True}, {"min_tokens": 40}):
        answer = served.chat(HI, max_tokens=40, extra_body=options)
        assert answer.usage.completion_tokens == 40
        assert "<|im_end|>" not in content(answer)


def test_no_sampling_is_greedy(served: Served) -> None:
    answer = served.chat(HI, temperature=2, seed=1, extra_body={"do_sample": False})
    assert content(answer) == content(served.chat(HI))


def test_a_min_p_of_one_is_greedy(served: Served) -> None:
    answer = served.chat(HI, temperature=2, seed=1, extra_body={"min_p": 1})
    assert content(answer) == content(served.chat(HI))


def test_the_prompt_can_be_seen(served: Served) -> None:
    answer = served.chat(HI, extra_body={"render": True})
    _, _, tokenizer = loaded(served.checkpoint)
    assert answer.prompt == PROMPT
    assert answer.prompt_token_ids == tokenizer.encode(PROMPT)
    assert answer.usage.completion_tokens == 0


def test_an_answer_has_its_boxes_and_control_tokens_where_they_are_asked_for(
    served: Served,
) -> None:
    """Random weights draw no box, but write control tokens; a message says that it has no box."""
    message = user([image(SQUARE), text("Where?")])
    options = {"boxes": True, "skip_special_tokens": False, "ignore_eos": True}
    answer = served.chat(message, extra_body=options)
    assert answer.choices[0].message.boxes == []
    *_, last = served.chat(message, extra_body=options, stream=True)
    assert last.choices[0].delta.boxes == []
    assert not hasattr(served.chat(message).choices[0].message, "boxes")


def test_a_salt_keeps_clients_apart_and_changes_no_answer(served: Served) -> None:
    plain = content(served.chat(HI))
    for salt in ("mine", "mine", "yours"):
        assert content(served.chat(HI, extra_body={"cache_salt": salt})) == plain
