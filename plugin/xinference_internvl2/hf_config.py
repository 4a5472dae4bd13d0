"""transformers' configuration objects for a checkpoint, built field by field."""

from __future__ import annotations

from transformers import CONFIG_MAPPING, InternVLConfig, PreTrainedConfig

from .config import BACKBONES, CheckpointConfig
from .prompt import IMAGE_TOKEN
from .tokenizer_files import token_id


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


def model_config(checkpoint: CheckpointConfig) -> InternVLConfig:
    """The configuration of the whole model.

    Raises:
        CheckpointError: the tokenizer's files do not name the image token.
    """
    return InternVLConfig(
        vision_config=dict(checkpoint.vision),
        text_config=language_config(checkpoint),
        image_token_id=token_id(checkpoint.path, IMAGE_TOKEN, checkpoint.llm["vocab_size"]),
        image_seq_length=checkpoint.tokens_per_tile,
        downsample_ratio=checkpoint.downsample_ratio,
        vision_feature_layer=checkpoint.select_layer,
        tie_word_embeddings=checkpoint.llm["tie_word_embeddings"],
    )
