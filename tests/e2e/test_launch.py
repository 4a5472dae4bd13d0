"""What the host lists, launches and refuses."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import openai
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.shapes.showcase import draw_shapes
from tests.support.chat.media import clip, image, text, user, video_uri
from tests.support.host import Host
from tests.support.served import Served, data_uri, image_message, launch
from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer

from .conftest import PHI3_STOP, PHI3_SYSTEM

pytestmark = pytest.mark.e2e


def test_registrations_list_the_family(host: Host) -> None:
    done = host.cli("registrations")
    assert done.returncode == 0
    assert "internvl2" in done.stdout + done.stderr


def test_a_failing_generation_reaches_the_client(host: Host, tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "nan", backbone="qwen2")
    weights = load_file(checkpoint / "model.safetensors")
    weights["language_model.lm_head.weight"].fill_(torch.nan)
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    done = launch(host, "nan", model_path=str(checkpoint))
    assert done.returncode == 0, done.stderr
    model = Served(host, "nan", checkpoint)
    question = {"role": "user", "content": "?"}
    with pytest.raises(openai.InternalServerError):
        model.chat(question, temperature=1.0)
    with pytest.raises(openai.APIError):
        list(model.chat(question, temperature=1.0, stream=True))
    assert host.cli("terminate", "--model-uid", "nan").returncode == 0
    with pytest.raises(openai.APIStatusError):
        model.chat(question)


def test_the_official_way_serves_too(phi3: Served, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    draw_shapes().save(file)
    by_uri = phi3.chat(image_message("?", data_uri(draw_shapes())))
    for url in (file.as_uri(), str(file)):
        assert phi3.chat(image_message("?", url)).choices == by_uri.choices


def test_the_official_way_drops_no_option(phi3: Served) -> None:
    assert len(phi3.chat(user("?"), n=2, temperature=1.0, max_tokens=4).choices) == 2
    assert "logit_bias {'x': 1} is not" in phi3.refusal(user("?"), logit_bias={"x": 1})


def test_a_launch_sets_tiles_and_frames(phi3: Served) -> None:
    tokens = read_config(phi3.checkpoint).tokens_per_tile

    def length(*parts: Any, **options: Any) -> int:
        answer = phi3.chat(user(list(parts)), max_tokens=1, extra_body=options)
        return int(answer.usage.prompt_tokens)

    wide = image(data_uri(draw_shapes()))
    four, one = (
        length(wide, text("?"), mm_processor_kwargs={"max_dynamic_patch": most}) for most in (4, 1)
    )
    assert length(wide, text("?")) == four == one + 2 * tokens
    frames = [
        length(clip(video_uri()), text("?"), mm_processor_kwargs={"num_frames": count})
        for count in (2, 3)
    ]
    assert length(clip(video_uri()), text("?")) == frames[0] < frames[1] - tokens
    too_many = {"mm_processor_kwargs": {"max_dynamic_patch": 5}}
    assert "5 is not a whole number from 1 to 4" in phi3.refusal(user("?"), extra_body=too_many)


def test_a_launch_sets_the_system_text_and_a_stop(phi3: Served) -> None:
    rendered = phi3.chat(user("?"), extra_body={"render": True})
    assert rendered.prompt.startswith(f"<|system|>\n{PHI3_SYSTEM}<|end|><|user|>\n?")
    stop = load_tokenizer(phi3.checkpoint).convert_tokens_to_ids(PHI3_STOP)
    ended, goes_on = (
        phi3.chat(user("?"), extra_body={"logit_bias": {token: 100}}).choices[0]
        for token in (stop, stop + 1)
    )
    assert (ended.message.content, ended.finish_reason) == ("", "stop")
    assert goes_on.finish_reason == "length"


def test_a_full_queue_is_said_at_once(phi3: Served) -> None:
    streams = [phi3.chat(user("?"), stream=True, max_tokens=5000) for _ in range(2)]
    next(iter(streams[0]))
    with pytest.raises(openai.RateLimitError):
        phi3.chat(user("?"))
    for stream in streams:
        stream.close()


def test_decoding_an_image_holds_nobody_up(phi3: Served) -> None:
    """A question without one that comes later is answered first."""
    large = data_uri(Image.new("RGB", (12000, 9000)), "JPEG")
    done: list[str] = []

    def ask(name: str, message: Any) -> None:
        wait_for_places(phi3)
        phi3.chat(message, max_tokens=1)
        done.append(name)

    first = threading.Thread(target=ask, args=("image", image_message("?", large)))
    first.start()
    time.sleep(0.2)
    ask("text", user("?"))
    first.join()
    assert done == ["text", "image"]


def wait_for_places(model: Served) -> None:
    """The host notices only after a moment that clients have left."""
    deadline = time.monotonic() + 60
    while True:
        try:
            model.chat(user("?"), max_tokens=1)
            return
        except openai.RateLimitError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
