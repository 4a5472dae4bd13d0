"""The configuration of a checkpoint, in the form that vLLM's InternVL reads."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from ..checkpoint.config import CheckpointConfig, parse_config
from ..checkpoint.llm_hf_config import build_language_config
from ..families.find_family import DEFAULT_FAMILY
from .checkpoint_family import FAMILY, MODEL_TYPE, choose_family, is_ours, note_family
from .unsupported_checkpoints import check_computable


class InternVLChatConfig(PreTrainedConfig):
    """The configuration of an original checkpoint, with the attributes that vLLM's InternVL reads.

    `vision_config` has the published names; `text_config` is of transformers' own class.
    """

    model_type = MODEL_TYPE
    has_no_defaults_at_init = True

    def __init__(self, **values: Any) -> None:
        super().__init__()
        if not values:
            return
        self.internvl2_family = values.pop(FAMILY, DEFAULT_FAMILY)
        self.internvl2_path = str(values.get("_name_or_path") or ".")
        checkpoint = parse_config(Path(self.internvl2_path), {"model_type": MODEL_TYPE, **values})
        check_computable(checkpoint)
        self.architectures = ["InternVLChatModel"]
        self.dtype = checkpoint.dtype
        self.vision_config = PreTrainedConfig(
            **{name: checkpoint.vision[name] for name in _SHARED_VISION_FIELDS},
            qkv_bias=checkpoint.vision["attention_bias"],
            qk_normalization=checkpoint.vision["use_qk_norm"],
            initializer_factor=1.0,
        )
        self.text_config = build_language_config(_drop_what_lies_beyond(checkpoint))
        self.text_config.architectures = [checkpoint.backbone.architecture]
        self.text_config.dtype = checkpoint.dtype
        if checkpoint.quantization:
            self.text_config.quantization_config = dict(checkpoint.quantization)
        self.tie_word_embeddings = checkpoint.llm["tie_word_embeddings"]
        self.force_image_size = checkpoint.tile_size
        self.downsample_ratio = checkpoint.downsample_ratio
        self.select_layer = checkpoint.select_layer
        self.ps_version = "v2"
        self.template = checkpoint.template
        self.dynamic_image_size = True
        self.min_dynamic_patch = checkpoint.min_tiles
        self.max_dynamic_patch = checkpoint.max_tiles
        self.use_thumbnail = checkpoint.use_thumbnail
        self.lora_ranks = dict(checkpoint.lora_ranks)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickle, and note the family for this process of vLLM."""
        self.__dict__.update(state)
        if "internvl2_path" in state:
            note_family(self.internvl2_path, self.internvl2_family)


def _drop_what_lies_beyond(checkpoint: CheckpointConfig) -> CheckpointConfig:
    """Return the checkpoint without what changes nothing up to `max_position_embeddings` tokens.

    vLLM serves no more: `engine_args.py` refuses a longer context and, unless an environment
    variable of its own is set, vLLM itself. Dynamic RoPE
    scales beyond, for which vLLM has one fixed scale. The sliding window is wider, or
    `check_computable` refuses it; it would only select a kernel, which fails on some CPUs.
    """
    of_window = ("sliding_window", "use_sliding_window", "layer_types")
    llm = {name: value for name, value in checkpoint.llm.items() if name not in of_window}
    if "sliding_window" in checkpoint.llm:
        llm["sliding_window"] = None
    if llm["rope_parameters"]["rope_type"] == "dynamic":
        theta = llm["rope_parameters"]["rope_theta"]
        llm["rope_parameters"] = {"rope_type": "default", "rope_theta": theta}
    return replace(checkpoint, llm=llm)


def parse_ours(parse: Any) -> Any:
    """Extend `HFConfigParser.parse` of vLLM to read the configuration of our checkpoints."""

    def parse_config_json(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        # Where the file cannot be read, vLLM reports it.
        with suppress(OSError):
            values, _ = PreTrainedConfig.get_config_dict(model, revision=kwargs.get("revision"))
            family = choose_family(model, kwargs.get("hf_overrides"))
            if is_ours(values, family):
                ours = {**values, "_name_or_path": str(model), FAMILY: family}
                return values, InternVLChatConfig(**ours)
        return parse(self, model, *args, **kwargs)

    return parse_config_json


_SHARED_VISION_FIELDS = (
    "hidden_size",
    "num_attention_heads",
    "num_hidden_layers",
    "intermediate_size",
    "image_size",
    "patch_size",
    "num_channels",
    "hidden_act",
    "norm_type",
    "layer_norm_eps",
)
