"""Questions about pictures, and their right answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from .picture import Picture, Shape
from .vocabulary import (
    COLOURS,
    CORNERS,
    HELLO,
    NO,
    NTH,
    NUMBERS,
    PLACES,
    QUESTIONS,
    SHAPES,
    WHO,
    YES,
    fill,
)


@dataclass(frozen=True)
class Question:
    """`kind` is the row of the accuracy table that it counts for; `after` was asked, and
    answered, earlier in the conversation."""

    kind: str
    text: str
    answer: str
    after: Question | None = None

    @property
    def chinese(self) -> bool:
        return not self.text.isascii()


def _ask(random: Random, kind: str, english: str, chinese: str = "", **words: str) -> Question:
    """A question in words that `random` chooses, answered in the language of the question."""
    template = random.choice([t for t in QUESTIONS[kind] if chinese or t.isascii()])
    text = fill(template, **words)
    return Question(kind, text, english if text.isascii() else chinese)


def describe_contents(shapes: Sequence[Shape]) -> tuple[str, str]:
    """What a picture shows, in English and Chinese; always in the order of SHAPES."""
    ordered = sorted(shapes, key=lambda shape: list(SHAPES).index(shape.kind))
    english = [f"a {shape.colour} {shape.kind}" for shape in ordered]
    chinese = [f"{COLOURS[shape.colour]}的{SHAPES[shape.kind]}" for shape in ordered]
    return _join(english, ", ", " and "), _join(chinese, "、", "和")


def _join(items: list[str], comma: str, last: str) -> str:
    *head, tail = items
    return comma.join(head) + (last if head else "") + tail


def ask_about_picture(random: Random, picture: Picture) -> Iterator[Question]:
    """Questions of each kind that the picture has an answer to, more of the harder kinds."""
    shapes = picture.shapes
    shape = random.choice(shapes)
    yield _ask(random, "contents", *describe_contents(shapes))
    yield _ask(random, "colour", shape.colour, COLOURS[shape.colour], shape=shape.kind)
    yield _ask(random, "count", *NUMBERS[len(shapes)])
    yield _ask_presence(random, shapes)
    yield _ask_presence(random, shapes)
    yield _ask_shape_presence(random, shapes)
    yield _ask_colour_presence(random, shapes)
    if sum(other.colour == shape.colour for other in shapes) == 1:
        yield _ask(random, "shape", f"the {shape.kind}", colour=shape.colour)
    for shape in shapes:
        if (place := find_place(picture, shape)) and picture.width <= 1.5 * picture.height:
            yield _ask(random, "place", PLACES[place], shape=shape.kind)


def _ask_presence(random: Random, shapes: Sequence[Shape]) -> Question:
    there = {(shape.kind, shape.colour) for shape in shapes}
    if random.random() < 0.5:
        kind, colour = random.choice(sorted(there))
    else:
        wrong = {(random.choice(list(SHAPES)), random.choice(list(COLOURS)))}
        for shape in shapes:  # half right is wrong
            wrong.add((shape.kind, random.choice(list(COLOURS))))
            wrong.add((random.choice(list(SHAPES)), shape.colour))
        kind, colour = random.choice(sorted(wrong))
    answer = YES if (kind, colour) in there else NO
    return _ask(random, "presence", *answer, shape=kind, colour=colour)


def _ask_shape_presence(random: Random, shapes: Sequence[Shape]) -> Question:
    kind = _choose_in_half(random, [shape.kind for shape in shapes], list(SHAPES))
    answer = YES if any(shape.kind == kind for shape in shapes) else NO
    return _ask(random, "shape_presence", *answer, shape=kind)


def _ask_colour_presence(random: Random, shapes: Sequence[Shape]) -> Question:
    colour = _choose_in_half(random, [shape.colour for shape in shapes], list(COLOURS))
    answer = YES if any(shape.colour == colour for shape in shapes) else NO
    return _ask(random, "colour_presence", answer[0], colour=colour)


def _choose_in_half(random: Random, there: list[str], every: list[str]) -> str:
    return random.choice(there if random.random() < 0.5 else every)


def find_place(picture: Picture, shape: Shape) -> str | None:
    """Where the shape is in the picture, if that is clear."""
    x, y = shape.x / picture.width - 0.5, shape.y / picture.height - 0.5
    near, far = sorted((abs(x), abs(y)))
    if far < 0.08:
        return "middle"
    if far < 0.17 or far - near < 0.1:
        return None
    if abs(x) > abs(y):
        return "left" if x < 0 else "right"
    return "top" if y < 0 else "bottom"


def ask_about_pair(random: Random, pair: tuple[Picture, Picture]) -> Iterator[Question]:
    """Questions about two pictures."""
    kinds = [{shape.kind for shape in picture.shapes} for picture in pair]
    for kind in sorted(kinds[0] | kinds[1]):
        yield _ask(random, "which_shape", _find_holders(kind, kinds), shape=kind)
    colours = [{shape.colour for shape in picture.shapes} for picture in pair]
    for colour in sorted(colours[0] | colours[1]):
        yield _ask(random, "which_colour", _find_holders(colour, colours), colour=colour)
    for nth, picture in zip(NTH, pair, strict=True):
        shape = random.choice(picture.shapes)
        yield _ask(random, "pair_contents", describe_contents(picture.shapes)[0], nth=nth)
        yield _ask(random, "pair_colour", shape.colour, shape=shape.kind, nth=nth)


def _find_holders(item: str, sets: list[set[str]]) -> str:
    holders = [f"the {nth}" for nth, found in zip(NTH, sets, strict=True) if item in found]
    return holders[0] if len(holders) == 1 else "both"


def ask_about_video(random: Random, frames: Sequence[Picture]) -> Iterator[Question]:
    """Questions about one shape that moves, and changes its colour in some videos."""
    first, last = frames[0], frames[-1]
    begin, end = first.shapes[0], last.shapes[0]
    for kind, picture, shape in (("start", first, begin), ("end", last, end)):
        yield _ask(random, kind, PLACES[find_place(picture, shape) or "middle"])
        yield _ask(random, f"{kind}_colour", shape.colour)
    yield _ask(random, "change", (NO if begin.colour == end.colour else YES)[0])
    if begin.colour == end.colour:
        yield _ask(random, "moving", describe_contents([begin])[0])


def ask_about_nothing(random: Random) -> Iterator[Question]:
    """Questions without a picture."""
    for kind, corners in CORNERS.items():
        yield _ask(random, "corners", corners, shape=kind)
    yield _ask(random, "who", WHO)
    yield _ask(random, "hello", HELLO)
