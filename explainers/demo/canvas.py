"""Flat shapes in unit coordinates, and their rendering to an image and to part masks.

A picture is a list of `Shape`s in painting order. Coordinates are fractions of the picture's
side, x to the right and y downwards, so one list serves every size. The same list is painted
twice: once in colour, once with a number per part, which is where the ground-truth masks come
from: a mask holds exactly the pixels in which its part is on top.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Floats = NDArray[np.float64]
Points = Sequence[tuple[float, float]] | Floats
Colour = tuple[int, int, int]

SUPERSAMPLING = 3
INK: Colour = (44, 36, 36)
_STEPS = 5  # straight pieces per curve segment


@dataclass(frozen=True, slots=True)
class Shape:
    """A filled polygon.

    part: name in the masks, such as "cat.ears"; "" for what has no mask (sky, shadows).
    points: (n, 2) unit coordinates.
    alpha: opacity 0..255; only opaque shapes count in the masks.
    """

    part: str
    points: Floats
    colour: Colour
    alpha: int = 255


class Frame:
    """An affine local frame: point p of the thing lies at p @ matrix + offset in the picture."""

    def __init__(self, matrix: Floats, offset: Floats) -> None:
        self.matrix = matrix
        self.offset = offset

    @classmethod
    def standing(
        cls, x: float, ground: float, scale: float, mirrored: bool = False, tilt: float = 0.0
    ) -> Frame:
        """Local (0, 0) touches the ground at (x, ground); one local unit is `scale` pictures."""
        flip = np.diag([-scale if mirrored else scale, scale])
        return cls(_turn(tilt) @ flip, np.array([x, ground]))

    def inner(self, centre: tuple[float, float], scale: float, tilt: float = 0.0) -> Frame:
        """A frame inside this one, with its origin at local `centre`."""
        return Frame(
            _turn(tilt) @ (self.matrix * scale), np.asarray(centre) @ self.matrix + self.offset
        )

    def place(self, points: Points) -> Floats:
        """Local (n, 2) points in unit picture coordinates."""
        return np.asarray(points, dtype=np.float64) @ self.matrix + self.offset


def _turn(angle: float) -> Floats:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


def rotate(points: Points, centre: tuple[float, float], angle: float) -> Floats:
    """(n, 2) points turned by `angle` radians (clockwise as seen, since y points down)."""
    return (np.asarray(points, dtype=np.float64) - centre) @ _turn(angle) + centre


@cache
def _catmull_rom() -> Floats:
    """(_STEPS, 4) weights of four neighbouring control points along one curve segment."""
    t = np.arange(_STEPS) / _STEPS
    columns = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    return np.stack(columns, axis=1) / 2


def closed_curve(points: Points) -> Floats:
    """A smooth closed outline through (n, 2) control points: (n * 5, 2)."""
    control = np.asarray(points, dtype=np.float64)
    neighbours = np.stack([np.roll(control, 1 - k, axis=0) for k in range(4)], axis=1)
    return np.einsum("sk,nkd->nsd", _catmull_rom(), neighbours).reshape(-1, 2)


def open_curve(points: Points) -> Floats:
    """A smooth open path through (n, 2) control points, ends included."""
    control = np.asarray(points, dtype=np.float64)
    if len(control) < 3:
        return control
    padded = np.concatenate([control[:1], control, control[-1:]])
    neighbours = np.stack([padded[k : len(padded) - 3 + k] for k in range(4)], axis=1)
    path = np.einsum("sk,nkd->nsd", _catmull_rom(), neighbours).reshape(-1, 2)
    return np.concatenate([path, control[-1:]])


def ellipse_outline(
    centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0, corners: int = 22
) -> Floats:
    """(corners, 2) points of an ellipse turned by `angle`."""
    turn = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    points = np.stack([np.cos(turn) * radii[0], np.sin(turn) * radii[1]], axis=1) + centre
    return rotate(points, centre, angle) if angle else points


def limb_outline(path: Points, widths: Sequence[float]) -> Floats:
    """The outline of a tapering stroke along `path`: full width `widths[i]` at control point i."""
    control = np.asarray(path, dtype=np.float64)
    curve = open_curve(control)
    half = np.interp(
        np.linspace(0, 1, len(curve)), np.linspace(0, 1, len(widths)), np.asarray(widths) / 2
    )
    tangent = np.empty_like(curve)
    tangent[1:-1] = curve[2:] - curve[:-2]
    tangent[0], tangent[-1] = curve[1] - curve[0], curve[-1] - curve[-2]
    tangent /= np.maximum(np.hypot(tangent[:, :1], tangent[:, 1:]), 1e-9)
    normal = tangent[:, ::-1] * (-1, 1) * half[:, None]
    # One extra point beyond each end rounds the stroke off.
    start = curve[:1] - tangent[:1] * half[0] * 0.8
    end = curve[-1:] + tangent[-1:] * half[-1] * 0.8
    return np.concatenate([start, curve + normal, end, (curve - normal)[::-1]])


class Pen:
    """Adds the shapes of one thing to a picture, in that thing's own frame.

    `part` arguments are local ("ears"); the owner's name is put in front ("cat.ears").
    An empty part takes the owner's name alone ("fence").
    """

    def __init__(self, shapes: list[Shape], frame: Frame, owner: str = "") -> None:
        self._shapes = shapes
        self._frame = frame
        self._owner = owner

    def inner(self, centre: tuple[float, float], scale: float, tilt: float = 0.0) -> Pen:
        """A pen for the same owner in a frame inside this one (a head on its neck)."""
        return Pen(self._shapes, self._frame.inner(centre, scale, tilt), self._owner)

    def polygon(self, part: str, points: Points, colour: Colour, alpha: int = 255) -> None:
        """A polygon with straight sides."""
        name = f"{self._owner}.{part}" if self._owner and part else self._owner or part
        self._shapes.append(Shape(name, self._frame.place(points), colour, alpha))

    def blob(self, part: str, points: Points, colour: Colour, alpha: int = 255) -> None:
        """A smooth closed outline through `points`."""
        self.polygon(part, closed_curve(points), colour, alpha)

    def ellipse(
        self,
        part: str,
        centre: tuple[float, float],
        radii: tuple[float, float],
        colour: Colour,
        angle: float = 0.0,
        alpha: int = 255,
    ) -> None:
        """An ellipse."""
        self.polygon(part, ellipse_outline(centre, radii, angle), colour, alpha)

    def limb(
        self, part: str, path: Points, widths: Sequence[float], colour: Colour, alpha: int = 255
    ) -> None:
        """A tapering stroke with round ends."""
        self.polygon(part, limb_outline(path, widths), colour, alpha)

    def box(
        self,
        part: str,
        corner: tuple[float, float],
        opposite: tuple[float, float],
        colour: Colour,
        alpha: int = 255,
    ) -> None:
        """A rectangle along the axes."""
        (x0, y0), (x1, y1) = corner, opposite
        self.polygon(part, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, alpha)


def shade(colour: Colour, factor: float) -> Colour:
    """A darker (factor below 1) or lighter (above 1, towards white) tone of a colour."""
    if factor <= 1:
        return mix((0, 0, 0), colour, factor)
    return mix(colour, (255, 255, 255), min(factor - 1, 1.0))


def mix(first: Colour, second: Colour, amount: float) -> Colour:
    """The colour `amount` (0..1) of the way from `first` to `second`."""
    r, g, b = (round(a + (c - a) * amount) for a, c in zip(first, second, strict=True))
    return r, g, b


def paint(shapes: Iterable[Shape], size: int) -> NDArray[np.uint8]:
    """The shapes in colour: (size, size, 3) uint8, antialiased by supersampling."""
    side = size * SUPERSAMPLING
    image = Image.new("RGB", (side, side))
    opaque, glass = ImageDraw.Draw(image), ImageDraw.Draw(image, "RGBA")
    for shape in shapes:
        corners = (shape.points * side - 0.5).ravel().tolist()
        if shape.alpha == 255:
            opaque.polygon(corners, fill=shape.colour)
        else:
            glass.polygon(corners, fill=(*shape.colour, shape.alpha))
    return np.asarray(image.reduce(SUPERSAMPLING))


def part_masks(shapes: Iterable[Shape], size: int) -> dict[str, NDArray[np.bool_]]:
    """Part name -> (size, size) mask of the pixels in whose centre that part is on top.

    Masks do not overlap; parts without a visible pixel are absent.
    """
    side = size * SUPERSAMPLING
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    numbers: dict[str, int] = {}
    for shape in shapes:
        if shape.alpha < 255:
            continue
        number = numbers.setdefault(shape.part, len(numbers) + 1) if shape.part else 0
        draw.polygon((shape.points * side - 0.5).ravel().tolist(), fill=number)
    middle = SUPERSAMPLING // 2
    top = np.asarray(image)[middle::SUPERSAMPLING, middle::SUPERSAMPLING]
    masks = {part: top == number for part, number in numbers.items()}
    return {part: mask for part, mask in masks.items() if mask.any()}
