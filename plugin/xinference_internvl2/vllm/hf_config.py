"""The configuration of a checkpoint, in the form that vLLM's InternVL reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from ..checkpoint.config import parse_config
from ..checkpoint.hf_config import build_language_config
from ..families.find_family import DEFAULT_FAMILY
from .checkpoint_family import FAMILY, MODEL_TYPE, note_family
from .unsupported import check_computable


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
        self.text_config = build_language_config(checkpoint)
        if self.text_config.rope_parameters["rope_type"] == "dynamic":
            # vLLM serves no more positions than the file says, and up to there both are the same.
            theta = self.text_config.rope_parameters["rope_theta"]
            self.text_config.rope_parameters = {"rope_type": "default", "rope_theta": theta}
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
