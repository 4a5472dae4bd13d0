"""Pictures, pairs of pictures and a video for people to look at, with a question about each."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from tests.support.chat.media import encode, encode_video, uri

from .picture import RGB, Picture, Shape
from .questions import Question
from .task import Sample

_TONES: dict[str, RGB] = {
    "red": (230, 30, 30),
    "green": (20, 160, 40),
    "blue": (30, 70, 220),
    "yellow": (250, 220, 20),
    "purple": (140, 50, 170),
    "black": (15, 15, 15),
}


def make_shape(kind: str, colour: str, x: float, y: float, radius: float) -> Shape:
    return Shape(kind, colour, _TONES[colour], x, y, radius)


PICTURE = Picture(
    640,
    360,
    (
        make_shape("circle", "red", 120, 180, 80),
        make_shape("square", "blue", 320, 180, 80),
        make_shape("triangle", "green", 520, 195, 85),
    ),
)
CONTENTS = "a red circle, a blue square and a green triangle"
_SMALL = Picture(
    1200,
    300,
    (make_shape("star", "purple", 930, 170, 85), make_shape("circle", "black", 300, 130, 80)),
)
_PAIR = (
    Picture(
        400,
        300,
        (make_shape("square", "yellow", 130, 140, 65), make_shape("circle", "blue", 300, 190, 60)),
    ),
    Picture(400, 300, (make_shape("star", "green", 220, 150, 90),)),
)
_TWO = Picture(
    300, 300, (make_shape("star", "red", 90, 100, 60), make_shape("square", "black", 210, 200, 60))
)
_FRAMES = 24


def _make_frame(number: int) -> Picture:
    """A frame of a video in which a red circle becomes blue on its way from left to right."""
    done = number / (_FRAMES - 1)
    colour = "red" if done < 0.5 else "blue"
    return Picture(256, 192, (make_shape("circle", colour, 45 + 166 * done, 96, 36),))


_VIDEO = tuple(map(_make_frame, range(_FRAMES)))


def draw_shapes() -> Image.Image:
    """A red circle, a blue square and a green triangle on white, 640 × 360."""
    return PICTURE.draw()


@dataclass(frozen=True)
class Exhibit:
    """The pictures of `sample`, with a question about them and its right answer."""

    name: str
    about: str
    sample: Sample

    @property
    def question(self) -> Question:
        return self.sample.questions[0]

    def make_files(self) -> dict[str, bytes]:
        """The pictures, or the video, as files by their names."""
        images = [picture.draw() for picture in self.sample.pictures]
        if self.sample.media == "video":
            return {f"{self.name}.mp4": encode_video(images)}
        numbers = [f"-{n}" for n in range(1, len(images) + 1)] if len(images) > 1 else [""]
        return {f"{self.name}{n}.png": encode(i) for n, i in zip(numbers, images, strict=True)}

    def make_urls(self) -> list[str]:
        """The same as `data:` URIs."""
        media_type = "video/mp4" if self.sample.media == "video" else "image/png"
        return [uri(data, media_type) for data in self.make_files().values()]

    def draw_stills(self) -> list[Image.Image]:
        """What there is to see: the pictures, or three frames of the video."""
        pictures = self.sample.pictures
        if self.sample.media == "video":
            pictures = pictures[0], pictures[len(pictures) // 2], pictures[-1]
        return [picture.draw() for picture in pictures]


def _make_exhibit(
    name: str, about: str, media: str, pictures: tuple[Picture, ...], text: str, answer: str
) -> Exhibit:
    question = Question("shown", text, answer)
    return Exhibit(name, about, Sample(media, pictures, (question,)))  # type: ignore[arg-type]


SHOWCASE = (
    _make_exhibit(
        "shapes",
        "640 × 360, a circle, a square and a triangle",
        "picture",
        (PICTURE,),
        "What is in the picture?",
        CONTENTS,
    ),
    _make_exhibit(
        "wide",
        "1200 × 300, a circle and a star; four tiles and a thumbnail",
        "picture",
        (_SMALL,),
        "What colour is the star?",
        "purple",
    ),
    _make_exhibit(
        "count",
        "300 × 300, a star and a square",
        "picture",
        (_TWO,),
        "How many shapes are there?",
        "two",
    ),
    _make_exhibit(
        "pair",
        "400 × 300 each, a square and a circle on one and a star on the other",
        "pair",
        _PAIR,
        "Which picture has the star?",
        "the second",
    ),
    _make_exhibit(
        "video",
        "3 seconds of 256 × 192, a circle that moves and changes its colour",
        "video",
        _VIDEO,
        "Where does it end?",
        "on the right",
    ),
    _make_exhibit(
        "video-colour",
        "the same video",
        "video",
        _VIDEO,
        "What colour is it at the end?",
        "blue",
    ),
)
