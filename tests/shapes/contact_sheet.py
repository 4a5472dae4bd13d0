"""One picture of many: what was shown, asked and answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

COLUMNS = 3
WIDTH, HEIGHT = 320, 230  # of a card
_MARGIN = 12
_STILLS = 140  # height of the pictures
_INK, _PAPER, _FRAME = (30, 30, 30), (255, 255, 255), (215, 215, 215)
_RIGHT, _WRONG = (20, 120, 50), (190, 30, 30)


@dataclass(frozen=True)
class Card:
    """Pictures, a question about them, and the answer; `right` is None where nobody knows."""

    stills: Sequence[Image.Image]
    question: str
    answer: str
    right: bool | None = None


def draw_contact_sheet(cards: Sequence[Card]) -> Image.Image:
    """The cards row by row."""
    rows = -(-len(cards) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * WIDTH, rows * HEIGHT), _PAPER)
    for index, card in enumerate(cards):
        place = index % COLUMNS * WIDTH, index // COLUMNS * HEIGHT
        sheet.paste(_draw_card(card), place)
    return sheet


def _draw_card(card: Card) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 4, WIDTH - 5, HEIGHT - 5), outline=_FRAME)
    room = (WIDTH - _MARGIN * (len(card.stills) + 1)) // len(card.stills)
    for index, still in enumerate(card.stills):
        small = still.copy()
        small.thumbnail((room, _STILLS), Image.Resampling.LANCZOS)
        x = _MARGIN + index * (room + _MARGIN) + (room - small.width) // 2
        y = _MARGIN + (_STILLS - small.height) // 2
        image.paste(small, (x, y))
        draw.rectangle((x - 1, y - 1, x + small.width, y + small.height), outline=_FRAME)
    font, top = ImageFont.load_default(14), _MARGIN + _STILLS + 10
    draw.text((_MARGIN, top), card.question, _INK, font)
    ink = {None: _INK, True: _RIGHT, False: _WRONG}[card.right]
    for number, line in enumerate(_wrap(card.answer, draw, font)):
        draw.text((_MARGIN, top + 22 + 18 * number), line, ink, font)
    return image


def _wrap(text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> list[str]:
    """At most two lines that fit on a card."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font) <= WIDTH - 2 * _MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines[:2]
