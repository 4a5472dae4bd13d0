"""Configurations and weights as tools save them again: the same model in other words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from .edit import edit_config

Config = dict[str, Any]

BUFFERS = (
    "language_model.model.layers.0.self_attn.rotary_emb.inv_freq",
    "language_model.model.layers.1.attention.rotary_emb.inv_freq",
    "vision_model.embeddings.position_ids",
)
"""What older tools saved beside the weights."""


def move_to_rope_parameters(config: Config, *, keep: bool = False) -> None:
    """Move the fields of RoPE to `rope_parameters`, as transformers 5 saves them."""
    llm = config["llm_config"]
    scaling = llm.get("rope_scaling") or {"type": "default"}
    rope = {key: value for key, value in scaling.items() if key != "type"}
    kind = {"su": "longrope"}.get(scaling["type"], scaling["type"])
    rope |= {"rope_type": kind, "rope_theta": llm["rope_theta"]}
    if "original_max_position_embeddings" in llm:
        rope["original_max_position_embeddings"] = llm["original_max_position_embeddings"]
        rope["partial_rotary_factor"] = 1.0
    llm["rope_parameters"] = rope
    if not keep:
        for key in ("rope_theta", "rope_scaling", "original_max_position_embeddings"):
            llm.pop(key, None)


def fill_scaling(value: Any) -> Callable[[Config], None]:
    """Return a change that sets `rope_scaling` where there is none."""

    def change(config: Config) -> None:
        llm = config["llm_config"]
        if llm.get("rope_scaling") is None:
            llm["rope_scaling"] = value

    return change


def rename_dtype(config: Config) -> None:
    """Rename `torch_dtype`, as transformers 5 does."""
    for part in (config, config["llm_config"], config["vision_config"]):
        part["dtype"] = part.pop("torch_dtype")


def add_fields_of_trainers(config: Config) -> None:
    """Add fields that training tools write."""
    config.update(hidden_size=128, img_context_token_id=7, system_message=None, use_cache=False)
    config["llm_config"].update(_attn_implementation_autoset=True, unsloth_version="2025.1")


VARIANTS: dict[str, Callable[[Config], Any]] = {
    "rope_parameters": move_to_rope_parameters,
    "both forms": lambda config: move_to_rope_parameters(config, keep=True),
    "empty scaling": fill_scaling({}),
    "default scaling": fill_scaling({"type": "default"}),
    "default rope type": fill_scaling({"rope_type": "default"}),
    "dtype": rename_dtype,
    "head_dim": lambda config: config["llm_config"].update(head_dim=32),
    "trainers": add_fields_of_trainers,
}
"""Name → what a tool makes of a `config.json`."""


def add_buffers(checkpoint: Path) -> None:
    """Add the buffers of older tools to the weights."""
    file = checkpoint / "model.safetensors"
    tensors = load_file(file) | {name: torch.arange(4) for name in BUFFERS}
    save_file(tensors, file, {"format": "pt"})


def add_token(checkpoint: Path, text: str) -> None:
    """Add a token, with a row of the embedding that no other has."""
    config = checkpoint / "tokenizer_config.json"
    values = json.loads(config.read_text(encoding="utf-8"))
    index = max(map(int, values["added_tokens_decoder"])) + 1
    values["added_tokens_decoder"][str(index)] = {"content": text, "special": False}
    config.write_text(json.dumps(values), encoding="utf-8")
    file = checkpoint / "model.safetensors"
    tensors = load_file(file)
    rows = json.loads((checkpoint / "config.json").read_text())["llm_config"]["vocab_size"]
    for name, tensor in tensors.items():
        if name.startswith("language_model.") and tensor.shape[0] == rows:
            tensors[name] = torch.cat([tensor, tensor[-1:] / 2])
    save_file(tensors, file, {"format": "pt"})
    edit_config(checkpoint, lambda c: c["llm_config"].update(vocab_size=rows + 1))


def resave(checkpoint: Path, token: str = "[STAR]") -> Path:
    """Save a checkpoint as transformers 5 does, with a token that was added, and with the buffers
    of older tools."""
    from xinference_internvl2.tokenizer.tokenizer import load_tokenizer

    def change(config: Config) -> None:
        for variant in ("rope_parameters", "dtype", "trainers"):
            VARIANTS[variant](config)

    edit_config(checkpoint, change)
    add_buffers(checkpoint)
    add_token(checkpoint, token)
    tokenizer = load_tokenizer(checkpoint)
    for name in ("tokenizer.model", "vocab.json", "merges.txt", "added_tokens.json"):
        (checkpoint / name).unlink(missing_ok=True)
    tokenizer.save_pretrained(checkpoint)
    return checkpoint
