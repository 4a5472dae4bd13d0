"""A pool of processes that decode images, one image at a time each.

A request has one image decoded and then queues again, so that one with many images does not hold up
the others. Small images have processes of their own and never wait for large ones.
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
from .limits import (
    MAX_IMAGE_DECODERS,
    MAX_IMAGE_SECONDS,
    MAX_WALL_SECONDS,
    SMALL_COST,
    SMALL_FILE,
)
from .sandbox import DECODER_ENVIRONMENT

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from xinference_internvl2.media.image_decoder import main
main()
"""


class _Decoder:
    """A process that runs `image_decoder.main`."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", _CODE, json.dumps(sys.path)]
        pipe, environment = subprocess.PIPE, {**os.environ, **DECODER_ENVIRONMENT}
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment)

    def ask(self, question: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes] | None:
        """Return the answer and the bytes of its tiles; None if the process has ended."""
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
    """A pool of at most `count` decoders, each of which is started at its first use."""

    def __init__(self, count: int) -> None:
        self._turns = FairSemaphore(count)
        # A stack: the decoder that was used last is taken first, so that few are started.
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
            raise _explain_exit(decoder.status(), where)
        if "refused" in answer[0]:
            raise RequestError(answer[0]["refused"])
        return answer


def _explain_exit(status: int, where: str) -> Exception:
    """Return the error for a decoder that has ended with an exit status while it decoded."""
    if status > 0:
        return RuntimeError(f"the image decoder ended with the status {status}; see the log")
    if -status in (signal.SIGPROF, signal.SIGKILL):
        return RequestError(
            f"{where} takes over {MAX_IMAGE_SECONDS} s to decode; send a smaller image"
        )
    return RequestError(f"{where} makes its decoder crash; save it in another way")


_small, _large = DecoderPool(MAX_IMAGE_DECODERS), DecoderPool(MAX_IMAGE_DECODERS)


def choose_decoders(size: int, cost: int = 0) -> DecoderPool:
    """Return the pool for a file of `size` bytes, whose decoder visits `cost` pixels."""
    return _small if size <= SMALL_FILE and cost <= SMALL_COST else _large
