"""The names of an original InternVL2 checkpoint's weights, and what transformers calls them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from transformers import InternVLConfig, InternVLForConditionalGeneration
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import Chunk, WeightConverter, WeightRenaming

from ...errors import CheckpointError
from .fused_weights import SplitGroupedQKV, output_axis, split_qkv

RENAMES = {
    r"^vision_model\.": "model.vision_tower.",
    r"^language_model\.model\.": "model.language_model.",
    r"^language_model\.(lm_head|output)\.": "lm_head.",
    r"^mlp1\.0\.": "model.multi_modal_projector.layer_norm.",
    r"^mlp1\.1\.": "model.multi_modal_projector.linear_1.",
    r"^mlp1\.3\.": "model.multi_modal_projector.linear_2.",
    # vision tower, after its prefix
    r"\.embeddings\.class_embedding$": ".embeddings.cls_token",
    r"\.embeddings\.position_embedding$": ".embeddings.position_embeddings",
    r"\.embeddings\.patch_embedding\.": ".embeddings.patch_embeddings.projection.",
    r"\.encoder\.layers\.": ".encoder.layer.",
    r"\.attn\.proj\.": ".attention.projection_layer.",
    r"\.attn\.q_norm\.": ".attention.q_norm.",
    r"\.attn\.k_norm\.": ".attention.k_norm.",
    r"\.norm1\.": ".layernorm_before.",
    r"\.norm2\.": ".layernorm_after.",
    r"\.ls1$": ".lambda_1",
    r"\.ls2$": ".lambda_2",
    # InternLM2, which is Llama by other names
    r"\.tok_embeddings\.": ".embed_tokens.",
    r"\.attention\.wo\.": ".self_attn.o_proj.",
    r"\.attention_norm\.": ".input_layernorm.",
    r"\.ffn_norm\.": ".post_attention_layernorm.",
    r"\.feed_forward\.w1\.": ".mlp.gate_proj.",
    r"\.feed_forward\.w3\.": ".mlp.up_proj.",
    r"\.feed_forward\.w2\.": ".mlp.down_proj.",
}
"""Regular expression → replacement; all that match apply, in this order."""

_QKV = ("q_proj", "k_proj", "v_proj")
SPLITS = {
    r"\.attn\.qkv\.": tuple(f".attention.{name}." for name in _QKV),
    r"\.attention\.wqkv\.": tuple(f".self_attn.{name}." for name in _QKV),
}
"""Regular expression of a fused weight → its parts; first the ViT's, then InternLM2's."""


class InternVL2ForConditionalGeneration(InternVLForConditionalGeneration):
    """transformers' InternVL, loading checkpoints of the original format.

    Its name is the key under which transformers looks up the weight mapping.
    """

    def __init__(self, config: InternVLConfig) -> None:
        super().__init__(config)
        if config.vision_config.use_qk_norm:
            # transformers leaves them at its default, whatever the configuration says.
            for layer in self.model.vision_tower.encoder.layer:
                for norm in (layer.attention.q_norm, layer.attention.k_norm):
                    norm.variance_epsilon = config.vision_config.layer_norm_eps


register_checkpoint_conversion_mapping(
    InternVL2ForConditionalGeneration.__name__,
    [
        *(WeightRenaming(source, target) for source, target in RENAMES.items()),
        *(
            WeightConverter(source, list(parts), [operation])
            for (source, parts), operation in zip(
                SPLITS.items(), (Chunk(dim=0), SplitGroupedQKV()), strict=True
            )
        ),
    ],
    overwrite=True,
)


def target_names(name: str) -> tuple[str, ...]:
    """What the checkpoint's tensor `name` becomes in the model: one name, or the parts of a split.

    Source: the tables RENAMES and SPLITS, applied as transformers applies them.
    """
    for pattern, replacement in RENAMES.items():
        name = re.sub(pattern, replacement, name, count=1)
    for pattern, parts in SPLITS.items():
        if re.search(pattern, name):
            return tuple(re.sub(pattern, part, name, count=1) for part in parts)
    return (name,)


def split_rows(name: str, rows: torch.Tensor, text_config: Any) -> tuple[torch.Tensor, ...]:
    """What the rows of the checkpoint's tensor `name` become, in the order of `target_names`."""
    if len(target_names(name)) == 1:
        return (rows,)
    return split_qkv(rows, text_config) if ".wqkv." in name else rows.chunk(3)


def check_names_and_shapes(
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
        expected = _join([wanted[part] for part in parts], output_axis(name))
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
