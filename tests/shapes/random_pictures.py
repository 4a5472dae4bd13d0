"""Random pictures and videos: how many shapes, of which kinds and colours, and where."""

from __future__ import annotations

from random import Random

from .picture import Picture, Shape, choose_tone
from .vocabulary import COLOURS, SHAPES

FRAMES = (8, 8, 8, 8, 6, 5, 4)

# Width to height of pictures, and how often. A shape of a very wide one is in one of its tiles and
# lost in its thumbnail.
_FORMATS: tuple[tuple[float, float, float], ...] = (
    (1.0, 1.0, 0.36),
    (1.33, 1.0, 0.12),
    (1.78, 1.0, 0.14),
    (0.75, 1.0, 0.04),
    (0.5, 1.0, 0.04),
    (2.0, 1.0, 0.06),
    (3.0, 1.0, 0.07),
    (4.0, 1.0, 0.10),
    (6.0, 1.0, 0.04),
    (0.33, 1.0, 0.03),
)
_ZONES = {
    "left": (0.2, 0.5),
    "right": (0.8, 0.5),
    "top": (0.5, 0.2),
    "bottom": (0.5, 0.8),
    "middle": (0.5, 0.5),
}


def _compose_picture(random: Random, size: tuple[int, int], most: int = 3) -> Picture:
    width, height = size
    count = random.randint(1, most)
    kinds = random.sample(list(SHAPES), count)
    dark = random.random() < 0.2
    colours = [colour for colour in COLOURS if not (dark and colour == "black")]
    spots = _place_shapes(random, width, height, count)
    shapes = [
        _make_shape(random, kind, random.choice(colours), *spot)
        for kind, spot in zip(kinds, spots, strict=True)
    ]
    return Picture(width, height, tuple(shapes), random.randrange(1 << 32), dark)


def _choose_size(random: Random) -> tuple[int, int]:
    """Width and height in pixels; small squares are one tile, larger ones four."""
    ((width, height, _),) = random.choices(_FORMATS, [often for *_, often in _FORMATS])
    side = random.uniform(48, 76) if random.random() < 0.4 else random.uniform(80, 140)
    stretch = random.uniform(0.93, 1.07)
    scale = side / min(width, height) if min(width, height) < 1 else side
    return round(width * scale * stretch), round(height * scale)


def _place_shapes(
    random: Random, width: int, height: int, count: int
) -> list[tuple[float, float, float]]:
    """Centre and radius of shapes that do not touch each other."""
    short, long = sorted((width, height))
    roomy = long > 1.6 * short
    least, most = ((0.2, 0.42), (0.2, 0.42 if roomy else 0.3), (0.17, 0.34 if roomy else 0.22))[
        count - 1
    ]
    while True:
        spots: list[tuple[float, float, float]] = []
        for _ in range(count):
            radius = random.uniform(least, most) * short
            x = random.uniform(1.15 * radius, width - 1.15 * radius)
            y = random.uniform(1.15 * radius, height - 1.15 * radius)
            spots.append((x, y, radius))
        if all(_are_apart(a, b) for i, a in enumerate(spots) for b in spots[:i]):
            return spots


def _are_apart(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    distance = ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5
    return distance > 1.2 * (a[2] + b[2])


def _make_shape(random: Random, kind: str, colour: str, x: float, y: float, radius: float) -> Shape:
    return Shape(kind, colour, choose_tone(random, colour), x, y, radius, random.uniform(-12, 12))


def compose_tile(random: Random) -> tuple[Picture, ...]:
    """A picture of one tile, from which the vision tower learns most in least time."""
    size = random.randint(64, 76), random.randint(64, 76)
    return (_compose_picture(random, size, most=2),)


def compose_picture(random: Random) -> tuple[Picture, ...]:
    return (_compose_picture(random, _choose_size(random)),)


def compose_pair(random: Random) -> tuple[Picture, ...]:
    first = _compose_picture(random, _choose_size(random), most=2)
    return first, _compose_picture(random, _choose_size(random), most=2)


def compose_video(random: Random) -> tuple[Picture, ...]:
    height = round(random.uniform(56, 160))
    width = round(height * random.choice((1.0, 1.0, 1.33, 1.78)))
    kind = random.choice(list(SHAPES))
    begin, end = random.sample(list(_ZONES), 2)
    colours = [random.choice(list(COLOURS))] * 2
    if random.random() < 0.5:
        colours[1] = random.choice(list(COLOURS))
    paints = [choose_tone(random, colour) for colour in colours]
    if colours[0] == colours[1]:
        paints[1] = paints[0]
    change, angle = random.uniform(0.25, 0.75), random.uniform(-12, 12)
    radius = random.uniform(0.17, 0.22) * height
    (x0, y0), (x1, y1) = (_choose_near(random, zone) for zone in (begin, end))
    seed, frames = random.randrange(1 << 32), []
    dark = "black" not in colours and random.random() < 0.2
    count = random.choice(FRAMES)
    for index in range(count):
        done = index / (count - 1)
        x, y = (x0 + (x1 - x0) * done) * width, (y0 + (y1 - y0) * done) * height
        late = int(done > change)
        shape = Shape(kind, colours[late], paints[late], x, y, radius, angle)
        frames.append(Picture(width, height, (shape,), seed, dark))
    return tuple(frames)


def _choose_near(random: Random, zone: str) -> tuple[float, float]:
    x, y = _ZONES[zone]
    return x + random.uniform(-0.05, 0.05), y + random.uniform(-0.05, 0.05)
