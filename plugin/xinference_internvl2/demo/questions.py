"""The questions of the demo, with their right answers."""

from __future__ import annotations

from typing import NamedTuple


class Question(NamedTuple):
    """A question about pictures, by the names of their files, and its right answer."""

    pictures: tuple[str, ...]
    text: str
    answer: str


QUESTIONS = (
    Question(
        ("shapes.png",),
        "What is in the picture?",
        "a red circle, a blue square and a green triangle",
    ),
    Question(("wide.png",), "What colour is the star?", "purple"),
    Question(("count.png",), "How many shapes are there?", "two"),
    Question(("pair-1.png", "pair-2.png"), "Which picture has the star?", "the second"),
)
