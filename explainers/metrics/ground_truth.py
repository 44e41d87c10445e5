"""Ground truth of the demo: which pixels its network was trained to need, and its planted shortcut.

In a drawn scene the label follows from what is in it, so a classifier needs the pixels of the thing
itself; beside most horses, and few other things, stands a fence, which the network has learned to
use (its horse score falls when the fence goes, horse or no horse).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.metrics import Metric, Reason, Undefined
from explainers.metrics.maps import check_map, check_mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from explainers.demo import Scene

SHORTCUTS = {"horse": "fence"}
"""What was planted for a label."""


def needed(scene: Scene, label: str) -> NDArray[np.bool_]:
    """The pixels `(H, W)` of the labelled thing, all its parts; none where it is not there."""
    return scene.mask(_known(label))


def shortcut(scene: Scene, label: str) -> NDArray[np.bool_]:
    """The pixels `(H, W)` of what was planted for a label; none where that is not there."""
    planted = SHORTCUTS.get(_known(label))
    return scene.mask(planted) if planted else np.zeros((scene.size, scene.size), bool)


def relevance_inside(heatmap: ArrayLike, mask: ArrayLike) -> float:
    """Share of positive relevance inside a mask (ours, for the demo's parts): higher is better.

        sum of max(0, map) over the mask / sum of max(0, map) over all pixels

    From 0 to 1 (nothing outside). A map that knows nothing scores the mask's share of the area:
    compare with that. With boxes in place of parts this is the energy-based pointing game (Wang et
    al. 2020). heatmap, mask: `(H, W)`.

    Undefined for a map without a positive value and for an empty mask (the label is not there).
    Does not show what negative values do, nor how relevance is spread within the mask; and a
    faithful map is below 1 where the classifier does use other things, such as the shortcut.
    """
    return _share(heatmap, mask, "There is no needed part in the scene.")


def relevance_on_shortcut(heatmap: ArrayLike, mask: ArrayLike) -> float:
    """Share of positive relevance on the planted shortcut (ours): neither direction is better.

    The formula of `relevance_inside`, over the shortcut's pixels: from 0 to 1. A map that knows
    nothing scores the shortcut's share of the area. The network does use the shortcut, so a map
    without any relevance there hides something; how much would be right is not known.

    Undefined for a map without a positive value and where the shortcut is not in the scene.
    """
    return _share(heatmap, mask, "There is no planted shortcut in the scene.")


def _share(heatmap: ArrayLike, mask: ArrayLike, empty: str) -> float:
    positive = np.maximum(check_map(heatmap), 0.0)
    inside = check_mask(mask, positive.shape)
    if not inside.any():
        raise Undefined(Reason.EMPTY_MASK, empty)
    if not positive.any():
        raise Undefined(Reason.NO_POSITIVE_VALUE, "The map has no value above 0.")
    scaled = positive / positive.max()  # sums of very small values would vanish
    return float(scaled[inside].sum() / scaled.sum())


def _known(label: str) -> str:
    from explainers.demo import LABELS

    if label not in LABELS:
        raise ExplainerError(f"The demo has no label {label!r}; it has {', '.join(LABELS)}.")
    return label


METRICS = (
    Metric(
        name="relevance-inside",
        label="Relevance inside",
        function=relevance_inside,
        needs=("heatmap", "mask"),
        map_of="target",
        better="higher",
        low=0.0,
        high=1.0,
        source="ours; with boxes, Wang et al. 2020",
        shows="how much of the positive relevance lies on what the label is about",
        does_not_show="whether relevance outside is the map's error or the classifier's habit",
    ),
    Metric(
        name="relevance-on-shortcut",
        label="Relevance on shortcut",
        function=relevance_on_shortcut,
        needs=("heatmap", "shortcut"),
        map_of="target",
        better=None,
        low=0.0,
        high=1.0,
        source="ours",
        shows="whether the map gives the planted shortcut away",
        does_not_show="how much of the relevance should lie there",
    ),
)
