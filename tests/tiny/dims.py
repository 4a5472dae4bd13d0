"""Sizes of the checkpoints: a table of presets, each field of which a caller may override."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Backbone = Literal["qwen2", "internlm2", "phi3", "llama"]
Vit = Literal["300m", "6b"]


@dataclass(frozen=True)
class Dims:
    """Dimensions of one checkpoint. ``vocab_size`` 0 means: as many as the tokenizer has."""

    hidden: int = 128
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 256
    vocab_size: int = 0
    vit_hidden: int = 128
    vit_layers: int = 2
    vit_heads: int = 4
    vit_intermediate: int = 256
    image_size: int = 112
    patch_size: int = 14
    max_dynamic_patch: int = 12

    @property
    def head_dim(self) -> int:
        """Size of one attention head of the language model."""
        return self.hidden // self.heads

    @property
    def tokens_per_tile(self) -> int:
        """``<IMG_CONTEXT>`` tokens of one tile: a quarter of its patches."""
        return (self.image_size // self.patch_size // 2) ** 2


_VIT_300M = {"vit_hidden": 1024, "vit_layers": 24, "vit_heads": 16, "vit_intermediate": 4096}

PRESETS: dict[str, Dims] = {
    "tiny": Dims(),
    "1b": Dims(896, 24, 14, 2, 4864, 151655, image_size=448, **_VIT_300M),
    "2b": Dims(2048, 24, 16, 8, 8192, 92553, image_size=448, **_VIT_300M),
    "8b": Dims(4096, 32, 32, 8, 14336, 92553, image_size=448, **_VIT_300M),
}


def resolve_dims(preset: str, backbone: Backbone, overrides: dict[str, Any]) -> Dims:
    """Return the preset with the caller's overrides; raise ValueError for what cannot be built."""
    if preset not in PRESETS:
        raise ValueError(f"dims {preset!r} is not one of {', '.join(PRESETS)}")
    if backbone not in get_args(Backbone):
        raise ValueError(f"backbone {backbone!r} is not one of {', '.join(get_args(Backbone))}")
    unknown = sorted(set(overrides) - set(Dims.__dataclass_fields__))
    if unknown:
        fields = ", ".join(Dims.__dataclass_fields__)
        raise ValueError(f"unknown dimension {unknown[0]!r}; the dimensions are {fields}")
    dims = PRESETS[preset]
    if backbone == "phi3":  # Phi-3-mini has no grouped queries
        dims = replace(dims, kv_heads=dims.heads)
    dims = replace(dims, **overrides)
    _check(dims)
    return dims


def _check(dims: Dims) -> None:
    """Raise ValueError for a dimension below 1, or where two do not fit each other."""
    for name in Dims.__dataclass_fields__:
        if name != "vocab_size" and getattr(dims, name) < 1:
            raise ValueError(f"{name} {getattr(dims, name)} must be 1 or more")
    for whole, part in (
        ("hidden", "heads"),
        ("heads", "kv_heads"),
        ("vit_hidden", "vit_heads"),
        ("image_size", "patch_size"),
    ):
        if getattr(dims, whole) % getattr(dims, part):
            values = f"{whole} {getattr(dims, whole)} and {part} {getattr(dims, part)}"
            raise ValueError(f"{values} do not fit: the first must be a multiple of the second")
    if dims.image_size // dims.patch_size % 2:
        raise ValueError(f"image_size {dims.image_size} must hold an even number of patches a side")
