"""Boxes of an answer as data, in the pixels of the picture that was sent."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.chat.boxes import Picture, find_boxes

WIDE, TALL = Picture("Image-1", 640, 320), Picture("Image-2", 100, 300)
FRAMES = [Picture("Frame1", 128, 96), Picture("Frame2", 128, 96)]


def box(
    label: str | None, picture: str | None, coordinates: Any, pixels: Any, kind: str = "box"
) -> dict[str, Any]:
    found = {"label": label, "kind": kind, "picture": picture}
    return {**found, "coordinates": coordinates, "pixels": pixels}


CASES: list[tuple[str, list[Picture], list[dict[str, Any]]]] = [
    ("no box", [WIDE], []),
    (
        "<ref>red circle</ref><box>[[0, 500, 250, 1000]]</box>",
        [WIDE],
        [box("red circle", "Image-1", [0, 500, 250, 1000], [0, 160, 160, 320])],
    ),
    (
        "Two: <ref> cat </ref><box>[[1,2,3,4],[10,20,30,40]]</box>, "
        "<box>[[100.5, 0, 200, 10]]</box>",
        [TALL],
        [
            box("cat", "Image-2", [1, 2, 3, 4], [0, 1, 0, 1]),
            box("cat", "Image-2", [10, 20, 30, 40], [1, 6, 3, 12]),
            box(None, "Image-2", [100.5, 0, 200, 10], [10, 0, 20, 3]),
        ],
    ),
    (
        "Image-1 has <box>[[0, 0, 1000, 1000]]</box>, image-2 <box>[[0, 0, 1000, 1000]]</box>",
        [WIDE, TALL],
        [
            box(None, "Image-1", [0, 0, 1000, 1000], [0, 0, 640, 320]),
            box(None, "Image-2", [0, 0, 1000, 1000], [0, 0, 100, 300]),
        ],
    ),
    (
        "<ref>cat in Image-2</ref><box>[[0, 0, 500, 500]]</box>",
        [WIDE, TALL],
        [box("cat in Image-2", "Image-2", [0, 0, 500, 500], [0, 0, 50, 150])],
    ),
    # A picture may be named as people name it.
    (
        "In image 2 it is <box>[[0, 0, 500, 500]]</box>, in Picture 1 <box>[[0, 0, 1, 1]]</box>",
        [WIDE, TALL],
        [
            box(None, "Image-2", [0, 0, 500, 500], [0, 0, 50, 150]),
            box(None, "Image-1", [0, 0, 1, 1], [0, 0, 1, 0]),
        ],
    ),
    (
        "frame 2: <box>[[0, 0, 500, 500]]</box>",
        FRAMES,
        [box(None, "Frame2", [0, 0, 500, 500], [0, 0, 64, 48])],
    ),
    # Nobody can know which picture is meant.
    (
        "<box>[[0, 0, 500, 500]]</box> Image-7 <box>[[0, 0, 1, 1]]</box>",
        [WIDE, TALL],
        [
            box(None, None, [0, 0, 500, 500], None),
            box(None, None, [0, 0, 1, 1], None),
        ],
    ),
    (
        "Frame2: <box>[[0, 0, 500, 500]]</box>",
        FRAMES,
        [box(None, "Frame2", [0, 0, 500, 500], [0, 0, 64, 48])],
    ),
    (
        "Frame2: <box>[[0, 0, 500, 500]]</box>",
        FRAMES * 2,
        [box(None, None, [0, 0, 500, 500], None)],
    ),
    ("<box>[[0, 0, 500, 500]]</box>", [], [box(None, None, [0, 0, 500, 500], None)]),
    (
        "<ref>sign</ref><quad>[[0, 0, 1000, 0, 1000, 500, 0, 500]]</quad>",
        [WIDE],
        [
            box(
                "sign",
                "Image-1",
                [0, 0, 1000, 0, 1000, 500, 0, 500],
                [0, 0, 640, 0, 640, 160, 0, 160],
                "quad",
            )
        ],
    ),
    (
        "<quad>[[0, 0], [1000, 0], [1000, 500], [0, 500]]</quad>",
        [WIDE],
        [
            box(
                None,
                "Image-1",
                [0, 0, 1000, 0, 1000, 500, 0, 500],
                [0, 0, 640, 0, 640, 160, 0, 160],
                "quad",
            )
        ],
    ),
    # Two quadrilaterals, and half a one too many.
    (
        "<quad>[[0, 0], [9, 0], [9, 9], [0, 9], [1, 1], [8, 1], [8, 8], [1, 8]]</quad>",
        [],
        [
            box(None, None, [0, 0, 9, 0, 9, 9, 0, 9], None, "quad"),
            box(None, None, [1, 1, 8, 1, 8, 8, 1, 8], None, "quad"),
        ],
    ),
    ("<quad>[[0, 0], [9, 0], [9, 9], [0, 9], [1, 1], [8, 1]]</quad>", [], []),
    # What is no box is left out: open, empty, short, beyond the picture, of words.
    ("<box>[[1, 2, 3, 4]]", [WIDE], []),
    ("<box></box><box>[]</box><box>[[1, 2, 3]]</box><box>[[1, 2, 3, 4, 5]]</box>", [WIDE], []),
    ("<box>[[0, 0, 1000, 1001]]</box>", [WIDE], []),
    ("<box>[[0, 0, -1, 7]]</box><box>[[a, b, c, d]]</box>", [WIDE], []),
    ("<quad>[[0, 0], [1, 1], [2, 2]]</quad><quad></quad>", [WIDE], []),
]


@pytest.mark.parametrize(("text", "pictures", "boxes"), CASES)
def test_boxes(text: str, pictures: list[Picture], boxes: list[dict[str, Any]]) -> None:
    assert find_boxes(text, pictures) == boxes


def test_a_long_answer_is_read_in_no_time() -> None:
    assert find_boxes("<ref>" * 20_000 + "<box>[[" * 20_000 + "1," * 50_000, [WIDE]) == []
