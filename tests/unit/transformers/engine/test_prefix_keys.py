"""Two prompts begin alike only where tokens, pictures, salt and adapter are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xinference_internvl2.transformers.engine.prefix_keys import build_prefix_keys, digest_tile

IMAGE = 9
SAME: dict[str, Any] = {"ids": [1, IMAGE, IMAGE, 2], "digests": [b"a", b"b"]}


def keys(**changes: Any) -> list[Any]:
    known: dict[str, Any] = {"image_token_id": IMAGE, "salt": None, "adapter": None}
    return build_prefix_keys(**{**known, **SAME, **changes})


def test_equal_prompts_have_equal_keys() -> None:
    assert keys() == keys()
    assert keys()[1:] == [b"a", b"b", 2]


@pytest.mark.parametrize(
    ("changes", "position"),
    [
        ({"salt": "mine"}, 0),
        ({"salt": ""}, 0),
        ({"adapter": "reader"}, 0),
        ({"ids": [3, IMAGE, IMAGE, 2]}, 0),
        ({"digests": [b"c", b"b"]}, 1),
        ({"digests": [b"a", b"c"]}, 2),
        ({"ids": [1, IMAGE, IMAGE, 3]}, 3),
    ],
)
def test_prompts_part_where_they_differ(changes: dict[str, Any], position: int) -> None:
    equal = [ours == theirs for ours, theirs in zip(keys(), keys(**changes), strict=True)]
    assert equal.index(False) == position


def test_a_picture_at_the_first_place_is_told_apart() -> None:
    first, second = (keys(ids=[IMAGE], digests=[digest]) for digest in (b"a", b"b"))
    assert first != second


def test_a_tile_is_known_by_all_of_its_pixels() -> None:
    tile = np.zeros((3, 4, 4), np.uint8)
    other = tile.copy()
    other[2, 3, 3] = 1
    assert digest_tile(tile) == digest_tile(np.zeros((4, 4, 3), np.uint8).transpose(2, 0, 1))
    assert digest_tile(tile) != digest_tile(other)
