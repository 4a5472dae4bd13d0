"""Estimates the memory of a checkpoint from its configuration and the shapes of its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..checkpoint.config import CheckpointConfig
from ..checkpoint.linear_layers import NAMES, is_linear_layer
from ..families.memory_estimate import Memory

FLOAT = 2
"""Bytes of a parameter that is not quantized, and of an activation."""
INTEGER = 4
EIGHT_BIT, SCALE = 1, 4
"""Bytes of a weight in 8 bits, and of the scale of its row."""
FOUR_BIT = (4 + 8 / 64 + 32 / (64 * 256)) / 8
"""Bytes of a weight in 4 bits, with its share of the scales."""

Shapes = Mapping[str, tuple[int, ...]]
"""Name of a weight in its file → its shape."""


def count_parameters(shapes: Shapes) -> int:
    """Return the number of parameters of a checkpoint that is not quantized."""
    return sum(math.prod(shape) for shape in shapes.values())


def estimate_memory(config: CheckpointConfig, shapes: Shapes) -> Memory:
    """Return the memory of a checkpoint, with each quantization that it can be launched with."""
    vision, llm = config.vision, config.llm
    head = llm["hidden_size"] // llm["num_attention_heads"]
    hidden, queries = llm["hidden_size"], llm["num_attention_heads"] * head
    keys = llm["num_key_value_heads"] * head
    # A fused gate_up_proj, as Phi-3 has, keeps both halves in memory for longer.
    halves = 4 if "gate_up" in NAMES[config.backbone.architecture].values() else 3
    inner = halves * llm["intermediate_size"]
    patches = (config.tile_size // vision["patch_size"]) ** 2 + 1
    tower = 5 * vision["hidden_size"] + 2 * vision["intermediate_size"]
    pixels = 3 * config.tile_size**2
    return Memory(
        weights=_count_weights(shapes, packed=config.quantization is not None),
        kv_cache_per_token=FLOAT * 2 * llm["num_hidden_layers"] * keys,
        feed_forward_per_token=FLOAT * (4 * hidden + inner),
        attention_per_token=FLOAT * 2 * (hidden + queries + keys),
        copies_per_token=FLOAT * 2 * queries if queries > keys else 0,
        tower_per_tile=FLOAT * (patches * tower + pixels),
        kept_per_tile=pixels + FLOAT * config.tokens_per_tile * hidden,
    )


def _count_weights(shapes: Shapes, *, packed: bool) -> dict[str, int]:
    if packed:
        integers = ("qweight", "qzeros")
        each = ((INTEGER if n.endswith(integers) else FLOAT, s) for n, s in shapes.items())
        return {"Int4": sum(size * math.prod(shape) for size, shape in each)}
    linears = [shape for name, shape in shapes.items() if is_linear_layer(name, shape)]
    values, rows = sum(map(math.prod, linears)), sum(shape[0] for shape in linears)
    rest = FLOAT * (count_parameters(shapes) - values)
    return {
        "none": rest + FLOAT * values,
        "8-bit": rest + EIGHT_BIT * values + SCALE * rows,
        "4-bit": round(rest + FOUR_BIT * values),
    }
