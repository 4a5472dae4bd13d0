"""The process that decodes images: what a hostile one may cost, and can do."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.chat.media import encode
from xinference_internvl2.errors import RequestError
from xinference_internvl2.media import image_decoder, image_decoder_pool, limits
from xinference_internvl2.media.decoder_memory import BYTES_PER_PIXEL
from xinference_internvl2.media.image_file import open_image
from xinference_internvl2.media.tiles import Tiling, cut_tiles

from .pictures import chunk, noise, png

ONE = Tiling(image_size=56, max_tiles=1)


def test_a_large_jpeg_is_decoded_smaller() -> None:
    """And still has the grid of its size, and nearly its pixels."""
    image = noise(70, 50).resize((9000, 6000), Image.Resampling.NEAREST)
    tiling = Tiling(image_size=56, max_tiles=6)
    found = open_image(encode(image, "JPEG", quality=95), "part").cut(tiling)
    expected = cut_tiles(image, tiling)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 3


def limited(code: str) -> str:
    """What `code` prints in a process that is confined as a decoder."""
    plugin = Path(image_decoder.__file__).parents[2]
    start = "import sys\nfrom xinference_internvl2.media.image_decoder import *\n"
    start += "sys.path_hooks.clear()\nconfine(count_address_space() + MAX_IMAGE_MEMORY)\n"
    command = [sys.executable, "-c", start + code]
    return subprocess.run(command, cwd=plugin, capture_output=True, text=True).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_a_decoder_can_open_nothing_nor_take_all_memory() -> None:
    assert limited("try: open(sys.executable)\nexcept OSError as e: print(e.errno)") == "24\n"
    assert limited("try: bytes(1100 << 20)\nexcept MemoryError: print('no')") == "no\n"
    assert limited("print(len(bytes(900 << 20)))") == f"{900 << 20}\n"


SLOW: list[Callable[[], bytes]] = [
    lambda: png(8, 8, (chunk(b"tIME", bytes(7)),) * 4_000_000),
    lambda: encode(noise(8, 8), "JPEG")[:2] + b"\xff\xfe\0\2" * 8_000_000,
]


@pytest.mark.parametrize("make", SLOW, ids=["chunks", "comments"])
def test_no_image_takes_longer_than_it_may(
    make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a second in place of five, in a decoder of its own."""
    shorter = "from xinference_internvl2.media import image_decoder as d; d.MAX_IMAGE_SECONDS = 1\n"
    monkeypatch.setattr(
        image_decoder_pool,
        "_CODE",
        image_decoder_pool._CODE.replace("main()\n", f"{shorter}main()\n"),
    )
    monkeypatch.setattr(image_decoder_pool, "_large", image_decoder_pool.DecoderPool(1))
    data = make()
    with pytest.raises(RequestError, match="part takes over 5 s to decode; send a smaller image"):
        open_image(data, "part").cut(ONE)
    # The next one finds a decoder that works.
    assert image_decoder_pool._large.ask({"published": False, "tiling": None}, png(8, 8), "next")


def test_a_small_picture_does_not_wait_for_large_ones() -> None:
    large = open_image(png(6_000, 6_000), "large")
    small = open_image(encode(noise(64, 64)), "small")
    with ThreadPoolExecutor(2) as threads, ExitStack() as turns:
        for _ in range(limits.MAX_IMAGE_DECODERS):
            turns.enter_context(image_decoder_pool._large._turns)
        waiting = threads.submit(large.cut, ONE)
        threads.submit(small.cut, ONE).result(timeout=60)
        assert not waiting.done()


LARGEST = ["RGB", "L", "P"]


@pytest.mark.parametrize("mode", LARGEST)
def test_the_largest_picture_is_decoded(mode: str) -> None:
    """In the time and the memory that there are."""
    data = encode(Image.new(mode, (15_000, 10_000)), compress_level=1)
    assert open_image(data, "part").cut(ONE).shape == (1, 3, 56, 56)


def test_what_takes_more_memory_than_there_is_is_refused() -> None:
    data = encode(Image.new("RGBA", (15_000, 10_000)), compress_level=1)
    with pytest.raises(RequestError, match="part takes over 1024 MB of memory to decode; send a"):
        open_image(data, "part").cut(ONE)


def test_memory_stays_outside() -> None:
    """A picture of 81 million pixels leaves nothing but its tiles here."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    open_image(png(9_000, 9_000), "part").cut(ONE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_decoder_that_crashes_is_the_fault_of_the_image() -> None:
    failure = image_decoder_pool._explain_exit(-signal.SIGSEGV, "part")
    assert isinstance(failure, RequestError)
    assert str(failure) == "part makes its decoder crash; save it in another way"


def test_a_decoder_that_cannot_start_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_decoder_pool, "_CODE", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="the image decoder ended with the status 3"):
        image_decoder_pool.DecoderPool(1).ask({"published": False, "tiling": None}, b"x", "part")


def _upside_down(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 3
    return encode(image, "JPEG", exif=exif)


LARGE: dict[str, Callable[[], bytes]] = {
    "png": lambda: encode(noise(3000, 1000)),
    "transparent": lambda: encode(noise(3000, 1000, "RGBA")),
    "jpeg": lambda: encode(noise(3000, 1000), "JPEG"),
    "progressive": lambda: encode(noise(3000, 1000), "JPEG", progressive=True),
    "turned": lambda: _upside_down(noise(3000, 1000)),
    "16 bit": lambda: encode(Image.fromarray(np.full((1000, 3000), 5, np.uint16))),
    "float": lambda: encode(Image.fromarray(np.full((1000, 3000), 0.5, np.float32)), "TIFF"),
    "webp": lambda: encode(noise(3000, 1000), "WEBP"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
@pytest.mark.parametrize("kind", LARGE)
def test_a_decoder_takes_no_more_than_is_counted(kind: str) -> None:
    data = LARGE[kind]()
    counted = open_image(data, "part").memory
    decoder = image_decoder_pool._Decoder()
    question = {"published": False, "where": "part", "tiling": None}
    decoder.ask(question, data)
    folder = Path(f"/proc/{decoder._process.pid}")

    def resident(key: str) -> int:
        lines = (folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))

    (folder / "clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    decoder.ask({**question, "tiling": asdict(Tiling())}, data)
    # What libraries keep of their first calls is not counted, and the file is elsewhere.
    assert resident("VmHWM") - before - len(data) < counted + (16 << 20)
    assert counted <= 3000 * 1000 * BYTES_PER_PIXEL
    decoder._process.kill()
    decoder._process.wait()
