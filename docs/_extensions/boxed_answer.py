"""`.. boxed-answer:: FILE WIDTH HEIGHT` draws the boxes of an answer into a picture in SVG.

The content is the answer, which is read by the code that reads those of the model.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

sys.path.insert(0, str(Path(__file__).parents[2] / "plugin"))

from xinference_internvl2.chat.boxes import Picture, find_boxes

DOCS = Path(__file__).resolve().parents[1]


class BoxedAnswer(Directive):
    """An answer, its boxes as data, and the picture with them."""

    required_arguments = 3
    has_content = True

    def run(self) -> list[nodes.Node]:
        answer = "\n".join(self.content)
        name, width, height = self.arguments
        boxes = find_boxes(answer, [Picture("Image-1", int(width), int(height))])
        if not boxes:
            raise self.error(f"there is no box in {answer!r}")
        data = "\n".join(map(repr, boxes))
        picture = (DOCS / name).read_text("utf-8")
        drawing = picture.replace("</svg>", "".join(draw(boxes)) + "</svg>")
        return [
            nodes.literal_block("", answer, language="text"),
            nodes.literal_block("", data, language="text"),
            nodes.raw("", f'<figure class="boxed">{drawing}</figure>', format="html"),
        ]


def draw(boxes: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the outline of each box or quadrilateral, and its label above it."""
    for box in boxes:
        xs, ys = box["pixels"][::2], box["pixels"][1::2]
        corners = zip(xs, ys, strict=True)
        if box["kind"] == "box":
            (left, right), (top, bottom) = xs, ys
            corners = iter([(left, top), (right, top), (right, bottom), (left, bottom)])
        points = " ".join(f"{x},{y}" for x, y in corners)
        yield f'<polygon class="box" points="{points}"/>'
        yield f'<text x="{min(xs)}" y="{min(ys) - 5}">{escape(box["label"] or "")}</text>'


def setup(app: object) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("boxed-answer", BoxedAnswer)  # type: ignore[attr-defined]
    return {"parallel_read_safe": True}
