"""How much a request is, before any of it is read."""

from __future__ import annotations

import time
from typing import Any

import pytest

from xinference_internvl2.chat.request_size import measure_media
from xinference_internvl2.errors import RequestError

CONTEXT = 400


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


URL = "data:image/png;base64," + "A" * 4000
SIZES: list[tuple[Any, tuple[int, bool]]] = [
    ([user({"type": "text", "text": "x" * 4000})], (0, False)),
    ([{"role": "user", "content": "x" * 4000}], (0, False)),
    ([user(image(URL))], (len(URL) * 3 // 4, False)),
    ([user(image(URL), image(URL)), user(image(URL))], (3 * (len(URL) * 3 // 4), False)),
    ([user({"type": "image", "source": {"type": "base64", "data": "A" * 4000}})], (3004, False)),
    ([user({"type": "video_url", "video_url": URL})], (len(URL) * 3 // 4, False)),
    ([user({"type": "video", "video": [URL, URL]})], (2 * (len(URL) * 3 // 4), False)),
    (
        [user({"type": "video_url", "video_url": {"url": [URL, "http://example.com/x"]}})],
        (len(URL) * 3 // 4, True),
    ),
    ([user(image("https://example.com/x.png"))], (0, True)),
    ([user(image("HTTP://example.com/x.png"), image(URL))], (len(URL) * 3 // 4, True)),
    ([user(image("http://example.com/x.png"), *[image(URL)] * 3)], (3 * (len(URL) * 3 // 4), True)),
    (["no message", {"content": 3}, user(3, {"type": 3})], (0, False)),
    ([user({"type": "image_url", "image_url": {"url": 3, "detail": None}})], (0, False)),
    # As deep as a part can be, and one deeper.
    ([user({"type": "video_url", "video_url": {"url": [URL]}})], (len(URL) * 3 // 4, False)),
    ([user({"type": "video_url", "video_url": {"url": [[URL]]}})], (0, False)),
    ("no messages", (0, False)),
    (None, (0, False)),
]


@pytest.mark.parametrize(("messages", "size"), SIZES)
def test_bytes_of_media(messages: Any, size: int) -> None:
    assert measure_media(messages, CONTEXT) == size


@pytest.mark.parametrize("kind", ["messages", "content parts"])
def test_more_than_the_context_can_hold(kind: str) -> None:
    def request(count: int) -> list[Any]:
        text = {"type": "text", "text": "x"}
        return [user(text)] * count if kind == "messages" else [user(*[text] * count)]

    assert measure_media(request(100), CONTEXT) == (0, False)
    with pytest.raises(RequestError) as caught:
        measure_media(request(101), CONTEXT)
    assert str(caught.value) == (
        f"the request has 101 {kind}, more than the context can hold; send at most 100"
    )


def test_parts_of_all_messages_count() -> None:
    with pytest.raises(RequestError, match="the request has 102 content parts"):
        measure_media([user(*[{"type": "text", "text": "x"}] * 51)] * 2, CONTEXT)


def test_counting_a_hundred_thousand_takes_no_time() -> None:
    before = time.process_time()
    with pytest.raises(RequestError):
        measure_media([user("x")] * 100_000, 32768)
    assert time.process_time() - before < 0.1
