"""Checkpoints of any size whose weights take no room on the disk, since nobody reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

from .edit import edit_config

LAYERS, FIRST = "language_model.model.layers.", "language_model.model.layers.0."
Shapes = Mapping[str, list[int]]


def enlarge(path: Path, layers: int, width: int) -> Path:
    """Give the language model of a small Qwen2 checkpoint so many layers, and feed-forward layers
    of that width. Each layer has a file of its own, which is empty behind its header."""
    config = json.loads((path / "config.json").read_text())
    narrow = config["llm_config"]["intermediate_size"]
    larger = {"num_hidden_layers": layers, "intermediate_size": width}
    edit_config(path, lambda config: config["llm_config"].update(larger))
    stored = _read_shapes(path / "model.safetensors")
    (path / "model.safetensors").unlink()
    first = {
        name: [width if size == narrow and ".mlp." in name else size for size in shape]
        for name, shape in stored.items()
        if name.startswith(FIRST)
    }
    rest = {name: shape for name, shape in stored.items() if not name.startswith(LAYERS)}
    files = [rest]
    for number in range(layers):
        files.append({LAYERS + str(number) + name[len(FIRST) - 1 :]: first[name] for name in first})
    places = {}
    for number, shapes in enumerate(files):
        file = path / f"model-{number:05}.safetensors"
        _write_header(file, shapes)
        places |= dict.fromkeys(shapes, file.name)
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return path


def _read_shapes(file: Path) -> dict[str, list[int]]:
    with file.open("rb") as opened:
        header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
    return {name: value["shape"] for name, value in header.items() if name != "__metadata__"}


def _write_header(file: Path, shapes: Shapes) -> None:
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with file.open("wb") as opened:
        opened.write(len(text).to_bytes(8, "little") + text)
        opened.truncate(8 + len(text) + end)
