"""What an evaluation is to do, checked before it starts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers import demo, metrics
from explainers.base import Explainer
from explainers.classifier import Classifier
from explainers.errors import ExplainerError
from explainers.evaluation.columns import Column
from explainers.evaluation.drawn import Drawing
from explainers.evaluation.judging import Judge, Scene
from explainers.metrics import Metric
from explainers.metrics.curves import STEPS
from explainers.metrics.pointing import box_mask
from explainers.parameters import choice, whole
from explainers.voc import Photograph

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGETS = ("top", "predicted", "annotated")
_LACKING = {
    Photograph: (("fixations", "shortcut", "heatmaps"), "photographs in VOC layout"),
    Drawing: (("fixations", "heatmaps"), "the demo's scenes"),
}


@dataclass(frozen=True)
class Plan:
    """Columns x metrics over photographs, or over the demo's scenes.

    target: which labels metrics of one class are about: "top", the one with the highest score
    (what 002 and 004 explain); "predicted", all that score above their threshold; "annotated",
    all that the data set says are to be seen. The map of the whole prediction has none.
    limit: of the photographs, the first so many; limits: fewer for some columns.
    """

    classifier: Classifier
    photographs: Sequence[Photograph | Drawing]
    columns: tuple[Column, ...]
    metrics: tuple[Metric, ...]
    target: str = "top"
    steps: int = STEPS
    seed: int = 0
    limit: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choice("--target", self.target, TARGETS)
        whole("--steps", self.steps, minimum=1)
        whole("--seed", self.seed, minimum=0)
        for limit in (self.limit, *self.limits.values()):
            if limit is not None:
                whole("--limit", limit, minimum=1)
        for name in self.limits:
            if name not in (one.name for one in self.columns):
                raise ExplainerError(
                    f"--limit-for names {name!r}, which is none of --methods: "
                    f"{', '.join(one.name for one in self.columns)}."
                )
        self._check_metrics()
        self._check_labels()

    def count(self, column: Column) -> int:
        """How many photographs a column is judged on: no more than what it is made of."""
        least = len(self.photographs) if self.limit is None else self.limit
        least = min(least, len(self.photographs), self.limits.get(column.name, least))
        return min([least, *(self.count(self.column(parent)) for parent in column.parents)])

    def column(self, name: str) -> Column:
        return next(one for one in self.columns if one.name == name)

    @property
    def judge(self) -> Judge:
        return Judge(self.classifier, self.metrics, self.steps, self.seed)

    def scene(self, photograph: Photograph | Drawing) -> Scene:
        """A photograph as the network sees and scores it: one prediction."""
        shape, labels = self.classifier.input_shape, self.classifier.labels
        pixels = photograph.load(shape)
        scores = self.classifier.predict(pixels[np.newaxis], batch_size=1)[0]
        if self.target == "top":
            targets = [int(scores.argmax())]
        elif self.target == "predicted":
            above = (self.classifier.thresholds[label] for label in labels)
            targets = [i for i, least in enumerate(above) if scores[i] > least]
        else:
            seen = photograph.labels(shape)
            targets = [i for i, label in enumerate(labels) if label in seen]
        known = photograph.name, pixels, scores, tuple(targets)
        if isinstance(photograph, Drawing):
            return Scene(
                *known,
                lambda index: photograph.mask(labels[index], shape),
                lambda index: photograph.shortcut(labels[index], shape),
            )
        return Scene(
            *known, lambda index: box_mask(photograph.boxes(labels[index], shape), pixels.shape[:2])
        )

    def explainers(self) -> dict[str, Explainer]:
        """The methods, ready; ExplainerError where one does not fit the network or the images."""
        made = {
            one.name: one.create(self.classifier) for one in self.columns if one.kind == "method"
        }
        pixels = self._first_readable()
        for explainer in made.values():
            explainer.iter_explain(pixels, 0)  # checks, and predicts nothing before it is asked
        if self.steps > (size := pixels[..., 0].size):
            raise ExplainerError(f"--steps is {self.steps}, more than the {size} pixels there are.")
        return made

    def _first_readable(self) -> NDArray[np.uint8]:
        for photograph in self.photographs:
            try:
                return photograph.load(self.classifier.input_shape)
            except ExplainerError as error:
                reason = error
        raise reason

    def settings(self) -> dict[str, Any]:
        """What the numbers depend on, for `Store`."""
        most = max(map(self.count, self.columns))
        return {
            "edition": metrics.EDITION,
            "model": self.classifier.fingerprint(),
            "labels": list(self.classifier.labels),
            "preprocess": self.classifier.preprocess,
            "thresholds": self.classifier.thresholds,
            "target": self.target,
            "metrics": [one.name for one in self.metrics],
            "steps": self.steps,
            "seed": self.seed,
            "versions": metrics.versions(),
            "images": {one.name: _fingerprint(one) for one in self.photographs[:most]},
            "methods": {
                one.name: {
                    "kind": one.kind,
                    "method": one.method,
                    "parameters": one.parameters(),
                    "parents": list(one.parents),
                }
                for one in self.columns
            },
        }

    def _check_metrics(self) -> None:
        if not self.metrics:
            raise ExplainerError("--metrics names none; expected names, separated by commas.")
        without, images = _LACKING[type(self.photographs[0])]
        for one in self.metrics:
            lacking = next((need for need in one.needs if need in without), None)
            if lacking:
                raise ExplainerError(
                    f"{one.name} needs {metrics.NEEDS[lacking]}; {images} come without."
                )
            if sum(other.name == one.name for other in self.metrics) > 1:
                raise ExplainerError(f"--metrics names {one.name} twice.")
        for column in self.columns:
            if not any(column.takes(one) for one in self.metrics):
                raise ExplainerError(
                    f"None of the metrics says anything about {column.name} ({column.kind})."
                )

    def _check_labels(self) -> None:
        """That annotations are of use, where something asks for them."""
        boxed = [one.name for one in self.metrics if {"mask", "shortcut"} & set(one.needs)]
        if not boxed and self.target != "annotated":
            return
        asking = boxed[0] if boxed else "--target annotated"
        photographs = [one for one in self.photographs if isinstance(one, Photograph)]
        if not photographs:
            self._check_drawn(asking)
            return
        objects = [one for photo in photographs for one in photo.objects]
        known = [one for one in objects if one.label in self.classifier.labels]
        if not known:
            there = ", ".join(sorted({one.label for one in objects})) or "nothing"
            raise ExplainerError(
                f"{asking} needs annotations of the network's labels "
                f"({', '.join(self.classifier.labels)}); the data set has {there}."
            )
        if boxed and all(one.box is None for one in known):
            raise ExplainerError(f"{asking} needs boxes; no annotation of the data set has one.")

    def _check_drawn(self, asking: str) -> None:
        unknown = [label for label in self.classifier.labels if label not in demo.LABELS]
        if unknown:
            raise ExplainerError(
                f"{asking} needs the demo's labels ({', '.join(demo.LABELS)}); the network has "
                f"{unknown[0]!r}."
            )


def _fingerprint(photograph: Photograph | Drawing) -> str:
    """SHA-256 of a photograph's file and annotation.

    A scene follows from its name: what counts is how scenes are drawn.
    """
    if isinstance(photograph, Drawing):
        return _of_drawing()
    digest = hashlib.sha256(repr(photograph.objects).encode())
    try:
        digest.update(hashlib.sha256(photograph.path.read_bytes()).digest())
    except OSError as error:
        raise ExplainerError(f"{photograph.path} cannot be read: {error.strerror}.") from None
    return digest.hexdigest()


@cache
def _of_drawing() -> str:
    return hashlib.sha256(demo.scene(0).image.tobytes()).hexdigest()
