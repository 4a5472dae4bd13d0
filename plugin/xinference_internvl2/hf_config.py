"""transformers' configuration objects for a checkpoint, built field by field."""

from __future__ import annotations

from typing import Any

from transformers import CONFIG_MAPPING, InternVLConfig, PreTrainedConfig

from .config import BACKBONES, CheckpointConfig, read_json
from .errors import CheckpointError
from .prompt import IMAGE_TOKEN


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
        image_token_id=_image_token_id(checkpoint),
        image_seq_length=checkpoint.tokens_per_tile,
        downsample_ratio=checkpoint.downsample_ratio,
        vision_feature_layer=checkpoint.select_layer,
        tie_word_embeddings=checkpoint.llm["tie_word_embeddings"],
    )


def _image_token_id(checkpoint: CheckpointConfig) -> int:
    """The id of IMAGE_TOKEN, from whichever file of the tokenizer names it."""
    path = checkpoint.path
    ids: dict[str, Any] = {}
    if (path / "added_tokens.json").is_file():
        ids.update(read_json(path / "added_tokens.json"))
    if (path / "tokenizer_config.json").is_file():
        added = read_json(path / "tokenizer_config.json").get("added_tokens_decoder") or {}
        ids.update({token["content"]: int(key) for key, token in added.items()})
    if IMAGE_TOKEN not in ids and (path / "tokenizer.json").is_file():
        added = read_json(path / "tokenizer.json").get("added_tokens") or []
        ids.update({token["content"]: token["id"] for token in added})
    found = ids.get(IMAGE_TOKEN)
    if not isinstance(found, int) or not 0 <= found < checkpoint.llm["vocab_size"]:
        raise CheckpointError(
            f"{path}: the tokenizer's files name no id for {IMAGE_TOKEN} within the vocabulary; "
            "download tokenizer_config.json and added_tokens.json again"
        )
    return found
