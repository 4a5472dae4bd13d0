"""The options of a launch that bound the media of requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint.config import CheckpointConfig, read_config
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.media.limits import MediaLimits
from xinference_internvl2.media.media_launch_options import read_launch_budget, read_launch_limits
from xinference_internvl2.media.memory_budget import default_memory


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> CheckpointConfig:
    return read_config(make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2"))


LAUNCHES: list[tuple[dict[str, Any], MediaLimits]] = [
    ({}, MediaLimits(12, 8, 16, 4)),
    ({"max_dynamic_patch": 6, "num_frames": 16}, MediaLimits(6, 16)),
    ({"limit_mm_per_prompt": {"image": 2, "video": 0}}, MediaLimits(12, 8, 2, 0)),
    ({"limit_mm_per_prompt": '{"image": 2}'}, MediaLimits(12, 8, 2)),
    ({"max_dynamic_patch": 64, "num_frames": 64}, MediaLimits(64, 64)),
    ({"max_dynamic_patch": 1, "num_frames": 1}, MediaLimits(1, 1)),
    ({"published_pixels": True}, MediaLimits(12, published_pixels=True)),
    ({"published_pixels": "true"}, MediaLimits(12, published_pixels=True)),
]


@pytest.mark.parametrize(("options", "limits"), LAUNCHES)
def test_launch(options: Any, limits: MediaLimits, checkpoint: CheckpointConfig) -> None:
    assert read_launch_limits(options, checkpoint) == limits


WRONG_LAUNCHES: list[tuple[dict[str, Any], str]] = [
    ({"max_dynamic_patch": 0}, "max_dynamic_patch 0 is not a whole number from 1 to 64"),
    ({"max_dynamic_patch": "x"}, "max_dynamic_patch 'x' is not"),
    ({"max_dynamic_patch": 65}, "max_dynamic_patch 65 is not a whole number from 1 to 64"),
    ({"published_pixels": 2}, "published_pixels 2 is not true or false"),
    ({"num_frames": 65}, "num_frames 65 is not a whole number from 1 to 64"),
    ({"limit_mm_per_prompt": "{"}, "limit_mm_per_prompt '{' is not a JSON object such as"),
    ({"limit_mm_per_prompt": "[1]"}, "limit_mm_per_prompt '[1]' is not a JSON object such as"),
    ({"limit_mm_per_prompt": {"image": -1}}, "image -1 is not a whole number from 0 to 65536"),
]


@pytest.mark.parametrize(("options", "sentence"), WRONG_LAUNCHES)
def test_wrong_launch(options: Any, sentence: str, checkpoint: CheckpointConfig) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_launch_limits(options, checkpoint)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("options", "memory", "waiting"),
    [
        ({"media_memory": 64, "max_waiting_requests": 0}, 64 << 20, 0),
        ({}, default_memory(), 128),
    ],
)
def test_a_budget(options: Any, memory: int, waiting: int) -> None:
    budget = read_launch_budget(options)
    assert (budget.tiles.total, budget._max_waiting) == (memory // 2, waiting)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"media_memory": 63}, "media_memory 63 is not a whole number from 64 to 1048576"),
        ({"max_waiting_requests": -1}, "max_waiting_requests -1 is not a whole number from 0 to"),
    ],
)
def test_a_wrong_budget(options: Any, sentence: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_launch_budget(options)
    assert str(caught.value).startswith(sentence)
