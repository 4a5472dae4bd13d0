"""The tiny InternVL2 in transformers' native classes, as it is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import InternVLConfig, LlamaConfig

from tests.tiny.dims import Dims
from xinference_internvl2.tokenizer.image_tokens import IMAGE_TOKEN
from xinference_internvl2.transformers.model.internvl2_model import (
    InternVL2ForConditionalGeneration,
)

from .batches import NO_LABEL, Batch
from .patch_labels import CELLS, MAX_TILES, TILE_SIZE
from .vocabulary import PIECES

DIMS = Dims(
    hidden=128,
    layers=4,
    heads=4,
    kv_heads=4,
    intermediate=256,
    vocab_size=len(PIECES),
    vit_hidden=128,
    vit_layers=4,
    vit_heads=4,
    vit_intermediate=256,
    image_size=TILE_SIZE,
    max_dynamic_patch=MAX_TILES,
)
ROPE_THETA = 10000.0
RMS_NORM_EPS = 1e-5


def make_config(dims: Dims = DIMS) -> InternVLConfig:
    """A Llama behind a 300M-style vision tower, with the vocabulary PIECES."""
    vision = {
        "hidden_size": dims.vit_hidden,
        "num_attention_heads": dims.vit_heads,
        "num_hidden_layers": dims.vit_layers,
        "intermediate_size": dims.vit_intermediate,
        "image_size": dims.image_size,
        "patch_size": dims.patch_size,
        "attention_bias": True,
        "norm_type": "layer_norm",
        "layer_norm_eps": 1e-6,
    }
    text = LlamaConfig(
        vocab_size=dims.vocab_size,
        hidden_size=dims.hidden,
        intermediate_size=dims.intermediate,
        num_hidden_layers=dims.layers,
        num_attention_heads=dims.heads,
        num_key_value_heads=dims.kv_heads,
        rms_norm_eps=RMS_NORM_EPS,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=False,
    )
    return InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=PIECES.index(IMAGE_TOKEN),
        image_seq_length=CELLS**2,
        vision_feature_layer=-1,
        tie_word_embeddings=False,
    )


def make_model(seed: int) -> InternVL2ForConditionalGeneration:
    """A model to train, with weights drawn from `seed`."""
    torch.manual_seed(seed)
    model = InternVL2ForConditionalGeneration(make_config())
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=1 / math.sqrt(module.weight[0].numel()))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    residual = ("o_proj.weight", "down_proj.weight", "projection_layer.weight", "fc2.weight")
    for name, weight in model.named_parameters():
        if name.endswith(residual):
            weight.data /= math.sqrt(2 * DIMS.layers)
        elif name.endswith((".lambda_1", ".lambda_2")):
            nn.init.ones_(weight)
    tower: Any = model.model.vision_tower
    positions = tower.embeddings.position_embeddings
    positions.data[0, 1:] = _make_position_embeddings(
        DIMS.image_size // DIMS.patch_size, DIMS.vit_hidden
    )
    tower.embeddings.patch_embeddings.projection.weight.data = _make_filters(DIMS)
    nn.init.normal_(tower.embeddings.cls_token, std=0.5)
    nn.init.normal_(model.get_input_embeddings().weight, std=0.5)
    return model


def _make_position_embeddings(side: int, size: int) -> torch.Tensor:
    """Sines and cosines of the rows and columns of a square grid: (side · side, size)."""
    frequencies = 10.0 ** -torch.linspace(0, 1.5, size // 4)
    angles = torch.arange(side)[:, None] * frequencies
    one = 0.5 * torch.cat([angles.sin(), angles.cos()], dim=1)
    down, across = one[:, None].expand(-1, side, -1), one[None].expand(side, -1, -1)
    return torch.cat([down, across], dim=2).flatten(0, 1)


_OPPONENTS = ((1.0, 1.0, 1.0), (1.0, -1.0, 0.0), (0.5, 0.5, -1.0))


def _make_filters(dims: Dims) -> torch.Tensor:
    """Filters that keep what is coarse in a patch, a cosine transform of its light and of its
    two opponent colours: (vit_hidden, 3, patch_size, patch_size). Random ones see little but the
    mean colour, and take long to learn more."""
    size = dims.patch_size
    places = (torch.arange(size) + 0.5) * math.pi / size
    order = sorted(
        (price * math.hypot(down + 0.5, across + 0.5), colour, down, across)
        for colour, price in enumerate((1, 2, 2))
        for down in range(size)
        for across in range(size)
    )[: dims.vit_hidden]
    filters = []
    for _, colour, down, across in order:
        wave = torch.outer((places * down).cos(), (places * across).cos())
        wave = torch.tensor(_OPPONENTS[colour])[:, None, None] * wave
        filters.append(wave / wave.norm() * (1 + math.hypot(down, across)) * 0.06)
    return torch.stack(filters)


@dataclass(frozen=True)
class States:
    """What the language model gets of the tiles (T, C, D), what it makes of their image tokens
    halfway (T, C, D), and its last states (B, L, D); of texts there are only the last."""

    last: torch.Tensor
    features: torch.Tensor | None = None
    halfway: torch.Tensor | None = None


def compute_hidden_states(model: Any, batch: Batch) -> States:
    """Run the model but for its head."""
    embeds, features = model.get_input_embeddings()(batch.input_ids), None
    slots = batch.input_ids == model.config.image_token_id
    if batch.pixel_values is not None:
        pixels = batch.pixel_values.to(model.dtype)
        features = model.model.get_image_features(pixels).pooler_output
        embeds = embeds.masked_scatter(slots[..., None], features.to(embeds.dtype))
    output = model.model.language_model(
        inputs_embeds=embeds,
        attention_mask=batch.make_mask(),
        position_ids=batch.position_ids,
        use_cache=False,
        output_hidden_states=True,
    )
    if features is None:
        return States(output.last_hidden_state)
    halfway = output.hidden_states[DIMS.layers // 2][slots].view_as(features)
    return States(output.last_hidden_state, features, halfway)


@torch.inference_mode()
def predict(model: Any, batch: Batch) -> torch.Tensor:
    """The most likely token after each token of the answers' prompts: (B, L)."""
    states = compute_hidden_states(model, batch).last
    predicted = torch.full_like(batch.labels, NO_LABEL)
    places = batch.labels != NO_LABEL
    predicted[places] = model.lm_head(states[places]).argmax(-1)
    return predicted
