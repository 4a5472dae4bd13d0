"""Merges the LoRA weights that training left in a checkpoint, while vLLM reads it."""

from __future__ import annotations

from typing import Any

from ..checkpoint.merge_training_lora import merge_stream
from .hf_config import InternVLChatConfig


def merge_ours(read: Any) -> Any:
    """Extend `DefaultModelLoader.get_all_weights` of vLLM to yield merged weights."""

    def get_all_weights(self: Any, model_config: Any, model: Any) -> Any:
        weights = read(self, model_config, model)
        config = model_config.hf_config
        if not isinstance(config, InternVLChatConfig):
            return weights
        return merge_stream(weights, config.lora_ranks)

    return get_all_weights
