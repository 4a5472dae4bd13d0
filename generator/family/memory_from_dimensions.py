"""The memory that a checkpoint needs, from the dimensions of its parts.

Shapes use: H hidden size and F inner width of a feed-forward layer, V vocabulary, Q and K query
and key-value heads of D, T tokens, P patches of a tile with its class token. Sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .model import Family, ModelSpec, VisionTower

CONTEXT = 8192
"""The tokens of the context, prompt and answer, for which the memory of a checkpoint is given."""
TILES = 13
"""The tiles of the images in it: as many as one image has at most, its thumbnail included."""

FLOAT = 2
"""Bytes of a bfloat16 or float16, in which everything is that is not quantized."""
TILES_AT_ONCE = 2
"""Tiles that the plugin's Transformers engine shows to the vision tower in a step."""
CHUNK = 512
"""Tokens of a prompt that it reads in a step."""
MASK = 1 + FLOAT
"""Bytes that say whether a token of a chunk attends to a key: as a boolean, and as a number."""
PATCHES_PER_TOKEN = 4
"""Pixel shuffle makes one token of 2 × 2 patches."""
CHANNELS = 3


@dataclass(frozen=True, slots=True)
class Backbone:
    """What a language model has beside Llama's structure, which all of them share."""

    qkv_bias: bool = False
    inner: int = 3
    """Values of width F that a feed-forward layer holds at once: the gate after its activation,
    the other half, and their product; where one weight makes both halves, they stay until then."""


BACKBONES = {
    "Qwen2ForCausalLM": Backbone(qkv_bias=True),
    "InternLM2ForCausalLM": Backbone(),
    "Phi3ForCausalLM": Backbone(inner=4),
    "LlamaForCausalLM": Backbone(),
}


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """The dimensions of a language model, by the names of its configuration."""

    backbone: Backbone
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int

    @classmethod
    def from_metadata(cls, backbone: str, metadata: Mapping[str, Any]) -> LanguageModel:
        """Return the language model of this class name with these dimensions of the host's."""
        heads = metadata["num_attention_heads"]
        implied = {
            "num_key_value_heads": heads,
            "head_dim": metadata["hidden_size"] // heads,
        }
        known = {**implied, **metadata}
        fields = [name for name in cls.__slots__ if name != "backbone"]
        return cls(BACKBONES[backbone], **{name: known[name] for name in fields})

    @property
    def linears(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of the linear weights of a layer: these are what is quantized."""
        hidden, inner = self.hidden_size, self.intermediate_size
        queries, keys = self.widths
        return [
            *((queries, hidden), (keys, hidden), (keys, hidden), (hidden, queries)),
            *((inner, hidden), (inner, hidden), (hidden, inner)),
        ]

    @property
    def parameters(self) -> int:
        """The number of parameters, of which the linear weights of the layers are a part."""
        queries, keys = self.widths
        bias = queries + 2 * keys if self.backbone.qkv_bias else 0
        layer = sum(rows * columns for rows, columns in self.linears) + bias + 2 * self.hidden_size
        # The embeddings, the head and the last norm.
        ends = (2 * self.vocab_size + 1) * self.hidden_size
        return ends + self.num_hidden_layers * layer

    @property
    def widths(self) -> tuple[int, int]:
        """The values of a token's queries, and those of its keys."""
        return self.num_attention_heads * self.head_dim, self.num_key_value_heads * self.head_dim


@dataclass(frozen=True, slots=True)
class Storage:
    """How a linear weight is kept: bytes of a value and, beyond that, of a row."""

    value: float
    row: int = 0


STORAGE = {
    "none": Storage(FLOAT),
    # bitsandbytes: a byte, and a float32 scale of every row.
    "8-bit": Storage(1, 4),
    # bitsandbytes, NF4: a scale of 64 values in a byte, and a float32 one of 256 of those.
    "4-bit": Storage((4 + 8 / 64 + 32 / (64 * 256)) / 8),
    # AWQ: a float16 scale and a zero point of 4 bits of 128 values.
    "Int4": Storage((4 + (16 + 4) / 128) / 8),
}
"""By quantization; the embeddings, the head, the projector and the vision tower are never."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of the weights, of the keys and values of a context, and of what a prompt passes
    through at most."""

    weights: int
    kv_cache: int
    activations: int

    @property
    def total(self) -> int:
        """What is there at once."""
        return self.weights + self.kv_cache + self.activations


def estimate_by_quantization(family: Family, spec: ModelSpec) -> dict[str, Memory]:
    """Return the memory that a checkpoint needs, by quantization; none where it is unknown."""
    parts = find_dimensions(family, spec)
    known = [q for q in spec.all_quantizations if q in STORAGE] if parts else []
    return {q: compute_memory(*parts, q, CONTEXT, TILES) for q in known if parts}


def find_dimensions(family: Family, spec: ModelSpec) -> tuple[VisionTower, LanguageModel] | None:
    """Return the two models of a checkpoint; None where their dimensions are unknown."""
    if spec.vision_tower is None or spec.serving is None:
        return None
    language = LanguageModel.from_metadata(spec.serving.backbone, spec.dimensions)
    return family.vision_towers[spec.vision_tower], language


def count_parameters(vision: VisionTower, language: LanguageModel) -> int:
    """Return the number of parameters of a checkpoint."""
    return _count_vision(vision) + _count_projector(vision, language) + language.parameters


def compute_memory(
    vision: VisionTower, language: LanguageModel, quantization: str, tokens: int, tiles: int
) -> Memory:
    """Return what one request needs with a context of `tokens`, `tiles` of images among them.

    The prompt is read in chunks of `CHUNK` tokens, and its tiles are looked at before them.
    """
    each, chunk = UnitMemory.from_models(vision, language), min(tokens, CHUNK)
    tower = min(tiles, TILES_AT_ONCE) * each.tower_per_tile
    attention = chunk * each.attention_per_token + tokens * (each.copies_per_token + chunk * MASK)
    widest = max(tower, chunk * each.feed_forward_per_token, attention)
    return Memory(
        weights=compute_weights(vision, language, quantization),
        kv_cache=each.kv_cache_per_token * tokens,
        activations=tiles * each.kept_per_tile + widest,
    )


def compute_weights(vision: VisionTower, language: LanguageModel, quantization: str) -> int:
    """Return the bytes of all parameters."""
    stored = STORAGE[quantization]
    linears = language.num_hidden_layers * sum(o * i for o, i in language.linears)
    rows = language.num_hidden_layers * sum(o for o, _ in language.linears)
    unquantized = count_parameters(vision, language) - linears
    return round(FLOAT * unquantized + stored.value * linears + stored.row * rows)


@dataclass(frozen=True, slots=True)
class UnitMemory:
    """Bytes that each token or tile of a request takes.

    Until its prompt is read, a tile is kept as pixels of a byte and as what the language model
    reads of it. Beside that, a prompt takes what is held at the widest place that it passes:

    - The tower's feed-forward layers: the pixels as numbers, the embeddings, the layer's input,
      what attention made of it, their sum and its norm (5 H), and the inner values before and
      after their activation (2 F).
    - The language model's feed-forward layers: the same without what attention made (4 H), and as
      many inner values as `inner`.
    - Its attention, where a chunk attends to those before it: the layer's input and its norm
      (2 H), queries before and after their rotation and keys and values (2 Q D + 2 K D) of the
      chunk; of the whole context a copy of keys and values for every query head (2 Q D), unless
      each has a key head of its own; and the mask.
    """

    kv_cache_per_token: int
    feed_forward_per_token: int
    attention_per_token: int
    copies_per_token: int
    tower_per_tile: int
    kept_per_tile: int

    @classmethod
    def from_models(cls, vision: VisionTower, language: LanguageModel) -> UnitMemory:
        """Return those of a checkpoint with these two models."""
        hidden, (queries, keys) = language.hidden_size, language.widths
        inner = language.backbone.inner * language.intermediate_size
        tower = 5 * vision.hidden_size + 2 * vision.intermediate_size
        pixels = CHANNELS * vision.image_size**2
        features = vision.patches // PATCHES_PER_TOKEN * hidden
        return cls(
            kv_cache_per_token=FLOAT * 2 * language.num_hidden_layers * keys,
            feed_forward_per_token=FLOAT * (4 * hidden + inner),
            attention_per_token=FLOAT * 2 * (hidden + queries + keys),
            copies_per_token=FLOAT * 2 * queries if queries > keys else 0,
            tower_per_tile=FLOAT * (vision.patches * tower + pixels),
            kept_per_tile=pixels + FLOAT * features,
        )


def _count_vision(tower: VisionTower) -> int:
    """Return the parameters of a vision tower."""
    hidden, inner = tower.hidden_size, tower.intermediate_size
    embeddings = hidden * (CHANNELS * tower.patch_size**2 + 1) + hidden * (1 + tower.patches)
    attention = 4 * hidden**2 + hidden + 3 * hidden * tower.qkv_bias
    norms = 2 * hidden * (2 if tower.norm_type == "layer_norm" else 1)
    norms += 2 * hidden * tower.qk_normalization
    scales = 2 * hidden
    feed_forward = 2 * hidden * inner + inner + hidden
    return embeddings + tower.num_hidden_layers * (attention + norms + scales + feed_forward)


def _count_projector(tower: VisionTower, language: LanguageModel) -> int:
    """Return the parameters of the projector: a norm and two linear layers, all with biases."""
    merged, hidden = PATCHES_PER_TOKEN * tower.hidden_size, language.hidden_size
    return 2 * merged + (merged + 1) * hidden + (hidden + 1) * hidden
