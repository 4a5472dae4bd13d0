"""Reads `vision_config`, the vision tower of a checkpoint, and which layer of it is used."""

from __future__ import annotations

from typing import Any

from .config_defaults import VISION_DEFAULTS
from .llm_config import MAX_DIMENSION, MAX_LAYERS
from .typed_fields import Section

MAX_SIDE = 4096


def read_vision(top: Section) -> dict[str, Any]:
    """Return the fields of `vision_config` by the names of transformers' InternVLVisionConfig."""
    vision = top.section("vision_config").with_defaults(VISION_DEFAULTS)
    hidden = vision.integer("hidden_size", 1, MAX_DIMENSION)
    heads = vision.integer("num_attention_heads", 1, MAX_DIMENSION)
    if hidden % heads:
        raise vision.refuse("num_attention_heads", f"a divisor of hidden_size, {hidden}")
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": vision.integer("num_hidden_layers", 1, MAX_LAYERS),
        "intermediate_size": vision.integer("intermediate_size", 1, MAX_DIMENSION),
        "image_size": vision.integer("image_size", 1, MAX_SIDE),
        "patch_size": vision.integer("patch_size", 1, MAX_SIDE),
        "num_channels": vision.integer("num_channels", 3, 3),
        "hidden_act": vision.choice("hidden_act", ("gelu",)),
        "norm_type": vision.choice("norm_type", ("layer_norm", "rms_norm")),
        "layer_norm_eps": vision.number("layer_norm_eps"),
        "attention_bias": vision.flag("qkv_bias", False),
        "use_qk_norm": vision.flag("qk_normalization", True),
    }


def read_select_layer(top: Section) -> int:
    """Return the index that the published code has for its hidden states; -1 is the last."""
    layers = read_vision(top)["num_hidden_layers"]
    found = top.integer("select_layer", -layers - 1, layers, -1)
    return -1 if found == layers else found
