"""Which metrics judge a map, how they are measured, and what they are called."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache

from django.conf import settings

from ..models import TrainedClassifier

RANDOM = "random"
"""What the random map beside every label's heatmaps is called in the place of a method."""

UNUSABLE = "heatmap cannot be used"
"""The reason of every value of a map whose file is gone, damaged or of another size."""

SEED = 0
_OF_LABEL = ("insertion", "deletion", "sparsity")
_OF_WHOLE = ("iauc", "dauc", "is", "ds", "ipgs", "dngs", "sparsity")
_OF_SCENE = ("relevance-inside", "relevance-on-shortcut")

_DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    None: "neither direction is better",
}


@dataclass(frozen=True)
class Words:
    """A metric for readers. better: "higher", "lower", or None where neither is."""

    name: str
    label: str
    better: str | None
    shows: str
    does_not_show: str

    @property
    def direction(self) -> str:
        return _DIRECTIONS[self.better]


def names(label: str, *, drawn: bool) -> tuple[str, ...]:
    """Return the metrics of a label's map, or ("") of the whole prediction's.

    drawn: whether the image is a scene of the demo, whose truth is known to the pixel.
    """
    if not label:
        return _OF_WHOLE
    return _OF_LABEL + (_OF_SCENE if drawn else ())


def all_words() -> list[Words]:
    return [words(name) for name in dict.fromkeys(_OF_LABEL + _OF_SCENE + _OF_WHOLE)]


@cache
def words(name: str) -> Words:
    from explainers.metrics import metric

    known = metric(name)
    return Words(name, known.label, known.better, known.shows, known.does_not_show)


def is_ahead(better: str | None, own: float, random: float) -> bool | None:
    """Return whether a value is better than a random map's; None where neither direction is."""
    if better is None:
        return None
    return own > random if better == "higher" else own < random


def recipe() -> str:
    """Return how maps are measured now: values measured otherwise are not mixed with these."""
    edition, packages = _software()
    steps = settings.FAITHFULNESS_STEPS
    return f"edition {edition}, {steps} steps, seed {SEED}, packages {packages}"


def steps_of(recipe: str) -> int | None:
    """Return the number of steps that a recipe, of now or of earlier, speaks of."""
    found = re.search(r"(\d+) steps", recipe)
    return int(found[1]) if found else None


@cache
def _software() -> tuple[int, str]:
    """Return the edition of the library's metrics, and a short name for the packages below it."""
    from explainers.metrics import EDITION, versions

    return EDITION, hashlib.sha256(json.dumps(versions(), sort_keys=True).encode()).hexdigest()[:8]


def random_key(classifier: TrainedClassifier, image_sha256: str, label: str) -> str:
    """Return the key of the random map measured for this classifier, image and label."""
    asked = [
        RANDOM,
        classifier.sha256,
        classifier.preprocess,
        classifier.labels,
        image_sha256,
        label,
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
