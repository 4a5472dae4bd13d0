"""``config.json`` and its neighbours, with the keys of the published InternVL2 repositories."""

from __future__ import annotations

from .dims import Backbone, Dims, Vit
from .llm_config import Json, make_llm_config


def _make_vision_config(vit: Vit, dims: Dims) -> Json:
    large = vit == "6b"
    return {
        "architectures": ["InternVisionModel"],
        "attention_dropout": 0.0,
        "drop_path_rate": 0.0,
        "dropout": 0.0,
        "hidden_act": "gelu",
        "hidden_size": dims.vit_hidden,
        "image_size": dims.image_size,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "intermediate_size": dims.vit_intermediate,
        "layer_norm_eps": 1e-06,
        "model_type": "intern_vit_6b",
        "norm_type": "rms_norm" if large else "layer_norm",
        "num_attention_heads": dims.vit_heads,
        "num_channels": 3,
        "num_hidden_layers": dims.vit_layers,
        "output_attentions": False,
        "output_hidden_states": False,
        "patch_size": dims.patch_size,
        "qk_normalization": large,
        "qkv_bias": not large,
        "return_dict": True,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.37.2",
        "use_bfloat16": True,
        "use_flash_attn": True,
    }


def make_model_config(
    backbone: Backbone, vit: Vit, dims: Dims, *, template: str, dtype: str, token_ids: Json
) -> Json:
    """Return ``config.json``; ``token_ids`` holds the backbone's bos, eos and pad ids."""
    llm = make_llm_config(backbone, dims, token_ids)
    vision = _make_vision_config(vit, dims)
    for part in (llm, vision):
        part["torch_dtype"] = dtype
    return {
        "_commit_hash": None,
        "architectures": ["InternVLChatModel"],
        "auto_map": {
            "AutoConfig": "configuration_internvl_chat.InternVLChatConfig",
            "AutoModel": "modeling_internvl_chat.InternVLChatModel",
            "AutoModelForCausalLM": "modeling_internvl_chat.InternVLChatModel",
        },
        "downsample_ratio": 0.5,
        "dynamic_image_size": True,
        "force_image_size": dims.image_size,
        "llm_config": llm,
        "max_dynamic_patch": dims.max_dynamic_patch,
        "min_dynamic_patch": 1,
        "model_type": "internvl_chat",
        "ps_version": "v2",
        "select_layer": -1,
        "template": template,
        "torch_dtype": dtype,
        "use_backbone_lora": 0,
        "use_llm_lora": 0,
        "use_thumbnail": True,
        "vision_config": vision,
    }


def make_generation_config(eos_ids: list[int]) -> Json:
    """Return ``generation_config.json``."""
    return {
        "_from_model_config": True,
        "eos_token_id": eos_ids,
        "transformers_version": "4.37.2",
    }


def make_preprocessor_config(image_size: int) -> Json:
    """Return ``preprocessor_config.json``."""
    return {
        "crop_size": image_size,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "size": image_size,
    }
