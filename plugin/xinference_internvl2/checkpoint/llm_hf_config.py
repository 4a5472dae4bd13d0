"""Builds transformers' configuration of a checkpoint's language model, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import CONFIG_MAPPING, PreTrainedConfig

from ..errors import CheckpointError
from .config import CheckpointConfig


def build_language_config(checkpoint: CheckpointConfig) -> PreTrainedConfig:
    """Return transformers' configuration of the language model.

    Raises:
        CheckpointError: transformers would use another value than the file has.
    """
    fields = dict(checkpoint.llm)
    original = fields["rope_parameters"].get("original_max_position_embeddings")
    if original is not None and checkpoint.backbone.model_type == "phi3":
        # Its class has a field of that name, whose default would override the rope parameter.
        fields["original_max_position_embeddings"] = original
    # The classes modify the mapping that they get, and their default special tokens belong to
    # other vocabularies.
    given = {**fields, "rope_parameters": dict(fields["rope_parameters"])}
    tokens = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    config = CONFIG_MAPPING[checkpoint.backbone.model_type](**given, **tokens)
    check_kept(config, fields)
    return config


def check_kept(config: PreTrainedConfig, fields: Mapping[str, Any]) -> None:
    """Check that a configuration object holds the `fields` that it was built from.

    A class may put a default of its own in place of one.

    Raises:
        CheckpointError: names the field and both values.
    """
    for name, value in fields.items():
        found = getattr(config, name, None)
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            found = {key: found.get(key) for key in value}
        if found != value:
            raise CheckpointError(
                f"transformers' {type(config).__name__} holds {name} {found!s:.80} in place of "
                f"{value!s:.80}; use a version of it that xinference-internvl2 was tested with"
            )
