"""Insertion and deletion of one class (RISE, Petsiuk et al. 2018): areas under its score.

They judge a map of one class. Their arrows point the other way from IAUC and DAUC of 000
(`faithfulness`): those measure how far the prediction has fallen, these the score that is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.metrics import Metric
from explainers.metrics.curves import Curve, Kind, require_change, require_kind, trapezoid

if TYPE_CHECKING:
    from numpy.typing import NDArray


def insertion(curve: Curve, target: int) -> float:
    """RISE's insertion: higher is better.

    The area under the class's score over the fraction of pixels restored to a blurred image, by
    trapezoids. curve: `insertion_curve` of the map of that class; target: its index. In the range
    of the score, 0 to 1 for probabilities.

    Does not show how the map's values differ (only their order counts); a class that the blurred
    image shows well enough scores high under every map.

    Raises Undefined where the score stays the same at every step.
    """
    return trapezoid(curve, scores_of(curve, target, "insertion", "insertion"))


def deletion(curve: Curve, target: int) -> float:
    """RISE's deletion (also in 002 §5.2): lower is better.

    The area under the class's score over the fraction of pixels set to black, by trapezoids.
    curve: `deletion_curve` of the map of that class; target: its index. In the range of the
    score, 0 to 1 for probabilities.

    Does not show whether the score fell for want of the pixels or because black shapes are unlike
    anything the network knows.

    Raises Undefined where the score stays the same at every step.
    """
    return trapezoid(curve, scores_of(curve, target, "deletion", "deletion"))


def scores_of(curve: Curve, target: int, metric: str, *kinds: Kind) -> NDArray[np.float64]:
    """The class's scores `(steps + 1,)` along a curve of one of the kinds."""
    require_kind(curve, metric, *kinds)
    classes = curve.scores.shape[1]
    whole = isinstance(target, (int, np.integer)) and not isinstance(target, bool)
    if not whole or not 0 <= target < classes:
        raise ExplainerError(
            f"The target is {target!r}; expected the index of one of {classes} classes, from 0."
        )
    scores = curve.scores[:, target]
    require_change(scores, float(np.abs(scores).max()))
    return scores


METRICS = (
    Metric(
        name="insertion",
        label="Insertion",
        function=insertion,
        needs=("insertion", "target"),
        map_of="target",
        better="higher",
        low=0.0,
        high=1.0,
        source="Petsiuk et al. 2018 (RISE)",
        shows="whether the pixels ranked first are enough for the class",
        does_not_show="how the map's values differ: only their order counts",
    ),
    Metric(
        name="deletion",
        label="Deletion",
        function=deletion,
        needs=("deletion", "target"),
        map_of="target",
        better="lower",
        low=0.0,
        high=1.0,
        source="Petsiuk et al. 2018 (RISE)",
        shows="whether the class's score falls without the pixels ranked first",
        does_not_show="whether it is the missing pixels or the black shapes that make it fall",
    ),
)
