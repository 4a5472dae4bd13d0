"""The loop of the engine's thread: it runs what readers ask for, and the steps of the model."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue

import torch
from transformers import PreTrainedModel

from ...engine_outputs import FinishOutput, PromptOutput, TokenOutput
from .engine_limits import EngineLimits
from .model_runner import ModelRunner, ToPixels
from .open_streams import OpenStreams
from .prefix_cache import PrefixCache
from .sampler import sample
from .scheduler import Scheduler, Step, fit_into_chunk
from .sequence import Request, Status
from .sequence import Sequence as Generated
from .token_stream import MAX_AHEAD, TokenStream, to_reader_error

logger = logging.getLogger(__name__)
Load = Callable[[], PreTrainedModel]
STOPPED = "the model was terminated before it had answered; launch it again"
BROKEN = "the model's engine ended after an error that its log tells; launch the model again"


class EngineLoop:
    """Has the model for itself; all methods run on the engine's thread.

    Args:
        to_pixels: the tiles of prompts, (tiles, 3, tile_size, tile_size) on the model's device, as
            the model wants them.
        commands: what readers ask for, run between two steps of the model.
        streams: where the outputs of a request go.
    """

    def __init__(
        self,
        limits: EngineLimits,
        to_pixels: ToPixels,
        commands: SimpleQueue[Callable[[], None]],
        streams: OpenStreams,
    ) -> None:
        self._limits, self._to_pixels = limits, to_pixels
        self._commands, self._streams = commands, streams
        self._stopping = False

    def run(self, load: Load, loaded: Future[tuple[int, torch.device]]) -> None:
        """Load the model, and run its steps until `stop` is asked for, or it cannot go on.

        Args:
            loaded: gets the id of the image token and the device, or what `load` raised.
        """
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
        in_use, kept = self._limits.in_bytes(model.device)
        most_tokens = in_use // runner.pool.bytes_per_token
        self._scheduler = Scheduler(self._limits.max_sequences, most_tokens, runner.encoding)
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
            self.abort(request)

    def _release(self, sequence: Generated) -> None:
        """Keep what has been read for later prompts; once for all sequences of a request."""
        if sequence.kv and sequence is sequence.request.sequences[0]:
            self._prefix_cache.store(sequence.keys, sequence.kv)
            sequence.kv = None
        sequence.free()

    def add(self, request: Request) -> None:
        """Let a request wait for its turn, unless its reader has left."""
        if request in self._streams:
            request.wanted = MAX_AHEAD
            self._scheduler.add(request)

    def want(self, request: Request, tokens: int) -> None:
        """Let a request generate so many tokens more: its reader has taken as many."""
        request.wanted += tokens

    def abort(self, request: Request) -> None:
        """End a request whose reader has left, or does not keep up."""
        if request in self._streams:
            self._close(request)
            for sequence in request.unfinished:
                sequence.status = Status.ABORTED
                self._release(sequence)

    def stop_sequences(self, request: Request) -> None:
        """End the sequences of a request where they are, and tell its reader."""
        if stream := self._streams.get(request):
            ends = [FinishOutput(one.sampler.choice, "stop") for one in request.unfinished]
            self.abort(request)
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

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stopping = True

    def _shut_down(self, reason: str) -> None:
        self._streams.end(reason)
        for part in ("_runner", "_scheduler", "_prefix_cache"):
            delattr(self, part)
