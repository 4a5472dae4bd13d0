"""The values of fields that a `config.json` leaves out: the defaults of its published classes.

Newer tools do not write a field whose value is the default of its class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LANGUAGE: Mapping[str, Any] = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
}
LANGUAGE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "Qwen2ForCausalLM": {
        **_LANGUAGE,
        "vocab_size": 151936,
        "intermediate_size": 22016,
        "num_key_value_heads": 32,
        "max_position_embeddings": 32768,
        "sliding_window": 4096,
        "max_window_layers": 28,
    },
    "InternLM2ForCausalLM": {
        **_LANGUAGE,
        "vocab_size": 103168,
        "intermediate_size": 11008,
        "max_position_embeddings": 2048,
        "bias": True,
    },
    "Phi3ForCausalLM": {
        **_LANGUAGE,
        "vocab_size": 32064,
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
    },
    "LlamaForCausalLM": {
        **_LANGUAGE,
        "vocab_size": 32000,
        "intermediate_size": 11008,
        "max_position_embeddings": 2048,
    },
}
"""`llm_config.architectures[0]` → the defaults of `llm_config`."""

VISION_DEFAULTS: Mapping[str, Any] = {
    "hidden_size": 3200,
    "num_attention_heads": 25,
    "num_hidden_layers": 48,
    "intermediate_size": 12800,
    "image_size": 224,
    "patch_size": 14,
    "num_channels": 3,
    "hidden_act": "gelu",
    "norm_type": "rms_norm",
    "layer_norm_eps": 1e-6,
}
