"""Weights under their published names: tables of names and shapes, and a seeded initialisation.

Dimension letters: V vocabulary, D hidden, F intermediate, Q query rows, K key or value rows;
E, H the same as D, F for the vision model; P patches a tile + 1; C 3 channels, S patch side.
"""

from __future__ import annotations

import json
import math
import shutil
import zlib
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from .dims import Backbone, Dims, Vit

Shape = tuple[int, ...]
Table = dict[str, str]
Tensors = dict[str, torch.Tensor]

_EMBEDDINGS: Table = {
    "vision_model.embeddings.class_embedding": "1 1 E",
    "vision_model.embeddings.patch_embedding.weight": "E C S S",
    "vision_model.embeddings.patch_embedding.bias": "E",
    "vision_model.embeddings.position_embedding": "1 P E",
}
_VIT_LAYER: Table = {
    "attn.qkv.weight": "3E E",
    "attn.proj.weight": "E E",
    "attn.proj.bias": "E",
    "norm1.weight": "E",
    "norm2.weight": "E",
    "mlp.fc1.weight": "H E",
    "mlp.fc1.bias": "H",
    "mlp.fc2.weight": "E H",
    "mlp.fc2.bias": "E",
    "ls1": "E",
    "ls2": "E",
}
_VIT_EXTRA: dict[Vit, Table] = {
    "300m": {"attn.qkv.bias": "3E", "norm1.bias": "E", "norm2.bias": "E"},
    "6b": {"attn.q_norm.weight": "E", "attn.k_norm.weight": "E"},
}
_PROJECTOR: Table = {
    "mlp1.0.weight": "4E",
    "mlp1.0.bias": "4E",
    "mlp1.1.weight": "D 4E",
    "mlp1.1.bias": "D",
    "mlp1.3.weight": "D D",
    "mlp1.3.bias": "D",
}
_LLAMA_HEAD: Table = {
    "model.embed_tokens.weight": "V D",
    "model.norm.weight": "D",
    "lm_head.weight": "V D",
}
_HEAD: dict[Backbone, Table] = {
    "qwen2": _LLAMA_HEAD,
    "phi3": _LLAMA_HEAD,
    "llama": _LLAMA_HEAD,
    "internlm2": {
        "model.tok_embeddings.weight": "V D",
        "model.norm.weight": "D",
        "output.weight": "V D",
    },
}
_NORMS: Table = {"input_layernorm.weight": "D", "post_attention_layernorm.weight": "D"}
_LLAMA_LAYER: Table = {
    **_NORMS,
    "self_attn.q_proj.weight": "Q D",
    "self_attn.k_proj.weight": "K D",
    "self_attn.v_proj.weight": "K D",
    "self_attn.o_proj.weight": "D Q",
    "mlp.gate_proj.weight": "F D",
    "mlp.up_proj.weight": "F D",
    "mlp.down_proj.weight": "D F",
}
_LAYER: dict[Backbone, Table] = {
    "llama": _LLAMA_LAYER,
    "qwen2": {
        **_LLAMA_LAYER,
        "self_attn.q_proj.bias": "Q",
        "self_attn.k_proj.bias": "K",
        "self_attn.v_proj.bias": "K",
    },
    "internlm2": {
        "attention_norm.weight": "D",
        "ffn_norm.weight": "D",
        "attention.wqkv.weight": "QKV D",
        "attention.wo.weight": "D Q",
        "feed_forward.w1.weight": "F D",
        "feed_forward.w2.weight": "D F",
        "feed_forward.w3.weight": "F D",
    },
    "phi3": {
        **_NORMS,
        "self_attn.qkv_proj.weight": "QKV D",
        "self_attn.o_proj.weight": "D Q",
        "mlp.gate_up_proj.weight": "2F D",
        "mlp.down_proj.weight": "D F",
    },
}


def _resolve_letters(dims: Dims) -> dict[str, int]:
    query, key = dims.heads * dims.head_dim, dims.kv_heads * dims.head_dim
    return {
        "1": 1,
        "C": 3,
        "S": dims.patch_size,
        "P": (dims.image_size // dims.patch_size) ** 2 + 1,
        "E": dims.vit_hidden,
        "3E": 3 * dims.vit_hidden,
        "4E": 4 * dims.vit_hidden,
        "H": dims.vit_intermediate,
        "V": dims.vocab_size,
        "D": dims.hidden,
        "F": dims.intermediate,
        "2F": 2 * dims.intermediate,
        "Q": query,
        "K": key,
        "QKV": query + 2 * key,
    }


def list_weight_shapes(backbone: Backbone, vit: Vit, dims: Dims) -> dict[str, Shape]:
    """Return every weight's published name and shape, in the order they are written."""
    table: Table = dict(_EMBEDDINGS)
    for index in range(dims.vit_layers):
        layer = _VIT_LAYER | _VIT_EXTRA[vit]
        table |= {f"vision_model.encoder.layers.{index}.{name}": s for name, s in layer.items()}
    table |= _PROJECTOR
    table |= {f"language_model.{name}": s for name, s in _HEAD[backbone].items()}
    for index in range(dims.layers):
        prefix = f"language_model.model.layers.{index}."
        table |= {prefix + name: s for name, s in _LAYER[backbone].items()}
    letters = _resolve_letters(dims)
    return {name: tuple(letters[part] for part in s.split()) for name, s in table.items()}


_LOGIT_GAIN = 4.0  # spreads the logits, so that greedy tokens survive rounding to bfloat16


def _draw_weight(name: str, shape: Shape, seed: int, dtype: torch.dtype) -> torch.Tensor:
    """Return one weight of ``shape``, drawn from a generator seeded by ``seed`` and ``name``."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}:{name}".encode()))
    values = torch.randn(shape, generator=generator)
    owner, _, kind = name.rpartition(".")
    if kind in ("ls1", "ls2"):
        values = 0.5 + 0.1 * values
    elif kind == "bias":
        values *= 0.1
    elif len(shape) == 1:  # the weight of a norm
        values = 1.0 + 0.1 * values
    elif owner.endswith(("lm_head", "output")):
        values *= _LOGIT_GAIN / math.sqrt(shape[-1])
    elif kind == "weight" and not owner.endswith("embed_tokens") and "tok_emb" not in owner:
        values *= 1.0 / math.sqrt(math.prod(shape[1:]))
    return values.to(dtype)


def _split_into_shards(shapes: dict[str, Shape], count: int) -> list[list[str]]:
    """Split the names into ``count`` runs of about equal size."""
    total, done = sum(map(math.prod, shapes.values())), 0
    runs: list[list[str]] = [[] for _ in range(count)]
    for name, shape in shapes.items():
        runs[min(done * count // total, count - 1)].append(name)
        done += math.prod(shape)
    return [run for run in runs if run]


def write_weights(
    path: Path, shapes: dict[str, Shape], *, seed: int, dtype: str, shards: int
) -> None:
    """Write one file, or ``shards`` files and their index; one file is in memory at a time."""
    runs = _split_into_shards(shapes, shards)
    torch_dtype: torch.dtype = getattr(torch, dtype)
    weight_map: dict[str, str] = {}
    for number, run in enumerate(runs, 1):
        file = f"model-{number:05d}-of-{len(runs):05d}.safetensors"
        file = "model.safetensors" if len(runs) == 1 else file
        tensors = {name: _draw_weight(name, shapes[name], seed, torch_dtype) for name in run}
        save_file(tensors, path / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(run, file)
    if len(runs) > 1:
        size = torch_dtype.itemsize * sum(map(math.prod, shapes.values()))
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))}
        text = json.dumps(index, indent=2) + "\n"
        (path / "model.safetensors.index.json").write_text(text, encoding="utf-8")


def read_tensors(checkpoint: Path) -> Tensors:
    """Return all weights of a checkpoint."""
    files = sorted(checkpoint.glob("model*.safetensors"))
    return {name: tensor for file in files for name, tensor in load_file(file).items()}


def copy_checkpoint(source: Path, target: Path, tensors: Tensors) -> Path:
    """Copy the checkpoint `source` with other weights, and return where it is."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors*"))
    save_file(dict(sorted(tensors.items())), target / "model.safetensors", {"format": "pt"})
    return target
