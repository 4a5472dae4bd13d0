"""Processes that decode images, each for one image at a time, and turns that are fair.

A request has one image decoded at a time and then stands in line again, so that one with many
waits for the others, not they for it. Small images have processes of their own, and never wait for
large ones.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import Any

from ..errors import RequestError
from .fair_semaphore import FairSemaphore
from .limits import DECODERS, MAX_IMAGE_SECONDS, MAX_WALL_SECONDS, SMALL_COST, SMALL_FILE

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from xinference_internvl2.media.image_decoder import main
main()
"""
LEAN = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
}
"""Environment of a decoder: threads of libraries would each reserve address space, of which there
is little; and what a large image took goes back to the system."""


class _Decoder:
    """A process that runs `image_decoder.main`."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", _CODE, json.dumps(sys.path)]
        pipe, environment = subprocess.PIPE, {**os.environ, **LEAN}
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)

    def ask(self, question: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes] | None:
        """Return the answer and the bytes of its tiles, or None if the process has ended."""
        watch = Timer(MAX_WALL_SECONDS, self._process.kill)
        watch.start()
        try:
            return self._converse(question, data)
        except BrokenPipeError:
            return None
        finally:
            watch.cancel()

    def _converse(
        self, question: Mapping[str, Any], data: bytes
    ) -> tuple[dict[str, Any], bytes] | None:
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(json.dumps({**question, "bytes": len(data)}).encode() + b"\n")
        to.write(data)
        to.flush()
        line = back.readline()
        if not line:
            return None
        answer = json.loads(line)
        size = 1 if "shape" in answer else 0
        for length in answer.get("shape", ()):
            size *= length
        pixels = back.read(size)
        return (answer, pixels) if len(pixels) == size else None

    def status(self) -> int:
        """Wait for the end of the process and return its exit status."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]
        return self._process.wait()


class DecoderPool:
    """As many decoders as `count`, each started when it is first needed."""

    def __init__(self, count: int) -> None:
        self._turns = FairSemaphore(count)
        # The one that was used last is taken first, so that no more are started than are needed.
        self._idle: list[_Decoder | None] = [None] * count

    def ask(
        self, question: Mapping[str, Any], data: bytes, where: str
    ) -> tuple[dict[str, Any], bytes]:
        """Return the answer of `image_decoder` and the bytes of its tiles.

        Raises:
            RequestError: the image is refused, or takes too much time or memory.
        """
        with self._turns:
            decoder, answer = self._idle.pop(), None
            try:
                decoder = decoder or _Decoder()
                answer = decoder.ask({**question, "where": where}, data)
            finally:
                self._idle.append(decoder if answer is not None else None)
        if answer is None:
            raise _failure(decoder.status(), where)
        if "refused" in answer[0]:
            raise RequestError(answer[0]["refused"])
        return answer


def _failure(status: int, where: str) -> Exception:
    if status > 0:
        return RuntimeError(f"the image decoder ended with the status {status}; see the log")
    if -status in (signal.SIGPROF, signal.SIGKILL):
        return RequestError(
            f"{where} takes over {MAX_IMAGE_SECONDS} s to decode; send a smaller image"
        )
    return RequestError(f"{where} makes its decoder crash; save it in another way")


_small, _large = DecoderPool(DECODERS), DecoderPool(DECODERS)


def decoders_for(size: int, cost: int = 0) -> DecoderPool:
    """Return the decoders for a file of `size` bytes, whose pixels are visited `cost` times."""
    return _small if size <= SMALL_FILE and cost <= SMALL_COST else _large
