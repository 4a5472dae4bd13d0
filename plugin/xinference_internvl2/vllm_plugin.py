"""vLLM's entry point: in every process of vLLM, InternVL2 needs no remote code.

vLLM has its own InternVL model. What it lacks is the configuration and the tokenizer of the
original checkpoints, which are published as code; here they are, as data. This module knows
nothing of the host, so plain `vllm serve` has them too.
"""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from .config import parse_config
from .hf_config import language_config

MODEL_TYPE = "internvl_chat"
TOKENIZER_FILES = ["*.json", "tokenizer.model", "merges.txt"]


class InternVLChatConfig(PreTrainedConfig):
    """`config.json` of the original format, with the attributes that vLLM's InternVL reads.

    `vision_config` keeps the published names; `text_config` is of transformers' own class.
    """

    model_type = MODEL_TYPE
    has_no_defaults_at_init = True

    def __init__(self, **values: Any) -> None:
        super().__init__()
        if not values:
            return
        checkpoint = parse_config(
            Path(str(values.get("_name_or_path") or ".")), {"model_type": MODEL_TYPE, **values}
        )
        self.architectures = ["InternVLChatModel"]
        self.dtype = checkpoint.dtype
        self.vision_config = PreTrainedConfig(
            **{name: checkpoint.vision[name] for name in _SHARED_VISION_FIELDS},
            qkv_bias=checkpoint.vision["attention_bias"],
            qk_normalization=checkpoint.vision["use_qk_norm"],
            initializer_factor=1.0,
        )
        self.text_config = language_config(checkpoint)
        self.text_config.architectures = [checkpoint.backbone]
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


def register() -> None:
    """Teach this process of vLLM the configuration and the tokenizers; safe to call again."""
    from vllm.tokenizers.hf import CachedHfTokenizer, get_cached_tokenizer
    from vllm.transformers_utils.config import _CONFIG_REGISTRY

    AutoConfig.register(MODEL_TYPE, InternVLChatConfig, exist_ok=True)
    _CONFIG_REGISTRY[MODEL_TYPE] = InternVLChatConfig
    load = CachedHfTokenizer.from_pretrained
    if hasattr(load, "_xinference_internvl2"):
        return

    @wraps(load)
    def from_pretrained(path_or_repo_id: str | Path, *args: Any, **kwargs: Any) -> Any:
        # Told by the configuration alone: what tokenizer_config.json says may be remote code.
        if not isinstance(kwargs.get("config"), InternVLChatConfig):
            return load(path_or_repo_id, *args, **kwargs)
        from .tokenizer import load_tokenizer

        folder = _local(path_or_repo_id, kwargs.get("revision"), kwargs.get("download_dir"))
        return get_cached_tokenizer(load_tokenizer(folder))

    from_pretrained._xinference_internvl2 = True  # type: ignore[attr-defined]
    CachedHfTokenizer.from_pretrained = staticmethod(from_pretrained)


def _local(path_or_repo_id: str | Path, revision: str | None, cache: str | None) -> Path:
    if Path(path_or_repo_id).is_dir():
        return Path(path_or_repo_id)
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        str(path_or_repo_id), revision=revision, cache_dir=cache, allow_patterns=TOKENIZER_FILES
    )
    return Path(folder)
