"""Every field of `config.json` with a value of every kind: it is read, or named in a sentence."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint.config import (
    CheckpointConfig,
    find_problems,
    parse_config,
    read_config,
)
from xinference_internvl2.errors import MAX_MESSAGE, CheckpointError
from xinference_internvl2.transformers.model.hf_config import model_config
from xinference_internvl2.vllm.hf_config import InternVLChatConfig

DEEP: Any = []
for _ in range(28):
    DEEP = [DEEP]
VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 10**30, float("nan"), "\ud800\n" + "y" * 10**4, [1], {"a": 1}, DEEP)
]
ABSENT = [
    *(("quantization_config",), ("rope_scaling",), ("rope_parameters",), ("rope_theta",)),
    *(
        ("dtype",),
        ("torch_dtype",),
        ("tie_word_embeddings",),
        ("layer_types",),
        ("sliding_window",),
    ),
    *(("original_max_position_embeddings",), ("partial_rotary_factor",), ("generation_config",)),
    ("rope_scaling", "original_max_position_embeddings"),
]
"""Fields that some checkpoints have, at the top or of the language model."""


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in inner:
        yield (*place, key)
        if isinstance(each, dict | list):
            yield from places(each, (*place, key))


def with_value(values: Any, place: tuple[Any, ...], value: Any) -> Any:
    changed = inner = copy.deepcopy(values)
    for key in place[:-1]:
        if isinstance(inner, dict) and not isinstance(inner.get(key), dict | list):
            inner[key] = {}
        inner = inner[key]
    inner[place[-1]] = value
    return changed


def refusal(path: Path, values: Any, sound: CheckpointConfig) -> str | None:
    """Why a configuration is refused, by either engine; None if it is not."""
    try:
        checkpoint = parse_config(path, values)
        if checkpoint != sound:  # else both engines make the same of it
            model_config(checkpoint)
            InternVLChatConfig(**{**values, "_name_or_path": str(path)})
    except CheckpointError as error:
        return str(error)
    return None


def test_every_field_with_every_value(tmp_path: Path) -> None:
    """Of the backbone whose configuration has most fields."""
    path = make_checkpoint(tmp_path, backbone="phi3")
    file = path / "config.json"
    values = json.loads(file.read_bytes())
    absent = [(*part, *place) for part in ((), ("llm_config",)) for place in ABSENT]
    sound, refused = read_config(path), 0
    for place in dict.fromkeys([*places(values), *absent]):
        for value in VALUES:
            changed = with_value(values, place, value)
            if found := refusal(path, changed, sound):
                refused += 1
                file.write_text(json.dumps(changed))
                for sentence in (found, *find_problems(path)):
                    assert sentence.isprintable(), (place, value)
                    assert len(sentence) <= MAX_MESSAGE, (place, value)
    assert refused > 500
