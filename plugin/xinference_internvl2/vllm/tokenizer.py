"""Gives vLLM our tokenizer: its files from the hub, the chat template, the EOS that ends grammars.

At the end of a grammar, vLLM allows only the EOS. So it is the stop token of the prompt format, not
the `eos_token` of the repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..families.find_prompt_format import find_prompt_format
from ..tokenizer.tokenizer import load_tokenizer
from .chat_template import build_chat_template
from .hf_config import InternVLChatConfig

DOWNLOADED = ["*.json", "tokenizer.model", "merges.txt"]
"""The files of a repository that are downloaded for the tokenizer."""


def load_ours(load: Any) -> Any:
    """Extend `CachedHfTokenizer.from_pretrained` of vLLM to load our tokenizer."""
    from vllm.tokenizers.hf import get_cached_tokenizer

    def from_pretrained(path_or_repo_id: str | Path, *args: Any, **kwargs: Any) -> Any:
        # Only the configuration decides: tokenizer_config.json may name remote code.
        config = kwargs.get("config")
        if not isinstance(config, InternVLChatConfig):
            return load(path_or_repo_id, *args, **kwargs)
        folder = _find_folder(path_or_repo_id, kwargs.get("revision"), kwargs.get("download_dir"))
        tokenizer = load_tokenizer(folder, config.text_config.vocab_size)
        # vLLM adds no BOS to a rendered chat, so the template has it.
        start = tokenizer.decode(tokenizer.encode(""))
        prompt_format = find_prompt_format(config.template, config.internvl2_family)
        tokenizer.chat_template = build_chat_template(prompt_format, start)
        tokenizer.eos_token = prompt_format.stop[0]
        return get_cached_tokenizer(tokenizer)

    return from_pretrained


def _find_folder(path_or_repo_id: str | Path, revision: str | None, cache: str | None) -> Path:
    """Return the folder of the tokenizer files, which are downloaded if they are not local."""
    if Path(path_or_repo_id).is_dir():
        return Path(path_or_repo_id)
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        str(path_or_repo_id), revision=revision, cache_dir=cache, allow_patterns=DOWNLOADED
    )
    return Path(folder)
