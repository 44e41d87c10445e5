"""Horses, donkeys and cows seen from the side, made of named parts.

Local frame: hooves at y = 0, withers about one unit high, facing right. A donkey carries no label:
it is there to be mistaken for a horse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.random import Generator

from explainers.demo.canvas import INK, Colour, Frame, Pen, Shape, mix, rotate, shade

# Coat and mane of bay, chestnut, black, grey, palomino, dun and white horses.
HORSE_COATS: tuple[tuple[Colour, Colour], ...] = (
    ((142, 82, 46), (44, 34, 32)),
    ((170, 94, 50), (142, 70, 36)),
    ((66, 56, 56), (36, 30, 32)),
    ((168, 168, 172), (108, 108, 114)),
    ((212, 164, 92), (244, 230, 196)),
    ((190, 158, 116), (70, 54, 46)),
    ((238, 234, 226), (206, 198, 186)),
)
DONKEY_COATS: tuple[Colour, ...] = ((150, 142, 136), (126, 110, 98), (172, 160, 146))
COW_COATS: tuple[tuple[Colour, Colour], ...] = (
    ((244, 240, 234), (52, 46, 48)),
    ((244, 238, 228), (156, 88, 52)),
    ((176, 108, 64), (190, 122, 76)),
    ((92, 64, 52), (240, 234, 226)),
)
PINK: Colour = (234, 168, 164)
WHITE: Colour = (250, 248, 244)
POSES = ("standing", "grazing", "running", "portrait")
_NECK_BASE = (0.3, -0.84)


@dataclass(frozen=True, slots=True)
class Equine:
    """What one horse or donkey looks like."""

    donkey: bool
    coat: Colour
    mane: Colour
    blaze: bool
    socks: bool
    neck: float
    swing: float


def horse(shapes: list[Shape], frame: Frame, rng: Generator, pose: str) -> None:
    """A horse in one of `POSES`."""
    coat, mane = HORSE_COATS[int(rng.integers(len(HORSE_COATS)))]
    tone = float(rng.uniform(0.88, 1.1))
    look = Equine(
        donkey=False,
        coat=shade(coat, tone),
        mane=shade(mane, tone),
        blaze=bool(rng.random() < 0.4),
        socks=bool(rng.random() < 0.4),
        neck=float(rng.uniform(-0.12, 0.3)),
        swing=float(rng.uniform(-1, 1)),
    )
    _equine(Pen(shapes, frame, "horse"), look, pose)


def donkey(shapes: list[Shape], frame: Frame, rng: Generator, pose: str) -> None:
    """A donkey in one of `POSES`: long ears, short mane, tufted tail, pale muzzle."""
    coat = shade(DONKEY_COATS[int(rng.integers(len(DONKEY_COATS)))], float(rng.uniform(0.88, 1.1)))
    look = Equine(
        donkey=True,
        coat=coat,
        mane=shade(coat, 0.55),
        blaze=False,
        socks=False,
        neck=float(rng.uniform(0.0, 0.35)),
        swing=float(rng.uniform(-1, 1)),
    )
    _equine(Pen(shapes, frame, "donkey"), look, pose)


def _equine(pen: Pen, look: Equine, pose: str) -> None:
    if pose == "portrait":
        _portrait(pen, look)
        return
    running = pose == "running"
    far = shade(look.coat, 0.7)
    _equine_tail(pen, look, running)
    stride = 0.62 if running else 0.12 * look.swing
    _leg(pen, look, (0.33, -0.62), -stride * 1.1, 0.5 if running else 0.0, far)
    _leg(pen, look, (-0.44, -0.64), stride * 0.8, 0.3 if running else 0.0, far)
    belly = -0.52 if look.donkey else -0.55
    pen.blob(
        "body",
        [
            (0.47, -0.8),
            (0.3, -1.0),
            (0.02, -0.955),
            (-0.3, -1.0),
            (-0.52, -0.92),
            (-0.59, -0.74),
            (-0.47, -0.58),
            (-0.2, belly - 0.02),
            (0.08, belly + 0.02),
            (0.34, -0.55),
            (0.48, -0.66),
        ],
        look.coat,
    )
    pen.blob(
        "body",
        [(-0.2, -0.6), (0.08, -0.58), (0.3, -0.6), (0.08, -0.53), (-0.16, -0.55)],
        shade(look.coat, 0.82),
    )
    _leg(pen, look, (0.36, -0.64), stride * 0.9, 0.15 if running else 0.0, look.coat)
    _leg(pen, look, (-0.47, -0.66), -stride, 0.55 if running else 0.0, look.coat)
    turn = {"grazing": 1.4, "running": 0.28}.get(pose, look.neck)
    _neck_and_head(pen, look, turn)


def _equine_tail(pen: Pen, look: Equine, running: bool) -> None:
    sway = look.swing * 0.05
    if look.donkey:
        path = [(-0.55, -0.92), (-0.67, -0.74), (-0.68 + sway, -0.5)]
        pen.limb("tail", path, (0.07, 0.05, 0.04), look.coat)
        pen.ellipse("tail", (-0.68 + sway, -0.42), (0.06, 0.12), look.mane)
    elif running:
        path = [(-0.5, -0.93), (-0.72, -0.99), (-0.92, -0.88), (-1.08, -0.72)]
        pen.limb("tail", path, (0.08, 0.17, 0.2, 0.04), look.mane)
    else:
        path = [(-0.52, -0.94), (-0.68, -0.8), (-0.72 + sway, -0.52), (-0.72 + sway * 2, -0.2)]
        pen.limb("tail", path, (0.08, 0.15, 0.18, 0.05), look.mane)


def _leg(
    pen: Pen, look: Equine, hip: tuple[float, float], swing: float, bend: float, colour: Colour
) -> None:
    """A leg hanging from `hip`: swung forwards by `swing` radians, folded back by `bend`."""
    hind = hip[0] < 0
    length = -hip[1]
    knee_y = length * 0.5
    thigh = [(0.0, 0.0), (0.03 if hind else 0.0, knee_y * 0.5), (-0.05 if hind else 0.01, knee_y)]
    shin = [(-0.05 if hind else 0.01, knee_y), (0.0, length * 0.78), (0.01, length - 0.05)]
    pivot = (shin[0][0], shin[0][1])
    shin_points = rotate(shin, pivot, bend)
    path = rotate([*thigh, *shin_points[1:].tolist()], (0.0, 0.0), -swing) + hip
    pen.limb("legs", path, (0.27 if hind else 0.22, 0.2, 0.12, 0.085, 0.1), colour)
    ankle, foot = path[-2], path[-1]
    if look.socks:
        pen.limb("legs", [ankle * 0.5 + foot * 0.5, foot], (0.092, 0.105), WHITE)
    down = (foot - ankle) / math.hypot(*(foot - ankle))
    across = (-down[1] * 0.055, down[0] * 0.055)
    toe = foot + down * 0.055
    corners = [
        (foot[0] + across[0], foot[1] + across[1]),
        (foot[0] - across[0], foot[1] - across[1]),
        (toe[0] - across[0] * 1.3, toe[1] - across[1] * 1.3),
        (toe[0] + across[0] * 1.3, toe[1] + across[1] * 1.3),
    ]
    pen.polygon("legs", corners, INK)


def _neck_and_head(pen: Pen, look: Equine, turn: float) -> None:
    """Neck, mane and head; `turn` radians lower the neck from upright (0.3) to grazing (1.6)."""

    neck = [
        (0.06, -0.97),
        (0.3, -1.16),
        (0.5, -1.4),
        (0.62, -1.5),
        (0.76, -1.4),
        (0.7, -1.2),
        (0.6, -1.0),
        (0.5, -0.78),
        (0.4, -0.62),
        (0.2, -0.7),
    ]
    placed = rotate(neck, _NECK_BASE, turn)
    # The lower end stays inside the body, however the neck turns.
    placed[[0, 7, 8, 9]] = [(0.1, -0.96), (0.49, -0.74), (0.4, -0.62), (0.2, -0.7)]
    pen.blob("neck", placed, look.coat)
    crest = rotate([(0.62, -1.54), (0.5, -1.45), (0.33, -1.24), (0.14, -1.0)], _NECK_BASE, turn)
    crest[3] = (0.14, -0.97)
    if look.donkey:
        pen.limb("mane", crest, (0.06, 0.09, 0.08, 0.04), look.mane)
    else:
        pen.limb("mane", crest, (0.1, 0.18, 0.19, 0.06), look.mane)
        for low, high in (((0.5, -1.22), (0.5, -1.45)), ((0.36, -1.05), (0.36, -1.27))):
            lock = rotate([high, (low[0] + 0.03, (low[1] + high[1]) / 2), low], _NECK_BASE, turn)
            pen.limb("mane", lock, (0.14, 0.12, 0.02), look.mane)
    poll = rotate([(0.63, -1.46)], _NECK_BASE, turn)[0]
    _equine_head(pen.inner((float(poll[0]), float(poll[1])), 1.0, turn * 0.62 - 0.08), look)


def _equine_head(pen: Pen, look: Equine) -> None:
    """A head facing right and down, its poll at the origin."""
    dark = shade(look.coat, 0.72)
    tall = 0.34 if look.donkey else 0.19
    wide = 0.055 if look.donkey else 0.045
    for x, colour in ((0.07, dark), (0.0, look.coat)):
        ear = [
            (x - wide, 0.02),
            (x - wide * 0.9, -tall * 0.55),
            (x + 0.01, -tall),
            (x + wide, -tall * 0.5),
            (x + wide, 0.02),
        ]
        pen.blob("ears", ear, colour)
    if look.donkey:
        pen.limb("ears", [(0.0, -0.02), (0.005, -0.24)], (0.045, 0.02), shade(look.coat, 0.6))
    pen.blob(
        "head",
        [
            (-0.07, 0.02),
            (0.04, -0.06),
            (0.17, -0.02),
            (0.29, 0.17),
            (0.4, 0.36),
            (0.38, 0.47),
            (0.28, 0.48),
            (0.18, 0.36),
            (0.06, 0.28),
            (-0.05, 0.2),
        ],
        look.coat,
    )
    pale = (226, 218, 206) if look.donkey else shade(look.coat, 0.66)
    muzzle = [(0.33, 0.27), (0.41, 0.38), (0.38, 0.475), (0.28, 0.485), (0.23, 0.4)]
    pen.blob("mouth", muzzle, pale)
    pen.limb("mouth", [(0.26, 0.43), (0.34, 0.42)], (0.018, 0.018), INK)
    pen.ellipse("nose", (0.372, 0.375), (0.024, 0.018), INK, 0.9)
    if look.blaze:
        pen.limb("head", [(0.16, 0.0), (0.25, 0.15), (0.33, 0.3)], (0.05, 0.06, 0.04), WHITE)
    pen.ellipse("eyes", (0.12, 0.1), (0.042, 0.036), WHITE if look.donkey else dark, 0.5)
    pen.ellipse("eyes", (0.125, 0.1), (0.032, 0.03), INK)
    pen.ellipse("eyes", (0.134, 0.09), (0.011, 0.011), WHITE)
    if not look.donkey:
        lock = [(-0.03, -0.05), (0.08, -0.06), (0.16, 0.06), (0.1, 0.04), (0.04, 0.08)]
        pen.blob("mane", lock, look.mane)


def _portrait(pen: Pen, look: Equine) -> None:
    """Head and neck only, large; the neck leaves the picture at the lower border."""
    inner = pen.inner((-0.75, 1.0), 1.7)
    back = [(-0.5, -0.8), (0.02, -0.955), (0.3, -1.0), (0.5, -0.74), (0.45, -0.3), (-0.5, -0.3)]
    inner.blob("body", back, look.coat)
    _neck_and_head(inner, look, min(look.neck, 0.2))


def cow(shapes: list[Shape], frame: Frame, rng: Generator, pose: str) -> None:
    """A cow in one of `POSES` (running is drawn as standing)."""
    coat, patch = COW_COATS[int(rng.integers(len(COW_COATS)))]
    tone = float(rng.uniform(0.9, 1.08))
    coat, patch = shade(coat, tone), shade(patch, tone)
    horns = bool(rng.random() < 0.6)
    swing = float(rng.uniform(-1, 1))
    spots = rng.uniform(-0.06, 0.06, size=(3, 2))
    pen = Pen(shapes, frame, "cow")
    if pose == "portrait":
        inner = pen.inner((-0.8, 0.95), 1.7)
        inner.blob(
            "body", [(-0.4, -0.92), (0.4, -0.95), (0.62, -0.6), (0.5, -0.2), (-0.4, -0.2)], coat
        )
        _cow_head(inner.inner((0.66, -0.98), 1.0, -0.1), coat, patch, horns)
        return
    far = shade(coat, 0.72)
    tail = [(-0.64, -0.9), (-0.74, -0.7), (-0.72 + swing * 0.05, -0.4)]
    pen.limb("tail", tail, (0.06, 0.045, 0.04), shade(coat, 0.85))
    pen.ellipse("tail", (-0.72 + swing * 0.05, -0.36), (0.05, 0.1), patch)
    for x in (0.28, -0.42):
        pen.limb("legs", [(x, -0.5), (x + 0.03 * swing, -0.06)], (0.2, 0.12), far)
        pen.box("legs", (x - 0.06 + 0.03 * swing, -0.06), (x + 0.06 + 0.03 * swing, 0.0), INK)
    pen.ellipse("udder", (-0.24, -0.4), (0.13, 0.1), PINK)
    pen.blob(
        "body",
        [
            (0.5, -0.88),
            (0.2, -0.97),
            (-0.3, -0.96),
            (-0.62, -0.95),
            (-0.68, -0.74),
            (-0.58, -0.5),
            (-0.2, -0.4),
            (0.2, -0.4),
            (0.48, -0.52),
            (0.56, -0.7),
        ],
        coat,
    )
    for (x, y), (dx, dy), (rx, ry) in zip(
        ((-0.42, -0.8), (0.0, -0.66), (0.32, -0.82)),
        spots,
        ((0.17, 0.13), (0.19, 0.16), (0.13, 0.11)),
        strict=True,
    ):
        x, y = x + float(dx), y + float(dy)
        blot = [
            (x - rx, y),
            (x - rx * 0.4, y - ry * 0.9),
            (x + rx * 0.5, y - ry * 0.7),
            (x + rx, y + ry * 0.2),
            (x + rx * 0.2, y + ry),
            (x - rx * 0.6, y + ry * 0.7),
        ]
        pen.blob("body", blot, patch)
    for x in (0.38, -0.52):
        pen.limb("legs", [(x, -0.55), (x - 0.03 * swing, -0.06)], (0.22, 0.13), coat)
        pen.box("legs", (x - 0.065 - 0.03 * swing, -0.06), (x + 0.065 - 0.03 * swing, 0.0), INK)
    if pose == "grazing":
        pen.limb("neck", [(0.4, -0.74), (0.66, -0.52), (0.76, -0.42)], (0.42, 0.32, 0.24), coat)
        _cow_head(pen.inner((0.78, -0.48), 0.95, 0.42), coat, patch, horns)
    else:
        pen.limb("neck", [(0.4, -0.76), (0.68, -0.92)], (0.44, 0.28), coat)
        _cow_head(pen.inner((0.7, -1.02), 0.95, -0.08), coat, patch, horns)


def _cow_head(pen: Pen, coat: Colour, patch: Colour, horns: bool) -> None:
    """A broad head in three-quarter view with drooping ears, its forehead at the origin."""
    if horns:
        for side in (-1, 1):
            horn = [(side * 0.12, -0.08), (side * 0.23, -0.15), (side * 0.22, -0.27)]
            pen.limb("horns", horn, (0.07, 0.055, 0.02), (226, 214, 184))
    for side in (-1, 1):
        ear = [(side * 0.13, -0.04), (side * 0.27, -0.07), (side * 0.35, 0.02), (side * 0.24, 0.06)]
        pen.blob("ears", ear, patch)
    half = [(0.0, -0.12), (0.13, -0.1), (0.17, 0.05), (0.13, 0.22), (0.14, 0.34), (0.07, 0.4)]
    pen.blob("head", half + [(-x, y) for x, y in half[:0:-1]], patch)
    star = [(0.0, -0.1), (0.06, 0.02), (0.07, 0.24), (-0.07, 0.24), (-0.06, 0.02)]
    pen.blob("head", star, mix(coat, WHITE, 0.6))
    pen.ellipse("mouth", (0.0, 0.32), (0.165, 0.115), PINK)
    for side in (-1, 1):
        pen.ellipse("nose", (side * 0.07, 0.3), (0.028, 0.022), (140, 84, 84))
        pen.ellipse("eyes", (side * 0.11, 0.07), (0.036, 0.04), WHITE)
        pen.ellipse("eyes", (side * 0.11, 0.075), (0.027, 0.031), INK)
    pen.limb("mouth", [(-0.07, 0.375), (0.07, 0.375)], (0.014, 0.014), (140, 84, 84))
