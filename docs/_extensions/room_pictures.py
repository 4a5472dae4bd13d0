"""Sphinx directives that draw and list the rooms of a package when the site is built.

`.. rooms:: PACKAGE` is a picture of who imports whom, `.. modules:: PACKAGE` a list of what each
module is. The picture takes its colours from the page, so it is right in light and in dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from rooms import Arrow, House, read

ROOT = Path(__file__).resolve().parents[2]
WIDTH, FLOOR, HEIGHT, GAP, LETTER, ASIDE = 860, 92, 38, 64, 8.2, 14
"""Of the picture, from floor to floor, of a box, between boxes, of a letter, and how
far a broken arrow stands beside an unbroken one; in pixels."""

Box = tuple[float, float, float]
"""Middle, top and width."""


class Rooms(Directive):
    """A picture of the rooms of a package."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        house = read(ROOT / self.arguments[0])
        return [nodes.raw("", f'<figure class="rooms">{drawn(house)}</figure>', format="html")]


class Modules(Directive):
    """The modules of a package, room by room, each with the first sentence of its docstring."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        found = nodes.definition_list()
        described = sorted(read(ROOT / self.arguments[0]).described())
        for room, modules in groupby(described, key=lambda row: row[0]):
            listed = nodes.bullet_list()
            about = nodes.definition("", listed)
            for _, name, text in modules:
                if name.endswith("/__init__"):
                    about.insert(0, nodes.paragraph("", text))
                    continue
                path = nodes.literal("", f"{name}.py")
                listed += nodes.list_item(
                    "", nodes.paragraph("", "", path, nodes.Text(f": {text}"))
                )
            term = nodes.term("", "", nodes.literal("", room))
            found += nodes.definition_list_item("", term, about)
        return [found]


def drawn(house: House) -> str:
    """Return the picture of a house as SVG."""
    boxes = placed(house)
    height = max(top for _, top, _ in boxes.values()) + HEIGHT + 4
    return "".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" xmlns="http://www.w3.org/2000/svg">',
            f"<title>{escape(_in_words(house))}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
            *(_arrow(boxes, arrow, "import") for arrow in sorted(house.needed())),
            *(_arrow(boxes, arrow, "mention") for arrow in sorted(house.mentions)),
            *(_box(room, box) for room, box in boxes.items()),
            "</svg>",
        ]
    )


def placed(house: House) -> dict[str, Box]:
    """Return where each room stands: on its floor, near what it imports."""
    rooms, boxes = house.rooms, {}
    most = max(map(house.floor, rooms))
    for floor, group in groupby(rooms, key=house.floor):
        row = sorted(group, key=lambda room: (_middle_of_imports(house, boxes, room), room))
        widths = [len(room) * LETTER + 24 for room in row]
        gap = min(GAP, (WIDTH - sum(widths)) / len(row))
        left = (WIDTH - sum(widths) - gap * (len(row) - 1)) / 2
        for room, width in zip(row, widths, strict=True):
            boxes[room] = (left + width / 2, 2 + (most - floor) * FLOOR, width)
            left += width + gap
    return boxes


def _middle_of_imports(house: House, boxes: dict[str, Box], room: str) -> float:
    below = [boxes[low][0] for high, low in house.needed() if high == room]
    return sum(below) / len(below) if below else WIDTH / 2


def _arrow(boxes: dict[str, Box], arrow: Arrow, kind: str) -> str:
    (x1, top1, _), (x2, top2, _) = (boxes[room] for room in arrow)
    if kind == "mention":
        x1, x2 = x1 - ASIDE, x2 - ASIDE
    y1, y2 = (top1 + HEIGHT, top2 - 2) if top1 < top2 else (top1, top2 + HEIGHT + 2)
    bend = (y2 - y1) / 2
    path = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}"
    title = f"<title>{escape(arrow[0])} → {escape(arrow[1])}</title>"
    return f'<path class="{kind}" d="{path}" marker-end="url(#tip)">{title}</path>'


def _box(room: str, box: Box) -> str:
    middle, top, width = box
    left = middle - width / 2
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{middle:.1f}" y="{top + HEIGHT / 2 + 5:.1f}">{escape(room)}</text>'
    )


def _in_words(house: House) -> str:
    return "; ".join(_lines(house))


def _lines(house: House) -> Iterator[str]:
    for high, arrows in groupby(sorted(house.imports), key=lambda arrow: arrow[0]):
        yield f"{high} imports {', '.join(low for _, low in arrows)}"


def setup(app: object) -> dict[str, bool]:
    """Add the directives; pages with them are read anew at every build."""
    app.add_directive("rooms", Rooms)  # type: ignore[attr-defined]
    app.add_directive("modules", Modules)  # type: ignore[attr-defined]
    return {"parallel_read_safe": True}
