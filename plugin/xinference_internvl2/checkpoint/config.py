"""Reads `config.json` of an original InternVL2 checkpoint, and checks it field by field.

Only the fields named here reach transformers, so a checkpoint can neither switch on remote code
nor ask for kernels, adapters or sizes that were not foreseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .backbones import Backbone
from .dtype import read_dtype
from .json_files import read_json, require_folder
from .known_fields import check_fields
from .llm_config import read_backbone, read_language_model
from .tile_config import read_tile_limits, read_tile_size, read_use_thumbnail
from .typed_fields import Section
from .vision_config import read_select_layer, read_vision

MAX_RANK = 4096


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """The checked configuration of a checkpoint.

    Attributes:
        template: the name of its prompt format.
        dtype: the type of its weights: bfloat16, float16 or float32.
        tile_size: the side of a square tile in pixels.
        tokens_per_tile: the image tokens that a tile takes in the prompt.
        min_tiles, max_tiles: the least and the largest grid of a picture, without the thumbnail.
        select_layer: the vision layer whose output the projector reads; -1 is the last.
        vision: fields of the vision model, by the names of transformers' InternVLVisionConfig.
        llm: fields of the language model, by the names of its configuration in transformers.
        quantization: `quantization_config` as it stands in the file, if it does.
        lora_ranks: `language_model` and `vision_model` → the rank of the LoRA weights that training
            left in the files, or 0.
    """

    path: Path
    backbone: Backbone
    template: str
    dtype: str
    tile_size: int
    tokens_per_tile: int
    min_tiles: int
    max_tiles: int
    use_thumbnail: bool
    downsample_ratio: float
    select_layer: int
    vision: Mapping[str, Any]
    llm: Mapping[str, Any]
    quantization: Mapping[str, Any] | None
    lora_ranks: Mapping[str, int]


def read_config(path: str | Path) -> CheckpointConfig:
    """Read and check `config.json` in the checkpoint directory `path`.

    Raises:
        CheckpointError: no such directory, not an InternVL2 checkpoint, or a field whose value
            our loaders do not know; the message names the field and what was found.
    """
    path = Path(path)
    return parse_config(path, _read_values(path))


def _read_values(path: Path) -> Any:
    require_folder(path, "a checkpoint")
    if not (path / "config.json").exists():
        inner = next(iter(sorted(path.glob("*/config.json"))), None)
        if inner is not None:
            raise CheckpointError(f"{path} holds no config.json; did you mean {inner.parent}?")
    return read_json(path / "config.json")


def parse_config(path: Path, values: Any) -> CheckpointConfig:
    """Check the parsed `config.json` of the checkpoint in `path`; errors as for `read_config`."""
    top = Section(path / "config.json", "", values)
    _check_format(top)
    _check_all_fields(top)
    min_tiles, max_tiles = read_tile_limits(top)
    tile_size, tokens_per_tile = read_tile_size(top)
    backbone, llm = _read_language_model(top)
    return CheckpointConfig(
        path=path,
        backbone=backbone,
        template=_read_template(top),
        dtype=read_dtype(top),
        tile_size=tile_size,
        tokens_per_tile=tokens_per_tile,
        min_tiles=min_tiles,
        max_tiles=max_tiles,
        use_thumbnail=read_use_thumbnail(top),
        downsample_ratio=top.number("downsample_ratio", 0.5),
        select_layer=read_select_layer(top),
        vision=read_vision(top),
        llm=llm,
        quantization=_read_quantization(top),
        lora_ranks=_read_lora_ranks(top),
    )


def find_problems(path: Path) -> list[str]:
    """Return a sentence for everything that is wrong with `config.json` in the directory `path`.

    A file of another format has one problem alone. Fields that have to agree are compared only
    where each is valid by itself.
    """
    problems: list[CheckpointError] = []
    try:
        top = Section(path / "config.json", "", _read_values(path), problems)
        _check_format(top)
    except CheckpointError as error:
        return [str(error)]
    for read in _READERS:
        before = len(problems)
        try:
            read(top)
        except CheckpointError as error:
            if len(problems) == before:
                problems.append(error)
    return list(dict.fromkeys(map(str, problems)))


def _check_format(top: Section) -> None:
    wanted = '"internvl_chat", the original format'
    if top.get("model_type") == "internvl":
        wanted += "; this is Hugging Face's own: take the repository whose name has no -hf"
    if top.get("model_type") != "internvl_chat":
        raise top.refuse("model_type", wanted)
    if top.get("ps_version") != "v2":
        wanted = '"v2", the pixel shuffle that InternVL2 was trained with'
        top.report("ps_version", wanted, None)


def _check_all_fields(top: Section) -> None:
    for section in (top, top.section("vision_config"), top.section("llm_config")):
        check_fields(section)


def _read_language_model(top: Section) -> tuple[Backbone, dict[str, Any]]:
    llm = top.section("llm_config")
    backbone = read_backbone(llm)
    return backbone, read_language_model(llm, backbone)


def _read_lora_ranks(top: Section) -> dict[str, int]:
    return {
        "language_model": top.integer("use_llm_lora", 0, MAX_RANK, 0),
        "vision_model": top.integer("use_backbone_lora", 0, MAX_RANK, 0),
    }


def _read_template(top: Section) -> str:
    found = top.get("template")
    if not isinstance(found, str):
        raise top.refuse("template", "the name of a prompt format")
    return found


def _read_quantization(top: Section) -> Mapping[str, Any] | None:
    """Return `quantization_config`, which stands in `llm_config` or, in other files, beside it."""
    for section in (top.section("llm_config"), top):
        if section.get("quantization_config") is not None:
            return section.section("quantization_config").values
    return None


_READERS: tuple[Callable[[Section], Any], ...] = (
    *(
        _check_all_fields,
        _read_template,
        read_dtype,
        read_tile_limits,
        read_use_thumbnail,
        read_tile_size,
        read_select_layer,
    ),
    *(read_vision, _read_language_model, _read_quantization, _read_lora_ranks),
)
