"""Pictures and videos for requests, as files and as `data:` URIs; messages and their parts.

What makes a message or a part of one is named after it, so that a chat reads like its JSON.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import cache
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw

MEDIA_TYPES = {"JPEG": "image/jpeg", "TIFF": "image/tiff"}


def draw_picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture with something to see in every part of it."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2, height // 3), fill="red")
    draw.ellipse((width // 3, height // 4, width, height), fill="blue")
    draw.line((0, height, width, 0), fill="green", width=max(width, height) // 40 + 1)
    return image.convert(mode)


def encode(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def uri(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def image_uri(image: Image.Image, image_format: str = "PNG", **options: Any) -> str:
    media_type = MEDIA_TYPES.get(image_format, f"image/{image_format.lower()}")
    return uri(encode(image, image_format, **options), media_type)


def encode_video(images: Sequence[Image.Image], container: str = "mp4", rate: int = 8) -> bytes:
    """A video of pictures of one size, whose sides are even."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *images[0].size, "yuv420p"
        for image in images:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image))))
        output.mux(stream.encode())
    return file.getvalue()


@cache
def video(frames: int = 24, container: str = "mp4") -> bytes:
    """A small video in which a square moves from the left to the right."""
    images = []
    for number in range(frames):
        images.append(Image.new("RGB", (128, 96), "white"))
        left = 100 * number // frames
        ImageDraw.Draw(images[-1]).rectangle((left, 30, left + 24, 54), fill="red")
    return encode_video(images, container)


def video_uri(frames: int = 24) -> str:
    return uri(video(frames), "video/mp4")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def text(value: Any) -> dict[str, Any]:
    return {"type": "text", "text": value}


def image(url: str, **options: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **options}}


def clip(url: str) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url}}
