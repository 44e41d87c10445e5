"""Birds, vehicles, plants, buildings and furniture.

Local frame: standing at y = 0, about one unit high unless a function says otherwise.
"""

from __future__ import annotations

import math

from numpy.random import Generator

from explainers.demo.canvas import INK, Colour, Frame, Pen, Shape, mix, shade

WHITE: Colour = (250, 248, 244)
WOOD: Colour = (166, 122, 82)
BIRD_COATS: tuple[Colour, ...] = (
    (78, 128, 190),
    (206, 78, 66),
    (236, 190, 70),
    (92, 92, 100),
    (240, 240, 240),
    (96, 150, 92),
)
PAINTS: tuple[Colour, ...] = (
    (204, 66, 60),
    (66, 116, 186),
    (240, 186, 62),
    (88, 156, 124),
    (238, 236, 230),
    (96, 92, 108),
)


def _one(rng: Generator, options: tuple[Colour, ...]) -> Colour:
    return shade(options[int(rng.integers(len(options)))], float(rng.uniform(0.88, 1.08)))


def bird(shapes: list[Shape], frame: Frame, rng: Generator, pose: str) -> None:
    """A bird facing right: "perched" on the ground, or "flying" (origin at its middle)."""
    coat = _one(rng, BIRD_COATS)
    belly, wing = mix(coat, WHITE, 0.6), shade(coat, 0.72)
    pen = Pen(shapes, frame, "bird")
    if pose == "flying":
        flap = float(rng.uniform(-0.5, 0.3))
        pen.blob(
            "wings",
            [(-0.05, -0.05), (-0.25, -0.5 - flap * 0.3), (-0.1, -0.7 - flap * 0.4), (0.2, -0.05)],
            wing,
        )
        pen.polygon("tail", [(-0.35, -0.06), (-0.75, -0.16), (-0.7, 0.08), (-0.35, 0.06)], wing)
        pen.blob(
            "body",
            [(-0.45, 0.0), (-0.1, -0.16), (0.3, -0.14), (0.4, 0.02), (0.1, 0.16), (-0.25, 0.1)],
            coat,
        )
        pen.ellipse("head", (0.42, -0.1), (0.17, 0.15), coat)
        pen.polygon("beak", [(0.56, -0.15), (0.78, -0.06), (0.56, -0.02)], (236, 158, 56))
        pen.ellipse("eyes", (0.46, -0.13), (0.035, 0.035), INK)
        pen.blob(
            "wings",
            [(-0.15, 0.0), (-0.45, -0.45 - flap * 0.3), (-0.45, -0.7 - flap * 0.4), (0.18, -0.02)],
            shade(coat, 0.84),
        )
        return
    for x in (-0.06, 0.08):
        pen.limb(
            "legs", [(x, -0.3), (x, -0.02), (x + 0.1, 0.0)], (0.045, 0.04, 0.035), (224, 146, 60)
        )
    pen.polygon("tail", [(-0.3, -0.5), (-0.78, -0.46), (-0.74, -0.28), (-0.25, -0.32)], wing)
    pen.blob(
        "body",
        [
            (0.3, -0.66),
            (0.0, -0.7),
            (-0.34, -0.48),
            (-0.3, -0.3),
            (0.0, -0.2),
            (0.3, -0.3),
            (0.4, -0.5),
        ],
        coat,
    )
    pen.blob("body", [(0.38, -0.5), (0.3, -0.3), (0.05, -0.21), (0.08, -0.4), (0.25, -0.52)], belly)
    pen.ellipse("head", (0.27, -0.78), (0.21, 0.2), coat)
    pen.polygon("beak", [(0.44, -0.86), (0.7, -0.75), (0.44, -0.69)], (236, 158, 56))
    pen.ellipse("eyes", (0.32, -0.83), (0.05, 0.05), WHITE)
    pen.ellipse("eyes", (0.33, -0.83), (0.034, 0.034), INK)
    pen.blob(
        "wings", [(0.1, -0.6), (-0.15, -0.58), (-0.5, -0.36), (-0.1, -0.32), (0.1, -0.42)], wing
    )


def car(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A car facing right, 2.2 units long, 0.9 high."""
    body = _one(rng, PAINTS)
    glass = (182, 216, 230)
    van = bool(rng.random() < 0.3)
    pen = Pen(shapes, frame, "car")
    if van:
        cabin = [
            (-1.02, -0.3),
            (-1.0, -0.92),
            (-0.9, -1.0),
            (0.55, -1.0),
            (0.86, -0.55),
            (0.86, -0.3),
        ]
        panes = [
            [(-0.8, -0.88), (-0.2, -0.88), (-0.2, -0.58), (-0.8, -0.58)],
            [(-0.1, -0.88), (0.5, -0.88), (0.72, -0.58), (-0.1, -0.58)],
        ]
    else:
        cabin = [(-0.72, -0.5), (-0.48, -0.9), (0.28, -0.9), (0.62, -0.5)]
        panes = [
            [(-0.55, -0.54), (-0.4, -0.82), (-0.1, -0.82), (-0.1, -0.54)],
            [(-0.02, -0.82), (0.24, -0.82), (0.48, -0.54), (-0.02, -0.54)],
        ]
    pen.polygon("cabin", cabin, shade(body, 0.92))
    for pane in panes:
        pen.polygon("windows", pane, glass)
    pen.blob(
        "body",
        [
            (-1.08, -0.5),
            (-0.6, -0.56),
            (0.6, -0.55),
            (1.02, -0.46),
            (1.1, -0.25),
            (0.98, -0.15),
            (-0.98, -0.15),
            (-1.12, -0.25),
        ],
        body,
    )
    pen.limb("body", [(-1.0, -0.25), (1.02, -0.25)], (0.04, 0.04), shade(body, 0.75))
    pen.ellipse("lights", (1.02, -0.39), (0.06, 0.06), (252, 236, 160))
    pen.ellipse("lights", (-1.06, -0.4), (0.04, 0.06), (214, 52, 48))
    for x in (-0.62, 0.62):
        pen.ellipse("wheels", (x, -0.18), (0.21, 0.21), INK)
        pen.ellipse("wheels", (x, -0.18), (0.11, 0.11), (196, 196, 200))


def boat(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A sailing boat, waterline at y = 0, 1.5 units high."""
    hull = _one(rng, PAINTS)
    sail = WHITE if rng.random() < 0.6 else _one(rng, PAINTS)
    pen = Pen(shapes, frame, "boat")
    pen.limb("mast", [(0.0, -0.1), (0.0, -1.5)], (0.05, 0.04), (120, 88, 62))
    pen.polygon("sails", [(0.05, -1.42), (0.06, -0.34), (0.68, -0.34)], sail)
    pen.polygon("sails", [(-0.05, -1.25), (-0.06, -0.34), (-0.5, -0.34)], shade(sail, 0.88))
    pen.polygon("hull", [(-0.78, -0.24), (0.84, -0.24), (0.56, 0.08), (-0.55, 0.08)], hull)
    pen.polygon("hull", [(-0.78, -0.24), (0.84, -0.24), (0.79, -0.17), (-0.73, -0.17)], WHITE)


def tree(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A tree 1.5 units high: broadleaf, fir or palm."""
    green = shade((92, 148, 78), float(rng.uniform(0.75, 1.12)))
    pen = Pen(shapes, frame, "tree")
    form = rng.random()
    if form < 0.5:
        pen.limb("trunk", [(0.0, 0.0), (0.02, -0.4), (0.0, -0.8)], (0.2, 0.13, 0.1), (122, 86, 60))
        for x, y, r, tone in (
            (-0.28, -0.82, 0.3, 0.86),
            (0.28, -0.84, 0.3, 0.8),
            (0.0, -1.12, 0.36, 1.0),
            (-0.08, -0.86, 0.3, 0.95),
        ):
            pen.ellipse("crown", (x, y), (r, r * 0.95), shade(green, tone))
        if rng.random() < 0.3:
            for x, y in ((-0.3, -0.8), (0.1, -1.1), (0.26, -0.78), (-0.08, -0.9)):
                pen.ellipse("fruit", (x, y), (0.055, 0.055), (210, 66, 58))
    elif form < 0.8:
        pen.box("trunk", (-0.07, -0.3), (0.07, 0.0), (112, 80, 58))
        dark = shade(green, 0.72)
        for k, (y, half) in enumerate(((-0.2, 0.46), (-0.58, 0.37), (-0.95, 0.28))):
            pen.polygon(
                "crown", [(-half, y), (half, y), (0.0, y - 0.6)], shade(dark, 1.0 + 0.08 * k)
            )
    else:
        pen.limb(
            "trunk", [(0.0, 0.0), (0.07, -0.5), (0.02, -1.05)], (0.14, 0.1, 0.08), (150, 112, 76)
        )
        for x, y in ((-0.55, -0.9), (0.55, -0.92), (-0.42, -1.25), (0.42, -1.3), (0.08, -1.42)):
            leaf = [(0.02, -1.06), (x * 0.6, min(y - 0.12, -1.12)), (x, y)]
            pen.limb("crown", leaf, (0.08, 0.17, 0.03), shade(green, 0.9))


def house(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A house 1.4 units high."""
    wall = mix(_one(rng, PAINTS), (240, 228, 208), 0.6)
    pen = Pen(shapes, frame, "house")
    pen.box("", (-0.6, -0.85), (0.6, 0.0), wall)
    pen.polygon("", [(-0.72, -0.82), (0.72, -0.82), (0.4, -1.35), (-0.4, -1.35)], (158, 84, 70))
    pen.box("", (-0.12, -0.45), (0.14, 0.0), (120, 84, 62))
    for x in (-0.4, 0.38):
        pen.box("", (x - 0.12, -0.65), (x + 0.12, -0.38), WHITE)
        pen.box("", (x - 0.09, -0.62), (x + 0.09, -0.41), (150, 196, 220))


def fence(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A wooden fence right across the picture: origin in its middle, posts 0.3 units high."""
    wood = WHITE if rng.random() < 0.35 else shade(WOOD, float(rng.uniform(0.8, 1.15)))
    pen = Pen(shapes, frame, "fence")
    gap = float(rng.uniform(0.15, 0.21))
    start = float(rng.uniform(-0.1, 0.0)) - 0.6
    for y in (-0.25, -0.12):
        pen.box("", (-0.75, y), (0.75, y + 0.045), shade(wood, 0.9))
    for k in range(9):
        x = start + k * gap
        pen.polygon(
            "", [(x, 0.0), (x, -0.28), (x + 0.025, -0.32), (x + 0.05, -0.28), (x + 0.05, 0.0)], wood
        )
        pen.box("", (x + 0.036, -0.28), (x + 0.05, 0.0), shade(wood, 0.78))


def bush(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A bush half a unit high."""
    green = shade((98, 150, 76), float(rng.uniform(0.72, 1.05)))
    pen = Pen(shapes, frame, "bush")
    for x, y, r, tone in (
        (-0.3, -0.12, 0.24, 0.85),
        (0.3, -0.12, 0.24, 0.8),
        (0.0, -0.22, 0.3, 1.0),
    ):
        pen.ellipse("", (x, y), (r, r * 0.85), shade(green, tone))


def sofa(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A sofa 2 units wide and 0.85 high, its seat at y = -0.4."""
    cloth = mix(_one(rng, PAINTS), (150, 130, 130), 0.3)
    pen = Pen(shapes, frame, "sofa")
    pen.blob(
        "",
        [(-0.9, -0.8), (0.0, -0.86), (0.9, -0.8), (0.95, -0.3), (-0.95, -0.3)],
        shade(cloth, 0.85),
    )
    pen.box("", (-0.95, -0.42), (0.95, -0.1), cloth)
    pen.box("", (-0.01, -0.42), (0.01, -0.1), shade(cloth, 0.8))
    for x in (-0.95, 0.95):
        pen.ellipse("", (x, -0.48), (0.14, 0.13), shade(cloth, 1.06))
        pen.box("", (x - 0.14, -0.48), (x + 0.14, -0.07), shade(cloth, 1.06))
    for x in (-0.85, 0.85):
        pen.box("", (x - 0.05, -0.08), (x + 0.05, 0.0), (96, 70, 54))


def yarn(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A ball of yarn one unit high with a loose end."""
    wool = _one(rng, PAINTS[:4])
    pen = Pen(shapes, frame, "yarn")
    pen.limb("", [(0.3, -0.1), (0.7, 0.0), (1.0, -0.12), (1.35, 0.0)], (0.07, 0.07), wool)
    pen.ellipse("", (0.0, -0.5), (0.5, 0.5), wool)
    for angle in (0.5, 1.3, 2.3):
        pen.limb("", _strand(angle, 0.1), (0.05, 0.05), shade(wool, 0.7))
        pen.limb("", _strand(angle, -0.14), (0.05, 0.05), shade(wool, 0.7))


def _strand(angle: float, offset: float) -> list[tuple[float, float]]:
    cosine, sine = math.cos(angle), math.sin(angle)
    line = [(-0.38, offset), (0.0, offset * 2.4), (0.38, offset)]
    return [(x * cosine - y * sine, x * sine + y * cosine - 0.5) for x, y in line]


def bowl(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A feeding bowl half a unit high."""
    clay = _one(rng, PAINTS)
    pen = Pen(shapes, frame, "bowl")
    pen.ellipse("", (0.0, -0.42), (0.48, 0.12), (150, 104, 70))
    pen.polygon("", [(-0.5, -0.42), (0.5, -0.42), (0.38, 0.0), (-0.38, 0.0)], clay)


def plant(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A potted plant one unit high."""
    green = shade((86, 146, 92), float(rng.uniform(0.8, 1.1)))
    pen = Pen(shapes, frame, "plant")
    for x, y in ((-0.34, -0.8), (0.34, -0.84), (-0.16, -1.0), (0.18, -1.02), (0.0, -0.9)):
        pen.limb(
            "",
            [(0.0, -0.32), (x * 0.6, y * 0.75), (x, y)],
            (0.06, 0.16, 0.03),
            shade(green, 1 + x * 0.3),
        )
    pen.polygon("", [(-0.22, -0.36), (0.22, -0.36), (0.16, 0.0), (-0.16, 0.0)], (190, 110, 78))


def lamp(shapes: list[Shape], frame: Frame, rng: Generator) -> None:
    """A standing lamp 1.6 units high."""
    cloth = mix(_one(rng, PAINTS), (250, 230, 180), 0.6)
    pen = Pen(shapes, frame, "lamp")
    pen.limb("", [(0.0, -0.02), (0.0, -1.2)], (0.05, 0.04), (110, 92, 82))
    pen.ellipse("", (0.0, -0.02), (0.2, 0.04), (110, 92, 82))
    pen.polygon("", [(-0.16, -1.6), (0.16, -1.6), (0.3, -1.15), (-0.3, -1.15)], cloth)
