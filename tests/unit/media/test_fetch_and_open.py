"""The images and videos of a request: its limits, and their tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xinference.model.llm.media import load_media_bytes

from tests.support.chat.case import BANNER, CLIP, SQUARE, Case
from tests.support.chat.cases import CASES
from tests.support.chat.media import clip, image, user
from tests.tiny import make_checkpoint
from xinference_internvl2.chat.build_prompt import build_prompt, collect_media
from xinference_internvl2.checkpoint.config import CheckpointConfig, read_config
from xinference_internvl2.errors import RequestError
from xinference_internvl2.media.fetch_and_open import open_media
from xinference_internvl2.media.limits import MediaLimits
from xinference_internvl2.media.tile_and_frame_options import read_request_limits


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> CheckpointConfig:
    return read_config(make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tiles_are_counted_as_they_are_cut(case: Case, checkpoint: CheckpointConfig) -> None:
    limits = read_request_limits(case.options, MediaLimits(checkpoint.max_tiles))
    media = collect_media(build_prompt(case.messages, checkpoint.template, limits.frames))
    found = open_media(media, limits, checkpoint, load_media_bytes)
    assert [item.tiles for item in found for _ in range(item.frames)] == case.tiles
    assert [len(tiles) for item in found for tiles in item.cut()] == case.tiles


NAMES = "max_dynamic_patch, min_dynamic_patch, num_frames, use_thumbnail, "
NAMES += "dynamic_image_size or fit"
WRONG_REQUESTS: list[tuple[Any, str]] = [
    ([6], f"mm_processor_kwargs has to be an object with {NAMES}"),
    ({"size": 1}, f"mm_processor_kwargs.size is not supported; use {NAMES}"),
    (
        {"max_dynamic_patch": 13},
        "mm_processor_kwargs.max_dynamic_patch 13 is not a whole number from 1 to 12, which is "
        "the most that this model was launched for",
    ),
    ({"num_frames": 0}, "mm_processor_kwargs.num_frames 0 is not a whole number from 1 to 64"),
    ({"num_frames": True}, "mm_processor_kwargs.num_frames True is not"),
]


@pytest.mark.parametrize(("wanted", "sentence"), WRONG_REQUESTS)
def test_wrong_request(wanted: Any, sentence: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_request_limits({"mm_processor_kwargs": wanted}, MediaLimits(12))
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_too_many_are_refused_before_they_are_fetched(
    kind: str, checkpoint: CheckpointConfig, tmp_path: Path
) -> None:
    part = image("http://unreachable.invalid") if kind == "image" else clip("http://x.invalid")
    media = collect_media(build_prompt([user([part] * 3)], checkpoint.template))
    with pytest.raises(RequestError) as caught:
        open_media(media, MediaLimits(12, images=2, videos=2), checkpoint, load_media_bytes)
    assert str(caught.value) == (
        f"messages[0].content[2].{kind}_url: the request has 3 {kind}s, but at most 2 are allowed; "
        "send fewer, or launch the model with a higher limit_mm_per_prompt"
    )


@pytest.mark.parametrize(("part", "word"), [(image(CLIP), "image"), (clip(SQUARE), "video")])
def test_one_kind_is_not_taken_for_the_other(
    part: dict[str, Any], word: str, checkpoint: CheckpointConfig
) -> None:
    media = collect_media(build_prompt([user([image(BANNER), part])], checkpoint.template))
    with pytest.raises(RequestError, match=rf"content\[1\].{word}_url is not "):
        open_media(media, MediaLimits(12), checkpoint, load_media_bytes)
