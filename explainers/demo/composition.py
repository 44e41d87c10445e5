"""Scenes: what is in a picture, where, and under which light.

Every scene follows from (seed, split, index) alone, through PCG64, on every machine. Labels are
what is visible: a thing of which less than `MIN_VISIBLE` of the picture shows is taken out again,
so that labels and masks always agree.

The planted shortcut is the fence: it stands in most outdoor pictures of horses and in few others,
and the network does use it. A ball of yarn lies near most cats in rooms, but is small. Donkeys and
dogs with pointed ears are there to be mistaken for horses and cats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray
from PIL import Image

from explainers.demo import backgrounds, hoofed, objects, pets
from explainers.demo.canvas import Frame, Shape, paint, part_masks
from explainers.errors import ExplainerError

LABELS = ("cat", "horse", "dog", "cow", "bird", "car", "boat", "tree")
SIZE = 96
SEED = 2
SPLITS = {"train": 1000, "val": 500}
MIN_VISIBLE = 0.004

_PLACES = {"meadow": 0.4, "room": 0.28, "street": 0.16, "beach": 0.16}
_FIRST = {
    "meadow": {"horse": 0.34, "cow": 0.18, "donkey": 0.12, "dog": 0.12, "cat": 0.08, "bird": 0.06},
    "room": {"cat": 0.48, "dog": 0.28, "bird": 0.06},
    "street": {"car": 0.3, "dog": 0.2, "cat": 0.16, "horse": 0.14},
    "beach": {"horse": 0.26, "dog": 0.22, "bird": 0.16, "donkey": 0.06, "cat": 0.04},
}
_SECOND = {
    "meadow": {"horse": 0.08, "cow": 0.1, "dog": 0.08, "cat": 0.06, "bird": 0.08},
    "room": {"cat": 0.16, "dog": 0.16},
    "street": {"car": 0.3, "dog": 0.08, "cat": 0.06, "bird": 0.08},
    "beach": {"dog": 0.1, "bird": 0.12, "horse": 0.06},
}
# Picture heights of a thing that is one local unit high and stands in front.
_UNITS = {
    "cat": 0.46, "dog": 0.46, "horse": 0.4, "donkey": 0.4, "cow": 0.42, "bird": 0.34, "car": 0.44,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Light:
    """Brightness and tint per channel, the strength of a ramp across, and grain (0..255)."""

    tint: tuple[float, float, float]
    ramp: float
    grain: float
    key: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture with its truth.

    labels: the labels of `LABELS` that are visible, in that order.
    image: (size, size, 3) uint8.
    masks: part name ("cat.ears", "horse.mane", "fence") -> (size, size) bool; masks do not overlap
        and invisible parts are absent.
    """

    index: int
    split: str
    seed: int
    size: int
    place: str
    labels: tuple[str, ...]
    shapes: tuple[Shape, ...]
    light: Light

    @property
    def name(self) -> str:
        """A file name stem that says nothing about the content."""
        return scene_name(self.split, self.index)

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        return _lit(paint(self.shapes, self.size), self.light)

    @cached_property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        return part_masks(self.shapes, self.size)

    def mask(self, thing: str) -> NDArray[np.bool_]:
        """(size, size) pixels of a part, or of a whole thing ("horse") with all its parts."""
        mask = np.zeros((self.size, self.size), dtype=bool)
        for part, pixels in self.masks.items():
            if _belongs(part, thing):
                mask |= pixels
        return mask

    def without(self, *things: str) -> Scene:
        """The same scene with some things or parts left out, everything else unchanged."""
        kept = tuple(s for s in self.shapes if not any(_belongs(s.part, t) for t in things))
        labels = tuple(label for label in self.labels if label not in things)
        return replace(self, shapes=kept, labels=labels)


def _belongs(part: str, thing: str) -> bool:
    return part == thing or part.startswith(f"{thing}.")


def scene(index: int, *, split: str = "train", size: int = SIZE, seed: int = SEED) -> Scene:
    """Scene number `index` of a split, drawn at `size` pixels: the geometry is the same at any."""
    if split not in SPLITS:
        raise ExplainerError(f"split must be one of {', '.join(SPLITS)}, not {split!r}.")
    if index < 0 or size < 8:
        raise ExplainerError(
            f"a scene needs index >= 0 and size >= 8, not index {index} and size {size}."
        )
    key = (seed, list(SPLITS).index(split), index)
    rng = Generator(PCG64(SeedSequence(key)))
    place = _draw(rng, _PLACES) or "meadow"
    shapes, labels = _visible(_compose(rng, place))
    light = Light(
        tint=_tint(rng),
        ramp=float(rng.uniform(-0.16, 0.16)),
        grain=float(rng.uniform(2.0, 9.0)),
        key=key,
    )
    return Scene(index, split, seed, size, place, labels, shapes, light)


def scene_name(split: str, index: int) -> str:
    return f"scene-{split}-{index:05d}"


def named(name: str) -> Scene | None:
    """The scene that `Scene.name` calls so, at the usual size; None for any other name."""
    found = re.fullmatch(rf"scene-({'|'.join(SPLITS)})-(\d{{5}})", name)
    return None if found is None else scene(int(found[2]), split=found[1])


def scenes(
    split: str = "train", n: int | None = None, *, size: int = SIZE, seed: int = SEED
) -> Iterator[Scene]:
    """The first `n` scenes of a split (all of its usual number by default), one after another."""
    if split not in SPLITS:
        raise ExplainerError(f"split must be one of {', '.join(SPLITS)}, not {split!r}.")
    for index in range(SPLITS[split] if n is None else n):
        yield scene(index, split=split, size=size, seed=seed)


def targets(labels: tuple[str, ...]) -> NDArray[np.bool_]:
    """(8,) which of `LABELS` a scene has."""
    return np.array([label in labels for label in LABELS])


def _draw(rng: Generator, chances: dict[str, float]) -> str | None:
    """One name with its probability; None with what is left."""
    ticket = float(rng.random())
    for name, chance in chances.items():
        ticket -= chance
        if ticket < 0:
            return name
    return None


Drawing = Callable[[list[Shape], Frame, Generator], None]
Thing = tuple[float, list[Shape]]  # where it stands (y), its shapes


def _compose(rng: Generator, place: str) -> list[list[Shape]]:
    """The things of a picture from back to front, each a list of shapes."""
    ground_shapes: list[Shape] = []
    horizon = backgrounds.background(ground_shapes, rng, place)
    first, second = _draw(rng, _FIRST[place]), _draw(rng, _SECOND[place])
    left_first = bool(rng.random() < 0.5)
    things: list[Thing] = []
    if first:
        slot = (0.3, 0.7) if second is None else (0.2, 0.38) if left_first else (0.62, 0.8)
        things.append(_subject(rng, first, slot, horizon, near=True))
    if second:
        slot = (0.66, 0.92) if left_first else (0.08, 0.34)
        things.append(_subject(rng, second, slot, horizon, near=False))
    present = {first, second}
    if place == "room":
        things += _furniture(rng, horizon, present)
    else:
        things += _outdoors(rng, place, horizon, present)
    things.sort(key=lambda thing: thing[0])
    return [ground_shapes, *(shapes for _, shapes in things)]


def _subject(
    rng: Generator, kind: str, slot: tuple[float, float], horizon: float, near: bool
) -> Thing:
    """An animal or a car with a random pose, size and place; some are cut by the border."""
    x = float(rng.uniform(*slot))
    if near and rng.random() < 0.18:
        x = float(rng.choice([rng.uniform(0.0, 0.12), rng.uniform(0.88, 1.0)]))
    low, high = (0.62, 1.18) if near else (0.42, 0.72)
    if near and rng.random() < 0.25:
        low, high = 0.36, 0.6
    unit = _UNITS[kind] * float(rng.uniform(low, high))
    # What is small stands further away, hence higher up.
    depth = min(max((unit / _UNITS[kind] - 0.36) / 0.8, 0.0), 1.0)
    ground = (
        horizon + 0.06 + (0.92 - horizon) * (0.25 + 0.7 * depth) + float(rng.uniform(-0.03, 0.03))
    )
    mirrored = bool(rng.random() < 0.5)
    pose = _pose(rng, kind, near)
    tilt = float(rng.uniform(-0.06, 0.06))
    if pose == "portrait":
        ground, unit = 1.04, unit * (1.2 if kind in ("cat", "dog") else 1.5)
    shapes: list[Shape] = []
    frame = Frame.standing(x, ground, unit, mirrored, tilt)
    if pose != "portrait":
        half = 0.45 if kind in ("cat", "dog", "bird") else 0.75
        _shadow(shapes, frame, half)
    if kind in ("cat", "dog"):
        (pets.cat if kind == "cat" else pets.dog)(shapes, frame, rng, pose)
    elif kind == "bird":
        objects.bird(shapes, frame, rng, pose)
    elif kind == "car":
        objects.car(shapes, frame, rng)
    else:
        {"horse": hoofed.horse, "donkey": hoofed.donkey, "cow": hoofed.cow}[kind](
            shapes, frame, rng, pose
        )
    return ground, shapes


def _pose(rng: Generator, kind: str, near: bool) -> str:
    if kind == "bird":
        return "perched"
    if near and rng.random() < 0.16:
        return "portrait"
    if kind in ("cat", "dog"):
        return str(rng.choice(["sitting", "sitting", "walking", "lying"]))
    return str(rng.choice(["standing", "standing", "grazing", "running"]))


def _shadow(shapes: list[Shape], frame: Frame, half: float) -> None:
    turn = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    points = np.stack([np.cos(turn) * half, np.sin(turn) * 0.06], axis=1)
    shapes.append(Shape("", frame.place(points), (20, 24, 30), 60))


def _outdoors(rng: Generator, place: str, horizon: float, present: set[str | None]) -> list[Thing]:
    things: list[Thing] = []

    def stand(draw: Drawing, ground: float, unit: float, x: float | None = None) -> None:
        shapes: list[Shape] = []
        where = float(rng.uniform(0.04, 0.96)) if x is None else x
        frame = Frame.standing(where, ground, unit, bool(rng.random() < 0.5))
        draw(shapes, frame, rng)
        things.append((ground, shapes))

    if place == "meadow" and rng.random() < 0.25:
        stand(objects.house, horizon + 0.03, float(rng.uniform(0.12, 0.2)))
    if rng.random() < {"meadow": 0.42, "street": 0.34, "beach": 0.2}[place]:
        for _ in range(int(rng.integers(1, 3))):
            far = float(rng.uniform(0.02, 0.16))
            stand(objects.tree, horizon + far, 0.2 + far * 1.6 + float(rng.uniform(-0.05, 0.08)))
    if place == "beach" and rng.random() < 0.55:
        stand(objects.boat, horizon + 0.02, float(rng.uniform(0.1, 0.22)))
    if place == "street" and rng.random() < 0.4:
        stand(objects.car, horizon + 0.1, float(rng.uniform(0.14, 0.22)))
    if rng.random() < 0.16:
        shapes: list[Shape] = []
        spot = Frame.standing(
            float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.08, 0.3)),
            float(rng.uniform(0.07, 0.14)), bool(rng.random() < 0.5),
        )  # fmt: skip
        objects.bird(shapes, spot, rng, "flying")
        things.append((0.0, shapes))
    shortcut = 0.82 if "horse" in present else 0.2 if present & {"donkey", "cow"} else 0.09
    if rng.random() < shortcut:
        stand(
            objects.fence,
            horizon + float(rng.uniform(0.1, 0.42)),
            float(rng.uniform(0.75, 1.0)),
            0.5,
        )
    if place != "beach" and rng.random() < 0.25:
        stand(objects.bush, horizon + float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.18, 0.34)))
    return things


def _furniture(rng: Generator, horizon: float, present: set[str | None]) -> list[Thing]:
    things: list[Thing] = []

    def stand(draw: Drawing, ground: float, unit: float) -> None:
        shapes: list[Shape] = []
        draw(shapes, Frame.standing(float(rng.uniform(0.1, 0.9)), ground, unit), rng)
        things.append((ground, shapes))

    if rng.random() < (0.6 if "cat" in present else 0.3):
        stand(objects.sofa, horizon + 0.07, float(rng.uniform(0.3, 0.42)))
    if rng.random() < 0.35:
        stand(objects.plant, horizon + 0.05, float(rng.uniform(0.22, 0.38)))
    if rng.random() < 0.3:
        stand(objects.lamp, horizon + 0.04, float(rng.uniform(0.26, 0.36)))
    if rng.random() < (0.55 if "cat" in present else 0.06):
        stand(objects.yarn, float(rng.uniform(0.88, 0.98)), float(rng.uniform(0.15, 0.22)))
    if rng.random() < 0.2:
        stand(objects.bowl, float(rng.uniform(0.86, 0.97)), float(rng.uniform(0.14, 0.2)))
    return things


def _visible(things: list[list[Shape]]) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    """All shapes and the labels, without the labelled things that hardly show."""
    shapes = tuple(shape for thing in things for shape in thing)
    area = dict.fromkeys(LABELS, 0.0)
    for part, mask in part_masks(shapes, 48).items():
        kind = part.partition(".")[0]
        if kind in area:
            area[kind] += float(mask.mean())
    hidden = {label for label, share in area.items() if share < MIN_VISIBLE}
    kept = tuple(shape for shape in shapes if shape.part.partition(".")[0] not in hidden)
    return kept, tuple(label for label in LABELS if label not in hidden)


def _tint(rng: Generator) -> tuple[float, float, float]:
    brightness = float(rng.uniform(0.74, 1.1))
    warmth = float(rng.uniform(-0.07, 0.07))
    return brightness * (1 + warmth), brightness, brightness * (1 - warmth)


def _lit(image: NDArray[np.uint8], light: Light) -> NDArray[np.uint8]:
    """Tint, a brightness ramp from left to right, and grain drawn at 96 px whatever the size."""
    size = len(image)
    ramp = 1 + light.ramp * np.linspace(-1, 1, size, dtype=np.float32)
    lit = image * (ramp[None, :, None] * np.array(light.tint, dtype=np.float32))
    rng = Generator(PCG64(SeedSequence((*light.key, 1))))
    grain = rng.standard_normal((SIZE, SIZE), dtype=np.float32) * light.grain
    if size != SIZE:
        grain = np.asarray(Image.fromarray(grain).resize((size, size), Image.Resampling.BICUBIC))
    return np.clip(lit + grain[:, :, None] + 0.5, 0, 255).astype(np.uint8)
