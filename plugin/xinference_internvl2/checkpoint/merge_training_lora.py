"""Merges the LoRA weights that training left beside a checkpoint's own.

The published training scripts wrap the language model or the vision model with LoRA and save all of
it, `use_llm_lora` or `use_backbone_lora` being the rank:

    language_model.base_model.model.model.layers.0.attention.wqkv.base_layer.weight
    language_model.base_model.model.model.layers.0.attention.wqkv.lora_A.default.weight
    language_model.base_model.model.model.layers.0.attention.wqkv.lora_B.default.weight
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from ..errors import CheckpointError
from .training_weight_names import published_name
from .unused_tensors import is_unused

_LORA = re.compile(r"^(.+)\.lora_([AB])\.default\.weight$")
_WRAPPED = ".base_layer.weight"
"""The end of the name of a weight that has LoRA weights beside it."""
_SCALE = 2
"""The published scripts wrap with alpha = 2 × rank."""


def merge(
    tensors: Mapping[str, Any],
    ranks: Mapping[str, int],
    combine: Callable[[Any, Any, Any], Any],
) -> dict[str, Any]:
    """Return the `tensors` of all files of a checkpoint by published name, LoRA weights merged.

    Args:
        tensors: name → lazy slice; `get_shape` gives its shape.
        ranks: `language_model` and `vision_model` → the rank that `config.json` says, or 0.
        combine: takes the slices of a weight, of its lora_A and of its lora_B, and returns one for
            the merged weight.

    Raises:
        CheckpointError: a LoRA weight without its other parts, or of another rank.
    """
    wrapped: dict[str, dict[str, Any]] = {}
    plain: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if is_unused(name):
            continue
        if found := _LORA.fullmatch(name):
            _check_rank(name, found[2], tuple(tensor.get_shape()), ranks)
            owner = published_name(f"{found[1]}.weight")
            wrapped.setdefault(owner, {})[found[2]] = tensor
            continue
        owner = published_name(name)
        _check_unique(name, owner, plain)
        plain[owner] = tensor
        if name.endswith(_WRAPPED):
            wrapped.setdefault(owner, {})
    for owner, parts in wrapped.items():
        if len(parts) != 2 or owner not in plain:
            raise CheckpointError(
                f"the LoRA weights of {owner} are not all there; download all its files again"
            )
        plain[owner] = combine(plain[owner], parts["A"], parts["B"])
    return plain


def merge_stream(
    tensors: Iterable[tuple[str, Any]], ranks: Mapping[str, int]
) -> Iterator[tuple[str, Any]]:
    """Yield published names and tensors, LoRA weights merged, from a stream in any order.

    Args:
        tensors: names and tensors of torch, as an engine reads them.
        ranks: as for `merge`.

    Raises:
        CheckpointError: as for `merge`; for missing parts, at the end of the stream.
    """
    waiting: dict[str, dict[str, Any]] = {}
    read: set[str] = set()
    for name, tensor in tensors:
        if is_unused(name):
            continue
        found = _LORA.fullmatch(name)
        owner = published_name(f"{found[1]}.weight" if found else name)
        if found:
            _check_rank(name, found[2], tuple(tensor.shape), ranks)
        else:
            _check_unique(name, owner, read)
            read.add(owner)
        if not found and not name.endswith(_WRAPPED):
            yield owner, tensor
            continue
        parts = waiting.setdefault(owner, {})
        parts[found[2] if found else "base"] = tensor
        if len(parts) == 3:
            del waiting[owner]
            yield owner, add(parts["base"], parts["A"], parts["B"])
    if waiting:
        raise CheckpointError(
            f"the LoRA weights of {min(waiting)} are not all there; download the whole checkpoint "
            "again"
        )


def _check_unique(name: str, owner: str, read: Container[str]) -> None:
    if owner in read:
        raise CheckpointError(f"weight {name} is there twice; keep only one of the two")


def add(weight: Any, lora_a: Any, lora_b: Any) -> Any:
    """Return weight (O, I) + 2 · lora_B (O, R) · lora_A (R, I), in the type of the weight.

    O output features, I input features, R the rank.
    """
    delta = lora_b.float() @ lora_a.float() * _SCALE
    return weight + delta.to(weight.dtype)


def _check_rank(name: str, part: str, shape: tuple[int, ...], ranks: Mapping[str, int]) -> None:
    rank = ranks.get(name.split(".")[0], 0)
    if len(shape) == 2 and rank and shape[0 if part == "A" else 1] == rank:
        return
    raise CheckpointError(
        f"weight {name} has shape {list(shape)}, but config.json says LoRA of rank {rank} in "
        "use_llm_lora or use_backbone_lora; check that config.json and the weights belong together"
    )
