"""The family's loader for the host's Transformers engine."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import torch
from xinference.device_utils import (
    get_device_preferred_dtype,
    gpu_count,
    is_hf_accelerate_supported,
)
from xinference.model.llm.transformers.core import PytorchChatModel
from xinference.model.utils import select_device

from ..errors import CheckpointError
from ..generation import FinishReason, TextStream, generate_tokens
from ..images import image_to_tiles
from ..prompt import pieces
from ..requests import ChatRequest, ServedCheckpoint, prepared, trained_length
from ..runtime import prompt_format_named, serves
from ..sampling import Sampling
from ..tokenizer import encode_segments, load_tokenizer

logger = logging.getLogger(__name__)

ENGINE = "Transformers"
STOPPED = "the model was terminated before it had answered; launch it again"


@dataclass(frozen=True, slots=True)
class _Request:
    """`input_ids` (1, tokens); `pixel_values` (tiles, 3, tile_size, tile_size) or None."""

    input_ids: torch.Tensor
    pixel_values: torch.Tensor | None
    sampling: Sampling

    @property
    def prompt_tokens(self) -> int:
        return self.input_ids.shape[1]


@dataclass(frozen=True, slots=True)
class _Delta:
    """A part of the answer's text; the last one has the reason of the end."""

    text: str
    completion_tokens: int
    finish_reason: FinishReason | None = None


class InternVL2TransformersModel(PytorchChatModel):
    """Serves the family's checkpoints with transformers' own classes.

    Requests are answered one at a time in the order of their arrival, on a thread of the
    model's own; images are fetched and cut meanwhile.
    """

    _batch_scheduler = None

    @classmethod
    def match_json(
        cls, llm_family: Any, llm_spec: Any, quantization: str
    ) -> bool | tuple[bool, str]:
        return serves(llm_family, llm_spec, quantization, ENGINE)

    def load(self) -> None:
        """Load model and tokenizer on the device that the host chooses.

        Raises:
            CheckpointError: the checkpoint or the launch options cannot be served.
        """
        from ..checkpoint import load_model
        from ..config import read_config
        from ..quantization import check_quantization

        if self._peft_model:
            raise CheckpointError(
                f"LoRA adapters are not supported for {self.model_family.model_name}; "
                "launch it without --lora-modules"
            )
        self._checkpoint = read_config(self.model_path)
        check_quantization(self._checkpoint, self.model_spec.model_format, self.quantization)
        self._prompt_format = prompt_format_named(self._checkpoint.template)
        self._tokenizer = load_tokenizer(self.model_path)
        self._stop_ids = [
            self._tokenizer.convert_tokens_to_ids(stop) for stop in self._prompt_format.stop
        ]
        device = select_device(self._pytorch_model_config["device"])
        everywhere = gpu_count() > 0 and is_hf_accelerate_supported(device)
        dtype = self._dtype(device)
        self._model = load_model(
            self.model_path,
            dtype=dtype,
            device_map="auto" if everywhere else {"": device},
            quantization_config=self._quantization_config(dtype),
        )
        self._served = ServedCheckpoint(
            self._checkpoint,
            self._tokenizer,
            self._prompt_format,
            self._pytorch_model_config.get("context_length")
            or trained_length(self._checkpoint, self.model_family.context_length),
        )
        self._stopping = threading.Event()
        self._generations = ThreadPoolExecutor(1, thread_name_prefix="generation")

    def _dtype(self, device: str) -> torch.dtype:
        name = self._pytorch_model_config.get("torch_dtype")
        if name in (None, "auto"):
            # Half the memory where the CPU has bfloat16, hundreds of times slower elsewhere.
            own = device == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
            preferred = None if own else get_device_preferred_dtype(device)
            return cast(torch.dtype, preferred or getattr(torch, self._checkpoint.dtype))
        dtype = getattr(torch, str(name), None) if not isinstance(name, torch.dtype) else name
        if dtype not in (torch.bfloat16, torch.float16, torch.float32):
            raise CheckpointError(
                f"torch_dtype {name} is not supported; use bfloat16, float16 or float32"
            )
        return cast(torch.dtype, dtype)

    def _quantization_config(self, dtype: torch.dtype) -> Any:
        options = dict(self._pytorch_model_config.get("quantization_config") or {})
        if self.quantization == "8-bit":
            options.setdefault("load_in_8bit", True)
        elif self.quantization == "4-bit":
            options = {
                "load_in_4bit": True,
                "bnb_4bit_quant_type": "nf4",
                "bnb_4bit_use_double_quant": True,
                "bnb_4bit_compute_dtype": dtype,
                **options,
            }
        if not options:
            return None
        from transformers import BitsAndBytesConfig

        return BitsAndBytesConfig(**options)

    def stop(self) -> None:
        if generations := getattr(self, "_generations", None):
            self._stopping.set()
            generations.shutdown(wait=False, cancel_futures=True)
        super().stop()

    def count_tokens(
        self, messages: list[dict[str, Any]], generate_config: dict[str, Any] | None = None
    ) -> int:
        run = pieces(messages, self._prompt_format)
        if any(piece.media for piece in run):
            raise NotImplementedError("prompts with images are counted when they are answered")
        return len(encode_segments(self._tokenizer, [(piece.text, piece.trusted) for piece in run]))

    async def chat(
        self, messages: list[dict[str, Any]], generate_config: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
        """Answer an OpenAI chat request: the completion, or its chunks if `stream` is set.

        Raises:
            RequestError: the request cannot be answered as it is.
        """
        config = generate_config or {}
        request = await self._with_pixels(await prepared(messages, config, self._served))
        deltas = self._deltas(request)
        if config.get("stream"):
            include_usage = bool((config.get("stream_options") or {}).get("include_usage"))
            return _chunks(self.model_uid, request.prompt_tokens, deltas, include_usage)
        return await _completion(self.model_uid, request.prompt_tokens, deltas)

    async def _with_pixels(self, request: ChatRequest) -> _Request:
        tiles = await asyncio.to_thread(self._pixel_values, request) if request.images else None
        ids = torch.tensor([request.ids], device=self._model.device)
        return _Request(ids, tiles, request.sampling)

    def _pixel_values(self, request: ChatRequest) -> torch.Tensor:
        """One image after the other, so that only one is decoded at a time."""
        tiles = []
        for media, file in request.images:
            tiles.append(image_to_tiles(file.decode(), **self._served.tiling(media)))
            file.image.close()
        return torch.cat(tiles).to(self._model.device, self._model.dtype)

    async def _deltas(self, request: _Request) -> AsyncGenerator[_Delta, None]:
        """The answer as it comes. Closing the iterator stops the generation."""
        text = TextStream(self._tokenizer, request.sampling.stop)
        count = 0
        async with aclosing(self._tokens(request)) as tokens:
            async for token in tokens:
                count += 1
                yield _Delta(text.push(token), count)
                if text.done:
                    break
        rest = text.finish()
        ended = text.done or count < request.sampling.max_tokens
        yield _Delta(rest, count, "stop" if ended else "length")

    async def _tokens(self, request: _Request) -> AsyncGenerator[int, None]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[int | BaseException | None] = asyncio.Queue()
        abandoned = threading.Event()

        def generate() -> None:
            end: BaseException | None = None
            try:
                for token in generate_tokens(
                    self._model,
                    request.input_ids,
                    request.pixel_values,
                    request.sampling,
                    self._stop_ids,
                ):
                    if abandoned.is_set():
                        return
                    if self._stopping.is_set():
                        raise RuntimeError(STOPPED)
                    loop.call_soon_threadsafe(queue.put_nowait, token)
            except BaseException as error:
                end = error
            loop.call_soon_threadsafe(queue.put_nowait, end)

        generation = self._generations.submit(generate)
        # One that never began posts no end of its own.
        generation.add_done_callback(
            lambda future: (
                future.cancelled()
                and loop.call_soon_threadsafe(queue.put_nowait, RuntimeError(STOPPED))
            )
        )
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            abandoned.set()
            generation.cancel()


def _usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


async def _completion(
    model_uid: str, prompt_tokens: int, deltas: AsyncGenerator[_Delta, None]
) -> dict[str, Any]:
    parts = [delta async for delta in deltas]
    message = {"role": "assistant", "content": "".join(delta.text for delta in parts)}
    return {
        "id": f"chatcmpl-{uuid.uuid4()}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model_uid,
        "choices": [{"index": 0, "message": message, "finish_reason": parts[-1].finish_reason}],
        "usage": _usage(prompt_tokens, parts[-1].completion_tokens),
    }


async def _chunks(
    model_uid: str, prompt_tokens: int, deltas: AsyncGenerator[_Delta, None], include_usage: bool
) -> AsyncGenerator[dict[str, Any], None]:
    common = {
        "id": f"chatcmpl-{uuid.uuid4()}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model_uid,
    }

    def chunk(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**common, "choices": [choice]}

    yield chunk({"role": "assistant", "content": ""})
    usage = _usage(prompt_tokens, 0)
    async with aclosing(deltas):
        async for part in deltas:
            if part.text:
                yield chunk({"content": part.text})
            if part.finish_reason:
                usage = _usage(prompt_tokens, part.completion_tokens)
                yield chunk({}, part.finish_reason)
    if include_usage:
        yield {**common, "choices": [], "usage": usage}
