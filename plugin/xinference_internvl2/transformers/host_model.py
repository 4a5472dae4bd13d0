"""The loader class for Xinference's Transformers engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import torch
from transformers import PreTrainedModel
from xinference.constants import XINFERENCE_MAX_TOKENS
from xinference.device_utils import (
    get_device_preferred_dtype,
    gpu_count,
    is_hf_accelerate_supported,
)
from xinference.model.llm.media import load_media_bytes
from xinference.model.llm.transformers.core import PytorchChatModel
from xinference.model.scheduler.core import AbortRequestMessage
from xinference.model.utils import select_device, virtual_env_allows_missing_engine

from ..chat.anthropic_usage import prepare_anthropic_request
from ..chat.chat_flow import answer
from ..chat.count_tokens import count_tokens
from ..chat.prompt_launch_options import read_launch_prompt
from ..chat.request import ChatRequest
from ..chat.served_checkpoint import ServedCheckpoint
from ..chat.stop_conditions import find_format_stop_ids
from ..chat.text_completion import complete
from ..checkpoint.rope import trained_length
from ..checkpoint.weight_format import check_quantization
from ..engine_outputs import Outputs
from ..errors import CheckpointError
from ..families.engine_matrix import serves
from ..families.find_prompt_format import prompt_format_of
from ..launch_errors import point_to_doctor
from ..media.media_launch_options import read_launch_budget, read_launch_limits
from ..media.pixel_values import normalize_on_device
from ..tokenizer.tokenizer import load_tokenizer
from .engine.async_engine import AsyncEngine
from .engine.grammar_constraint import Constraint, ConstraintBuilder
from .engine.sequence import Prompt
from .launch_options import OPTIONS, check_workers, read_context_length, read_engine_limits
from .model.bitsandbytes import build_quantization_config
from .model.device_map import choose_device_map
from .model.dtype import choose_dtype, read_dtype
from .model.loading_progress import READING_SHARE
from .model.lora_layers import load_adapters
from .model.speed_up import speed_up
from .requirements import explain_missing_library

logger = logging.getLogger(__name__)

ENGINE = "Transformers"


class InternVL2TransformersModel(PytorchChatModel):
    """Serves the family's checkpoints with transformers' own classes.

    Up to `max_num_seqs` sequences are generated together, on a thread of the engine; meanwhile the
    media of other requests are fetched and decoded.
    """

    _batch_scheduler = None
    supports_cache_salt = True
    _listener: Callable[[float, str], None] | None = None

    @classmethod
    def match_json(
        cls, llm_family: Any, llm_spec: Any, quantization: str
    ) -> bool | tuple[bool, str]:
        """Return True if this loader serves the spec here, or False and the reason."""
        verdict = serves(llm_family, llm_spec, quantization, ENGINE)
        virtual_env = virtual_env_allows_missing_engine()
        missing = explain_missing_library(quantization, virtual_env=virtual_env)
        return (False, missing) if verdict is True and missing else verdict

    def load(self) -> None:
        """Load model and tokenizer on the device that the host chooses.

        Raises:
            CheckpointError: the checkpoint or the launch options cannot be served.
        """
        from ..checkpoint.config import read_config

        check_workers(self._pytorch_model_config)
        OPTIONS.check(self._pytorch_model_config)
        engine_limits = read_engine_limits(self._pytorch_model_config)
        with point_to_doctor(self.model_path):
            self._checkpoint = read_config(self.model_path)
            check_quantization(self._checkpoint, self.model_spec.model_format, self.quantization)
            self._tokenizer = load_tokenizer(self.model_path, self._checkpoint.llm["vocab_size"])
        if missing := explain_missing_library(self.quantization):
            raise CheckpointError(missing)
        self._served = self._build_served()
        vocabulary = self._checkpoint.llm["vocab_size"]
        self._constraints = ConstraintBuilder(
            self._tokenizer, vocabulary, find_format_stop_ids(self._served)
        )
        self._engine = AsyncEngine(self._load_model, engine_limits, normalize_on_device)
        self._report_progress(1, "Ready")

    def set_progress_listener(self, listener: Callable[[float, str], None] | None) -> None:
        """Report the progress of loading to `listener`: the part done, up to 1, and the stage."""
        self._listener = listener

    def _report_progress(self, done: float, stage: str) -> None:
        if self._listener is not None:
            self._listener(done, stage)

    def _build_served(self) -> ServedCheckpoint:
        options = self._pytorch_model_config
        prompt_format = prompt_format_of(self.model_family, self._checkpoint.template)
        prompt = read_launch_prompt(options, prompt_format, self._tokenizer)
        trained = trained_length(self._checkpoint.llm, self.model_family.context_length)
        return ServedCheckpoint(
            self._checkpoint,
            self._tokenizer,
            prompt.format,
            read_context_length(options, self._checkpoint, trained),
            read_launch_limits(options, self._checkpoint),
            load_media_bytes,
            XINFERENCE_MAX_TOKENS,
            budget=read_launch_budget(options),
            stop=prompt.stop,
            adapters=frozenset(self._adapter_folders()),
        )

    def _adapter_folders(self) -> dict[str, str]:
        """Return the folders of the LoRA adapters by name."""
        return {adapter.lora_name: adapter.local_path for adapter in self._peft_model or ()}

    def _load_model(self) -> PreTrainedModel:
        from .model.from_checkpoint import load_model

        device = select_device(self._pytorch_model_config["device"])
        can_spread = is_hf_accelerate_supported(device)
        dtype = self._choose_dtype(device)
        own = self._pytorch_model_config.get("quantization_config") or {}
        quantization = build_quantization_config(self.quantization, own, dtype)
        reading = "Reading and quantizing weights" if quantization else "Reading weights"
        with point_to_doctor(self.model_path):
            model = load_model(
                self.model_path,
                dtype=dtype,
                device_map=choose_device_map(device, gpu_count(), can_spread=can_spread),
                quantization_config=quantization,
                report=lambda part: self._report_progress(READING_SHARE * part, reading),
            )
        load_adapters(model, self._adapter_folders())
        self._report_progress(READING_SHARE, "Packing weights")
        speed_up(model)
        return model

    def _choose_dtype(self, device: str) -> torch.dtype:
        own = getattr(torch, self._checkpoint.dtype)
        asked = read_dtype(self._pytorch_model_config.get("torch_dtype"))
        return asked or choose_dtype(own, device, get_device_preferred_dtype(device))

    def stop(self) -> None:
        """End the engine; every reader of an answer gets an error."""
        if engine := getattr(self, "_engine", None):
            engine.stop()
        super().stop()

    async def async_count_tokens(
        self, messages: list[dict[str, Any]], config: Mapping[str, Any] | None = None
    ) -> int:
        """Return the length of the prompt, image tokens included."""
        return await count_tokens(messages, config, self._served)

    async def async_prepare_anthropic_request(
        self, messages: list[dict[str, Any]], config: dict[str, Any]
    ) -> dict[str, Any]:
        """Prepare a request of Xinference's Anthropic routes, which call this before `chat`."""
        return prepare_anthropic_request(messages, config)

    async def generate(
        self, prompt: str, generate_config: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
        """Continue a raw text, for Xinference's completions."""
        return await complete(self.model_uid, prompt, generate_config, self._served, self._generate)

    async def chat(
        self, messages: list[dict[str, Any]], generate_config: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
        """Answer a chat with a completion, or with chunks if `stream` is set."""
        return await answer(self.model_uid, messages, generate_config, self._served, self._generate)

    async def _generate(self, request: ChatRequest) -> Outputs:
        self._engine.limits.check_answers(request.sampling.n)
        # Both take long: the first hashes the pictures, the second compiles a grammar.
        prompt = await asyncio.to_thread(self._build_prompt, request)
        constraint = await asyncio.to_thread(self._build_constraint, request)
        return self._engine.generate(
            *(prompt, request.sampling, request.stop_ids, constraint, request.name)
        )

    async def abort_request(self, request_id: str) -> str:
        """End the requests of that `request_id`; Xinference's route for it asks here."""
        found = self._engine.abort(request_id) or self._served.pending.abort(request_id)
        said = AbortRequestMessage.DONE if found else AbortRequestMessage.NOT_FOUND
        return str(said.name)

    def _build_constraint(self, request: ChatRequest) -> Constraint | None:
        form = request.sampling.constraint
        return self._constraints.build(*form) if form else None

    @staticmethod
    def _build_prompt(request: ChatRequest) -> Prompt:
        tiles = [tile for tiles in request.tiles for tile in tiles]
        request.tiles.clear()  # the request lives as long as its answers, which do not need them
        return Prompt(request.ids, tiles, request.cache_salt, request.adapter)
