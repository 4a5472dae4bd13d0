"""The names of an original InternVL2 checkpoint's weights, and what transformers calls them."""

from __future__ import annotations

import re
from typing import Any

import torch

from .internlm2_wqkv import split_qkv

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
