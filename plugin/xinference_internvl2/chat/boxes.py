"""Finds the boxes and quadrilaterals of an answer, and converts them to pixels.

>>> find_boxes("<ref>circle</ref><box>[[0, 500, 250, 1000]]</box>", [Picture("Image-1", 64, 32)])
[{'label': 'circle', 'kind': 'box', 'picture': 'Image-1', 'coordinates': [0, 500, 250, 1000],
'pixels': [0, 16, 16, 32]}]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

SCALE = 1000
"""The unit of the model's coordinates: thousandths of a picture's width and height."""

_MARK = re.compile(r"(?:<ref>([^<]*)</ref>\s*)?<(box|quad)>([^<]*)</\2>")
_NUMBER = r"\d{1,4}(?:\.\d{1,4})?"
_POINTS = re.compile(rf"\[\s*({_NUMBER}(?:\s*,\s*{_NUMBER})*)\s*\]")
_MENTION = re.compile(r"\b(?:(image|picture)[- ]?|(frame) ?)(\d+)", re.IGNORECASE)
_LENGTH = {"box": 4, "quad": 8}


class Picture(NamedTuple):
    """An image or frame of the prompt, by its label there, and its upright size in pixels."""

    label: str
    width: int
    height: int


def find_boxes(text: str, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """Return the boxes and quadrilaterals of an answer, whose `text` still has its control tokens.

    A box belongs to the picture whose label the text mentions last before it, or to the only
    picture; where neither is known, `picture` and `pixels` are None. Malformed boxes are left out.
    """
    found = []
    for mark in _MARK.finditer(text):
        picture = _find_picture(text[: mark.start(2)], pictures)
        for numbers in _read_numbers(mark[3], _LENGTH[mark[2]]):
            found.append(
                {
                    "label": (mark[1] or "").strip() or None,
                    "kind": mark[2],
                    "picture": picture.label if picture else None,
                    "coordinates": numbers,
                    "pixels": _to_pixels(numbers, picture) if picture else None,
                }
            )
    return found


def _find_picture(before: str, pictures: Sequence[Picture]) -> Picture | None:
    if len(pictures) == 1:
        return pictures[0]
    by_label: dict[str, Picture | None] = {}
    for picture in pictures:
        # The frames of several videos have the same labels.
        label = picture.label.lower()
        by_label[label] = None if label in by_label else picture
    mentions = [_to_label(*found.groups()) for found in _MENTION.finditer(before)]
    return by_label.get(mentions[-1]) if mentions else None


def _to_label(image: str | None, frame: str | None, number: str) -> str:
    """Return the label that "image 2" or "Frame 3" stands for."""
    return f"frame{int(number)}" if frame else f"image-{int(number)}"


def _read_numbers(text: str, length: int) -> Iterator[list[float]]:
    """Yield the coordinates of each box; a quadrilateral may also be written as four points."""
    lists = [[_parse_number(n) for n in points.split(",")] for points in _POINTS.findall(text)]
    if length == 8 and len(lists) % 4 == 0 and all(len(numbers) == 2 for numbers in lists):
        lists = [[*chain(*lists[start : start + 4])] for start in range(0, len(lists), 4)]
    for numbers in lists:
        if len(numbers) == length and max(numbers) <= SCALE:
            yield numbers


def _parse_number(text: str) -> float:
    return float(text) if "." in text else int(text)


def _to_pixels(numbers: Sequence[float], picture: Picture) -> list[int]:
    sides = (picture.width, picture.height)
    return [round(number * sides[index % 2] / SCALE) for index, number in enumerate(numbers)]
