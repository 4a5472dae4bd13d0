"""vLLM's entry point: extends every process of vLLM, so that it loads original checkpoints.

vLLM has its own InternVL model. It lacks the configuration and the tokenizer of the original
checkpoints, which are published as code. No module that this one imports knows the host, so plain
`vllm serve` is extended too.
"""

from __future__ import annotations

import logging

from ..patching import patch
from .end_with_parent import end_with_parent

logger = logging.getLogger(__package__)

WITHOUT = "InternVL2 checkpoints need another version of vLLM here"


def register() -> None:
    """Extend this process of vLLM for our checkpoints.

    A second call changes nothing. If it fails, vLLM goes on without them.
    """
    end_with_parent()
    try:
        _patch_vllm()
    except Exception:
        logger.exception(
            "xinference-internvl2 could not teach vLLM the InternVL2 checkpoints, so they need "
            "another version of vLLM here; all other models are served as before."
        )


def _patch_vllm() -> None:
    from vllm.model_executor.model_loader.default_loader import DefaultModelLoader
    from vllm.tokenizers.hf import CachedHfTokenizer
    from vllm.transformers_utils.config import HFConfigParser
    from vllm.transformers_utils.processors.internvl import InternVLImageProcessor

    from .hf_config import parse_ours
    from .merge_lora_while_loading import merge_ours
    from .tiles_as_images import accept_stacks
    from .tokenizer import load_ours

    for owner, name, extend in (
        (HFConfigParser, "parse", parse_ours),
        (CachedHfTokenizer, "from_pretrained", load_ours),
        (InternVLImageProcessor, "_images_to_pixel_values_lst", accept_stacks),
        (DefaultModelLoader, "get_all_weights", merge_ours),
    ):
        patch(owner, name, extend, without=WITHOUT)
