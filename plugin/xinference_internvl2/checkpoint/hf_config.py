"""transformers' configuration objects for a checkpoint, built field by field."""

from __future__ import annotations

from transformers import CONFIG_MAPPING, PreTrainedConfig

from .config import BACKBONES, CheckpointConfig


def language_config(checkpoint: CheckpointConfig) -> PreTrainedConfig:
    """The configuration of the language model; InternLM2 is Llama by other names."""
    fields = dict(checkpoint.llm)
    bias, model_type = fields.pop("bias"), BACKBONES[checkpoint.backbone]
    if model_type == "llama":
        fields["attention_bias"] = bias
        fields.pop("sliding_window")
    elif model_type == "qwen2":
        fields["use_sliding_window"] = fields["sliding_window"] is not None
    # The classes' default special tokens belong to other vocabularies.
    return CONFIG_MAPPING[model_type](
        **fields, bos_token_id=None, eos_token_id=None, pad_token_id=None
    )
