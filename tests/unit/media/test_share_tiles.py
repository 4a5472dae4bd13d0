"""Tiles that are shared out over the pictures of a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.chat.media import clip, draw_picture, image, image_uri, text, user, video_uri
from tests.tiny import make_checkpoint
from xinference_internvl2.chat.prepare import prepare
from xinference_internvl2.chat.served_checkpoint import ServedCheckpoint
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.errors import RequestError
from xinference_internvl2.families.find_prompt_format import find_prompt_format
from xinference_internvl2.media.limits import MediaLimits
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer

WIDE, SQUARE = image_uri(draw_picture(640, 320)), image_uri(draw_picture(100, 100))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2")


def served(path: Path, context: int) -> ServedCheckpoint:
    config = read_config(path)

    def no_fetch(url: str, deadline: float) -> bytes:
        raise AssertionError(url)

    return ServedCheckpoint(
        *(config, load_tokenizer(path), find_prompt_format(config.template), context),
        *(MediaLimits(12, images=20), no_fetch),
    )


FIT: dict[str, Any] = {"mm_processor_kwargs": {"fit": True}, "max_tokens": 100}


def tiles(parts: list[Any], where: ServedCheckpoint, **options: Any) -> list[int]:
    request = prepare([user([*parts, text("What?")])], {**FIT, **options}, where)
    assert len(request.ids) + 100 <= where.context_length
    token = where.tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    per_tile = where.config.tokens_per_tile
    assert request.ids.count(token) == sum(request.tile_counts) * per_tile
    return request.tile_counts


def test_pictures_get_as_many_tiles_as_fit(checkpoint: Path) -> None:
    """Twenty pictures of 640 × 320, which are 8 tiles and a thumbnail by themselves."""
    pictures = [image(WIDE)] * 20
    per_tile = read_config(checkpoint).tokens_per_tile
    text_only = len(prepare([user([text("What?")])], {}, served(checkpoint, 9999)).ids)
    assert tiles([image(WIDE)], served(checkpoint, 9999)) == [9]
    assert tiles(pictures, served(checkpoint, 9999)) == [9] * 20
    # Labels and tokens around each picture take their place too.
    label = len(prepare([user([*pictures, text("What?")])], {}, served(checkpoint, 99999)).ids)
    label -= text_only + 20 * 9 * per_tile

    def context(each: int) -> int:
        return text_only + label + 20 * each * per_tile + 100

    assert tiles(pictures, served(checkpoint, context(9))) == [9] * 20
    assert tiles(pictures, served(checkpoint, context(9) - 1)) == [3] * 20
    assert tiles(pictures, served(checkpoint, context(3))) == [3] * 20
    assert tiles(pictures, served(checkpoint, context(3) - 1)) == [1] * 20
    assert tiles(pictures, served(checkpoint, context(1))) == [1] * 20
    for room, size in ((19, context(1) - 1), (0, context(0)), (0, context(0) - per_tile)):
        with pytest.raises(RequestError) as caught:
            tiles(pictures, served(checkpoint, size))
        assert str(caught.value).startswith(
            "mm_processor_kwargs.fit: 20 images and frames need as many tiles, but beside the text "
            f"and max_tokens there is room for {room}; "
        )


def test_without_it_what_does_not_fit_is_refused(checkpoint: Path) -> None:
    small = served(checkpoint, 600)
    assert tiles([image(WIDE)] * 4, small) == [3] * 4
    with pytest.raises(RequestError, match="tokens, but the context length is 600"):
        tiles([image(WIDE)] * 4, small, mm_processor_kwargs={})


def test_small_pictures_and_frames_keep_what_they_want(checkpoint: Path) -> None:
    parts = [image(SQUARE), image(WIDE), clip(video_uri())]
    assert tiles(parts, served(checkpoint, 9999)) == [1, 9, 8]
    whole = prepare([user([*parts, text("What?")])], FIT, served(checkpoint, 9999)).ids
    assert tiles(parts, served(checkpoint, len(whole) + 100)) == [1, 9, 8]
    assert tiles(parts, served(checkpoint, len(whole) + 99)) == [1, 3, 8]


def test_a_list_of_frames_is_labelled_as_a_video(checkpoint: Path) -> None:
    where = served(checkpoint, 9999)
    frames = {"type": "video", "video": [WIDE] * 2}
    request = prepare([user([image(SQUARE), frames, text("What?")])], {"boxes": True}, where)
    shown = request.text.replace("<IMG_CONTEXT>", "")
    assert "\n<img></img>\nFrame1: <img></img>\nFrame2: <img></img>\nWhat?<|im_end|>" in shown
    assert request.tile_counts == [1, 1, 1]
    assert [picture.label for picture in request.pictures or []] == ["Image-1", "Frame1", "Frame2"]
    more = {"type": "video_url", "video_url": {"url": [WIDE], "max_dynamic_patch": 2}}
    assert prepare([user([more])], {}, where).tile_counts == [3]


FRAMES_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "video", "video": []}, "content[0].video has 0 frames; give 1 to 64"),
    ({"type": "video", "video": ["x"] * 65}, "content[0].video has 65 frames; give 1 to 64"),
    ({"type": "video", "video": [1]}, "content[0].video[0] has to be a URL"),
    ({"type": "image_url", "image_url": {"url": ["x"]}}, "content[0].image_url has to be a URL"),
    (
        {"type": "video_url", "video_url": {"url": ["x"], "fps": 2}},
        "video_url.fps is not supported; use max_dynamic_patch, min_dynamic_patch or detail",
    ),
]


@pytest.mark.parametrize(("part", "sentence"), FRAMES_REFUSED)
def test_frames_that_are_none_are_refused(
    part: dict[str, Any], sentence: str, checkpoint: Path
) -> None:
    with pytest.raises(RequestError) as caught:
        prepare([user([part])], {}, served(checkpoint, 9999))
    assert sentence in str(caught.value)


def test_lists_of_frames_count_as_videos(checkpoint: Path) -> None:
    frames = {"type": "video", "video": [SQUARE] * 20}
    where = served(checkpoint, 9999)
    assert prepare([user([frames] * 4)], {}, where).tile_counts == [1] * 80
    with pytest.raises(RequestError, match="the request has 5 videos, but at most 4 are allowed"):
        prepare([user([frames] * 5)], {}, where)
