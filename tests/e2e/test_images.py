"""Image files of every kind through the server, on both engines."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.support.chat.case import IM_SYSTEM
from tests.support.chat.media import draw_picture, encode, image, text, uri, user
from tests.support.served import Served

from .reference import greedy, inputs

pytestmark = pytest.mark.e2e
PROMPT = f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n"


def transparent() -> bytes:
    """An image whose hidden colours differ from what it shows."""
    picture = draw_picture(100, 80, "RGBA")
    picture.putalpha(draw_picture(100, 80, "L"))
    return encode(picture)


def turned() -> bytes:
    """A photograph that says it lies on its side."""
    picture = draw_picture(120, 60)
    exif = picture.getexif()
    exif[0x0112] = 6
    return encode(picture, "JPEG", exif=exif)


def animated() -> bytes:
    """The first frame counts."""
    frames = [draw_picture(64, 64), Image.new("RGB", (64, 64), "black")]
    return encode(frames[0], "GIF", save_all=True, append_images=frames[1:])


def sixteen_bits() -> bytes:
    values = np.linspace(0, 65535, 64 * 48, dtype=np.uint16).reshape(48, 64)
    return encode(Image.fromarray(values))


FILES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encode(draw_picture(150, 100), "JPEG"),
    "PNG": lambda: encode(draw_picture(150, 100)),
    "WebP": lambda: encode(draw_picture(150, 100), "WEBP", lossless=True),
    "animated GIF": animated,
    "BMP": lambda: encode(draw_picture(150, 100), "BMP"),
    "TIFF": lambda: encode(draw_picture(150, 100), "TIFF"),
    "palette": lambda: encode(draw_picture(150, 100, "P")),
    "grey": lambda: encode(draw_picture(150, 100, "L")),
    "black and white": lambda: encode(draw_picture(150, 100, "1")),
    "grey with alpha": lambda: encode(draw_picture(150, 100, "LA")),
    "16 bits": sixteen_bits,
    "CMYK": lambda: encode(draw_picture(150, 100, "CMYK"), "JPEG"),
    "transparent": transparent,
    "turned": turned,
    "1×1": lambda: encode(draw_picture(1, 1)),
    "1×2000": lambda: encode(draw_picture(1, 2000)),
    "2000×1": lambda: encode(draw_picture(2000, 1)),
    "12000×9000": lambda: encode(Image.new("RGB", (12000, 9000), "teal"), compress_level=1),
}


def as_people_see_it(data: bytes) -> Image.Image:
    """The first frame upright, on white, and with 16 bits as 8."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if picture.mode == "I;16":
        return Image.fromarray(np.rint(np.asarray(picture) / 257).astype(np.uint8)).convert("RGB")
    if picture.mode not in ("RGBA", "LA"):
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")


@pytest.mark.parametrize("name", FILES)
def test_the_model_sees_what_people_see(served: Served, name: str) -> None:
    data = FILES[name]()
    values = inputs(served.checkpoint, PROMPT, [(as_people_see_it(data), 12)])
    answer = served.chat(user([image(uri(data)), text("What?")]), max_tokens=8)
    assert answer.usage.prompt_tokens == values["input_ids"].shape[1]
    assert answer.choices[0].message.content == greedy(served.checkpoint, values, 8)
