"""The rules for the sources of a checkpoint: the names of its files, and its dimensions."""

from __future__ import annotations

from collections.abc import Iterator

from ..family.model import ModelSpec, Source
from ..problems import Issue, Path

_GGUF_ONLY = (
    "model_file_name_template",
    "model_file_name_split_template",
    "quantization_parts",
    "multimodal_projectors",
    "draft_model_file_name_template",
)


# Without these the host cannot estimate anything.
DIMENSIONS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)


def check(spec: ModelSpec, path: Path) -> Iterator[Issue]:
    """Yield what is wrong with the sources, hub by hub."""
    for source in spec.sources:
        where = (*path, "model_src", source.hub)
        yield from _check_dimensions(source, where)
        if spec.model_format == "ggufv2":
            yield from _check_gguf(source, where)
        elif found := [key for key in _GGUF_ONLY if key in source.settings]:
            message = f"{found[0]!r} is for ggufv2, not for {spec.model_format}; remove it"
            yield Issue(where, message)


def _check_dimensions(source: Source, where: Path) -> Iterator[Issue]:
    """Yield dimensions that are missing; no schema can, as they come from up to three places."""
    of_each = source.settings.get("model_metadata_by_quantization", {})
    found = {f"of {quantization}": metadata for quantization, metadata in of_each.items()}
    if "model_metadata" in source.settings:
        found = {"here": source.settings["model_metadata"]}
    for which, metadata in found.items():
        if missing := [key for key in DIMENSIONS if key not in metadata]:
            what = f"the dimensions {which} lack {missing[0]!r}"
            yield Issue(where, f"{what}; add it to 'model_metadata' here or above")


def _check_gguf(source: Source, where: Path) -> Iterator[Issue]:
    settings = source.settings
    template = settings.get("model_file_name_template")
    split = settings.get("model_file_name_split_template")
    parts = settings.get("quantization_parts")
    if template is None:
        yield Issue(where, "ggufv2 needs 'model_file_name_template', here or above; add it")
    if split is not None and parts is None:
        yield Issue(where, "'model_file_name_split_template' needs 'quantization_parts'; add them")
    if parts and split is None:
        yield Issue(where, "'quantization_parts' needs 'model_file_name_split_template'; add it")
    if template == "" and not parts:
        what = "the empty 'model_file_name_template' names no file"
        yield Issue(where, f"{what}; fill it in, or add 'quantization_parts'")
