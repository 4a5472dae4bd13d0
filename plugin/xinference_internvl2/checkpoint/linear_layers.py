"""What the linear layers of a checkpoint are: names, sizes, and which of them are quantized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .config import CheckpointConfig

KEPT_MODULES = ("model.vision_tower", "model.multi_modal_projector", "lm_head")
"""Modules, by transformers' names, whose linear layers no quantization changes."""

_LLAMA: Mapping[str, str] = {
    **{f"self_attn.{x}_proj": kind for x, kind in zip("qkvo", "qkko", strict=True)},
    **{"mlp.gate_proj": "up", "mlp.up_proj": "up", "mlp.down_proj": "down"},
}
NAMES: Mapping[str, Mapping[str, str]] = {
    "Qwen2ForCausalLM": _LLAMA,
    "InternLM2ForCausalLM": {
        **{"attention.wqkv": "qkv", "attention.wo": "o"},
        **{"feed_forward.w1": "up", "feed_forward.w3": "up", "feed_forward.w2": "down"},
    },
    "Phi3ForCausalLM": {
        **{"self_attn.qkv_proj": "qkv", "self_attn.o_proj": "o"},
        **{"mlp.gate_up_proj": "gate_up", "mlp.down_proj": "down"},
    },
    "LlamaForCausalLM": _LLAMA,
}
"""Architecture of the language model → published name within a layer → what it computes."""


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
        for name, kind in NAMES[checkpoint.backbone.architecture].items()
    }
