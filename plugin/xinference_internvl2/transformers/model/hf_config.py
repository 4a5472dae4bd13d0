"""transformers' configuration of the whole model."""

from __future__ import annotations

from transformers import InternVLConfig

from ...checkpoint.config import CheckpointConfig
from ...checkpoint.llm_hf_config import build_language_config, check_kept
from ...tokenizer.find_token_id import find_token_id
from ...tokenizer.image_tokens import IMAGE_TOKEN


def model_config(checkpoint: CheckpointConfig) -> InternVLConfig:
    """The configuration of the whole model.

    Raises:
        CheckpointError: the tokenizer's files do not name the image token.
    """
    config = InternVLConfig(
        vision_config=dict(checkpoint.vision),
        text_config=build_language_config(checkpoint),
        image_token_id=find_token_id(checkpoint.path, IMAGE_TOKEN, checkpoint.llm["vocab_size"]),
        image_seq_length=checkpoint.tokens_per_tile,
        downsample_ratio=checkpoint.downsample_ratio,
        vision_feature_layer=checkpoint.select_layer,
        tie_word_embeddings=checkpoint.llm["tie_word_embeddings"],
    )
    sides = {name: (checkpoint.vision[name],) * 2 for name in ("image_size", "patch_size")}
    check_kept(config.vision_config, {**checkpoint.vision, **sides})
    return config
