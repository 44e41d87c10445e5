"""Places: meadow, room, street, beach. Each fills the picture and tells where its ground begins."""

from __future__ import annotations

from numpy.random import Generator

from explainers.demo.canvas import Colour, Frame, Pen, Shape, mix, shade

PLACES = ("meadow", "room", "street", "beach")
WHITE: Colour = (250, 248, 244)
SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((120, 184, 226), (216, 236, 244)),
    ((150, 200, 230), (240, 240, 226)),
    ((172, 186, 198), (220, 222, 222)),
    ((236, 168, 130), (250, 226, 178)),
)
WALLS: tuple[Colour, ...] = (
    (232, 214, 186),
    (196, 214, 206),
    (214, 200, 216),
    (236, 222, 200),
    (188, 200, 216),
)
FLOORS: tuple[Colour, ...] = ((178, 132, 92), (150, 108, 78), (200, 176, 146), (138, 130, 128))


def background(shapes: list[Shape], rng: Generator, place: str) -> float:
    """Paint `place` over the whole picture; returns the y at which its ground begins."""
    pen = Pen(shapes, Frame.standing(0.0, 0.0, 1.0))
    return _PAINTERS[place](pen, rng)


def _fade(pen: Pen, top: float, bottom: float, first: Colour, second: Colour, steps: int) -> None:
    """Horizontal bands from one colour to another."""
    height = (bottom - top) / steps
    for k in range(steps):
        y = top + k * height
        pen.box("", (0.0, y), (1.0, y + height + 0.01), mix(first, second, k / max(steps - 1, 1)))


def _sky(pen: Pen, rng: Generator, horizon: float) -> None:
    first, second = SKIES[int(rng.integers(len(SKIES)))]
    _fade(pen, 0.0, horizon, first, second, 14)
    if rng.random() < 0.3:
        x, y = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.06, 0.2))
        pen.ellipse("", (x, y), (0.055, 0.055), (252, 232, 150))
    for _ in range(int(rng.integers(0, 4))):
        x, y = float(rng.uniform(0, 1)), float(rng.uniform(0.05, max(horizon - 0.12, 0.08)))
        width = float(rng.uniform(0.05, 0.11))
        for dx, r in ((-0.8, 0.55), (0.0, 0.8), (0.8, 0.5)):
            centre = (x + dx * width, y - (0.2 * width if dx == 0 else 0))
            pen.ellipse("", centre, (width * r * 1.3, width * r * 0.6), WHITE, alpha=215)


def _meadow(pen: Pen, rng: Generator) -> float:
    horizon = float(rng.uniform(0.38, 0.6))
    _sky(pen, rng, horizon)
    grass = shade((132, 178, 88), float(rng.uniform(0.78, 1.1)))
    if rng.random() < 0.3:
        grass = mix(grass, (206, 186, 104), 0.6)
    rises = rng.uniform(0.02, 0.14, size=3)
    for k, x in enumerate((0.1, 0.55, 0.95)):
        hill = (0.42, float(rises[k]))
        pen.ellipse("", (x, horizon + 0.02), hill, mix(grass, (150, 190, 190), 0.4 + 0.1 * k))
    _fade(pen, horizon, 1.0, shade(grass, 1.12), shade(grass, 0.86), 8)
    flower = ((250, 220, 90), (240, 240, 240), (226, 130, 150))[int(rng.integers(3))]
    for _ in range(int(rng.integers(0, 22))):
        x, y = float(rng.uniform(0, 1)), float(rng.uniform(horizon + 0.06, 1))
        if rng.random() < 0.4:
            pen.ellipse("", (x, y), (0.008, 0.008), flower)
        else:
            blades = [
                (x - 0.012, y),
                (x - 0.008, y - 0.03),
                (x, y - 0.008),
                (x + 0.008, y - 0.034),
                (x + 0.012, y),
            ]
            pen.polygon("", blades, shade(grass, 0.74))
    return horizon


def _room(pen: Pen, rng: Generator) -> float:
    skirting = float(rng.uniform(0.55, 0.7))
    wall = shade(WALLS[int(rng.integers(len(WALLS)))], float(rng.uniform(0.9, 1.06)))
    floor = shade(FLOORS[int(rng.integers(len(FLOORS)))], float(rng.uniform(0.88, 1.1)))
    _fade(pen, 0.0, skirting, shade(wall, 0.96), wall, 4)
    if rng.random() < 0.35:
        for k in range(9):
            pen.box("", (k * 0.12, 0.0), (k * 0.12 + 0.05, skirting), shade(wall, 0.95))
    _fade(pen, skirting, 1.0, shade(floor, 0.9), shade(floor, 1.05), 4)
    for k in range(1, 4):
        y = skirting + (1 - skirting) * (k / 4) ** 1.4
        pen.box("", (0.0, y), (1.0, y + 0.006), shade(floor, 0.82))
    pen.box("", (0.0, skirting - 0.025), (1.0, skirting), shade(wall, 1.5))
    x = float(rng.uniform(0.12, 0.88))
    if rng.random() < 0.55:
        _window(pen, x, float(rng.uniform(0.06, 0.14)))
    elif rng.random() < 0.7:
        pen.box("", (x - 0.13, 0.1), (x + 0.13, 0.3), (122, 90, 66))
        pen.box("", (x - 0.11, 0.12), (x + 0.11, 0.28), mix(floor, WHITE, 0.7))
        pen.polygon("", [(x - 0.11, 0.28), (x - 0.03, 0.18), (x + 0.05, 0.28)], (128, 156, 150))
    if rng.random() < 0.5:
        rug = WALLS[int(rng.integers(len(WALLS)))]
        centre = (float(rng.uniform(0.3, 0.7)), (skirting + 1.05) / 2)
        pen.ellipse("", centre, (0.36, 0.1), shade(rug, 0.72))
        pen.ellipse("", centre, (0.31, 0.08), shade(rug, 0.95))
    return skirting


def _window(pen: Pen, x: float, top: float) -> None:
    pen.box("window", (x - 0.14, top), (x + 0.14, top + 0.3), WHITE)
    for left in (x - 0.12, x + 0.01):
        pen.box("window", (left, top + 0.02), (left + 0.11, top + 0.28), (172, 214, 236))
    pen.box("window", (x - 0.12, top + 0.14), (x + 0.12, top + 0.155), WHITE)


def _street(pen: Pen, rng: Generator) -> float:
    kerb = float(rng.uniform(0.55, 0.66))
    _sky(pen, rng, kerb)
    x = float(rng.uniform(-0.2, -0.02))
    while x < 1.0:
        width, top = float(rng.uniform(0.2, 0.34)), float(rng.uniform(0.08, 0.3))
        wall = mix(
            WALLS[int(rng.integers(len(WALLS)))], (150, 110, 100), float(rng.uniform(0.1, 0.6))
        )
        pen.box("", (x, top), (x + width, kerb), wall)
        pen.box("", (x - 0.01, top - 0.025), (x + width + 0.01, top + 0.01), shade(wall, 0.7))
        for column in (0.25, 0.7):
            for row in range(3):
                y = top + 0.06 + row * 0.14
                if y + 0.08 < kerb:
                    left = x + width * column - 0.03
                    pen.box("", (left, y), (left + 0.06, y + 0.08), mix(wall, (96, 130, 156), 0.7))
        x += width + float(rng.uniform(0.0, 0.06))
    pen.box("", (0.0, kerb), (1.0, kerb + 0.1), (190, 186, 180))
    road = kerb + 0.09
    _fade(pen, road, 1.0, (128, 126, 130), (104, 102, 108), 4)
    dash = float(rng.uniform(0, 0.2))
    middle = (road + 1) / 2
    for k in range(-1, 5):
        left = k * 0.26 + dash
        pen.box("", (left, middle), (left + 0.13, middle + 0.016), (232, 228, 214))
    return kerb + 0.03


def _beach(pen: Pen, rng: Generator) -> float:
    horizon = float(rng.uniform(0.32, 0.44))
    shore = horizon + float(rng.uniform(0.1, 0.18))
    _sky(pen, rng, horizon)
    sea = shade((74, 148, 178), float(rng.uniform(0.85, 1.12)))
    _fade(pen, horizon, shore + 0.03, shade(sea, 0.88), shade(sea, 1.15), 6)
    for _ in range(8):
        x, y = float(rng.uniform(0, 1)), float(rng.uniform(horizon + 0.02, shore))
        pen.box("", (x, y), (x + 0.06, y + 0.005), shade(sea, 1.4))
    sand = shade((230, 206, 150), float(rng.uniform(0.88, 1.06)))
    wave = rng.uniform(-0.02, 0.02, size=5)
    line = [(k / 4, shore + float(wave[k])) for k in range(5)]
    foam = [(x, y - 0.015) for x, y in line]
    pen.polygon("", [*foam, (1.0, 1.0), (0.0, 1.0)], WHITE)
    pen.polygon("", [*line, (1.0, 1.0), (0.0, 1.0)], sand)
    _fade(pen, shore + 0.12, 1.0, shade(sand, 0.99), shade(sand, 0.9), 5)
    for _ in range(int(rng.integers(0, 14))):
        x, y = float(rng.uniform(0, 1)), float(rng.uniform(shore + 0.06, 1))
        pen.ellipse("", (x, y), (0.008, 0.004), shade(sand, 0.74))
    return shore + 0.02


_PAINTERS = {"meadow": _meadow, "room": _room, "street": _street, "beach": _beach}
