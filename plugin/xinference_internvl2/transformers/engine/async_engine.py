"""The engine: a thread that has the model for itself, and the readers of what it generates."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue

import torch
from transformers import PreTrainedModel

from ...engine_outputs import FinishOutput, Outputs, PromptOutput, TokenOutput
from ...sampling_params import SamplingParams
from .engine_limits import EngineLimits
from .grammar_constraint import Constraint
from .model_runner import ModelRunner, ToPixels
from .open_streams import OpenStreams
from .prefix_cache import PrefixCache
from .sampler import sample
from .scheduler import Scheduler, Step, fit_into_chunk
from .sequence import Prompt, Request, Status
from .sequence import Sequence as Generated
from .token_stream import MAX_AHEAD, TokenStream, to_reader_error

logger = logging.getLogger(__name__)
Load = Callable[[], PreTrainedModel]
STOPPED = "the model was terminated before it had answered; launch it again"
BROKEN = "the model's engine ended after an error that its log tells; launch the model again"


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
        self.limits, self._to_pixels = limits, to_pixels
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._streams = OpenStreams()
        self._stopping = False
        loaded: Future[tuple[int, torch.device]] = Future()
        work = partial(self._run, load, loaded)
        self._thread = threading.Thread(target=work, name="engine", daemon=True)
        self._thread.start()
        self._image_token_id, self._device = loaded.result()

    def stop(self) -> None:
        """Let every reader know that there will be no more, after the step that is under way.
        An interpreter that ends while the thread computes aborts.
        """
        self._commands.put(self._stop)
        self._thread.join()

    def abort(self, name: str) -> bool:
        """End the requests of that name where they are; False if there is none."""
        found = self._streams.find(name)
        for request in found:
            self._commands.put(partial(self._stop_sequences, request))
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
        want = partial(self._want, request)
        stream = self._streams.open(request, lambda more: self._commands.put(partial(want, more)))
        try:
            self._commands.put(partial(self._add, request))
            while (output := await stream.read()) is not None:
                yield output
        finally:
            self._commands.put(partial(self._abort, request))

    # All below runs on the engine's thread.

    def _run(self, load: Load, loaded: Future[tuple[int, torch.device]]) -> None:
        try:
            model = load()
            self._prepare(model)
        except BaseException as error:
            loaded.set_exception(error)
            return
        loaded.set_result((model.config.image_token_id, model.device))
        del model
        try:
            while not self._stopping:
                self._step()
        except BaseException:
            logger.exception("The engine ends.")
            self._shut_down(BROKEN)
        else:
            self._shut_down(STOPPED)

    def _prepare(self, model: PreTrainedModel) -> None:
        self._runner = ModelRunner(model, self._to_pixels)
        runner = self._runner
        in_use, kept = self.limits.in_bytes(model.device)
        most_tokens = in_use // runner.pool.bytes_per_token
        self._scheduler = Scheduler(self.limits.max_sequences, most_tokens, runner.encoding)
        self._prefix_cache = PrefixCache(kept, runner.fixed_length)

    def _step(self) -> None:
        """Run what readers have asked for since, then the next step of the model."""
        try:
            step = Step()
            while not self._stopping and not (self._commands.empty() and step):
                if not self._commands.empty() or not (step := self._scheduler.schedule()):
                    self._commands.get()()
            if not self._stopping:
                self._execute(step)
        except BaseException as error:
            logger.exception("The engine failed between two steps of the model.")
            for request in [*self._streams]:
                self._fail(request, error)

    def _execute(self, step: Step) -> None:
        prompts, batches = self._fill_chunk(step.prefill), step.batches
        alike = [b for b in batches if prompts and self._scheduler.are_alike(prompts[0], b[0])]
        if alike and self._run_together(prompts, alike[0]):
            prompts, batches = [], [batch for batch in batches if batch not in alike]
        if prompts:
            self._run_isolated(self._prefill, prompts)
        for batch in batches:
            self._run_isolated(self._decode, batch)

    def _run_together(self, prompts: list[Generated], batch: list[Generated]) -> bool:
        """Read prompts and decode sequences beside them, which reads the weights once for both;
        False if that fails, so that each is tried alone."""
        try:
            found = dict(self._runner.prefill([*prompts, *batch]))
        except BaseException:
            logger.exception("A step failed; its prompts and sequences are computed apart.")
            return False
        decoded = torch.cat([found.pop(sequence) for sequence in batch])
        self._run_isolated(partial(self._advance, logits=decoded), batch)
        for sequence, logits in found.items():
            if not sequence.is_over:
                self._run_isolated(partial(self._start_decoding, logits=logits), [sequence])
        return True

    def _fill_chunk(self, sequences: list[Generated]) -> list[Generated]:
        """Those of `sequences` that are read in this step, with what is known of their tokens."""
        found: list[Generated] = []
        for sequence in sequences:
            self._run_isolated(self._reuse, [sequence])
            if not sequence.is_over and fit_into_chunk([*found, sequence]):
                found.append(sequence)
        return found

    def _run_isolated(
        self, work: Callable[[list[Generated]], None], sequences: list[Generated]
    ) -> None:
        """Run a part of a step; an error fails the requests of `sequences` alone."""
        try:
            work(sequences)
        except BaseException as error:
            logger.exception("A step of the model failed.")
            for request in {sequence.request for sequence in sequences}:
                self._fail(request, error)

    def _reuse(self, sequences: list[Generated]) -> None:
        for sequence in sequences:
            self._prefix_cache.reuse(sequence, self._scheduler.running)

    def _prefill(self, sequences: list[Generated]) -> None:
        for sequence, logits in self._runner.prefill(sequences):
            self._start_decoding([sequence], logits)

    def _start_decoding(self, sequences: list[Generated], logits: torch.Tensor) -> None:
        """Start to decode a sequence whose prompt is read, and those that waited for it."""
        [sequence] = sequences
        assert sequence.kv is not None
        alike = [sequence]
        for other in sequence.request.unfinished:
            if other.status is Status.WAITING:
                other.kv = sequence.kv.copy(sequence.read, other.capacity)
                alike.append(other)
        for one in alike:
            one.status = Status.RUNNING
        if not sequence.has_begun:
            self._streams[sequence.request].put(PromptOutput(sequence.request.cached_tokens))
        self._advance(alike, logits.expand(len(alike), -1))

    def _decode(self, sequences: list[Generated]) -> None:
        self._advance(sequences, self._runner.decode(sequences))

    def _advance(self, sequences: list[Generated], logits: torch.Tensor) -> None:
        tokens = sample(logits, [sequence.sampler for sequence in sequences])
        for sequence, token in zip(sequences, tokens, strict=True):
            if isinstance(token, Exception):
                self._fail(sequence.request, token)
            elif not sequence.is_over:
                self._accept(sequence, token)

    def _accept(self, sequence: Generated, token: TokenOutput) -> None:
        request = sequence.request
        request.wanted -= 1
        outputs = sequence.accept(token)
        if sequence.is_over:
            self._release(sequence)
        elif self._runner.switches(sequence.tokens):
            sequence.restart()
        if request.unfinished:
            delivered = self._streams[request].put(*outputs)
        else:
            delivered = self._close(request).put(*outputs, None)
        if not delivered:
            self._abort(request)

    def _release(self, sequence: Generated) -> None:
        """Keep what has been read for later prompts; once for all sequences of a request."""
        if sequence.kv and sequence is sequence.request.sequences[0]:
            self._prefix_cache.store(sequence.keys, sequence.kv)
            sequence.kv = None
        sequence.free()

    def _add(self, request: Request) -> None:
        if request in self._streams:
            request.wanted = MAX_AHEAD
            self._scheduler.add(request)

    def _want(self, request: Request, tokens: int) -> None:
        request.wanted += tokens

    def _abort(self, request: Request) -> None:
        if request in self._streams:
            self._close(request)
            for sequence in request.unfinished:
                sequence.status = Status.ABORTED
                self._release(sequence)

    def _stop_sequences(self, request: Request) -> None:
        """End the sequences of a request where they are, and tell its reader."""
        if stream := self._streams.get(request):
            ends = [FinishOutput(one.sampler.choice, "stop") for one in request.unfinished]
            self._abort(request)
            stream.put(*ends, None)

    def _fail(self, request: Request, error: BaseException) -> None:
        """Abort a request and tell its reader why."""
        if request in self._streams:
            self._close(request).put(to_reader_error(error))
            for sequence in request.sequences:
                if not sequence.is_over:
                    sequence.status = Status.ABORTED
                sequence.free()

    def _close(self, request: Request) -> TokenStream:
        self._scheduler.remove(request)
        request.prompt.free()
        return self._streams.close(request)

    def _stop(self) -> None:
        self._stopping = True

    def _shut_down(self, reason: str) -> None:
        self._streams.end(reason)
        for part in ("_runner", "_scheduler", "_prefix_cache"):
            delattr(self, part)
