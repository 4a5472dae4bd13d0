"""`python -m tests.shapes.export DIRECTORY --backbone phi3`: the trained model in a published
format.

The same function comes out for each backbone: the weights are laid out as its repositories have
them, and the rows of the embeddings follow its tokenizer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
from safetensors.torch import save_file

from tests.tiny.checkpoint import TOKENIZERS, write_description
from tests.tiny.dims import Backbone
from tests.tiny.tokenizer_files import write_json
from tests.tiny.weights import list_weight_shapes
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.weight_names import target_names

from .backbone_tokenizers import find_rows
from .chats import CHECKPOINT
from .model import DIMS, RMS_NORM_EPS, ROPE_THETA
from .vocabulary import PIECES, WORDS

SOURCE: Backbone = "qwen2"
"""The backbone of CHECKPOINT."""

State = Mapping[str, torch.Tensor]

_FUSED = {
    "self_attn.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "mlp.gate_up_proj": ("mlp.gate_proj", "mlp.up_proj"),
}
_EMBEDDINGS = ("model.language_model.embed_tokens.weight", "lm_head.weight")


def export(
    path: Path,
    backbone: Backbone,
    state: State,
    *,
    tokenizer: str | None = None,
    dtype: str = "bfloat16",
) -> Path:
    """Write the trained model as a checkpoint of `backbone` and return its directory.

    Args:
        state: the model's weights, with one row of PIECES after the other.
        tokenizer: its kind, where the backbone has several.
    """
    kind = tokenizer or TOKENIZERS[backbone][0]
    given = replace(DIMS, vocab_size=0)
    write_description(path, backbone, given, kind=kind, dtype=dtype, words=WORDS)
    order = _order_rows(path, kind)
    _align_config(path / "config.json", len(order))
    permuted = {n: t[order] if n in _EMBEDDINGS else t for n, t in state.items()}
    shapes = list_weight_shapes(backbone, "300m", replace(DIMS, vocab_size=len(order)))
    tensors = {
        name: _lay_out(name, shape, permuted).to(getattr(torch, dtype)).contiguous()
        for name, shape in shapes.items()
    }
    save_file(tensors, path / "model.safetensors", {"format": "pt"})
    return path


def _order_rows(path: Path, kind: str) -> list[int]:
    """The row in PIECES of each token; pieces that the tokenizer lacks follow as padding."""
    found = find_rows(load_tokenizer(path), kind)
    return [*found, *sorted(set(range(len(PIECES))) - set(found))]


def _align_config(file: Path, vocab_size: int) -> None:
    """Give `config.json` the numbers that the backbones differ in but the trained model has."""
    config = json.loads(file.read_text(encoding="utf-8"))
    llm = config["llm_config"]
    llm.update(vocab_size=vocab_size, rms_norm_eps=RMS_NORM_EPS, rope_theta=ROPE_THETA)
    if llm["model_type"] == "phi3":  # LongRoPE that stretches nothing
        ones = [1.0] * (DIMS.head_dim // 2)
        llm["rope_scaling"].update(short_factor=ones, long_factor=ones)
        llm["max_position_embeddings"] = llm["original_max_position_embeddings"]
    write_json(file, config)


def _lay_out(name: str, shape: tuple[int, ...], state: State) -> torch.Tensor:
    """One tensor of the published layout; biases that the trained model lacks are zero."""
    parts = [part for target in target_names(name) for part in _split_fused(target)]
    if parts[0] not in state and name.endswith(".bias"):
        return torch.zeros(shape)
    found = [state[part] for part in parts]
    if ".wqkv." not in name:
        return torch.cat(found).reshape(shape)
    heads = [tensor.unflatten(0, (DIMS.kv_heads, -1, DIMS.head_dim)) for tensor in found]
    return torch.cat(heads, dim=1).reshape(shape)


def _split_fused(target: str) -> list[str]:
    for fused, parts in _FUSED.items():
        if fused in target:
            return [target.replace(fused, part) for part in parts]
    return [target]


def read_state(path: Path = CHECKPOINT) -> State:
    """The trained weights of an exported checkpoint of SOURCE, with the rows of PIECES."""
    state = load_model(path).state_dict()
    order = _order_rows(path, TOKENIZERS[SOURCE][0])
    first = [order.index(row) for row in range(len(PIECES))]
    return {n: t[first] if n in _EMBEDDINGS else t for n, t in state.items()}


def main() -> None:
    parser = argparse.ArgumentParser("tests.shapes.export", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--backbone", required=True, choices=get_args(Backbone))
    parser.add_argument("--training", type=Path, help="a directory that train wrote to")
    options = parser.parse_args()
    if options.training:
        state = torch.load(options.training / "state.pt", weights_only=True)["model"]
    else:
        state = read_state()
    print(export(options.directory, options.backbone, state))


if __name__ == "__main__":
    main()
