"""What the host lists, launches and refuses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import anthropic
import openai
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.install.test_catalog import computes
from tests.shapes.showcase import draw_shapes
from tests.support.chat.media import clip, encode, image, text, user, video, video_uri
from tests.support.host import Host
from tests.support.served import Served, data_uri, image_message, launch, request_launch
from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.families import records as runtime
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer

from .conftest import ENGINES

pytestmark = pytest.mark.e2e


def matrix(engine: str) -> dict[tuple[str, str], set[str]]:
    """(format, size) → quantizations that the spec says `engine` serves."""
    specs = json.loads((runtime.FAMILIES / "internvl2.runtime.json").read_text())["model_specs"]
    return {
        (spec["model_format"], str(spec["model_size_in_billions"])): set(spec["engines"][engine])
        for spec in specs
        if spec["engines"].get(engine) and computes(engine, spec["model_format"])
    }


def listed(host: Host, engine: str) -> dict[tuple[str, str], set[str]]:
    found: Any = host.get("/v1/engines/internvl2")[engine]
    assert isinstance(found, list), found
    return {
        (entry["model_format"], str(entry["model_size_in_billions"])): set(entry["quantizations"])
        for entry in found
    }


def test_registrations_list_the_family(host: Host) -> None:
    done = host.cli("registrations")
    assert done.returncode == 0
    assert "internvl2" in done.stdout + done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_the_engine_query_is_the_specs_matrix(host: Host, engine: str) -> None:
    assert listed(host, engine) == matrix(engine)


def test_the_command_line_prints_the_matrix(host: Host) -> None:
    done = host.cli("engine", "--model-name", "internvl2")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    rows = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("internvl2")]
    for engine in ENGINES:
        printed = {(row[1], row[2], row[3]) for row in rows if row[0] == engine}
        table = matrix(engine)
        assert printed == {(*spec, quantization) for spec in table for quantization in table[spec]}


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


SYSTEM, STOP = "You read labels.", "<|endoftext|>"


@pytest.fixture(scope="module")
def phi3(extended: Host, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A model that refuses a third request at once."""
    folder = tmp_path_factory.mktemp("phi3")
    checkpoint = make_checkpoint(folder, backbone="phi3", vit="6b", max_dynamic_patch=6)
    options = {"model_path": str(checkpoint), "model_size_in_billions": 4, "request_limits": 2}
    options |= {"model_engine": "Transformers", "model_format": "pytorch", "quantization": "none"}
    prompt = {"system": SYSTEM, "stop": json.dumps([STOP])}
    request_launch(extended, "phi3", **options, **prompt, max_dynamic_patch=4, num_frames=2)
    return Served(extended, "phi3", checkpoint)


def test_the_official_way_serves_too(extended: Host, phi3: Served, tmp_path: Path) -> None:
    assert listed(extended, "Transformers") == matrix("Transformers")
    file = tmp_path / "picture.png"
    draw_shapes().save(file)
    by_uri = phi3.chat(image_message("?", data_uri(draw_shapes())))
    for url in (file.as_uri(), str(file)):
        assert phi3.chat(image_message("?", url)).choices == by_uri.choices


def test_the_official_way_drops_no_option(phi3: Served) -> None:
    assert len(phi3.chat(user("?"), n=2, temperature=1.0, max_tokens=4).choices) == 2
    assert "logit_bias {'x': 1} is not" in phi3.refusal(user("?"), logit_bias={"x": 1})


class Site(BaseHTTPRequestHandler):
    """A picture and a video, and addresses that lead to them or astray."""

    pages: ClassVar[dict[str, tuple[bytes, str]]] = {
        "/picture.png": (encode(draw_shapes()), "image/png"),
        "/clip.mp4": (video(), "video/mp4"),
    }
    moved: ClassVar[dict[str, str]] = {
        "/moved": "/picture.png",
        "/astray": "file:///etc/hostname",
        "/round": "/round",
    }

    def do_GET(self) -> None:
        if self.path in self.moved:
            self.send_response(302)
            self.send_header("Location", self.moved[self.path])
            self.end_headers()
            return
        if self.path not in self.pages:
            self.send_error(404)
            return
        data, kind = self.pages[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_media_are_fetched(phi3: Served, site: str) -> None:
    by_uri = phi3.chat(image_message("?", data_uri(draw_shapes())))
    for page in ("/picture.png", "/moved"):
        assert phi3.chat(image_message("?", site + page)).choices == by_uri.choices
    for url in ("/picture.png", "/moved"):
        assert ask_by_url(phi3, site + url) == by_uri.choices[0].message.content
    clips = [user([clip(url), text("?")]) for url in (video_uri(), f"{site}/clip.mp4")]
    assert phi3.chat(clips[0]).choices == phi3.chat(clips[1]).choices


def ask_by_url(model: Served, url: str) -> str:
    """The answer of Anthropic's API, which is that of Responses, about a picture on a server."""
    client = anthropic.Anthropic(base_url=model.host.url, api_key="none", max_retries=0)
    question: Any = {"type": "text", "text": "?"}
    picture: Any = {"type": "image", "source": {"type": "url", "url": url}}
    messages: Any = [{"role": "user", "content": [picture, question]}]
    answer = client.messages.create(model=model.uid, max_tokens=16, messages=messages)
    counted = client.messages.count_tokens(model=model.uid, messages=messages)
    assert counted.input_tokens == answer.usage.input_tokens
    parts: Any = [{"type": "input_image", "image_url": url}, {"type": "input_text", "text": "?"}]
    response = model.client().responses.create(
        model=model.uid, max_output_tokens=16, input=[{"role": "user", "content": parts}]
    )
    [block] = answer.content
    assert block.type == "text"
    assert response.output_text == block.text
    return block.text


@pytest.mark.parametrize("page", ["/astray", "/round", "/missing"])
def test_media_that_lead_astray_are_refused(phi3: Served, site: str, page: str) -> None:
    refusal = phi3.refusal(image_message("?", site + page))
    assert refusal.startswith("messages[0].content[0].image_url cannot be fetched: ")
    assert phi3.chat({"role": "user", "content": "?"}, max_tokens=1).usage.completion_tokens == 1


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
    assert rendered.prompt.startswith(f"<|system|>\n{SYSTEM}<|end|><|user|>\n?")
    stop = load_tokenizer(phi3.checkpoint).convert_tokens_to_ids(STOP)
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
