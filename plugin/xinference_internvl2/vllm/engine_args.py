"""The engine arguments of a launch on vLLM: those that it gives, and what we add for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..chat.prompt_launch_options import PROMPT_OPTIONS
from ..checkpoint.config import CheckpointConfig
from ..checkpoint.rope import trained_length
from ..errors import CheckpointError
from ..media.limits import MAX_FRAMES, MediaLimits
from ..media.media_launch_options import LAUNCH_OPTIONS
from . import cpu
from .checkpoint_family import FAMILY
from .launch_options import read_object
from .requirements import platform
from .structured_outputs_backend import choose_guidance
from .tensor_parallel import check_cards, choose_size

VLLM_CHOOSES = -1
"""The `max_model_len` for as much as there is memory for."""


def build_engine_args(
    given: Mapping[str, Any],
    limits: MediaLimits,
    checkpoint: CheckpointConfig,
    *,
    family: str | None,
    context_length: int,
    cards: int,
    workers: int,
    lora_rank: int,
) -> dict[str, Any]:
    """Return the engine arguments of a launch.

    Args:
        given: the options of the launch.
        family: the name of the checkpoint's, which nothing in its files tells.
        context_length: of the family, in tokens.
        lora_rank: the largest of the adapters; 0 without any.

    Raises:
        CheckpointError: an option is wrong, or asks for more or fewer cards than the launch has.
    """
    config = _set_media_limits(given, limits)
    config["trust_remote_code"] = False  # which the host leaves as it is
    named = {} if family is None else {FAMILY: family}
    config["hf_overrides"] = {**read_object(config, "hf_overrides"), **named}
    check_cards(config, cards, workers)
    heads = checkpoint.llm["num_attention_heads"]
    config.setdefault("tensor_parallel_size", choose_size(heads, cards))
    if platform().is_cpu():
        cpu.set_defaults(config, quantized=bool(checkpoint.quantization))
    config["max_model_len"] = _choose_length(config, checkpoint, context_length)
    if lora_rank:
        config["max_lora_rank"] = max(lora_rank, config.get("max_lora_rank") or 0)
    config["structured_outputs_config"] = choose_guidance(config)
    return config


def _choose_length(
    config: Mapping[str, Any], checkpoint: CheckpointConfig, context_length: int
) -> int:
    """Return the most tokens that prompt and answer may have together.

    Raises:
        CheckpointError: the option asks for more than `hf_config.py` is right for.
    """
    most = int(checkpoint.llm["max_position_embeddings"])
    given = config.get("max_model_len")
    if given is None:
        return min(trained_length(checkpoint.llm, context_length), most)
    if type(given) is not int or (given < 1 and given != VLLM_CHOOSES):
        raise CheckpointError(f"max_model_len {given!r:.80} is not a whole number from 1")
    if given > most:
        stretches = trained_length(checkpoint.llm, given) == given
        elsewhere = ", or on the Transformers engine" if stretches else ""
        raise CheckpointError(
            f"max_model_len (context_length) {given} is more than the checkpoint's "
            f"llm_config.max_position_embeddings, {most}, beyond which vLLM would not encode "
            f"positions as Transformers; launch with --context_length {most}{elsewhere}"
        )
    return given


def _set_media_limits(given: Mapping[str, Any], limits: MediaLimits) -> dict[str, Any]:
    """Return the options that are vLLM's, with `limits`: a frame of a video is an image for it."""
    ours = (*LAUNCH_OPTIONS, *PROMPT_OPTIONS)
    config = {name: value for name, value in given.items() if name not in ours}
    frames = limits.videos * MAX_FRAMES
    config["limit_mm_per_prompt"] = {"image": limits.images + frames}
    if given.get("max_dynamic_patch") is not None:
        most = {"max_dynamic_patch": limits.max_tiles}
        config["mm_processor_kwargs"] = {**read_object(config, "mm_processor_kwargs"), **most}
    return config
