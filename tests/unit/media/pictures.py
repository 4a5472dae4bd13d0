"""Picture files for tests, sound and hostile."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.support.chat.media import encode


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def png(width: int, height: int, chunks: Iterator[bytes] | tuple[bytes, ...] = ()) -> bytes:
    """A white picture in grey whose rows are compressed one after the other, so that it may be of
    any size; `chunks` stand before its pixels."""
    compress = zlib.compressobj(9)
    row = b"\0" + b"\xff" * width
    most = max(1, (1 << 20) // len(row))
    counts = [most] * (height // most) + [height % most]
    rows = b"".join(compress.compress(row * count) for count in counts) + compress.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG with as many scans, all but the first of which change little."""
    data = encode(Image.new("RGB", (width, height), "red"), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    end = len(data) - 2
    return data[:end] + data[last:end] * (scans - data.count(b"\xff\xda")) + data[end:]
