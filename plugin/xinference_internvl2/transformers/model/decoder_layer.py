"""A layer of the language model in few and large operations.

Llama, Qwen2 and Phi-3 are one architecture, which transformers writes three times, and in more and
smaller operations. In a decode step of a small model, starting those takes a quarter of the time.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedModel

from .attention import attend
from .fused_projections import fuse_layers
from .rms_norm import RMSNorm
from .rotary import rotate


def replace_layers(model: PreTrainedModel) -> None:
    """Put a `DecoderLayer` in the place of each layer of the language model, but of those whose
    weights accelerate brings only when they are computed."""
    layers = model.model.language_model.layers
    for index, layer in enumerate(layers):
        if any(weight.is_meta for weight in layer.parameters()):
            continue
        layers[index] = DecoderLayer(layer)
        if hook := getattr(layer, "_hf_hook", None):  # accelerate's, which changes the device
            from accelerate.hooks import add_hook_to_module

            add_hook_to_module(layers[index], hook)


class DecoderLayer(nn.Module):
    """Computes what a layer of transformers does, with its weights."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention, mlp = layer.self_attn, layer.mlp
        self.layer_idx, self.head_dim = attention.layer_idx, attention.head_dim
        self.scaling, self.num_key_value_groups = attention.scaling, attention.num_key_value_groups
        self.qkv_proj = fuse_layers(attention, "qkv_proj", ("q_proj", "k_proj", "v_proj"))
        self.o_proj = attention.o_proj
        self.gate_up_proj = fuse_layers(mlp, "gate_up_proj", ("gate_proj", "up_proj"))
        self.activation = getattr(mlp, "act_fn", None) or mlp.activation_fn
        self.down_proj = mlp.down_proj
        self.input_layernorm = RMSNorm(layer.input_layernorm)
        self.post_attention_layernorm = RMSNorm(layer.post_attention_layernorm)

    def forward(
        self,
        hidden: torch.Tensor,
        attention_mask: torch.Tensor | None,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        past_key_values: Any = None,
        **options: Any,
    ) -> torch.Tensor:
        """(batch, positions, hidden size) → the same shape; arguments as of transformers' layers"""
        normed = self.input_layernorm(hidden)
        seen = self._attend(normed, attention_mask, position_embeddings, past_key_values)
        hidden = hidden + seen
        normed = self.post_attention_layernorm(hidden)
        gate, up = self.gate_up_proj(normed).chunk(2, dim=-1)
        return cast(torch.Tensor, hidden + self.down_proj(self.activation(gate) * up))

    def _attend(
        self,
        rows: torch.Tensor,
        mask: torch.Tensor | None,
        encoding: tuple[torch.Tensor, torch.Tensor],
        cache: Any,
    ) -> torch.Tensor:
        heads = self.qkv_proj(rows).unflatten(-1, (-1, self.head_dim))
        keys = heads.shape[-2] // (self.num_key_value_groups + 2)
        queries = keys * self.num_key_value_groups
        turned = rotate(heads[:, :, : queries + keys], *encoding).transpose(1, 2)
        query, key = turned[:, :queries], turned[:, queries:]
        value = heads[:, :, queries + keys :].transpose(1, 2)
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)
        seen, _ = attend(self, query, key, value, mask, self.scaling)
        return cast(torch.Tensor, self.o_proj(seen.flatten(2)))
