"""Videos: which frames are looked at, in every container, and files that are hostile."""

from __future__ import annotations

import io
import random
import struct
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from xinference_internvl2.errors import RequestError
from xinference_internvl2.media.frame_choice import frame_indices
from xinference_internvl2.media.tiles import Tiling
from xinference_internvl2.media.video_file import VideoFile, open_video
from xinference_internvl2.media.video_packets import read_index

WIDTH, HEIGHT, BITS = 160, 64, 10


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray[Any, Any]:
    """A frame that shows its number as a row of black and white squares, above a colour."""
    pixels = np.full((height, width, 3), (200, 40, 40), np.uint8)
    side = width // BITS
    for bit in range(BITS):
        pixels[:side, bit * side : (bit + 1) * side] = 255 * (number >> bit & 1)
    return pixels


def number(image: Image.Image) -> int:
    pixels, side = np.array(image), image.width // BITS
    centres = pixels[side // 2, side // 2 :: side].mean(axis=1)
    return sum(1 << bit for bit, value in enumerate(centres) if value > 128)


def video(
    frames: int,
    container: str = "mp4",
    codec: str = "libx264",
    *,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    pixels: str = "yuv420p",
    times: list[int] | None = None,
    **options: str,
) -> bytes:
    file = io.BytesIO()
    muxer_options = {"movflags": options.pop("movflags")} if "movflags" in options else {}
    with av.open(file, "w", format=container, options=muxer_options) as output:
        stream = output.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24")
            frame.pts = times[index] if times else index
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


def frames(file: VideoFile, count: int) -> list[Image.Image]:
    """Frames as the model sees them, each as one tile."""
    cut = file.cut(count, Tiling(image_size=WIDTH, max_tiles=1))
    return [Image.fromarray(tiles[0].transpose(1, 2, 0)) for tiles in cut]


def numbers(data: bytes, count: int) -> list[int]:
    return [number(image) for image in frames(open_video(data, "part"), count)]


# Fewer frames than are asked for, as many, and more; one at either side; the most of a request.
@pytest.mark.parametrize(
    ("total", "count"), [(1, 1), (1, 8), (3, 8), (8, 8), (8, 64), (301, 1), (301, 64)]
)
def test_numbers_of_frames(total: int, count: int) -> None:
    assert numbers(video(total, g="20"), count) == frame_indices(total, count)


OPEN_GOP = {"bf": "3", "g": "12", "x264-params": "open-gop=1:b-pyramid=normal"}
FAST_VPX = {"deadline": "realtime", "cpu-used": "8"}
# Container, encoder and its options: with and without frame counts, presentation times, and
# frames that are reordered or refer to those of another keyframe.
FILES: list[tuple[str, str, dict[str, str]]] = [
    ("mp4", "libx264", {"bf": "3", "g": "250"}),
    ("mp4", "libx264", OPEN_GOP),
    ("mp4", "libx264", {"bf": "3", "g": "30", "movflags": "frag_keyframe+empty_moov"}),
    ("mp4", "libx265", {"x265-params": "log-level=none:bframes=3:keyint=20"}),
    ("mov", "mpeg4", {"bf": "2"}),
    ("matroska", "libx264", OPEN_GOP),
    ("matroska", "libsvtav1", {"preset": "12", "g": "20"}),
    ("webm", "libvpx-vp9", FAST_VPX),
    ("webm", "libvpx", {**FAST_VPX, "auto-alt-ref": "1", "lag-in-frames": "16", "g": "30"}),
    ("avi", "mpeg4", {}),
    ("avi", "mpeg4", {"bf": "2"}),
    ("avi", "libx264", {"bf": "3", "g": "20"}),
    ("avi", "mjpeg", {"pixels": "yuvj420p"}),
    ("mpegts", "libx264", OPEN_GOP),
    ("mpegts", "libx264", {"g": "12", "x264-params": "intra-refresh=1"}),
    ("mpegts", "mpeg2video", {"bf": "2"}),
    ("gif", "gif", {"pixels": "rgb8"}),
]


@pytest.mark.parametrize(("container", "codec", "options"), FILES)
def test_the_frames_are_those_of_the_indices(
    container: str, codec: str, options: dict[str, Any]
) -> None:
    data = video(100, container, codec, **options)
    file = open_video(data, "part")
    assert (file.width, file.height) == (WIDTH, HEIGHT)
    found = frames(file, 9)
    assert [number(frame) for frame in found] == frame_indices(100, 9)
    assert np.abs(np.array(found[0])[100, 80].astype(int) - (200, 40, 40)).max() < 45


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_decoding_starts_at_a_keyframe_that_is_shown_before_the_frame(container: str) -> None:
    with av.open(io.BytesIO(video(100, container, **OPEN_GOP))) as file:
        index = read_index(file.streams.video[0])
    assert len(set(index.starts)) > 4
    assert all(index.places[start] <= place for place, start in enumerate(index.starts))


def test_frames_of_any_duration_count_once() -> None:
    times = [index * index for index in range(40)]
    assert numbers(video(40, times=times, bf="2"), 8) == frame_indices(40, 8)


def test_frames_outside_of_the_edit_list_do_not_count() -> None:
    data = bytearray(video(40, bf="0"))
    entry = data.index(b"elst") + 12
    duration, start = struct.unpack_from(">Ii", data, entry)
    frame = struct.unpack_from(">I", data, data.index(b"stts") + 16)[0]
    struct.pack_into(">Ii", data, entry, duration * 30 // 40, start + 10 * frame)
    assert numbers(bytes(data), 8) == [10 + index for index in frame_indices(30, 8)]


def test_what_comes_before_the_first_keyframe_does_not_count() -> None:
    data = video(60, "mpegts", bf="0", g="20")
    packets = [data[start : start + 188] for start in range(0, len(data), 188)]
    # Service information and tables, then what follows the first frame of the first group.
    cut = b"".join(packets[:3] + packets[10:])
    assert numbers(cut, 8) == [20 + index for index in frame_indices(40, 8)]


@pytest.mark.parametrize(("degrees", "matrix"), [(90, (0, 1, -1, 0)), (180, (-1, 0, 0, -1))])
def test_frames_are_turned_clockwise_as_the_container_asks(
    degrees: int, matrix: tuple[int, int, int, int]
) -> None:
    data = bytearray(video(8))
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    for frame in frames(open_video(bytes(data), "part"), 1):
        assert number(frame.rotate(degrees, expand=True)) == 3


def test_text_that_is_not_utf_8_is_no_obstacle() -> None:
    data = video(8).replace(b"VideoHandler", b"Vid\xe9oHandler")
    assert numbers(data, 8) == frame_indices(8, 8)


def test_a_truncated_video_gives_the_frames_that_it_has() -> None:
    data = video(100, "matroska", bf="0", g="10")
    got = numbers(data[: len(data) // 2], 8)
    assert got == sorted(got)
    assert got[-1] < 60


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "mpegts"])
def test_a_damaged_video_is_refused_or_decoded(container: str) -> None:
    chance = random.Random(container)
    data = video(12, container, "mpeg4" if container == "avi" else "libx264")
    for _ in range(8):
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 10, 200])):
            damaged[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = frames(open_video(bytes(damaged), "part"), 8)
        except RequestError:
            continue
        assert len(found) == 8


def test_a_header_that_promises_too_much_is_not_believed() -> None:
    data = bytearray(video(8, "avi", "mpeg4"))
    struct.pack_into("<I", data, data.index(b"avih") + 24, 2**31 - 1)
    struct.pack_into("<I", data, data.index(b"strh") + 40, 2**31 - 1)
    assert numbers(bytes(data), 8) == frame_indices(8, 8)
