"""Hostile requests, which try to waste a server's time or memory or to break it.

None of them may take a server down, nor keep it from answering others: each is to be refused as
the client's fault, or answered.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

from PIL import Image

from tests.support.chat.media import clip, encode, image, text, uri, user, video
from tests.unit.media.pictures import many_scans, noise, png

Attack = Callable[[random.Random, str], bytes]
"""Makes the body of a request to the model of this name."""
DEEP = 5_000
MANY = 100_000


def make_body(model: str, *parts: dict[str, Any], **fields: Any) -> bytes:
    """The body of a request for a few tokens about some parts."""
    body = {"model": model, "messages": [user([*parts, text("?")])], "max_tokens": 4, **fields}
    return json.dumps(body).encode()


PICTURES: dict[str, Callable[[], bytes]] = {
    "noise": lambda: encode(noise(2_400, 1_800), "JPEG"),
    "thin": lambda: png(1, 60_000_000),
    "low": lambda: png(60_000, 1),
    "wide": lambda: png(65_535, 2_000),
    "large": lambda: encode(Image.new("RGB", (12_000, 12_000), "red")),
    "scans": lambda: many_scans(3_000, 3_000, 90),
}
"""Files of few bytes that take much to decode."""


@cache
def make_picture(name: str) -> str:
    """Return one of PICTURES as a `data:` URI."""
    return uri(PICTURES[name]())


def _attack_with_picture(name: str, count: int = 1) -> Attack:
    return lambda _, model: make_body(model, *[image(make_picture(name))] * count)


def _attack_with_broken_media(rng: random.Random, model: str) -> bytes:
    """Pictures and videos of which bytes were changed, left out or repeated."""
    good = rng.choice([encode(noise(200, 150)), encode(noise(200, 150), "JPEG"), video()])
    data = bytearray(good)
    for _ in range(rng.choice([1, 10, 300])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    start, stop = sorted(rng.sample(range(len(data)), 2))
    kept = rng.choice([data, data[:stop], data + data[start:stop]])
    kind, part = ("video/mp4", clip) if good is video() else ("image/png", image)
    return make_body(model, part(uri(bytes(kept), kind)))


def _attack_with_no_request(rng: random.Random, model: str) -> bytes:
    """A body that is no chat request at all."""
    head = f'{{"model":"{model}","messages":'
    return rng.choice(
        [
            head[:-3].encode(),
            b"\xff\xfe" + head.encode(),
            b"[]",
            b"null",
            f"{head}{'[' * DEEP}{']' * DEEP}}}".encode(),
            f'{head}[],"seed":{"9" * 5_000}}}'.encode(),
            f'{head}"text","extra_body":3}}'.encode(),
            b'{"model":[1],"messages":[]}',
        ]
    )


def _attack_with_many(rng: random.Random, model: str) -> bytes:
    """More messages, or parts, than any prompt can hold."""
    if rng.random() < 0.5:
        return make_body(model, *[text("")] * MANY)
    messages = [user("a"), {"role": "assistant", "content": "b"}] * (MANY // 2)
    return json.dumps({"model": model, "messages": messages}).encode()


STRANGE: tuple[Any, ...] = (
    *(None, True, -1, 0, 1 << 70, 1e308, "", "\ud800", "x" * 5_000, [], {}),
    *([[]], {"type": "text"}, {"type": "image_url", "image_url": "data:,"}, "file:///etc/passwd"),
)
FIELDS = (
    *("messages", "max_tokens", "temperature", "top_p", "top_k", "n", "stop", "seed", "stream"),
    *("logprobs", "top_logprobs", "response_format", "extra_body", "chat_template_kwargs"),
    *("mm_processor_kwargs", "stream_options", "logit_bias", "tools", "user", "min_tokens"),
)


def _attack_with_strange_values(rng: random.Random, model: str) -> bytes:
    """A sound request in which some values are anything at all."""
    body = json.loads(make_body(model, image(uri(encode(noise(60, 40))))))
    return json.dumps(distort(body, rng)).encode()


def distort(body: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Change up to three values of a request, and add one, but for its model."""
    model = body["model"]
    for _ in range(rng.randint(1, 3)):
        place = rng.choice(list(_list_places(body)))
        place[0][place[1]] = deepcopy(rng.choice(STRANGE))
    if rng.random() < 0.5:
        body[rng.choice(FIELDS)] = deepcopy(rng.choice(STRANGE))
    return {**body, "model": model}


def _list_places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value where another may stand."""
    keys = range(len(value)) if isinstance(value, list) else value
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _list_places(value[key])


ATTACKS: dict[str, Attack] = {
    "nine pictures of many tiles": _attack_with_picture("noise", 9),
    "thin picture": _attack_with_picture("thin"),
    "picture of one row": _attack_with_picture("low"),
    "picture of many pixels": _attack_with_picture("wide"),
    "small file of a large picture": _attack_with_picture("large"),
    "JPEG of many scans": _attack_with_picture("scans"),
    "broken picture or video": _attack_with_broken_media,
    "body that is no request": _attack_with_no_request,
    "many messages or parts": _attack_with_many,
    "strange values": _attack_with_strange_values,
}
