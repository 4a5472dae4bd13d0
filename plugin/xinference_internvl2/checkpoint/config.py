"""`config.json` of an original InternVL2 checkpoint, read as data and checked field by field.

Only the fields named here reach transformers, so a checkpoint can neither switch on remote code
nor ask for kernels, adapters or sizes that were not foreseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..families.records import prompt_formats
from .json_files import Section, read_json

MAX_LAYERS = 1024
MAX_DIMENSION = 1 << 22

BACKBONES = {
    "Qwen2ForCausalLM": "qwen2",
    "InternLM2ForCausalLM": "llama",
    "Phi3ForCausalLM": "phi3",
    "LlamaForCausalLM": "llama",
}
"""`llm_config.architectures[0]` of the family's checkpoints → transformers' model type."""

_DTYPES = ("bfloat16", "float16", "float32")


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """What the loaders need to know of a checkpoint, checked.

    `tile_size` is the side of a square tile in pixels; `tokens_per_tile` the number of image
    tokens that one tile takes in the prompt; `template` the name of its prompt format.
    """

    path: Path
    backbone: str
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


def read_config(path: str | Path) -> CheckpointConfig:
    """Read and check `config.json` in the checkpoint directory `path`.

    Raises:
        CheckpointError: no such directory, not an InternVL2 checkpoint, or a field whose value
            our loaders do not know; the message names the field and what was found.
    """
    path = Path(path)
    if not path.is_dir():
        raise CheckpointError(f"{path} is not a directory; give the folder of a checkpoint")
    return parse_config(path, read_json(path / "config.json"))


def parse_config(path: Path, values: Any) -> CheckpointConfig:
    """Check the parsed `config.json` of the checkpoint in `path`; errors as for `read_config`."""
    top = Section(path / "config.json", "", values)
    if top.get("model_type") != "internvl_chat":
        raise top.refuse("model_type", '"internvl_chat" (the original OpenGVLab format)')
    if top.get("ps_version") != "v2":
        raise top.refuse("ps_version", '"v2", the pixel shuffle that InternVL2 was trained with')
    vision, llm = _vision(top.section("vision_config")), top.section("llm_config")
    tile_size = top.integer("force_image_size", 1, 4096, vision["image_size"])
    layers = vision["num_hidden_layers"]
    min_tiles, max_tiles = _tiles(top)
    return CheckpointConfig(
        path=path,
        backbone=_backbone(llm),
        template=_template(top),
        dtype=top.choice("torch_dtype", _DTYPES, "bfloat16"),
        tile_size=tile_size,
        tokens_per_tile=_tokens_per_tile(top, tile_size, vision["patch_size"]),
        min_tiles=min_tiles,
        max_tiles=max_tiles,
        use_thumbnail=top.flag("use_thumbnail", True),
        downsample_ratio=top.number("downsample_ratio", 0.5),
        select_layer=top.integer("select_layer", -layers, layers - 1, -1),
        vision=vision,
        llm=_llm(llm),
        quantization=_quantization(llm, top),
    )


def _template(top: Section) -> str:
    known = prompt_formats()
    if top.get("template") not in known:
        raise top.refuse("template", f"the name of a prompt format: {', '.join(known)}")
    return str(top.get("template"))


def _tiles(top: Section) -> tuple[int, int]:
    if not top.flag("dynamic_image_size", True):
        return 1, 1
    most = top.integer("max_dynamic_patch", 1, 64, 12)
    return top.integer("min_dynamic_patch", 1, most, 1), most


def _quantization(llm: Section, top: Section) -> Mapping[str, Any] | None:
    """Published checkpoints have it beside the language model's fields, others at the top."""
    for section in (llm, top):
        if section.get("quantization_config") is not None:
            return section.section("quantization_config").values
    return None


def _backbone(llm: Section) -> str:
    architectures = llm.get("architectures")
    found = architectures[0] if isinstance(architectures, list) and architectures else None
    if not isinstance(found, str) or found not in BACKBONES:
        raise llm.refuse("architectures", f"one of {', '.join(BACKBONES)}")
    return found


def _tokens_per_tile(top: Section, tile_size: int, patch_size: int) -> int:
    ratio = top.number("downsample_ratio", 0.5)
    if ratio > 1 or not (1 / ratio).is_integer():
        raise top.refuse("downsample_ratio", "1 divided by a whole number")
    side = tile_size // patch_size
    if tile_size % patch_size or side % int(1 / ratio):
        raise top.refuse(
            "force_image_size",
            f"a multiple of {patch_size * int(1 / ratio)}, an image token's side",
        )
    return int(side * ratio) ** 2


def _vision(vision: Section) -> dict[str, Any]:
    hidden = vision.integer("hidden_size", 1, MAX_DIMENSION)
    heads = vision.integer("num_attention_heads", 1, MAX_DIMENSION)
    if hidden % heads:
        raise vision.refuse("num_attention_heads", f"a divisor of hidden_size, {hidden}")
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": vision.integer("num_hidden_layers", 1, MAX_LAYERS),
        "intermediate_size": vision.integer("intermediate_size", 1, MAX_DIMENSION),
        "image_size": vision.integer("image_size", 1, 4096),
        "patch_size": vision.integer("patch_size", 1, 4096),
        "num_channels": vision.integer("num_channels", 3, 3, 3),
        "hidden_act": vision.choice("hidden_act", ("gelu",), "gelu"),
        "norm_type": vision.choice("norm_type", ("layer_norm", "rms_norm"), "rms_norm"),
        "layer_norm_eps": vision.number("layer_norm_eps", 1e-6),
        "attention_bias": vision.flag("qkv_bias", False),
        "use_qk_norm": vision.flag("qk_normalization", True),
    }


def _llm(llm: Section) -> dict[str, Any]:
    hidden = llm.integer("hidden_size", 1, MAX_DIMENSION)
    heads = llm.integer("num_attention_heads", 1, MAX_DIMENSION)
    kv_heads = llm.integer("num_key_value_heads", 1, MAX_DIMENSION, heads)
    if hidden % heads or heads % kv_heads:
        raise llm.refuse(
            "num_attention_heads", f"a divisor of {hidden} and a multiple of {kv_heads}"
        )
    return {
        "vocab_size": llm.integer("vocab_size", 1, MAX_DIMENSION),
        "hidden_size": hidden,
        "intermediate_size": llm.integer("intermediate_size", 1, MAX_DIMENSION),
        "num_hidden_layers": llm.integer("num_hidden_layers", 1, MAX_LAYERS),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": llm.integer("max_position_embeddings", 1, 1 << 24),
        "hidden_act": llm.choice("hidden_act", ("silu",), "silu"),
        "rms_norm_eps": llm.number("rms_norm_eps", 1e-6),
        "tie_word_embeddings": llm.flag("tie_word_embeddings", False),
        "bias": llm.flag("bias", False) or llm.flag("attention_bias", False),
        "sliding_window": _sliding_window(llm),
        "rope_parameters": _rope(llm, hidden // heads),
    }


def _sliding_window(llm: Section) -> int | None:
    # Qwen2 alone has the switch, and it is off by default.
    switched_on = llm.flag("use_sliding_window", _backbone(llm) != "Qwen2ForCausalLM")
    if llm.get("sliding_window") is None or not switched_on:
        return None
    return llm.integer("sliding_window", 1, 1 << 24)


def _rope(llm: Section, head_dim: int) -> dict[str, Any]:
    theta = llm.number("rope_theta", 10000.0)
    if llm.get("rope_scaling") is None:
        return {"rope_type": "default", "rope_theta": theta}
    scaling = llm.section("rope_scaling")
    kind = scaling.choice("type", ("dynamic", "linear", "su", "longrope"), scaling.get("rope_type"))
    if kind in ("dynamic", "linear"):
        return {"rope_type": kind, "rope_theta": theta, "factor": scaling.number("factor")}
    factors = {}
    for name in ("short_factor", "long_factor"):
        values = scaling.get(name)
        if not isinstance(values, list) or len(values) != head_dim // 2:
            raise scaling.refuse(name, f"a list of {head_dim // 2} numbers, half of a head's size")
        if not all(isinstance(x, int | float) and 0 < x < 1e6 for x in values):
            raise scaling.refuse(name, "a list of positive numbers")
        factors[name] = [float(x) for x in values]
    original = llm.integer("original_max_position_embeddings", 1, 1 << 24)
    # transformers and vLLM both look for it inside the rope parameters.
    return {
        "rope_type": "longrope",
        "rope_theta": theta,
        "original_max_position_embeddings": original,
        **factors,
    }
