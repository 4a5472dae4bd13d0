"""`config.json` of an original InternVL2 checkpoint, read as data and checked field by field.

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
from .json_files import Section, read_json, require_folder
from .known_fields import check_fields
from .language_model import MAX_DIMENSION, MAX_LAYERS, read_backbone, read_language_model

MAX_SIDE = 4096
MAX_GRID = 64
MAX_RANK = 4096
_DTYPES = ("bfloat16", "float16", "float32")


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """What the loaders need to know of a checkpoint, checked.

    `tile_size` is the side of a square tile in pixels; `tokens_per_tile` the number of image
    tokens that one tile takes in the prompt; `template` the name of its prompt format;
    `lora_ranks` the rank of LoRA weights in the files, by the part of the model that has them.
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
    _check_fields(top)
    min_tiles, max_tiles = _tiles(top)
    tile_size, tokens_per_tile = _tile(top)
    backbone, llm = _language_model(top)
    return CheckpointConfig(
        path=path,
        backbone=backbone,
        template=_template(top),
        dtype=_dtype(top),
        tile_size=tile_size,
        tokens_per_tile=tokens_per_tile,
        min_tiles=min_tiles,
        max_tiles=max_tiles,
        use_thumbnail=_use_thumbnail(top),
        downsample_ratio=top.number("downsample_ratio", 0.5),
        select_layer=_select_layer(top),
        vision=_vision(top),
        llm=llm,
        quantization=_quantization(top),
        lora_ranks=_lora_ranks(top),
    )


def find_problems(path: Path) -> list[str]:
    """Return all that is wrong with `config.json` in a directory, as far as one thing does not hide
    another: what is not of this format has no further fields, and fields are compared with others
    only where each is right by itself."""
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
        top.replace("ps_version", wanted, None)


def _check_fields(top: Section) -> None:
    for section in (top, top.section("vision_config"), top.section("llm_config")):
        check_fields(section)


def _language_model(top: Section) -> tuple[Backbone, dict[str, Any]]:
    llm = top.section("llm_config")
    backbone = read_backbone(llm)
    return backbone, read_language_model(llm, backbone)


def _use_thumbnail(top: Section) -> bool:
    return top.flag("use_thumbnail", False)


def _select_layer(top: Section) -> int:
    """What the published code takes from the states before, between and after the layers."""
    layers = _vision(top)["num_hidden_layers"]
    found = top.integer("select_layer", -layers - 1, layers, -1)
    return -1 if found == layers else found


def _lora_ranks(top: Section) -> dict[str, int]:
    return {
        "language_model": top.integer("use_llm_lora", 0, MAX_RANK, 0),
        "vision_model": top.integer("use_backbone_lora", 0, MAX_RANK, 0),
    }


def _dtype(top: Section) -> str:
    """`dtype` is what transformers calls `torch_dtype` since 4.56."""
    for section in (top, top.section("llm_config")):
        names = [name for name in ("dtype", "torch_dtype") if section.get(name) is not None]
        found = {section.choice(name, _DTYPES) for name in names}
        if len(found) > 1:
            raise section.refuse("torch_dtype", "what dtype says; keep the right one of the two")
        if found:
            return found.pop()
    return "bfloat16"


def _template(top: Section) -> str:
    found = top.get("template")
    if not isinstance(found, str):
        raise top.refuse("template", "the name of a prompt format")
    return found


def _tiles(top: Section) -> tuple[int, int]:
    """The least and the most tiles of a picture; what is absent is the class default, as below."""
    dynamic, padded = top.flag("dynamic_image_size", False), top.flag("pad2square", False)
    if padded and not dynamic:
        raise top.refuse("pad2square", "false: a picture is resized to the tile, never padded")
    if not dynamic:
        return 1, 1
    most = top.integer("max_dynamic_patch", 1, MAX_GRID, 6)
    return top.integer("min_dynamic_patch", 1, most, 1), most


def _quantization(top: Section) -> Mapping[str, Any] | None:
    """Published checkpoints have it beside the language model's fields, others at the top."""
    for section in (top.section("llm_config"), top):
        if section.get("quantization_config") is not None:
            return section.section("quantization_config").values
    return None


def _tile(top: Section) -> tuple[int, int]:
    """The side of a tile in pixels, and the image tokens that it takes."""
    vision = _vision(top)
    tile_size = top.integer("force_image_size", 1, MAX_SIDE, vision["image_size"])
    patch_size = vision["patch_size"]
    ratio = top.number("downsample_ratio", 0.5)
    if ratio > 1 or not (1 / ratio).is_integer():
        raise top.refuse("downsample_ratio", "1 divided by a whole number")
    side = tile_size // patch_size
    if tile_size % patch_size or side % int(1 / ratio):
        raise top.refuse(
            "force_image_size",
            f"a multiple of {patch_size * int(1 / ratio)}, an image token's side",
        )
    return tile_size, int(side * ratio) ** 2


def _vision(top: Section) -> dict[str, Any]:
    vision = top.section("vision_config").with_defaults(_VISION_DEFAULTS)
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


_VISION_DEFAULTS = {
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
"""The class defaults of the published configuration, which newer tools leave out."""

_READERS: tuple[Callable[[Section], Any], ...] = (
    *(_check_fields, _template, _dtype, _tiles, _use_thumbnail, _tile, _select_layer),
    *(_vision, _language_model, _quantization, _lora_ranks),
)
