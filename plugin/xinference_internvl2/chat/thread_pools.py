"""The threads that prepare requests and decode their media, by what a request has to wait for.

Each kind of work has its own, so that slow image servers and decoders hold up no others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from .request import ChatRequest
from .request_size import MediaSize

_FETCH_THREADS = ThreadPoolExecutor(16, thread_name_prefix="fetching")
_PREPARE_THREADS = ThreadPoolExecutor(8, thread_name_prefix="preparing")
# These threads only wait for the processes that decode.
_OPEN_THREADS = ThreadPoolExecutor(64, thread_name_prefix="opening")
_DECODE_THREADS = ThreadPoolExecutor(64, thread_name_prefix="decoding")


async def prepare_on_thread(work: Callable[[], ChatRequest], size: MediaSize) -> ChatRequest:
    """Prepare a request on a thread, so that the event loop does not wait.

    Args:
        work: prepares it.
        size: of its media: requests without media do not wait for those with some.
    """
    threads = _FETCH_THREADS if size.remote else _OPEN_THREADS if size.inline else _PREPARE_THREADS
    return await asyncio.get_running_loop().run_in_executor(threads, work)


async def decode_on_thread(request: ChatRequest) -> list[NDArray[np.uint8]]:
    """Decode the media of `request` on a thread, one after the other.

    Returns:
        The tiles of each image and frame, (tiles, 3, tile_size, tile_size).
    """

    def cut() -> list[NDArray[np.uint8]]:
        return [tiles for item in request.media for tiles in item.cut()]

    return await asyncio.get_running_loop().run_in_executor(_DECODE_THREADS, cut)
