"""What each image and video, and a request as a whole, may ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat.media import clip, draw_picture, image, image_uri, user, video_uri
from tests.tiny import make_checkpoint
from xinference_internvl2.chat.build_prompt import build_prompt, collect_media
from xinference_internvl2.checkpoint.config import CheckpointConfig, read_config
from xinference_internvl2.errors import CheckpointError, RequestError
from xinference_internvl2.media.fetch_and_open import open_media
from xinference_internvl2.media.limits import MediaLimits
from xinference_internvl2.media.media_item import OpenMedia
from xinference_internvl2.media.media_launch_options import read_launch_limits
from xinference_internvl2.media.tile_and_frame_options import read_request_limits
from xinference_internvl2.media.tiles import Tiling

WIDE = image_uri(draw_picture(640, 320))
CLIP = video_uri()
"""24 frames, three seconds of them."""


def no_fetch(url: str, deadline: float) -> bytes:
    raise AssertionError(url)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> CheckpointConfig:
    path: Path = make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2")
    return read_config(path)


def opened(
    part: dict[str, Any],
    checkpoint: CheckpointConfig,
    kwargs: dict[str, Any] | None = None,
    limits: MediaLimits | None = None,
) -> OpenMedia:
    launched = limits or MediaLimits(12)
    wanted = read_request_limits({"mm_processor_kwargs": kwargs}, launched)
    media = collect_media(build_prompt([user([part])], checkpoint.template, wanted.frames))
    (found,) = open_media(media, wanted, checkpoint, no_fetch)
    return found


# The picture's own options, the request's, least and most tiles, and whether there is a thumbnail.
TILINGS: list[tuple[dict[str, Any], dict[str, Any], tuple[int, int, bool]]] = [
    ({}, {}, (1, 12, True)),
    ({"detail": "auto"}, {}, (1, 12, True)),
    ({"detail": "low"}, {}, (1, 1, True)),
    ({"detail": "medium"}, {}, (1, 6, True)),
    ({"detail": "high"}, {}, (1, 12, True)),
    ({"detail": "high"}, {"max_dynamic_patch": 2}, (1, 12, True)),
    ({"max_dynamic_patch": 1}, {}, (1, 1, True)),
    ({"max_dynamic_patch": 12}, {"max_dynamic_patch": 2}, (1, 12, True)),
    ({"max_dynamic_patch": 4, "min_dynamic_patch": 4}, {}, (4, 4, True)),
    ({"min_dynamic_patch": None, "max_dynamic_patch": None}, {}, (1, 12, True)),
    ({}, {"max_dynamic_patch": 3, "min_dynamic_patch": 2}, (2, 3, True)),
    ({"max_dynamic_patch": 1}, {"min_dynamic_patch": 2}, (1, 1, True)),
    ({}, {"use_thumbnail": False}, (1, 12, False)),
    ({}, {"use_thumbnail": True, "dynamic_image_size": True}, (1, 12, True)),
    ({}, {"dynamic_image_size": False}, (1, 1, True)),
]


@pytest.mark.parametrize(("own", "kwargs", "tiling"), TILINGS)
def test_tiles_of_an_image(
    own: dict[str, Any],
    kwargs: dict[str, Any],
    tiling: tuple[int, int, bool],
    checkpoint: CheckpointConfig,
) -> None:
    assert opened(image(WIDE, **own), checkpoint, kwargs).tiling == Tiling(112, *tiling)


def test_a_checkpoint_without_thumbnail_can_be_asked_for_one(checkpoint: CheckpointConfig) -> None:
    plain = replace(checkpoint, use_thumbnail=False, min_tiles=2)
    assert opened(image(WIDE), plain).tiling == Tiling(112, 2, 12, False)
    assert opened(image(WIDE, detail="low"), plain).tiling == Tiling(112, 1, 1, False)
    assert opened(image(WIDE), plain, {"use_thumbnail": True}).tiling == Tiling(112, 2, 12)


def test_a_launch_may_allow_more_tiles_than_an_image_gets(checkpoint: CheckpointConfig) -> None:
    options = {"max_dynamic_patch": 6, "max_dynamic_patch_limit": 24}
    limits = read_launch_limits(options, checkpoint)
    assert opened(image(WIDE), checkpoint, limits=limits).tiling.max_tiles == 6
    assert opened(image(WIDE, detail="high"), checkpoint, limits=limits).tiling.max_tiles == 12
    most = opened(image(WIDE, max_dynamic_patch=24), checkpoint, limits=limits)
    assert most.tiling.max_tiles == 24
    with pytest.raises(RequestError, match="25 is not a whole number from 1 to 24, which is the"):
        opened(image(WIDE, max_dynamic_patch=25), checkpoint, limits=limits)
    with pytest.raises(CheckpointError, match="limit 5 is not a whole number from 6 to 64"):
        read_launch_limits({**options, "max_dynamic_patch_limit": 5}, checkpoint)


def video(url: str = CLIP, **options: Any) -> dict[str, Any]:
    part = clip(url)
    return {**part, "video_url": {**part["video_url"], **options}}


# The video's own options, the request's, frames, and tiles of each frame.
VIDEOS: list[tuple[dict[str, Any], dict[str, Any], int, int]] = [
    ({}, {}, 8, 1),
    ({}, {"num_frames": 3}, 3, 1),
    ({"num_frames": 5}, {"num_frames": 3}, 5, 1),
    ({"num_frames": 64}, {}, 64, 1),
    ({"fps": 2}, {}, 6, 1),
    ({"fps": 2, "end": 604_800}, {}, 6, 1),
    ({"fps": 2, "start": 1}, {}, 4, 1),
    ({"fps": 2, "start": 1, "end": 2}, {"num_frames": 3}, 2, 1),
    ({"fps": 0.001}, {}, 1, 1),
    ({"fps": 240}, {}, 64, 1),
    ({"start": 1, "end": 2.5}, {}, 8, 1),
    ({"max_dynamic_patch": 12}, {}, 8, 13),
    ({"max_dynamic_patch": 2}, {"min_dynamic_patch": 2}, 8, 1),
    ({"max_dynamic_patch": 2, "min_dynamic_patch": 2}, {}, 8, 3),
    ({"detail": "high"}, {}, 8, 13),
]


@pytest.mark.parametrize(("own", "kwargs", "frames", "tiles"), VIDEOS)
def test_frames_of_a_video(
    own: dict[str, Any],
    kwargs: dict[str, Any],
    frames: int,
    tiles: int,
    checkpoint: CheckpointConfig,
) -> None:
    found = opened(video(**own), checkpoint, kwargs)
    assert (found.frames, found.tiles) == (frames, tiles)


def test_frames_come_from_the_part_that_is_asked_for(checkpoint: CheckpointConfig) -> None:
    """In the video a square moves from the left to the right."""

    def place(tiles: Any) -> float:
        """Where the red square is, from 0 to 1."""
        columns = (255 - tiles[0, 2].astype(float)).mean(axis=0)
        return float((columns * range(112)).sum() / columns.sum() / 112)

    whole = [place(tiles) for tiles in opened(video(), checkpoint).cut()]
    part = [place(tiles) for tiles in opened(video(start=1, end=2), checkpoint).cut()]
    assert whole == sorted(whole)
    assert part == sorted(part)
    assert whole[0] < 0.2
    assert whole[-1] > 0.7
    assert 0.3 < part[0] < part[-1] < 0.7


WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (image(WIDE, size=1), {}, "url.size is not supported; use max_dynamic_patch, min_dyn"),
    (image(WIDE, num_frames=1), {}, "url.num_frames is not supported; use max_dynamic_patch,"),
    (image(WIDE, max_dynamic_patch=0), {}, "max_dynamic_patch 0 is not a whole number from 1"),
    (image(WIDE, max_dynamic_patch=65), {}, "max_dynamic_patch 65 is not a whole number from 1"),
    (image(WIDE, max_dynamic_patch=True), {}, "max_dynamic_patch True is not a whole number"),
    (image(WIDE, max_dynamic_patch=1.5), {}, "max_dynamic_patch 1.5 is not a whole number"),
    (image(WIDE, max_dynamic_patch=13), {}, "13 is not a whole number from 1 to 12, which is"),
    (image(WIDE, max_dynamic_patch=2, min_dynamic_patch=3), {}, "min_dynamic_patch 3 is more"),
    (image(WIDE, detail="low", max_dynamic_patch=2), {}, "detail and max_dynamic_patch both say"),
    (image(WIDE, detail="huge"), {}, "detail 'huge' is not one of auto, low, medium, high"),
    (image(WIDE, detail=1), {}, "detail 1 is not one of auto, low, medium, high"),
    (image(WIDE), {"min_dynamic_patch": 13}, "min_dynamic_patch 13 is more than the 12 tiles"),
    (image(WIDE), {"use_thumbnail": 1}, "use_thumbnail 1 is not true or false"),
    (image(WIDE), {"fit": "yes"}, "fit 'yes' is not true or false"),
    (
        image(WIDE),
        {"dynamic_image_size": False, "max_dynamic_patch": 6},
        "mm_processor_kwargs.max_dynamic_patch 6 contradicts dynamic_image_size false",
    ),
    (video(size=1), {}, "video_url.size is not supported; use num_frames, fps, start, end,"),
    (video(num_frames=65), {}, "num_frames 65 is not a whole number from 1 to 64"),
    (video(fps=0), {}, "fps 0 is not a number from 0.001 to 240"),
    (video(fps=241), {}, "fps 241 is not a number from 0.001 to 240"),
    (video(fps=float("nan")), {}, "fps nan is not a number from 0.001 to 240"),
    (video(fps=1, num_frames=1), {}, "fps and num_frames both say how many frames"),
    (video(start=-1), {}, "start -1 is not a number from 0 to 604800"),
    (video(start=604_801), {}, "start 604801 is not a number from 0 to 604800"),
    (video(end=604_801), {}, "end 604801 is not a number from 0 to 604800"),
]


@pytest.mark.parametrize(("part", "kwargs", "words"), WRONG, ids=range(len(WRONG)))
def test_refused(
    part: dict[str, Any], kwargs: dict[str, Any], words: str, checkpoint: CheckpointConfig
) -> None:
    with pytest.raises(RequestError) as caught:
        opened(part, checkpoint, kwargs)
    assert words in str(caught.value)


ELSEWHERE = "http://unreachable.invalid"
UNFETCHED = [
    (image(ELSEWHERE, detail="low", max_dynamic_patch=2), "detail and max_dynamic_patch both say"),
    (image(ELSEWHERE, max_dynamic_patch=13), "13 is not a whole number from 1 to 12, which is"),
    (image(ELSEWHERE, max_dynamic_patch=2, min_dynamic_patch=3), "min_dynamic_patch 3 is more"),
    (video(ELSEWHERE, fps=1, num_frames=1), "fps and num_frames both say how many frames"),
    (video(ELSEWHERE, detail="low", min_dynamic_patch=2), "min_dynamic_patch 2 is more than the 1"),
]


@pytest.mark.parametrize(("part", "words"), UNFETCHED, ids=range(len(UNFETCHED)))
def test_contradictions_are_refused_before_anything_is_fetched(
    part: dict[str, Any], words: str, checkpoint: CheckpointConfig
) -> None:
    """Also in the last item: `no_fetch` would fail for the first."""

    def prepare() -> None:
        prompt = build_prompt([user([image(ELSEWHERE), part])], checkpoint.template)
        open_media(collect_media(prompt), MediaLimits(12), checkpoint, no_fetch)

    with pytest.raises(RequestError) as caught:
        prepare()
    assert "content[1]" in str(caught.value)
    assert words in str(caught.value)


def test_detail_auto_contradicts_nothing(checkpoint: CheckpointConfig) -> None:
    part = image(WIDE, detail="auto", max_dynamic_patch=2)
    assert opened(part, checkpoint).tiling.max_tiles == 2


@pytest.mark.parametrize("bounds", [{"start": 3}, {"start": 2, "end": 2}, {"end": 0}])
def test_a_part_without_frames_is_refused(
    bounds: dict[str, float], checkpoint: CheckpointConfig
) -> None:
    """By the header, so that nobody waits for memory to decode it, nor counts its tokens."""
    with pytest.raises(RequestError, match="there is no frame in a video of 3 s; give another"):
        opened(video(**bounds), checkpoint)


@pytest.mark.parametrize("bounds", [{"start": 2.99}, {"start": 2, "end": 2.01}, {"end": 0.01}])
def test_a_part_with_a_frame_is_not(bounds: dict[str, float], checkpoint: CheckpointConfig) -> None:
    assert len(opened(video(**bounds), checkpoint).cut()) == 8
