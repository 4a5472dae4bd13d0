"""The rules for the dimensions of a checkpoint, from which its memory is computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..family.memory_from_dimensions import BACKBONES
from ..family.model import ModelSpec, Source
from ..problems import Issue, Path
from ..wording import join_quoted, show, suggest

# Without these the host cannot estimate anything.
_DIMENSIONS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)


def check_dimensions(spec: ModelSpec, path: Path) -> Iterator[Issue]:
    """Yield dimensions that are missing; no schema can, as they come from up to three places."""
    for source in spec.sources:
        for which, metadata in _find_metadata(source):
            if missing := [key for key in _DIMENSIONS if key not in metadata]:
                message = f"the dimensions {which} lack {missing[0]!r}"
                where = (*path, "model_src", source.hub)
                yield Issue(where, f"{message}; add it to 'model_metadata' here or above")


def _find_metadata(source: Source) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the dimensions of a hub or, where it has none, those of each of its quantizations."""
    if "model_metadata" in source.settings:
        yield "here", source.settings["model_metadata"]
        return
    for quantization, metadata in source.settings.get("model_metadata_by_quantization", {}).items():
        yield f"of {quantization}", metadata


def check_vision_tower(spec: ModelSpec, path: Path, towers: Mapping[str, Any]) -> Iterator[Issue]:
    """Yield what the memory of a checkpoint with a vision tower cannot be computed without."""
    if spec.vision_tower is None or spec.serving is None:
        return
    if spec.vision_tower not in towers:
        hint = suggest(spec.vision_tower, towers) or "; describe it there"
        message = f"{show(spec.vision_tower)} is not one of the family's vision_towers{hint}"
        yield Issue((*path, "vision_tower"), message)
    if missing := [key for key in _DIMENSIONS if key not in spec.dimensions]:
        message = f"the memory is unknown without {missing[0]!r}; add it, or remove 'vision_tower'"
        yield Issue((*path, "model_metadata"), message)
    if spec.serving.backbone not in BACKBONES:
        known = f"the language models whose memory is known, {join_quoted(BACKBONES)}"
        message = f"{show(spec.serving.backbone)} is not one of {known}; remove 'vision_tower'"
        yield Issue((*path, "backbone"), message)
