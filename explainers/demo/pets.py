"""Cats and dogs, made of named parts.

Local frame: ground at y = 0, a sitting animal is about 1.3 units high, facing the viewer; a
walking one faces right. Fox-like dogs (pointed ears, slim muzzle) are there to be mistaken for
cats.
"""

from __future__ import annotations

from dataclasses import dataclass

from numpy.random import Generator

from explainers.demo.canvas import INK, Colour, Frame, Pen, Shape, mix, shade

CAT_COATS: tuple[Colour, ...] = (
    (226, 146, 66),
    (128, 124, 124),
    (64, 60, 64),
    (236, 226, 210),
    (156, 112, 76),
    (196, 178, 152),
)
DOG_COATS: tuple[Colour, ...] = (
    (178, 122, 70),
    (120, 82, 56),
    (222, 186, 130),
    (70, 62, 60),
    (234, 228, 218),
    (198, 126, 60),
)
EYE_COLOURS: tuple[Colour, ...] = ((150, 196, 80), (228, 190, 62), (120, 180, 214))
PINK: Colour = (232, 148, 150)
WHITE: Colour = (250, 248, 244)
POSES = ("sitting", "walking", "lying", "portrait")


@dataclass(frozen=True, slots=True)
class Pet:
    """What one cat or dog looks like."""

    kind: str
    coat: Colour
    belly: Colour
    eyes: Colour
    pointed: bool
    striped: bool
    head_tilt: float
    gaze: float
    tail: float
    collar: Colour | None


def _one(rng: Generator, options: tuple[Colour, ...]) -> Colour:
    return options[int(rng.integers(len(options)))]


def cat(shapes: list[Shape], frame: Frame, rng: Generator, pose: str) -> None:
    """A cat in one of `POSES`."""
    coat = shade(_one(rng, CAT_COATS), float(rng.uniform(0.88, 1.1)))
    light_chest = rng.random() < 0.6
    look = Pet(
        kind="cat",
        coat=coat,
        belly=mix(coat, WHITE, 0.75 if light_chest else 0.2),
        eyes=_one(rng, EYE_COLOURS),
        pointed=True,
        striped=bool(rng.random() < 0.6),
        head_tilt=float(rng.uniform(-0.22, 0.22)),
        gaze=float(rng.uniform(-0.02, 0.02)),
        tail=float(rng.uniform(-0.15, 0.15)),
        collar=None if rng.random() < 0.8 else (196, 62, 62),
    )
    _BODIES[pose](Pen(shapes, frame, "cat"), look)


def dog(shapes: list[Shape], frame: Frame, rng: Generator, pose: str) -> None:
    """A dog in one of `POSES`; about a third have pointed ears."""
    coat = shade(_one(rng, DOG_COATS), float(rng.uniform(0.88, 1.1)))
    light_chest = rng.random() < 0.5
    look = Pet(
        kind="dog",
        coat=coat,
        belly=mix(coat, WHITE, 0.7 if light_chest else 0.2),
        eyes=(86, 56, 40),
        pointed=bool(rng.random() < 0.35),
        striped=False,
        head_tilt=float(rng.uniform(-0.22, 0.22)),
        gaze=float(rng.uniform(-0.02, 0.02)),
        tail=float(rng.uniform(-0.15, 0.15)),
        collar=(196, 62, 62) if rng.random() < 0.5 else None,
    )
    _BODIES[pose](Pen(shapes, frame, "dog"), look)


def _sitting(pen: Pen, look: Pet) -> None:
    dark = shade(look.coat, 0.8)
    lift = look.tail
    if look.kind == "cat":
        tail = [(0.22, -0.08), (0.52, -0.06), (0.62, -0.28 + lift), (0.5, -0.46 + lift)]
        pen.limb("tail", tail, (0.15, 0.14, 0.13, 0.1), dark)
        if look.striped:
            pen.limb("tail", tail[2:], (0.13, 0.1), shade(look.coat, 0.6))
    else:
        tail = [(0.26, -0.12), (0.48, -0.2), (0.6, -0.42 + lift)]
        pen.limb("tail", tail, (0.15, 0.13, 0.05), dark)
    for side in (-1, 1):
        pen.ellipse("legs", (side * 0.27, -0.15), (0.16, 0.17), dark)
        pen.ellipse("legs", (side * 0.3, -0.045), (0.15, 0.055), look.belly)
    slim = 1.0 if look.kind == "cat" else 1.08
    half = [(0.14, -0.8), (0.21, -0.62), (0.27, -0.35), (0.29, -0.1), (0.14, -0.01)]
    outline = [(x * slim, y) for x, y in half] + [(-x * slim, y) for x, y in half[::-1]]
    pen.blob("body", outline, look.coat)
    pen.blob(
        "body", [(0, -0.78), (0.12, -0.6), (0.1, -0.36), (-0.1, -0.36), (-0.12, -0.6)], look.belly
    )
    if look.striped:
        for y in (-0.5, -0.36, -0.22):
            for side in (-1, 1):
                pen.polygon(
                    "body",
                    [(side * 0.28, y - 0.05), (side * 0.13, y), (side * 0.28, y + 0.03)],
                    shade(look.coat, 0.66),
                )
    for side in (-1, 1):
        pen.limb(
            "legs",
            [(side * 0.11, -0.42), (side * 0.12, -0.06)],
            (0.15, 0.14),
            shade(look.coat, 0.93),
        )
        pen.ellipse("legs", (side * 0.13, -0.045), (0.1, 0.06), look.belly)
    if look.collar:
        pen.limb("collar", [(-0.16, -0.7), (0, -0.66), (0.16, -0.7)], (0.07, 0.07), look.collar)
    _head(pen, look, (0.0, -0.92), 1.0)


def _walking(pen: Pen, look: Pet) -> None:
    dark = shade(look.coat, 0.76)
    is_cat = look.kind == "cat"
    lift = look.tail
    if is_cat:
        tail = [(-0.5, -0.56), (-0.72, -0.7), (-0.78, -0.98 + lift), (-0.66, -1.16 + lift)]
        pen.limb("tail", tail, (0.13, 0.12, 0.11, 0.08), dark)
    else:
        tail = [(-0.5, -0.6), (-0.68, -0.78), (-0.66, -1.0 + lift)]
        pen.limb("tail", tail, (0.13, 0.12, 0.04), dark)
    for x, lean in ((-0.34, 0.1), (0.3, -0.08)):
        pen.limb(
            "legs",
            [(x, -0.45), (x + lean, -0.22), (x + lean * 1.3, -0.03)],
            (0.19, 0.12, 0.1),
            dark,
        )
    pen.blob(
        "body",
        [
            (0.46, -0.62),
            (0.2, -0.7),
            (-0.2, -0.67),
            (-0.48, -0.68),
            (-0.57, -0.5),
            (-0.42, -0.3),
            (-0.05, -0.27),
            (0.3, -0.28),
            (0.5, -0.42),
        ],
        look.coat,
    )
    pen.blob(
        "body",
        [(0.34, -0.36), (0.0, -0.34), (-0.3, -0.34), (-0.05, -0.26), (0.26, -0.27)],
        look.belly,
    )
    if look.striped:
        for x in (-0.34, -0.18, -0.02, 0.14):
            pen.polygon(
                "body",
                [(x - 0.05, -0.69), (x + 0.05, -0.69), (x + 0.01, -0.45)],
                shade(look.coat, 0.66),
            )
    for x, lean in ((-0.42, -0.1), (0.36, 0.12)):
        pen.limb(
            "legs",
            [(x, -0.45), (x + lean * 0.7, -0.22), (x + lean, -0.04)],
            (0.22, 0.13, 0.11),
            look.coat,
        )
        pen.ellipse("legs", (x + lean + 0.03, -0.04), (0.09, 0.05), look.belly)
    if not is_cat:
        pen.limb("neck", [(0.36, -0.56), (0.5, -0.78)], (0.34, 0.28), look.coat)
    if look.collar:
        pen.limb(
            "collar", [(0.36, -0.78), (0.44, -0.66), (0.58, -0.64)], (0.07, 0.07, 0.07), look.collar
        )
    _head(pen, look, (0.52, -0.82), 0.88)


def _lying(pen: Pen, look: Pet) -> None:
    dark = shade(look.coat, 0.78)
    pen.blob(
        "body",
        [
            (0.3, -0.42),
            (0.0, -0.5),
            (-0.36, -0.5),
            (-0.62, -0.32),
            (-0.66, -0.1),
            (-0.4, 0.0),
            (0.2, 0.0),
            (0.46, -0.1),
        ],
        look.coat,
    )
    pen.ellipse("legs", (-0.42, -0.17), (0.2, 0.17), shade(look.coat, 0.9))
    if look.striped:
        for x in (-0.3, -0.14, 0.02):
            pen.polygon(
                "body",
                [(x - 0.05, -0.5), (x + 0.05, -0.49), (x + 0.03, -0.28)],
                shade(look.coat, 0.66),
            )
    tail = [(-0.58, -0.08), (-0.4, 0.01), (-0.12, -0.02), (0.04, -0.06 + look.tail * 0.3)]
    pen.limb("tail", tail, (0.12, 0.12, 0.11, 0.07), dark)
    for x in (0.3, 0.5):
        pen.limb("legs", [(x - 0.16, -0.1), (x + 0.1, -0.05)], (0.14, 0.12), shade(look.coat, 0.93))
        pen.ellipse("legs", (x + 0.12, -0.05), (0.08, 0.055), look.belly)
    if look.collar:
        pen.limb("collar", [(0.16, -0.28), (0.36, -0.22), (0.52, -0.28)], (0.07, 0.07), look.collar)
    _head(pen, look, (0.34, -0.5), 0.92)


def _portrait(pen: Pen, look: Pet) -> None:
    pen.blob(
        "body",
        [(0.2, -0.8), (0.42, -0.5), (0.5, 0.1), (-0.5, 0.1), (-0.42, -0.5), (-0.2, -0.8)],
        look.coat,
    )
    pen.blob(
        "body", [(0.0, -0.7), (0.2, -0.4), (0.16, 0.1), (-0.16, 0.1), (-0.2, -0.4)], look.belly
    )
    if look.collar:
        pen.limb("collar", [(-0.27, -0.58), (0, -0.5), (0.27, -0.58)], (0.09, 0.09), look.collar)
    _head(pen, look, (0.0, -0.86), 1.25)


_BODIES = {"sitting": _sitting, "walking": _walking, "lying": _lying, "portrait": _portrait}


def _head(pen: Pen, look: Pet, centre: tuple[float, float], scale: float) -> None:
    """A head seen from the front; `centre` is the middle of the skull."""
    inner = pen.inner(centre, scale, look.head_tilt)
    if look.kind == "cat":
        _cat_head(inner, look)
    else:
        _dog_head(inner, look)


def _cat_head(pen: Pen, look: Pet) -> None:
    stripe = shade(look.coat, 0.62)
    for side in (-1, 1):
        ear = [(side * 0.33, -0.06), (side * 0.345, -0.44), (side * 0.06, -0.22)]
        pen.polygon("ears", ear, look.coat)
        inside = [(side * 0.285, -0.16), (side * 0.305, -0.37), (side * 0.14, -0.22)]
        pen.polygon("ears", inside, PINK)
    half = [(0.0, -0.27), (0.2, -0.24), (0.34, -0.06), (0.36, 0.08), (0.24, 0.21), (0.1, 0.26)]
    pen.blob("head", half + [(-x, y) for x, y in half[:0:-1]], look.coat)
    if look.striped:
        for x in (-0.09, 0.0, 0.09):
            top = -0.255 + abs(x) * 0.2
            pen.polygon("head", [(x - 0.03, top), (x + 0.03, top), (x * 0.8, top + 0.13)], stripe)
        for side in (-1, 1):
            cheek = [(side * 0.355, 0.02), (side * 0.23, 0.06), (side * 0.345, 0.1)]
            pen.polygon("head", cheek, stripe)
    for side in (-1, 1):
        pen.ellipse("mouth", (side * 0.065, 0.135), (0.095, 0.08), mix(look.belly, WHITE, 0.35))
    for side in (-1, 1):
        pen.ellipse("eyes", (side * 0.15, -0.02), (0.088, 0.078), INK)
        pen.ellipse("eyes", (side * 0.15, -0.02), (0.075, 0.066), look.eyes)
        pen.ellipse("eyes", (side * 0.15 + look.gaze, -0.02), (0.026, 0.06), INK)
        pen.ellipse("eyes", (side * 0.15 + look.gaze + 0.02, -0.045), (0.016, 0.016), WHITE)
    pen.polygon("nose", [(-0.048, 0.06), (0.048, 0.06), (0.0, 0.115)], (206, 106, 112))
    for side in (-1, 1):
        smile = [(0.0, 0.11), (side * 0.02, 0.165), (side * 0.085, 0.165)]
        pen.limb("mouth", smile, (0.016, 0.016), INK)
    whisker = WHITE if sum(look.coat) < 480 else shade(look.coat, 0.55)
    for side in (-1, 1):
        for rise in (-0.05, 0.0, 0.05):
            line = [(side * 0.14, 0.13 + rise * 0.4), (side * 0.47, 0.1 + rise * 1.6)]
            pen.limb("whiskers", line, (0.014, 0.008), whisker)


def _dog_head(pen: Pen, look: Pet) -> None:
    ear = shade(look.coat, 0.68)
    if look.pointed:
        for side in (-1, 1):
            outer = [(side * 0.3, -0.08), (side * 0.3, -0.43), (side * 0.07, -0.22)]
            pen.polygon("ears", outer, look.coat)
            inside = [(side * 0.26, -0.17), (side * 0.272, -0.35), (side * 0.13, -0.22)]
            pen.polygon("ears", inside, ear)
    half = [(0.0, -0.28), (0.17, -0.25), (0.28, -0.1), (0.26, 0.08), (0.2, 0.24), (0.09, 0.33)]
    pen.blob("head", half + [(-x, y) for x, y in half[:0:-1]], look.coat)
    blaze = [(0.0, -0.26), (0.05, -0.05), (0.13, 0.12), (0.0, 0.2), (-0.13, 0.12), (-0.05, -0.05)]
    pen.blob("head", blaze, look.belly)
    pen.ellipse("mouth", (0.0, 0.19), (0.17, 0.14), mix(look.belly, WHITE, 0.3))
    pen.blob(
        "mouth",
        [(-0.06, 0.27), (0.06, 0.27), (0.05, 0.4), (0.0, 0.44), (-0.05, 0.4)],
        (222, 108, 116),
    )
    for side in (-1, 1):
        smile = [(0.0, 0.17), (side * 0.03, 0.25), (side * 0.12, 0.25)]
        pen.limb("mouth", smile, (0.018, 0.018), INK)
    for side in (-1, 1):
        pen.ellipse("eyes", (side * 0.13, -0.05), (0.058, 0.062), WHITE)
        pen.ellipse("eyes", (side * 0.13 + look.gaze, -0.045), (0.046, 0.05), look.eyes)
        pen.ellipse("eyes", (side * 0.13 + look.gaze, -0.045), (0.026, 0.03), INK)
        pen.ellipse("eyes", (side * 0.13 + look.gaze + 0.014, -0.064), (0.013, 0.013), WHITE)
    pen.ellipse("nose", (0.0, 0.1), (0.075, 0.052), INK)
    pen.ellipse("nose", (-0.02, 0.085), (0.02, 0.012), (120, 112, 112))
    if not look.pointed:
        for side in (-1, 1):
            flap = [
                (side * 0.17, -0.25),
                (side * 0.33, -0.18),
                (side * 0.42, 0.06),
                (side * 0.36, 0.2),
                (side * 0.27, 0.08),
                (side * 0.24, -0.1),
            ]
            pen.blob("ears", flap, ear)
