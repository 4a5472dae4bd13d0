"""Samples of the task: seeded pictures and what is asked about them, trained on or held out."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, get_args

from .picture import Picture
from .questions import (
    Question,
    ask_about_nothing,
    ask_about_pair,
    ask_about_picture,
    ask_about_video,
)
from .random_pictures import compose_pair, compose_picture, compose_tile, compose_video

Split = Literal["train", "held-out"]
Media = Literal["tile", "picture", "pair", "video", "text"]
MEDIA: tuple[Media, ...] = get_args(Media)
HELD_OUT = 8  # every eighth combination of shapes, colours and places is never trained on
MOST_QUESTIONS = 8
# What the task has no words for, so that the model learns to look past what it does not know.
_SYSTEMS = ("You are a helpful assistant.", "Answer briefly.", "请简短回答。", "")
_BEFORE = ("Please tell me: ", "Hello, ", "Look closely. ", "")
_BEHIND = (" Thank you!", " Answer in one word.", "\nBe brief.", "")
_ODD = 0.06
_SECOND = 0.12


@dataclass(frozen=True)
class Sample:
    """Pictures, or the frames of a video, and questions about them; `system` replaces the
    usual system text."""

    media: Media
    pictures: tuple[Picture, ...]
    questions: tuple[Question, ...]
    system: str | None = None


def draw_samples(split: Split, seed: int, mix: Sequence[tuple[Media, float]]) -> Iterator[Sample]:
    """Samples without end, of kinds in the proportions of `mix`; the same for the same seed."""
    random = Random(f"{split}:{seed}")
    kinds, weights = zip(*mix, strict=True)
    while True:
        (media,) = random.choices(kinds, weights)
        yield draw_sample(random, split, media)


def draw_sample(random: Random, split: Split, media: Media) -> Sample:
    """One sample whose combination of shapes, colours and places belongs to `split`."""
    while True:
        pictures = _MAKERS[media](random)
        if media == "text" or is_held_out(pictures) == (split == "held-out"):
            break
    questions = list(_ask_questions(random, media, pictures))
    chosen = random.sample(questions, min(MOST_QUESTIONS, len(questions)))
    asked = tuple(_vary_question(random, question, questions) for question in chosen)
    system = random.choice(_SYSTEMS) if random.random() < _ODD else None
    return Sample(media, pictures, asked, system)


def _vary_question(random: Random, question: Question, others: Sequence[Question]) -> Question:
    """The question as it is, in some other words around it, or second in a conversation."""
    if random.random() < _SECOND:
        return replace(question, after=random.choice(others))
    if random.random() < _ODD:
        text = random.choice(_BEFORE) + question.text + random.choice(_BEHIND)
        return replace(question, text=text)
    return question


def is_held_out(pictures: Sequence[Picture]) -> bool:
    """Whether the combination is kept for evaluation: which shapes of which colours are in which
    ninth of the first and of the last picture."""
    shapes = [sorted(_locate_shapes(picture)) for picture in (pictures[0], pictures[-1])]
    return zlib.crc32(repr(shapes).encode()) % HELD_OUT == 0


def _locate_shapes(picture: Picture) -> Iterator[tuple[str, str, int, int]]:
    for shape in picture.shapes:
        across, down = int(3 * shape.x / picture.width), int(3 * shape.y / picture.height)
        yield shape.kind, shape.colour, across, down


def _ask_questions(
    random: Random, media: Media, pictures: tuple[Picture, ...]
) -> Iterator[Question]:
    if media in ("tile", "picture"):
        return ask_about_picture(random, pictures[0])
    if media == "pair":
        return ask_about_pair(random, (pictures[0], pictures[1]))
    if media == "video":
        return ask_about_video(random, pictures)
    return ask_about_nothing(random)


_MAKERS: dict[Media, Callable[[Random], tuple[Picture, ...]]] = {
    "tile": compose_tile,
    "picture": compose_picture,
    "pair": compose_pair,
    "video": compose_video,
    "text": lambda random: (),
}
