"""A picture of coloured shapes: what is in it, and how it is drawn."""

from __future__ import annotations

import colorsys
import io
import math
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw

# Hue in degrees, saturation, least and most value.
_HSV = {
    "red": (0, 0.95, 0.7, 1.0),
    "green": (125, 0.9, 0.45, 0.85),
    "blue": (225, 0.9, 0.6, 1.0),
    "yellow": (53, 0.95, 0.85, 1.0),
    "purple": (285, 0.75, 0.45, 0.75),
    "black": (0, 0.0, 0.0, 0.12),
}
_DEGREES = 8  # how far a hue may be from its colour's
_SMOOTH = 2  # pictures are drawn this much larger and scaled down
_CORNERS = {"square": (45, 135, 225, 315), "triangle": (270, 30, 150)}

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Shape:
    """A shape of the colour `colour` around (`x`, `y`), all lengths in pixels."""

    kind: str
    colour: str
    rgb: RGB
    x: float
    y: float
    radius: float
    angle: float = 0.0

    def draw(self, draw: ImageDraw.ImageDraw, scale: float, fill: RGB | int) -> None:
        x, y, radius = self.x * scale, self.y * scale, self.radius * scale
        if self.kind == "circle":
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
            return
        points = [
            (x + r * radius * math.cos(a), y + r * radius * math.sin(a))
            for a, r in self._compute_corners()
        ]
        draw.polygon(points, fill=fill)

    def _compute_corners(self) -> list[tuple[float, float]]:
        """Angle and distance of each corner, the distance in radii."""
        if self.kind == "star":
            corners = [(270 + 36 * i, 0.45 if i % 2 else 1.15) for i in range(10)]
        else:
            corners = [(angle, 1.15) for angle in _CORNERS[self.kind]]
        return [(math.radians(angle + self.angle), distance) for angle, distance in corners]


@dataclass(frozen=True)
class Picture:
    """Shapes on a background, which is white unless a `seed` draws it."""

    width: int
    height: int
    shapes: tuple[Shape, ...]
    seed: int | None = None
    dark: bool = False

    def draw(self) -> Image.Image:
        """The picture in RGB, with the traces of JPEG in some that a seed draws."""
        if self.seed is None:
            return self._draw_on(Image.new("RGB", (self.width, self.height), "white"))
        random = Random(self.seed)
        image = self._draw_on(_draw_background(random, self.width, self.height, self.dark))
        return _compress(image, random.randint(50, 95)) if random.random() < 0.4 else image

    def _draw_on(self, image: Image.Image) -> Image.Image:
        image = image.resize((self.width * _SMOOTH, self.height * _SMOOTH))
        draw = ImageDraw.Draw(image)
        for shape in self.shapes:
            shape.draw(draw, _SMOOTH, shape.rgb)
        return image.reduce(_SMOOTH)

    def compute_coverage(self, columns: int, rows: int) -> np.ndarray:
        """How much of each cell of a grid each shape covers: (shapes, rows, columns), 0 to 1."""
        masks = []
        for shape in self.shapes:
            mask = Image.new("L", (self.width, self.height))
            shape.draw(ImageDraw.Draw(mask), 1, 255)
            masks.append(np.asarray(mask.resize((columns, rows), Image.Resampling.BOX)) / 255)
        return np.array(masks)


def choose_tone(random: Random, colour: str) -> RGB:
    """One of the many tones that go by the name `colour`."""
    hue, saturation, least, most = _HSV[colour]
    hue += random.uniform(-_DEGREES, _DEGREES)
    saturation *= random.uniform(0.8, 1.05)
    return _to_rgb(hue, min(saturation, 1.0), random.uniform(least, most))


def _to_rgb(hue: float, saturation: float, value: float) -> RGB:
    red, green, blue = colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _choose_pale(random: Random, dark: bool) -> RGB:
    value = random.uniform(0.0, 0.2) if dark else random.uniform(0.8, 1.0)
    return _to_rgb(random.uniform(0, 360), random.uniform(0, 0.15), value)


def _draw_background(random: Random, width: int, height: int, dark: bool) -> Image.Image:
    """White or black, one tone, a slope of tones, or grain."""
    style = random.choice(("plain", "tone", "slope", "grain"))
    if style == "plain":
        return Image.new("RGB", (width, height), (0, 0, 0) if dark else (255, 255, 255))
    first, second = np.array(_choose_pale(random, dark)), np.array(_choose_pale(random, dark))
    if style == "tone":
        return Image.new("RGB", (width, height), tuple(first.tolist()))
    if style == "slope":
        across = np.linspace(0, 1, width)[None, :, None]
        pixels = np.broadcast_to(first + (second - first) * across, (height, width, 3))
    else:
        grain = np.random.default_rng(random.randrange(1 << 32))
        pixels = first + grain.normal(0, random.uniform(2, 10), (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _compress(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")
