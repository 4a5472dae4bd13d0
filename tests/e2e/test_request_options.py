"""The options of a request through the server, on both engines."""

from __future__ import annotations

import contextlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import openai
import pytest
import torch
from PIL import Image
from xinference.client import RESTfulClient

from tests.support.chat.case import IM_SYSTEM, SQUARE
from tests.support.chat.forms import SHAPES
from tests.support.chat.media import draw_picture, image, text, user
from tests.support.served import Served, data_uri

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
    """Random weights obey, greedy and sampled."""
    message = user([image(SQUARE), text("Which colour?")])
    answer = served.chat(message, response_format=SCHEMA, max_tokens=64)
    assert json.loads(content(answer)) in ("red", "blue")
    assert answer.choices[0].finish_reason == "stop"
    several = served.chat(
        HI, n=2, temperature=1, seed=5, max_tokens=64, extra_body={"guided_json": SHAPES}
    )
    for choice in several.choices:
        jsonschema.validate(json.loads(choice.message.content), SHAPES)
        assert choice.finish_reason == "stop"


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ({"guided_choice": ["left", "right"]}, "left|right"),
        ({"guided_regex": "[a-c]{3}-[0-9]{2}"}, "[a-c]{3}-[0-9]{2}"),
        ({"guided_grammar": 'root ::= "<" ("x" | "y") ">"'}, "<[xy]>"),
        ({"structured_outputs": {"choice": ["left", "right"]}}, "left|right"),
        ({"structured_outputs": {"json": COLOUR}}, '"(red|blue)"'),
    ],
)
def test_forms(served: Served, form: dict[str, Any], pattern: str) -> None:
    answer = served.chat(HI, max_tokens=64, extra_body=form)
    assert re.fullmatch(pattern, content(answer))
    assert answer.choices[0].finish_reason == "stop"


def test_any_json_begins_as_an_object(served: Served) -> None:
    answer = served.chat(HI, response_format={"type": "json_object"}, max_tokens=2)
    assert content(answer).startswith("{")


FORMS_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"guided_choice": "red"}, "guided_choice 'red' is not a list of strings"),
    ({"guided_grammar": "no grammar"}, "the form of the answer cannot be kept: Failed to conv"),
    ({"guided_regex": "(?=a)b"}, "the form of the answer cannot be kept: at 1(8): invalid regex"),
    ({"guided_json": {"type": "nosuch"}}, "the form of the answer cannot be kept: Invalid type"),
    ({"guided_json": {"$ref": "#"}}, "the form of the answer cannot be kept: no text matches it"),
    ({"guided_regex": "a" * 65537}, "the form of the answer (regex) is too large"),
    ({"guided_choice": ["a <ref>"]}, "the form of the answer cannot be kept: in the middle of the"),
    (
        {"guided_json": {"$ref": "http://127.0.0.1:9/"}},
        "the form of the answer cannot be kept: R",
    ),
    (
        {"guided_json": {"$ref": "file:///etc/passwd"}},
        "the form of the answer cannot be kept: Reso",
    ),
    ({"guided_json": {"$ref": "x.json"}}, "the form of the answer cannot be kept: Resource 'json"),
]


@pytest.mark.parametrize(("form", "sentence"), FORMS_REFUSED)
def test_a_form_that_cannot_be_kept_is_refused(
    served: Served, form: dict[str, Any], sentence: str
) -> None:
    assert served.refusal(HI, extra_body=form).startswith(sentence)


def said(served: Served, **options: Any) -> tuple[list[int], str]:
    """The tokens of a greedy answer, by their logprobs, and its text."""
    tokenizer = loaded(served.checkpoint)[2]
    answer = served.chat(HI, logprobs=True, extra_body=options)
    by_bytes = {tokenizer.token_bytes(token): token for token in range(len(tokenizer))}
    entries = answer.choices[0].logprobs.content
    return [by_bytes[bytes(entry.bytes)] for entry in entries], content(answer)


def test_tokens_that_end_an_answer(served: Served) -> None:
    plain, whole = said(served)
    at = next(n for n in range(2, 16) if plain[n] not in plain[:n])
    cut, words = said(served, stop_token_ids=[plain[at]])
    assert cut == plain[:at]
    assert whole.startswith(words)
    _, kept = said(served, stop_token_ids=[plain[at]], include_stop_str_in_output=True)
    assert kept.startswith(words)
    assert len(kept) > len(words)


def test_a_stop_string_stays_where_it_is_asked_for(served: Served) -> None:
    whole = content(served.chat(HI))
    stop = whole[2:9]
    answer = served.chat(HI, stop=stop, extra_body={"include_stop_str_in_output": True})
    assert content(answer) == whole[: whole.index(stop) + len(stop)]


def test_allowed_tokens_and_biases(served: Served) -> None:
    plain, _ = said(served)
    allowed = [400, 401, 402]
    assert set(said(served, allowed_token_ids=allowed)[0]) <= {*allowed}
    assert set(said(served, logit_bias={"401": 100})[0]) == {401}
    banned = {str(token): -100 for token in plain}
    assert set(said(served, logit_bias=banned)[0]).isdisjoint(plain[:1])


def test_bad_words(served: Served) -> None:
    _, whole = said(served)
    word = max(re.findall("[a-z]+", whole), key=len)
    _, without = said(served, bad_words=[word])
    assert f" {word} " not in f" {without} "
    assert without != whole


def test_an_answer_that_repeats_itself_ends(served: Served) -> None:
    forced = {"allowed_token_ids": [400]}
    breaker = {"repetition_ngram_size": 3, "repetition_ngram_threshold": 4}
    answer = served.chat(HI, logprobs=True, extra_body={**forced, **breaker})
    # The third token makes the first run of three, each one after it another.
    assert answer.usage.completion_tokens == 6
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].stop_reason == "repetition_detected"


def test_the_usage_tells_what_was_cached_and_how_many_tiles_there_are(served: Served) -> None:
    wide = data_uri(Image.new("RGB", (224, 112), "red"))
    parts = [image(wide), image(SQUARE), text("words " * 150)]
    first, second = (
        served.chat(user(parts), extra_body={"cache_salt": "cached"}).usage for _ in range(2)
    )
    assert first.prompt_tokens_details.cached_tokens == 0
    assert first.prompt_tokens_details.tiles == [3, 1]
    # vLLM keeps whole blocks, of 128 tokens on a CPU.
    known = second.prompt_tokens_details.cached_tokens
    assert 0 < known < second.prompt_tokens
    assert served.uid == "vllm" or known == second.prompt_tokens - 1


def test_a_request_can_be_aborted_by_its_name(served: Served) -> None:
    """By Xinference's route, which a client of it has too."""
    options = {"request_id": f"mine-{served.uid}", "ignore_eos": True}
    stream = served.chat(HI, stream=True, max_tokens=20_000, extra_body=options)
    chunks = iter(stream)
    for _ in range(5):
        next(chunks)
    client = RESTfulClient(served.host.url)
    assert client.abort_request(served.uid, f"mine-{served.uid}")["msg"] == "DONE"
    start = time.monotonic()
    with contextlib.suppress(openai.APIError):
        for _ in chunks:
            pass
    assert time.monotonic() - start < 20
    assert client.abort_request(served.uid, "nobodys")["msg"] in ("NOT_FOUND", "NO_OP")


def test_a_whole_answer_that_is_aborted_ends_where_it_is(served: Served) -> None:
    name = f"whole-{served.uid}"
    options = {"request_id": name, "ignore_eos": True}
    client = RESTfulClient(served.host.url)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(served.chat, HI, max_tokens=20_000, extra_body=options)
        # An abort that comes before the answer has begun is told in another way.
        time.sleep(1)
        assert client.abort_request(served.uid, name, 0)["msg"] == "DONE"
        answer = asked.result()
    assert answer.choices[0].finish_reason == "stop"
    assert 0 < answer.usage.completion_tokens < 20_000


def test_a_request_can_be_aborted_while_its_pictures_are_decoded(served: Served) -> None:
    """Its answer would have one token, so an abort that comes too late finds nothing."""
    name = f"early-{served.uid}"
    large = image(data_uri(Image.new("RGB", (12000, 9000)), "JPEG"))
    message, options = user([*[large] * 4, text("?")]), {"request_id": name}
    client = RESTfulClient(served.host.url)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(served.refusal, message, max_tokens=1, extra_body=options)
        while client.abort_request(served.uid, name, 0)["msg"] != "DONE" and not asked.done():
            time.sleep(0.05)
        sentence = f"request_id {name}: the request was aborted before its answer began"
        assert asked.result() == sentence


UNSUPPORTED: list[tuple[dict[str, Any], str]] = [
    ({"best_of": 3}, "best_of is not supported"),
    ({"max_dynamic_patch": 3}, "max_dynamic_patch is not supported"),
    ({"logit_bias": {"99999": 1}}, "logit_bias: the vocabulary of this model has no token 99999"),
    ({"no_repeat_ngram_size": 3}, "no_repeat_ngram_size is not supported: use repetition_ngram"),
    ({"repetition_ngram_size": 3}, "repetition_ngram_size and repetition_ngram_threshold belong"),
    ({"guided_regex": "a", "min_tokens": 2}, "min_tokens contradicts an answer of a given form"),
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


@pytest.mark.parametrize(
    ("of_request", "of_picture", "tiles"),
    [
        ({}, {}, 3),
        ({"max_dynamic_patch": 1}, {}, 1),
        ({"min_dynamic_patch": 6}, {}, 9),
        ({"use_thumbnail": False}, {}, 2),
        ({"dynamic_image_size": False}, {}, 1),
        ({}, {"max_dynamic_patch": 1}, 1),
        ({"max_dynamic_patch": 1}, {"min_dynamic_patch": 6, "max_dynamic_patch": 12}, 9),
        ({}, {"detail": "low"}, 1),
    ],
)
def test_a_picture_gets_the_tiles_that_are_asked_for(
    served: Served, of_request: dict[str, Any], of_picture: dict[str, Any], tiles: int
) -> None:
    """Of 224 × 112 pixels, in tiles of 112 which take 16 tokens each."""
    part = image(data_uri(draw_picture(224, 112)))
    part["image_url"].update(of_picture)
    options = {"render": True, "mm_processor_kwargs": of_request}
    rendered = served.chat(user([part, text("?")]), extra_body=options)
    assert rendered.usage.prompt_tokens_details.tiles == [tiles]
    assert rendered.prompt.count("<IMG_CONTEXT>") == 16 * tiles


def test_pictures_can_be_made_to_fit(served: Served) -> None:
    """The context has room for ten large pictures of three tiles, and not of nine."""
    wide = image(data_uri(draw_picture(640, 320)))
    options = {"max_tokens": 32768 - 1100, "extra_body": {"render": True}}
    message = user([*[wide] * 10, text("?")])
    assert served.chat(message, **options).usage.prompt_tokens_details.tiles == [9] * 10
    options["extra_body"] = {"render": True, "mm_processor_kwargs": {"fit": True}}
    fitted = served.chat(message, **options)
    assert fitted.usage.prompt_tokens_details.tiles == [3] * 10
    assert fitted.prompt.count("<IMG_CONTEXT>") == 3 * 10 * 16
    assert fitted.usage.prompt_tokens <= 1100


ALIKE: list[dict[str, Any]] = [
    {"guided_json": SHAPES},
    {"guided_regex": "[a-z]{2,9}"},
    {"logit_bias": {str(token): 3 for token in range(300, 400)}},
    {"allowed_token_ids": [*range(300, 400)]},
    {"bad_words": ["a", "e", "o"]},
    {"min_tokens": 5, "stop_token_ids": [*range(300, 364)]},
]
_answers: dict[str, list[tuple[str, float]]] = {}


@pytest.mark.parametrize("options", ALIKE, ids=lambda options: "-".join(options))
def test_both_engines_write_the_same_as_likely(served: Served, options: dict[str, Any]) -> None:
    """The engine that comes second is held against the first."""
    answer = served.chat(HI, logprobs=True, max_tokens=40, extra_body=options)
    entries = [(entry.token, entry.logprob) for entry in answer.choices[0].logprobs.content]
    others = _answers.setdefault(str(options), entries)
    assert [token for token, _ in entries] == [token for token, _ in others]
    assert [entry[1] for entry in entries] == pytest.approx([o[1] for o in others], abs=1e-3)
