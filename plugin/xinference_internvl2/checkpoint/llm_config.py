"""Reads `llm_config`, the language model of a checkpoint, and checks it field by field."""

from __future__ import annotations

from typing import Any

from .backbones import BACKBONES, Backbone
from .config_defaults import LANGUAGE_DEFAULTS
from .rope import MAX_POSITIONS, read_rope
from .typed_fields import Section

MAX_LAYERS = 1024
MAX_DIMENSION = 1 << 22


def read_backbone(llm: Section) -> Backbone:
    """Return the record of the language model that `llm_config.architectures` names.

    Raises:
        CheckpointError: it names none that is known.
    """
    architectures = llm.get("architectures")
    found = architectures[0] if isinstance(architectures, list) and architectures else None
    if not isinstance(found, str) or found not in BACKBONES:
        raise llm.refuse("architectures", f"one of {', '.join(BACKBONES)}")
    return BACKBONES[found]


def read_language_model(llm: Section, backbone: Backbone) -> dict[str, Any]:
    """Return the fields of `llm_config` by transformers' names.

    Absent fields have the defaults of the published configuration class.

    Raises:
        CheckpointError: a field has a value that cannot be served.
    """
    llm = llm.with_defaults(LANGUAGE_DEFAULTS[backbone.architecture])
    hidden, heads, kv_heads = _read_heads(llm)
    return {
        "vocab_size": llm.integer("vocab_size", 1, MAX_DIMENSION),
        "hidden_size": hidden,
        "intermediate_size": llm.integer("intermediate_size", 1, MAX_DIMENSION),
        "num_hidden_layers": llm.integer("num_hidden_layers", 1, MAX_LAYERS),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": llm.integer("max_position_embeddings", 1, MAX_POSITIONS),
        "hidden_act": llm.choice("hidden_act", ("silu",), "silu"),
        "rms_norm_eps": llm.number("rms_norm_eps"),
        "tie_word_embeddings": llm.flag("tie_word_embeddings", False),
        "rope_parameters": read_rope(llm, hidden // heads, backbone.rope_kinds),
        **_read_biases(llm, backbone),
        **_read_window(llm, backbone),
    }


def _read_heads(llm: Section) -> tuple[int, int, int]:
    """Return the hidden size, and the number of attention heads and of key-value heads."""
    hidden = llm.integer("hidden_size", 1, MAX_DIMENSION)
    heads = llm.integer("num_attention_heads", 1, MAX_DIMENSION)
    kv_heads = llm.integer("num_key_value_heads", 1, MAX_DIMENSION, heads)
    if hidden % heads or heads % kv_heads:
        raise llm.refuse(
            "num_attention_heads", f"a divisor of {hidden} and a multiple of {kv_heads}"
        )
    size = hidden // heads
    if llm.get("head_dim", size) != size:
        raise llm.refuse("head_dim", f"{size}, hidden_size / num_attention_heads, or left out")
    return hidden, heads, kv_heads


def _read_biases(llm: Section, backbone: Backbone) -> dict[str, Any]:
    """Return the switch of the attention biases, for language models that have one."""
    if backbone.bias_field is None:
        return {}
    return {"attention_bias": llm.flag(backbone.bias_field, False)}


def _read_window(llm: Section, backbone: Backbone) -> dict[str, Any]:
    """Return the fields of the sliding window, for language models that know one."""
    if not backbone.has_sliding_window:
        return {}
    switched_on = llm.flag("use_sliding_window", backbone.window_by_default)
    if llm.get("sliding_window") is None or not switched_on:
        types = llm.get("layer_types", [])
        if not isinstance(types, list) or any(kind != "full_attention" for kind in types):
            raise llm.refuse("layer_types", "full_attention for each layer, or left out")
        return {"sliding_window": None}
    window = {"sliding_window": llm.integer("sliding_window", 1, MAX_POSITIONS)}
    if backbone.window_by_default:
        return window
    layers = llm.integer("num_hidden_layers", 1, MAX_LAYERS)
    return {
        **window,
        "use_sliding_window": True,
        "layer_types": _read_layer_types(llm, layers),
    }


def _read_layer_types(llm: Section, layers: int) -> list[str]:
    """Return the type of each layer: those from `max_window_layers` on have the window.

    Raises:
        CheckpointError: a tool has written out other types.
    """
    first = llm.integer("max_window_layers", 0, MAX_LAYERS)
    types = ["sliding_attention" if i >= first else "full_attention" for i in range(layers)]
    if llm.get("layer_types", types) != types:
        raise llm.refuse("layer_types", f"what max_window_layers {first} says, or left out")
    return types
