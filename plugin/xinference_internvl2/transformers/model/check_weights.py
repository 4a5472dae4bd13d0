"""Checks that a checkpoint has a weight of the right shape for each parameter, and no other.

Nothing but the headers of its files is read. The doctor checks the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import InternVLConfig
from transformers.initialization import no_init_weights

from ...checkpoint.config import CheckpointConfig
from ...checkpoint.weight_format import awq_group_size
from ...errors import CheckpointError
from ..requirements import explain_missing_library
from . import awq_layout, bitsandbytes
from .hf_config import model_config
from .internvl2_model import InternVL2ForConditionalGeneration
from .open_weights import open_weights
from .weight_names import target_names

_OUTPUT_LAYER = ("lm_head.weight", "output.weight")
"""What its name in the files ends with, where it is not tied to the embeddings."""


def open_checked_weights(
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
    found = {name: tuple(value.get_shape()) for name, value in tensors.items()}
    wanted = _stored_shapes(config, group, quantization_config)
    if config.tie_word_embeddings and not any(name.endswith(_OUTPUT_LAYER) for name in found):
        wanted.pop("lm_head.weight", None)
    _check_names_and_shapes(found, wanted)
    return group, config, tensors


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
    return awq_layout.pack_shapes(shapes, awq_group, text.hidden_size // text.num_attention_heads)


def _check_names_and_shapes(
    found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse a checkpoint whose tensors (name → shape, read from the files' headers) do not
    make exactly the model's parameters `wanted` (name → shape).

    Raises:
        CheckpointError: a tensor without a place, a parameter without a tensor or with two, or a
            shape that differs from what `config.json` says; the first of each kind is named.
    """
    missing = dict(wanted)
    for name, shape in found.items():
        parts = target_names(name)
        if any(part not in wanted for part in parts):
            raise CheckpointError(
                f"weight {name} of the checkpoint has no place in the model that its config.json "
                "describes; check that config.json and the weights belong together"
            )
        if any(missing.pop(part, None) is None for part in parts):
            raise CheckpointError(
                f"weight {name} is a second one for {parts[0]}; keep only one of the two"
            )
        expected = _join([wanted[part] for part in parts], awq_layout.output_axis(name))
        if shape != expected:
            raise CheckpointError(
                f"weight {name} has shape {list(shape)}, but config.json asks for "
                f"{list(expected)}; check that config.json and the weights belong together"
            )
    if missing:
        raise CheckpointError(
            f"the checkpoint has no weight for {min(missing)} ({len(missing)} missing in all); "
            "download the whole model repository again"
        )


def _join(shapes: list[tuple[int, ...]], axis: int) -> tuple[int, ...]:
    """The shape of parts that lie one after the other on the dimension `axis`."""
    joined = list(shapes[0])
    joined[axis] = sum(shape[axis] for shape in shapes)
    return tuple(joined)
