"""Loading original InternVL2 checkpoints with transformers' own classes.

Only `config.json`, the tokenizer's JSON and safetensors files are opened; code, adapters,
generation settings and pickled weights that lie beside them are never touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, InternVLConfig, PreTrainedModel

from ...checkpoint.config import read_config
from ...checkpoint.enough_memory import check_memory
from ...errors import CheckpointError
from . import awq, bitsandbytes
from .attention import ATTENTION
from .check_weights import open_checked_weights
from .device_map import DeviceMap, is_cpu
from .dtype import read_dtype
from .internvl2_model import InternVL2ForConditionalGeneration
from .loading_progress import Report, watch_loading


def load_model(
    path: str | Path,
    *,
    dtype: torch.dtype | str | None = None,
    device_map: DeviceMap = None,
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
    dtype = read_dtype(dtype, "dtype") or getattr(torch, checkpoint.dtype)
    group, config, tensors = open_checked_weights(checkpoint, quantization_config)
    on_cpu = is_cpu(device_map)
    if on_cpu:
        bits = bitsandbytes.bits(quantization_config)
        check_memory(checkpoint.path, tensors, dtype.itemsize, bits)
    with watch_loading(report):
        if group is None:
            return _load_tensors(config, tensors, dtype, device_map, quantization_config)
        config.quantization_config = awq.build_config(group, on_cpu)
        model = _load_tensors(config, awq.cast_floats(tensors, dtype), dtype, device_map, None)
    awq.prepare(model)
    return model


def _load_tensors(
    config: InternVLConfig,
    tensors: dict[str, Any],
    dtype: torch.dtype,
    device_map: DeviceMap,
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
