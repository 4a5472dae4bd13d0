"""What the demo shows: pictures in terminals that can show them, and a sheet of all."""

from __future__ import annotations

import base64
import re

import pytest
from PIL import Image

from tests.install.environment import REPOSITORY
from tests.shapes.contact_sheet import COLUMNS, HEIGHT, WIDTH, Card, draw_contact_sheet
from tests.shapes.showcase import SHOWCASE
from tests.support.chat.media import draw_picture, encode
from tests.tools.terminal import format_inline_image

PNG = encode(draw_picture(300, 200))


def test_an_iterm_gets_the_file() -> None:
    sent = format_inline_image(PNG, isatty=True, environment={"TERM_PROGRAM": "iTerm.app"})
    (found,) = re.findall(r"\033\]1337;File=inline=1;size=\d+:(.*)\a\n", sent)
    assert base64.b64decode(found) == PNG


def test_a_kitty_gets_the_file_in_chunks() -> None:
    sent = format_inline_image(PNG * 9, isatty=True, environment={"TERM": "xterm-kitty"})
    chunks = re.findall(r"\033_G([^;]*);([^\033]*)\033\\", sent)
    assert len(chunks) > 2
    assert all(len(data) <= 4096 for _, data in chunks)
    assert [keys for keys, _ in chunks] == ["f=100,a=T,m=1", *["m=1"] * (len(chunks) - 2), "m=0"]
    assert base64.b64decode("".join(data for _, data in chunks)) == PNG * 9


@pytest.mark.parametrize(
    ("isatty", "environment"),
    [(True, {"TERM": "xterm-256color"}), (False, {"TERM": "xterm-kitty"}), (True, {})],
)
def test_all_else_gets_nothing(isatty: bool, environment: dict[str, str]) -> None:
    assert format_inline_image(PNG, isatty=isatty, environment=environment) == ""


def test_the_sheet_has_a_place_for_every_card() -> None:
    red, blue = (Image.new("RGB", (200, 100), colour) for colour in ("red", "blue"))
    cards = [Card([red], "What?", "red", True)] * COLUMNS + [Card([blue, red], "Which?", "a b")]
    sheet = draw_contact_sheet(cards)
    assert sheet.size == (COLUMNS * WIDTH, 2 * HEIGHT)
    colours = {colour for _, colour in sheet.crop((0, HEIGHT, WIDTH, 2 * HEIGHT)).getcolors(9999)}
    assert {(255, 0, 0), (0, 0, 255)} <= colours
    first = {colour for _, colour in sheet.crop((0, 0, WIDTH, HEIGHT)).getcolors(9999)}
    assert (255, 0, 0) in first
    assert (0, 0, 255) not in first


def test_the_readme_shows_the_sheet_of_right_answers() -> None:
    cards = [Card(s.draw_stills(), s.question.text, s.question.answer, True) for s in SHOWCASE]
    with Image.open(REPOSITORY / "docs/_static/demo.png") as shown:
        assert shown.convert("RGB").tobytes() == draw_contact_sheet(cards).tobytes()
