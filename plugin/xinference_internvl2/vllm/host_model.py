"""The loader class for Xinference's vLLM engine."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xinference.constants import XINFERENCE_MAX_TOKENS
from xinference.device_utils import gpu_count
from xinference.model.llm.media import load_media_bytes
from xinference.model.llm.vllm.core import VLLMMultiModel
from xinference.model.llm.vllm.utils import vllm_check
from xinference.model.scheduler.core import AbortRequestMessage

from ..chat.anthropic_usage import prepare_anthropic_request
from ..chat.chat_flow import answer
from ..chat.count_tokens import count_tokens
from ..chat.pending_requests import PendingRequests
from ..chat.prompt_launch_options import read_launch_prompt
from ..chat.request import ChatRequest
from ..chat.served_checkpoint import ServedCheckpoint
from ..chat.stop_conditions import find_format_stop_ids
from ..chat.text_completion import complete
from ..checkpoint.config import read_config
from ..checkpoint.weight_files import list_weight_files
from ..checkpoint.weight_format import check_quantization
from ..engine_outputs import Outputs, PromptOutput
from ..errors import CheckpointError
from ..families.engine_matrix import serves
from ..families.find_family import family_of
from ..families.find_prompt_format import prompt_format_of
from ..launch_errors import point_to_doctor
from ..media.media_launch_options import read_launch_budget, read_launch_limits
from ..tokenizer.tokenizer import load_tokenizer
from . import cpu
from .engine_args import build_engine_args
from .launch_options import options
from .lora_adapters import find_names, keep_last_slot_empty, rewrite_in_place
from .partial_answer_on_abort import AbortShield
from .requirements import can_compute, explain_install, platform
from .settings_files import check_settings_files
from .translate_requests import (
    translate_error,
    translate_output,
    translate_prompt,
    translate_sampling,
)
from .unfinished_grammar import GrammarCheck
from .unsupported_checkpoints import check_computable
from .virtual_env import use_installed_build

ENGINE = "vLLM"


class InternVL2VLLMModel(VLLMMultiModel):
    """Serves the family's checkpoints with vLLM's own InternVL model.

    `entry_point.py` gives vLLM the configuration and the tokenizer without remote code.
    """

    def __init__(
        self,
        model_uid: str,
        model_family: Any,
        model_path: str,
        model_config: Any,
        peft_model: Any = None,
    ) -> None:
        family = use_installed_build(model_family)
        super().__init__(model_uid, family, model_path, model_config, peft_model)

    @classmethod
    def check_lib(cls) -> bool | tuple[bool, str]:
        verdict = super().check_lib()
        if verdict is True:
            return True
        return False, f"vLLM cannot be imported here; {explain_install(gpu_count())} ({verdict[1]})"

    @classmethod
    def match_json(
        cls, llm_family: Any, llm_spec: Any, quantization: str
    ) -> bool | tuple[bool, str]:
        verdict = serves(llm_family, llm_spec, quantization, ENGINE)
        return verdict if verdict is not True else can_compute(llm_spec.model_format, gpu_count())

    def load(self) -> None:
        """Start vLLM's engine.

        Raises:
            CheckpointError: the checkpoint or the launch options cannot be served.
        """
        options().check(self._model_config or {})
        self._read_checkpoint()
        super().load()

    def _read_checkpoint(self) -> None:
        with point_to_doctor(self.model_path):
            self._checkpoint = read_config(self.model_path)
            check_quantization(self._checkpoint, self.model_spec.model_format, self.quantization)
        check_computable(self._checkpoint)
        prompt_format = prompt_format_of(self.model_family, self._checkpoint.template)
        if self._checkpoint.quantization and (missing := cpu.explain_missing_awq_kernel()):
            raise CheckpointError(missing)
        with point_to_doctor(self.model_path):
            files = list_weight_files(self._checkpoint.path)  # vLLM would read pickled ones
            if platform().is_cpu():
                cpu.check_memory(self._checkpoint.path, files)
            check_settings_files(self._checkpoint.path)
            self._own_tokenizer = load_tokenizer(
                self.model_path, self._checkpoint.llm["vocab_size"]
            )
        self._launch_prompt = read_launch_prompt(
            self._model_config or {},
            prompt_format,
            self._own_tokenizer,
        )
        self._limits = read_launch_limits(self._model_config or {}, self._checkpoint)
        self._budget = read_launch_budget(self._model_config or {})
        self._pending, self._abort_shield = PendingRequests(), AbortShield()
        self._write_adapters()

    def _write_adapters(self) -> None:
        """Rewrite the LoRA adapters for vLLM, into a folder that lives as long as this model."""
        self._lora_rank = 0
        if not self.lora_modules:
            return
        self._adapter_folder = TemporaryDirectory(prefix="internvl2-lora-")
        target = Path(self._adapter_folder.name)
        self._lora_rank = rewrite_in_place(self._checkpoint, self.lora_modules, target)
        if platform().is_cpu():
            keep_last_slot_empty(self.lora_modules)

    def get_limit_mm_per_prompt(self) -> None:
        """Set no limit: `chat` refuses what is too much, and names the part of the request."""

    def prepare_parse_reasoning_content(self, *args: Any, **kwargs: Any) -> None:
        """Make no parser: the family does not reason, and one keeps control tokens in answers."""

    def _sanitize_model_config(self, model_config: dict[str, Any] | None) -> dict[str, Any]:
        runtime = family_of(self.model_family)
        config = build_engine_args(
            model_config or {},
            self._limits,
            self._checkpoint,
            family=runtime.model_name if runtime else None,
            context_length=self.model_family.context_length,
            cards=self._device_count or 0,
            workers=self._n_worker,
            lora_rank=self._lora_rank,
        )
        sanitized: dict[str, Any] = super()._sanitize_model_config(config)
        return sanitized

    @vllm_check  # type: ignore[untyped-decorator]
    async def async_chat(
        self,
        messages: list[dict[str, Any]],
        generate_config: dict[str, Any] | None = None,
        request_id: str | None = None,
    ) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
        """Answer a chat with a completion, or with chunks if `stream` is set."""
        name = request_id or str(uuid.uuid4())
        served = self._build_served()
        generate = partial(self._generate, name, find_format_stop_ids(served))
        work = answer(self.model_uid, messages, generate_config, served, generate)
        return await self._abort_shield.run(name, work)

    @vllm_check  # type: ignore[untyped-decorator]
    async def async_generate(
        self,
        prompt: str,
        generate_config: dict[str, Any] | None = None,
        tools: object = False,
        request_id: str | None = None,
    ) -> dict[str, Any] | AsyncGenerator[dict[str, Any], None]:
        """Continue a raw text, for Xinference's completions."""
        name = request_id or str(uuid.uuid4())
        served = self._build_served()
        generate = partial(self._generate, name, find_format_stop_ids(served))
        work = complete(self.model_uid, prompt, generate_config, served, generate)
        return await self._abort_shield.run(name, work)

    async def async_prepare_anthropic_request(
        self, messages: list[dict[str, Any]], config: dict[str, Any]
    ) -> dict[str, Any]:
        """Prepare a request of Xinference's Anthropic routes, which call this before a chat."""
        return prepare_anthropic_request(messages, config)

    async def _generate(
        self, request_id: str, stop_ids: Sequence[int], request: ChatRequest
    ) -> Outputs:
        check = GrammarCheck(request.sampling.constraint, self._own_tokenizer, stop_ids)
        prompt = translate_prompt(request, self._own_tokenizer)
        request.tiles.clear()  # the request lives as long as its answers, which do not need them
        parameters = translate_sampling(request)
        return self._stream_outputs(request, prompt, parameters, check, request_id)

    async def async_count_tokens(
        self, messages: list[dict[str, Any]], config: dict[str, Any] | None = None
    ) -> int:
        return await count_tokens(messages, config, self._build_served())

    async def abort_request(self, request_id: str) -> str:
        """End the requests of that `request_id`; Xinference's route for it asks here."""
        self._abort_shield.abort(request_id)
        pending = self._pending.abort(request_id)
        said = await super().abort_request(request_id)
        return AbortRequestMessage.DONE.name if pending else str(said)

    def _build_served(self) -> ServedCheckpoint:
        return ServedCheckpoint(
            self._checkpoint,
            self._own_tokenizer,
            self._launch_prompt.format,
            self._context_length,
            self._limits,
            load_media_bytes,
            XINFERENCE_MAX_TOKENS,
            budget=self._budget,
            pending=self._pending,
            stop=self._launch_prompt.stop,
            adapters=find_names(self.lora_modules or ()),
        )

    async def _stream_outputs(
        self,
        request: ChatRequest,
        prompt: dict[str, Any],
        parameters: Any,
        check: GrammarCheck,
        request_id: str,
    ) -> Outputs:
        adapter = next((x for x in self.lora_requests if x.lora_name == request.adapter), None)
        outputs = self._track_engine_request(
            request_id,
            self._engine.generate(prompt, parameters, request_id, lora_request=adapter),
        )
        is_first = True
        async with aclosing(outputs):
            try:
                async for output in outputs:
                    if is_first:
                        yield PromptOutput(output.num_cached_tokens or 0)
                        is_first = False
                    if output.finished:
                        # The host would abort a request whose iterator does not end.
                        await anext(outputs, None)
                    for part in output.outputs:
                        for event in translate_output(part, parameters):
                            check.add(event)
                            yield event
            except Exception as error:
                found = translate_error(error, request)
                if found is error:
                    raise
                raise found from None
