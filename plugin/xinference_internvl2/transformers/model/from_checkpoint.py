"""Loading original InternVL2 checkpoints with transformers' own classes.

Only `config.json`, the tokenizer's JSON and safetensors files are opened; code, adapters,
generation settings and pickled weights that lie beside them are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, InternVLConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from ...checkpoint.config import CheckpointConfig, read_config
from ...checkpoint.enough_memory import check_memory
from ...checkpoint.linear_layers import KEPT_MODULES
from ...checkpoint.weight_format import awq_group_size
from ...errors import CheckpointError
from ..requirements import explain_missing_library
from . import awq, bitsandbytes
from .attention import ATTENTION
from .config import model_config
from .loading_progress import Report, watch_loading
from .open_weights import open_weights
from .weight_names import InternVL2ForConditionalGeneration, check_names_and_shapes


def load_model(
    path: str | Path,
    *,
    dtype: torch.dtype | str | None = None,
    device_map: str | Mapping[str, Any] | None = None,
    quantization_config: Any = None,
    report: Report | None = None,
) -> PreTrainedModel:
    """Load the checkpoint in the directory `path`, in eval mode.

    Args:
        path: directory of an original (`internvl_chat`) checkpoint with safetensors weights.
        dtype: of the parameters; by default `torch_dtype` of the checkpoint.
        device_map: as in `from_pretrained`, but never to disk; by default all is on the CPU.
        quantization_config: of transformers, applied to the language model only; none for an AWQ
            checkpoint, whose language model is in 4 bits already.
        report: called with the part of the weights that is loaded, as it grows.

    Returns:
        A model whose `forward` takes `input_ids` (batch, tokens) and `pixel_values`
        (tiles, 3, tile_size, tile_size), one image token a placeholder. Its `generate` stops
        at no token of its own: pass `eos_token_id`.

    Raises:
        CheckpointError: the checkpoint cannot be loaded; one sentence says why.
    """
    checkpoint = read_config(path)
    dtype = _torch_dtype(dtype or checkpoint.dtype)
    group, config, tensors = open_checkpoint(checkpoint, quantization_config)
    on_cpu = _is_cpu(device_map)
    if on_cpu:
        bits = bitsandbytes.bits(quantization_config)
        check_memory(checkpoint.path, tensors, dtype.itemsize, bits)
    with watch_loading(report):
        if group is None:
            return _load_tensors(config, tensors, dtype, device_map, quantization_config)
        config.quantization_config = awq.build_config(group, KEPT_MODULES, on_cpu)
        model = _load_tensors(config, awq.cast_floats(tensors, dtype), dtype, device_map, None)
    awq.prepare(model)
    return model


def open_checkpoint(
    checkpoint: CheckpointConfig, quantization_config: Any = None
) -> tuple[int | None, InternVLConfig, dict[str, Any]]:
    """Open the weights and compare their names, types and shapes with the configuration.

    Returns:
        The group size of AWQ, transformers' configuration, and the tensors by their names in the
        files, of which nothing is read yet.

    Raises:
        CheckpointError: a file or a weight that is missing, damaged or not as configured.
    """
    group = _awq_group_size(checkpoint, quantization_config)
    tensors = open_weights(checkpoint, packed=group is not None)
    config = model_config(checkpoint)
    _check_tensors(tensors, config, _stored_shapes(config, group, quantization_config))
    return group, config, tensors


def _load_tensors(
    config: InternVLConfig,
    tensors: dict[str, Any],
    dtype: torch.dtype,
    device_map: str | Mapping[str, Any] | None,
    quantization_config: Any,
) -> PreTrainedModel:
    model, report = InternVL2ForConditionalGeneration.from_pretrained(
        None,
        config=config,
        state_dict=tensors,
        dtype=dtype,
        device_map=device_map,
        quantization_config=bitsandbytes.skip_other_modules(quantization_config),
        generation_config=GenerationConfig(),
        output_loading_info=True,
    )
    if report["missing_keys"] or report["unexpected_keys"]:
        names = sorted([*report["missing_keys"], *report["unexpected_keys"]])
        raise CheckpointError(f"weight {names[0]} could not be loaded; report this as a bug")
    model.model.language_model.set_attn_implementation(ATTENTION)
    return model


def _awq_group_size(checkpoint: CheckpointConfig, quantization_config: Any) -> int | None:
    group = awq_group_size(checkpoint)
    if group is None:
        return None
    if quantization_config is not None:
        raise CheckpointError(
            f"{checkpoint.path} is quantized already; launch it without a quantization_config"
        )
    if missing := explain_missing_library("Int4"):
        raise CheckpointError(missing)
    return group


def _stored_shapes(
    config: InternVLConfig, awq_group: int | None, quantization_config: Any
) -> dict[str, tuple[int, ...]]:
    """Parameter → the shape that it has in the files."""
    with torch.device("meta"), no_init_weights():
        model = InternVL2ForConditionalGeneration(config)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if getattr(quantization_config, "load_in_4bit", False):
        bitsandbytes.check_blocks(shapes)
    if awq_group is None:
        return shapes
    text = config.text_config
    return awq.pack_shapes(shapes, awq_group, text.hidden_size // text.num_attention_heads)


def _check_tensors(
    tensors: Mapping[str, Any], config: InternVLConfig, wanted: Mapping[str, tuple[int, ...]]
) -> None:
    found = {name: tuple(value.get_shape()) for name, value in tensors.items()}
    if config.tie_word_embeddings and "lm_head.weight" in wanted:
        stored = any(name.endswith(("lm_head.weight", "output.weight")) for name in found)
        wanted = wanted if stored else {k: v for k, v in wanted.items() if k != "lm_head.weight"}
    check_names_and_shapes(found, wanted)


def _is_cpu(device_map: str | Mapping[str, Any] | None) -> bool:
    devices = {"": device_map} if isinstance(device_map, str) else device_map or {"": "cpu"}
    return {str(device) for device in devices.values()} == {"cpu"}


def _torch_dtype(dtype: torch.dtype | str) -> torch.dtype:
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if found not in (torch.bfloat16, torch.float16, torch.float32):
        raise CheckpointError(f"dtype {dtype} is not one of bfloat16, float16, float32")
    return found
