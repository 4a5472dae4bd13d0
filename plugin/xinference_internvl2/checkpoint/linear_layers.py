"""What the linear layers of a checkpoint are: names, sizes, and which of them are quantized."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .config import CheckpointConfig

KEPT_MODULES = ("model.vision_tower", "model.multi_modal_projector", "lm_head")
"""Modules, by transformers' names, whose linear layers no quantization changes."""


class Layer(NamedTuple):
    """The number of output and input features of a linear layer."""

    outputs: int
    inputs: int


def is_linear_layer(name: str, shape: Sequence[int]) -> bool:
    """Whether a weight, by its published name, is of a layer that is quantized while loading."""
    return name.startswith("language_model.") and ".layers." in name and len(shape) == 2


def is_quantized_parameter(name: str, shape: Sequence[int]) -> bool:
    """Whether a weight, by transformers' name, is of such a layer."""
    return name.startswith("model.language_model.layers.") and len(shape) == 2


def list_linear_layers(checkpoint: CheckpointConfig) -> dict[str, Layer]:
    """Return the linear layers of every layer of the language model, by the end of their names."""
    llm = checkpoint.llm
    hidden, inner = llm["hidden_size"], llm["intermediate_size"]
    keys = hidden // llm["num_attention_heads"] * llm["num_key_value_heads"]
    outputs = {
        **{"qkv": hidden + 2 * keys, "q": hidden, "k": keys, "o": hidden},
        **{"up": inner, "gate_up": 2 * inner, "down": hidden},
    }
    return {
        name: Layer(outputs[kind], inner if kind == "down" else hidden)
        for name, kind in checkpoint.backbone.linear_layers.items()
    }
