"""vLLM's entry point: lets every process of vLLM load original checkpoints without remote code.

vLLM has its own InternVL model. It lacks the configuration and the tokenizer of the original
checkpoints, which are published as code; they are added here. This module does not import the host,
so plain `vllm serve` has them too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from ..checkpoint.backbones import BACKBONES
from ..checkpoint.config import parse_config
from ..checkpoint.hf_config import build_language_config
from ..checkpoint.merge_lora import merge_stream
from ..families.prompt_formats import DEFAULT_FAMILY, find_prompt_format
from ..families.records import PromptFormat, load_runtimes
from ..patching import patch
from .orphans import end_with_parent
from .tile_stack import accept_stacks
from .unsupported import check_computable

logger = logging.getLogger(__package__)

MODEL_TYPE = "internvl_chat"
WITHOUT = "InternVL2 checkpoints need another version of vLLM here"
FAMILY = "internvl2_family"
"""The key of `hf_overrides` that names the family of a checkpoint."""
_families: dict[str, str] = {}
"""Path or repository → its family: vLLM reads a configuration several times, and not always with
`hf_overrides`."""
TOKENIZER_FILES = ["*.json", "tokenizer.model", "merges.txt"]


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
            _families[self.internvl2_path] = self.internvl2_family


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
    """Extend this process of vLLM for our checkpoints.

    A second call changes nothing. If it fails, vLLM goes on without them.
    """
    end_with_parent()
    try:
        _extend_configurations()
        _extend_tokenizers()
        _extend_image_processor()
        _extend_weights()
    except Exception:
        logger.exception(
            "xinference-internvl2 could not teach vLLM the InternVL2 checkpoints, so they need "
            "another version of vLLM here; all other models are served as before."
        )


def is_ours(values: Mapping[str, Any], family: str) -> bool:
    """Whether a `config.json` is of the family named `family`.

    Later InternVL models have the same `model_type`, and vLLM serves them itself. Nothing in the
    file tells InternVL2.5 from InternVL3, which has the same prompt format and language models. So
    the family has to be named, by our loader or in `hf_overrides`; the default is InternVL2, whose
    prompt formats no later model has.
    """
    formats = load_runtimes()[family].prompt_formats if family in load_runtimes() else {}
    llm = values.get("llm_config")
    architectures = llm.get("architectures") if isinstance(llm, Mapping) else None
    return (
        values.get("model_type") == MODEL_TYPE
        and isinstance(values.get("template"), str)
        and values["template"] in formats
        and isinstance(architectures, list)
        and architectures[:1] != []
        and isinstance(architectures[0], str)
        and architectures[0] in BACKBONES
    )


def _extend_configurations() -> None:
    from vllm.transformers_utils.config import HFConfigParser

    patch(HFConfigParser, "parse", _parse_ours, without=WITHOUT)


def _parse_ours(parse: Any) -> Any:
    def parse_config_json(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        # Where the file cannot be read, vLLM reports it.
        with suppress(OSError):
            values, _ = PreTrainedConfig.get_config_dict(model, revision=kwargs.get("revision"))
            family = _family_of(model, kwargs.get("hf_overrides"))
            if is_ours(values, family):
                ours = {**values, "_name_or_path": str(model), FAMILY: family}
                return values, InternVLChatConfig(**ours)
        return parse(self, model, *args, **kwargs)

    return parse_config_json


def _family_of(model: Any, overrides: Any) -> str:
    if isinstance(overrides, Mapping) and isinstance(overrides.get(FAMILY), str):
        _families[str(model)] = overrides[FAMILY]
    return _families.get(str(model), DEFAULT_FAMILY)


def _extend_tokenizers() -> None:
    from vllm.tokenizers.hf import CachedHfTokenizer

    patch(CachedHfTokenizer, "from_pretrained", _load_ours, without=WITHOUT)


def _extend_image_processor() -> None:
    from vllm.transformers_utils.processors.internvl import InternVLImageProcessor

    patch(InternVLImageProcessor, "_images_to_pixel_values_lst", accept_stacks, without=WITHOUT)


def _load_ours(load: Any) -> Any:
    from vllm.tokenizers.hf import get_cached_tokenizer

    def from_pretrained(path_or_repo_id: str | Path, *args: Any, **kwargs: Any) -> Any:
        # Only the configuration decides: tokenizer_config.json may name remote code.
        config = kwargs.get("config")
        if not isinstance(config, InternVLChatConfig):
            return load(path_or_repo_id, *args, **kwargs)
        from ..tokenizer.tokenizer import load_tokenizer

        folder = _find_folder(path_or_repo_id, kwargs.get("revision"), kwargs.get("download_dir"))
        tokenizer = load_tokenizer(folder, config.text_config.vocab_size)
        # vLLM adds no BOS to a rendered chat, so the template has it.
        start = tokenizer.decode(tokenizer.encode(""))
        prompt_format = _prompt_format(config)
        tokenizer.chat_template = build_chat_template(prompt_format, start)
        # A grammar allows only this token at its end.
        tokenizer.eos_token = prompt_format.stop[0]
        return get_cached_tokenizer(tokenizer)

    return from_pretrained


def _prompt_format(config: InternVLChatConfig) -> PromptFormat:
    return find_prompt_format(config.template, config.internvl2_family)


def _extend_weights() -> None:
    from vllm.model_executor.model_loader.default_loader import DefaultModelLoader

    patch(DefaultModelLoader, "get_all_weights", _merge_ours, without=WITHOUT)


def _merge_ours(read: Any) -> Any:
    def get_all_weights(self: Any, model_config: Any, model: Any) -> Any:
        weights = read(self, model_config, model)
        config = model_config.hf_config
        if not isinstance(config, InternVLChatConfig):
            return weights
        return merge_stream(weights, config.lora_ranks)

    return get_all_weights


def build_chat_template(prompt_format: PromptFormat, start: str) -> str:
    """Return a Jinja template of the prompt format, with which plain `vllm serve` renders chats.

    Args:
        start: the text of the token that the tokenizer puts before a text, or "".
    """
    text = {name: json.dumps(value) for name, value in _template_texts(prompt_format).items()}
    return (
        f"{{{{- {json.dumps(start)} -}}}}"
        "{%- if messages[0]['role'] != 'system' -%}"
        f"{{{{- {text['system']} + {text['system_text']} + {text['end']} -}}}}"
        "{%- endif -%}"
        "{%- for message in messages -%}"
        f"{{{{- {{'system': {text['system']}, 'user': {text['user']}, "
        f"'assistant': {text['assistant']}}}[message['role']] + message['content'] "
        f"+ {text['end']} -}}}}"
        "{%- endfor -%}"
        f"{{%- if add_generation_prompt -%}}{{{{- {text['assistant']} -}}}}{{%- endif -%}}"
    )


def _template_texts(prompt_format: PromptFormat) -> dict[str, str]:
    return {
        **prompt_format.roles,
        "system_text": prompt_format.system_text,
        "end": prompt_format.turn_end,
    }


def _find_folder(path_or_repo_id: str | Path, revision: str | None, cache: str | None) -> Path:
    """Return the folder of the tokenizer files, which are downloaded if they are not local."""
    if Path(path_or_repo_id).is_dir():
        return Path(path_or_repo_id)
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        str(path_or_repo_id), revision=revision, cache_dir=cache, allow_patterns=TOKENIZER_FILES
    )
    return Path(folder)
