"""Pictures and videos by URL: what is fetched, and what leads to forbidden addresses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import anthropic
import pytest

from tests.shapes.showcase import draw_shapes
from tests.support.chat.media import clip, encode, text, user, video, video_uri
from tests.support.served import Served, data_uri, image_message

pytestmark = pytest.mark.e2e


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
