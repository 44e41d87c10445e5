"""How faithful a heatmap is: every metric of the sources, by name.

    curve = deletion_curve(classifier, image, heatmap)  # explainers.metrics.curves
    value = metric("dauc").function(curve)

One convention for all of them. A metric is a pure function that returns one float. Unusable input
(a map of another size than its image, NaN, a wrong kind of curve) raises ExplainerError. Where the
input is in order but the number does not exist for it - a constant map has no order, a prediction
of 0 cannot deteriorate - the function, or the one that makes its curve, raises `Undefined` with a
`Reason`. Callers count these per metric and reason and report the counts next to the means; no
number is put in their place and nothing is dropped in silence.

Each module keeps its entries in `METRICS`, beside the functions; the modules load when the first
metric is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from explainers.errors import ExplainerError

_PACKAGES = ("numpy", "scipy", "scikit-image", "keras", "Pillow")
_TENSORFLOW = ("tensorflow", "tensorflow-cpu")
_MODULES = (
    "faithfulness",
    "classwise",
    "colours",
    "gain",
    "pointing",
    "similarity",
    "sanity",
    "ground_truth",
)

EDITION = 2
"""Of all numbers. To be raised with every change that gives another number, or another reason, for
the same map: in a metric, a curve, a base image, a mask, the order of ties, or a map of chance.
Values of different editions are not mixed: `evaluate` refuses a folder of another, and a study's
heatmaps are measured anew.
"""

NEEDS = {
    "heatmap": "a map (H, W)",
    "heatmaps": "the maps of several methods, by name",
    "deletion": "the map's deletion curve",
    "insertion": "the map's insertion curve",
    "ca-deletion": "the deletion curve of a map with colours; the plain one of a map without",
    "target": "the index of the class that the map explains",
    "image": "the image (H, W, C)",
    "explainer": "the method",
    "mask": "where the object is: bool (H, W), from boxes or a segmentation",
    "shortcut": "where the demo's planted shortcut is: bool (H, W)",
    "fixations": "where people look: a map (H, W)",
    "gain": "what the map's best pixels add to a base image",
    "cascade": "how like the map stays while the network loses its weights",
}
"""What a metric can be a function of."""


class Reason(StrEnum):
    """Why a metric does not exist for an image and a map."""

    CONSTANT_MAP = "constant map"
    SMALL_MAP = "map too small to compare structure"
    CONSTANT_CURVE = "constant curve"
    ZERO_PREDICTION = "prediction of 0"
    NEGATIVE_SCORE = "score below 0"
    BASE_NOT_LOWER = "base image scores as high as the image"
    NOT_CLASSIFIED = "class not predicted after the last dilation"
    EMPTY_INTERSECTION = "no pixel in common"
    EMPTY_MASK = "not in the picture"
    NO_POSITIVE_VALUE = "no positive value"
    HYBRID_LOWER = "best pixels lower the base image's score"
    OTHER_METHOD = "undefined for another method"


class Undefined(Exception):  # noqa: N818 (it is an answer, not an error)
    """The metric does not exist for this image and map, though both are in order.

    reason: for counting. The message says it for this one case.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Metric:
    """What is known of a metric.

    name: as on the command line. label: as the paper prints it.
    function: takes what `needs` lists, in that order (keys of NEEDS); further arguments have
    defaults. Returns a float or raises Undefined.
    map_of: the map it judges: of one "target", or of the whole "prediction" (CLASS_AGNOSTIC).
    better: the direction of a more faithful map; None where neither is.
    low, high: the range for scores between 0 and 1; infinite where there is no bound.
    shows, does_not_show: one sentence each.
    """

    name: str
    label: str
    function: Callable[..., float]
    needs: tuple[str, ...]
    map_of: Literal["target", "prediction"]
    better: Literal["higher", "lower"] | None
    low: float
    high: float
    source: str
    shows: str
    does_not_show: str


def available() -> tuple[str, ...]:
    """The metrics' names, in the order of the modules."""
    return tuple(_metrics())


def metric(name: str) -> Metric:
    """What is known of a metric; ExplainerError for an unknown name."""
    if name not in _metrics():
        raise ExplainerError(f"There is no metric {name!r}; there are {', '.join(available())}.")
    return _metrics()[name]


@cache
def versions() -> dict[str, str]:
    """Of the packages on which numbers depend; none of them is loaded."""
    found = {name: version(name) for name in _PACKAGES}
    for name in _TENSORFLOW:  # one library under several names
        try:
            return found | {"tensorflow": version(name)}
        except PackageNotFoundError:
            continue
    return found


@cache
def _metrics() -> dict[str, Metric]:
    modules = (import_module(f"{__name__}.{module}") for module in _MODULES)
    return {entry.name: entry for module in modules for entry in module.METRICS}
