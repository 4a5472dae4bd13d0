"""The engine as its readers see it: generate, abort, stop; `engine_loop` does the work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue

import torch

from ...engine_outputs import Outputs
from ...sampling_params import SamplingParams
from .engine_limits import EngineLimits
from .engine_loop import EngineLoop, Load
from .grammar_constraint import Constraint
from .model_runner import ToPixels
from .open_streams import OpenStreams
from .sequence import Prompt, Request


class AsyncEngine:
    """Generates tokens for any number of readers.

    All that torch computes is on the engine's thread, loading included: each thread that lets torch
    compute gets threads of OpenMP for that, and as soon as there are more of them than cores, all
    wait asleep for their work, which makes decoding slower.

    Args:
        load: returns the model; what it raises is raised here.
        to_pixels: the tiles of prompts, (tiles, 3, tile_size, tile_size) on the model's device, as
            the model wants them.
    """

    def __init__(
        self, load: Load, limits: EngineLimits, to_pixels: ToPixels = torch.as_tensor
    ) -> None:
        self.limits = limits
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._streams = OpenStreams()
        self._loop = EngineLoop(limits, to_pixels, self._commands, self._streams)
        loaded: Future[tuple[int, torch.device]] = Future()
        work = partial(self._loop.run, load, loaded)
        self._thread = threading.Thread(target=work, name="engine", daemon=True)
        self._thread.start()
        self._image_token_id, self._device = loaded.result()

    def stop(self) -> None:
        """Let every reader know that there will be no more, after the step that is under way.
        An interpreter that ends while the thread computes aborts.
        """
        self._commands.put(self._loop.stop)
        self._thread.join()

    def abort(self, name: str) -> bool:
        """End the requests of that name where they are; False if there is none."""
        found = self._streams.find(name)
        for request in found:
            self._commands.put(partial(self._loop.stop_sequences, request))
        return bool(found)

    async def generate(
        self,
        prompt: Prompt,
        sampling: SamplingParams,
        stop_ids: Collection[int],
        constraint: Constraint | None = None,
        name: str | None = None,
    ) -> Outputs:
        """Yield tokens as they are generated, and the ends of sequences; closing this aborts them.

        Args:
            stop_ids: tokens that end a sequence, and are no part of it.
            constraint: what every sequence is held to.
            name: for `abort`.

        Raises:
            RuntimeError: the engine has been stopped, or has ended.
        """
        request = Request(
            *(prompt, sampling, stop_ids, self._image_token_id, self._device), constraint, name
        )
        want = partial(self._loop.want, request)
        stream = self._streams.open(request, lambda more: self._commands.put(partial(want, more)))
        try:
            self._commands.put(partial(self._loop.add, request))
            while (output := await stream.read()) is not None:
                yield output
        finally:
            self._commands.put(partial(self._loop.abort, request))
