"""vLLM's entry point: lets every process of vLLM load original checkpoints without remote code.

vLLM has its own InternVL model. It lacks the configuration and the tokenizer of the original
checkpoints, which are published as code; they are added here. This module does not import the host,
so plain `vllm serve` has them too.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from ..checkpoint.merge_lora import merge_stream
from ..families.find_family import find_prompt_format
from ..families.prompt_format import PromptFormat
from ..patching import patch
from .chat_template import build_chat_template
from .checkpoint_family import FAMILY, choose_family, is_ours
from .end_with_parent import end_with_parent
from .hf_config import InternVLChatConfig
from .tile_stack import accept_stacks

logger = logging.getLogger(__package__)

WITHOUT = "InternVL2 checkpoints need another version of vLLM here"
TOKENIZER_FILES = ["*.json", "tokenizer.model", "merges.txt"]


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


def _extend_configurations() -> None:
    from vllm.transformers_utils.config import HFConfigParser

    patch(HFConfigParser, "parse", _parse_ours, without=WITHOUT)


def _parse_ours(parse: Any) -> Any:
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


def _find_folder(path_or_repo_id: str | Path, revision: str | None, cache: str | None) -> Path:
    """Return the folder of the tokenizer files, which are downloaded if they are not local."""
    if Path(path_or_repo_id).is_dir():
        return Path(path_or_repo_id)
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        str(path_or_repo_id), revision=revision, cache_dir=cache, allow_patterns=TOKENIZER_FILES
    )
    return Path(folder)
