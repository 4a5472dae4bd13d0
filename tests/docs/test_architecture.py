"""The guided tour: its pictures and its list agree with the code, and its stops exist."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN, GENERATOR = ROOT / "plugin/xinference_internvl2", ROOT / "generator"
pictures = pytest.importorskip("room_pictures", reason="the packages of the site are not installed")
rooms = pytest.importorskip("rooms")


def test_every_stop_of_the_tour_exists() -> None:
    page = (ROOT / "docs/architecture.rst").read_text("utf-8")
    named = set(re.findall(r"``([a-z_/0-9]+\.(?:py|pth|json|yaml))``", page))
    assert len(named) > 30
    places = (ROOT, PLUGIN, PLUGIN.parent, PLUGIN / "families", GENERATOR)
    # Of a checkpoint, not of the repository.
    lost = named - {"config.json"}
    assert [name for name in sorted(lost) if not any((p / name).exists() for p in places)] == []


@pytest.mark.parametrize("package", [PLUGIN, GENERATOR], ids=lambda path: path.name)
def test_arrows_are_the_imports_of_the_code(package: Path) -> None:
    """Found a second time, by the lines that begin with `from .`."""
    found = set()
    for path in package.rglob("*.py"):
        for dots, name, names in re.findall(
            r"^ *from (\.+)([\w.]*) import (\(.*?\)|.*?$)", path.read_text("utf-8"), re.M | re.S
        ):
            folder = path.parents[len(dots) - 1] / name.replace(".", "/")
            for word in re.findall(r"\w+", names):
                place = folder / word if (folder / f"{word}.py").exists() else folder
                found.add((_room(path.with_suffix(""), package), _room(place, package)))
    apart = {arrow for arrow in found if len(set(arrow)) == 2}
    everybody = rooms.EVERYBODY_MAY_IMPORT
    wanted = {(high, low) for high, low in apart if not everybody & {high, low}}
    assert rooms.read(package).imports == wanted


def _room(path: Path, package: Path) -> str:
    name = path.relative_to(package).as_posix().removeprefix(".")
    return str(rooms.room_of(name)) if name else "__init__"


@pytest.mark.parametrize("package", [PLUGIN, GENERATOR], ids=lambda path: path.name)
def test_a_picture_has_every_room_and_each_import_or_a_way_round(package: Path) -> None:
    house = rooms.read(package)
    drawn = pictures.drawn(house)
    arrows = set(re.findall(r'class="import".*?<title>(.*?) → (.*?)</title>', drawn))
    assert set(re.findall(r"<text .*?>(.*?)</text>", drawn)) == set(house.rooms)
    assert arrows <= house.imports
    for high, low in house.imports:
        reached, ways = set(), {high}
        while ways:
            reached |= ways
            ways = {end for start, end in arrows if start in ways} - reached
        assert low in reached, (high, low)


def test_boxes_stand_apart_and_within_the_picture() -> None:
    for package in (PLUGIN, GENERATOR):
        boxes = sorted(pictures.placed(rooms.read(package)).values(), key=lambda b: (b[1], b[0]))
        for middle, _, width in boxes:
            assert width / 2 <= middle <= pictures.WIDTH - width / 2
        for (left, top, wide), (right, other, width) in itertools.pairwise(boxes):
            assert top != other or left + wide / 2 < right - width / 2


@pytest.mark.parametrize("package", [PLUGIN, GENERATOR], ids=lambda path: path.name)
def test_every_module_says_what_it_is(package: Path) -> None:
    silent = [name for _, name, text in rooms.read(package).described() if not text.endswith(".")]
    assert silent == []
