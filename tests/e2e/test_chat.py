"""Chat through the server: the answers are those of the model, and the protocol is OpenAI's."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import openai
import pytest
import torch

from tests.demo import picture
from xinference_internvl2.checkpoint import load_model
from xinference_internvl2.config import read_config
from xinference_internvl2.images import image_to_tiles
from xinference_internvl2.prompt import image_tokens, render
from xinference_internvl2.tokenizer import load_tokenizer

from .conftest import Served, image_message

pytestmark = pytest.mark.e2e

TEXT = {"role": "user", "content": "Describe the weather, 请用中文。"}


def expected(checkpoint: Path, message: dict[str, Any], tokens: int) -> tuple[str, int]:
    """The greedy answer of transformers' own `generate`, and the length of the prompt."""
    config, tokenizer = read_config(checkpoint), load_tokenizer(checkpoint)
    model = load_model(checkpoint)
    prompt, media = render([message], config.template)
    tiles = None
    if media:
        one = image_to_tiles(picture(), image_size=config.tile_size)
        tiles = torch.cat([one] * len(media))
        prompt = prompt.replace("<image>", image_tokens(config.tokens_per_tile * len(one)))
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    answer = model.generate(
        input_ids=ids, pixel_values=tiles, max_new_tokens=tokens, do_sample=False
    )[0, ids.shape[1] :]
    return tokenizer.decode(answer, skip_special_tokens=True), ids.shape[1]


def joined(stream: Any) -> tuple[str, list[Any]]:
    chunks = list(stream)
    texts = (chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    return "".join(texts), chunks


@pytest.mark.parametrize("images", [0, 1, 3])
def test_the_answer_is_the_models(served: Served, picture_uri: str, images: int) -> None:
    message = image_message("What is it?", *[picture_uri] * images) if images else TEXT
    text, prompt_tokens = expected(served.checkpoint, message, 24)
    answer = served.chat(message, max_tokens=24)
    assert answer.choices[0].message.content == text
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.prompt_tokens == prompt_tokens
    assert answer.usage.completion_tokens == 24
    assert answer.usage.total_tokens == prompt_tokens + 24


def test_a_stream_is_the_same_answer_in_parts(served: Served, picture_uri: str) -> None:
    message = image_message("What is it?", picture_uri)
    whole = served.chat(message)
    text, chunks = joined(served.chat(message, stream=True, stream_options={"include_usage": True}))
    assert text == whole.choices[0].message.content
    assert len(chunks) > 4
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_stop_ends_the_answer_before_itself(served: Served) -> None:
    whole = served.chat(TEXT).choices[0].message.content
    stop = whole[3:6]
    for stream in (False, True):
        answer = served.chat(TEXT, stop=[stop, "never there"], stream=stream)
        text = joined(answer)[0] if stream else answer.choices[0].message.content
        assert text == whole[: whole.index(stop)]
    assert served.chat(TEXT, stop=stop).choices[0].finish_reason == "stop"


def test_a_seed_repeats_an_answer(served: Served) -> None:
    def sample(seed: int) -> str:
        answer = served.chat(TEXT, temperature=1.0, top_p=0.95, seed=seed)
        return str(answer.choices[0].message.content)

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(4)}) > 1


def test_a_tiny_top_p_is_greedy(served: Served) -> None:
    greedy = served.chat(TEXT, temperature=0).choices[0].message.content
    assert served.chat(TEXT, temperature=1.0, top_p=1e-6).choices[0].message.content == greedy


def test_simultaneous_requests_get_their_own_answers(served: Served) -> None:
    questions = [{"role": "user", "content": f"Question {number}"} for number in range(8)]
    alone = [served.chat(question).choices[0].message.content for question in questions]
    together: dict[int, str] = {}

    def ask(number: int) -> None:
        together[number] = served.chat(questions[number]).choices[0].message.content

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(8)] == alone
    assert len(set(alone)) > 1


def test_a_client_that_leaves_frees_the_model(served: Served) -> None:
    stream = served.chat(TEXT, stream=True, max_tokens=20000)
    next(iter(stream))
    stream.close()
    start = time.monotonic()
    served.chat(TEXT, max_tokens=2)
    assert time.monotonic() - start < 15


BAD_REQUESTS = [
    ([image_message("?", "data:image/png;base64,AAAA")], "messages[0].content[0].image_url"),
    ([image_message("?", "file:///etc/passwd")], "Local file media urls are rejected"),
    ([image_message("?", "http://127.0.0.1:9/x.png")], ""),
    ([{"role": "user", "content": [{"type": "sound", "sound": "x"}]}], "'sound'"),
    ([TEXT, {"role": "system", "content": "late"}], "messages[1]"),
]


@pytest.mark.parametrize(("messages", "named"), BAD_REQUESTS)
def test_a_bad_request_is_the_clients_fault(
    served: Served, messages: list[dict[str, Any]], named: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        served.chat(*messages)
    assert named in caught.value.response.json()["detail"]
    with pytest.raises(openai.APIError) as caught_in_stream:
        list(served.chat(*messages, stream=True))
    assert named in str(caught_in_stream.value.body)
    assert served.chat(TEXT, max_tokens=1).usage.completion_tokens == 1


def test_a_prompt_that_is_too_long_is_refused(served: Served) -> None:
    with pytest.raises(openai.BadRequestError):
        served.chat({"role": "user", "content": "word " * 40000})


def test_code_in_the_checkpoint_never_runs(served: Served, marker: Path) -> None:
    served.chat(TEXT, max_tokens=1)
    assert (served.checkpoint / "modeling_internvl_chat.py").exists()
    assert not marker.exists()
