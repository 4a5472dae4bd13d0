"""The rules for the files of a GGUF checkpoint, hub by hub: their names and their parts."""

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


def check_gguf_files(spec: ModelSpec, path: Path) -> Iterator[Issue]:
    """Yield what names of files lack, or that a checkpoint of another format has them."""
    for source in spec.sources:
        where = (*path, "model_src", source.hub)
        if spec.model_format == "ggufv2":
            yield from _check_names(source, where)
        elif found := [key for key in _GGUF_ONLY if key in source.settings]:
            message = f"{found[0]!r} is for ggufv2, not for {spec.model_format}; remove it"
            yield Issue(where, message)


def _check_names(source: Source, where: Path) -> Iterator[Issue]:
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
