"""The seven scores of 000 (§4.3): DAUC, IAUC, IS, DS, IPGS, DNGS and Sparsity.

They judge one map of the whole prediction. The curves are of d, 000 Eq. 1: how far the prediction
vector lies below that of the unchanged image, 0 where nothing falls (`curves.distance`). A perfect
explanation would let d rise steadily while pixels are deleted, most of it at once, and fall
steadily while they are inserted.

Each raises Undefined where the prediction is 0 for every class (d is 0 whatever happens), where a
score of the unchanged image is below 0 (d would call its fall a gain: 000 has probabilities), and
where d stays the same at every step, and ExplainerError for a curve of the other kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explainers.metrics import Metric, Reason, Undefined
from explainers.metrics.curves import (
    ROUNDING,
    Curve,
    Kind,
    require_change,
    require_kind,
    trapezoid,
)
from explainers.metrics.maps import check_map, min_max

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def dauc(curve: Curve) -> float:
    """DAUC, deletion area under curve (000 §2.2, §4.3): higher is better.

    The area under d over the fraction of pixels set to black, by trapezoids. From 0 to the sum of
    squared scores of the image, so a sure prediction scores higher than an unsure one; for a
    comparison across images see `dauc_normalised`. Unlike RISE's deletion it measures how far the
    prediction has fallen, so that its arrow points up.

    Does not show whether the prediction fell for want of the pixels or because black shapes are
    unlike anything the network knows; nor how the values differ, since only their order counts.
    """
    return trapezoid(curve, _distances(curve, "deletion", "DAUC"))


def iauc(curve: Curve) -> float:
    """IAUC, insertion area under curve (000 §2.2, §4.3): lower is better.

    The area under d over the fraction of pixels restored to a blurred image, by trapezoids. From
    0 to the sum of squared scores of the image. Unlike RISE's insertion it measures how far the
    prediction still lies below the image's, so that its arrow points down.

    Does not show how the values differ (only their order counts); where the blurred image alone
    is predicted as well as the image there is little for any map to gain.
    """
    return trapezoid(curve, _distances(curve, "insertion", "IAUC"))


def dauc_normalised(curve: Curve) -> float:
    """DAUC divided by the sum of squared scores of the image (ours): higher is better.

    From 0 (the prediction never falls) to 1 (it is 0 from the first pixel on): comparable across
    images of which the network is more and less sure. For the rest see `dauc`.
    """
    return dauc(curve) / _strength(curve)


def iauc_normalised(curve: Curve) -> float:
    """IAUC divided by the sum of squared scores of the image (ours): lower is better.

    From 0 to 1, comparable across images. For the rest see `iauc`.
    """
    return iauc(curve) / _strength(curve)


def insertion_spearman(curve: Curve) -> float:
    """IS, insertion Spearman correlation (000 §4.3): lower is better.

    Spearman's rank correlation, over the points of the insertion curve (the start among them:
    ours), of d with the sum of the min-max scaled values of the pixels restored so far. From -1
    (every step brings the prediction nearer) to 1. Distances that are the same to a millionth of
    the sum of squared scores share a rank (ours): on a plateau rounding would decide.

    Does not show how much a step changes: a curve that falls at once and one that falls at the
    end can both score -1. Where most of a map is 0, the sum stands still and tied ranks decide.
    """
    return _spearman(curve, _distances(curve, "insertion", "IS"))


def deletion_spearman(curve: Curve) -> float:
    """DS, deletion Spearman correlation (000 §4.3): higher is better.

    As IS, of the deletion curve: from -1 to 1 (every step takes the prediction further down).

    Does not show how much a step changes; where most of a map is 0, tied ranks decide.
    """
    return _spearman(curve, _distances(curve, "deletion", "DS"))


def ipgs(curve: Curve) -> float:
    """IPGS, insertion positive gradients sum (000 §4.3): lower is better.

    The sum of max(0, d[t + 1] - d[t]): what d rises in all while pixels are restored, where it
    should only fall. From 0 upwards; it grows with the number of steps, so compare curves of as
    many steps only.

    Does not show how early the prediction comes back, and rewards a map whose curve never moves
    for long; coarse steps hide rises.
    """
    return float(np.maximum(0.0, np.diff(_distances(curve, "insertion", "IPGS"))).sum())


def dngs(curve: Curve) -> float:
    """DNGS, deletion negative gradients sum (000 §4.3): lower is better.

    The sum of max(0, d[t] - d[t + 1]): what d falls in all while pixels are deleted, where it
    should only rise. From 0 upwards; compare curves of as many steps only.

    Does not show how early the prediction falls; coarse steps hide falls.
    """
    return float(np.maximum(0.0, -np.diff(_distances(curve, "deletion", "DNGS"))).sum())


def sparsity(heatmap: ArrayLike) -> float:
    """Sparsity (000 §4.3): how local a map is; higher is better, for a reader.

    Maximum divided by mean of the min-max scaled map `(H, W)`. From just above 1 to H * W (one
    pixel stands out). A threshold on the map raises it. In a signed map the most negative value
    becomes 0.

    Does not show whether the map is faithful: it never looks at the classifier. Undefined for a
    constant map.
    """
    return float(1.0 / min_max(check_map(heatmap)).mean())


def _distances(curve: Curve, kind: Kind, metric: str) -> NDArray[np.float64]:
    require_kind(curve, metric, kind)
    lowest = float(curve.original.min())
    if lowest < 0:
        raise Undefined(
            Reason.NEGATIVE_SCORE,
            f"{metric} is of scores of 0 and more; the image has one of {lowest:g}.",
        )
    strength = _strength(curve)
    if strength == 0:
        raise Undefined(
            Reason.ZERO_PREDICTION, "The image's score is 0 for every class: it cannot fall."
        )
    distances = curve.distances
    require_change(distances, strength)
    return distances


def _strength(curve: Curve) -> float:
    """The sum of squared scores of the unchanged image: the most that d can be."""
    return float(np.square(curve.original).sum())


def _spearman(curve: Curve, distances: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    same = np.round(distances / (ROUNDING * _strength(curve)))
    return float(spearmanr(same, curve.saliency).statistic)


_INFINITE = float("inf")
_ORDER_ONLY = "how the map's values differ: only their order counts"

METRICS = (
    Metric(
        name="iauc",
        label="IAUC",
        function=iauc,
        needs=("insertion",),
        map_of="prediction",
        better="lower",
        low=0.0,
        high=_INFINITE,
        source="000 §4.3",
        shows="whether the pixels ranked first are enough to bring the prediction back",
        does_not_show=_ORDER_ONLY,
    ),
    Metric(
        name="dauc",
        label="DAUC",
        function=dauc,
        needs=("deletion",),
        map_of="prediction",
        better="higher",
        low=0.0,
        high=_INFINITE,
        source="000 §4.3",
        shows="whether the prediction falls without the pixels ranked first",
        does_not_show="whether it is the missing pixels or the black shapes that make it fall",
    ),
    Metric(
        name="is",
        label="IS",
        function=insertion_spearman,
        needs=("insertion",),
        map_of="prediction",
        better="lower",
        low=-1.0,
        high=1.0,
        source="000 §4.3",
        shows="whether the prediction comes back steadily while saliency is restored",
        does_not_show="how much each step changes",
    ),
    Metric(
        name="ds",
        label="DS",
        function=deletion_spearman,
        needs=("deletion",),
        map_of="prediction",
        better="higher",
        low=-1.0,
        high=1.0,
        source="000 §4.3",
        shows="whether the prediction falls steadily while saliency is taken away",
        does_not_show="how much each step changes",
    ),
    Metric(
        name="ipgs",
        label="IPGS",
        function=ipgs,
        needs=("insertion",),
        map_of="prediction",
        better="lower",
        low=0.0,
        high=_INFINITE,
        source="000 §4.3",
        shows="how much restoring pixels takes the prediction away from the image's",
        does_not_show="how early the prediction comes back; it depends on the number of steps",
    ),
    Metric(
        name="dngs",
        label="DNGS",
        function=dngs,
        needs=("deletion",),
        map_of="prediction",
        better="lower",
        low=0.0,
        high=_INFINITE,
        source="000 §4.3",
        shows="how much deleting pixels brings the prediction nearer to the image's",
        does_not_show="how early the prediction falls; it depends on the number of steps",
    ),
    Metric(
        name="sparsity",
        label="Sparsity",
        function=sparsity,
        needs=("heatmap",),
        map_of="prediction",
        better="higher",
        low=1.0,
        high=_INFINITE,
        source="000 §4.3",
        shows="how local the map is",
        does_not_show="whether it is faithful: the classifier has no part in it",
    ),
    Metric(
        name="iauc-normalised",
        label="IAUC / p²",
        function=iauc_normalised,
        needs=("insertion",),
        map_of="prediction",
        better="lower",
        low=0.0,
        high=1.0,
        source="000 §4.3, divided by the sum of squared scores (ours)",
        shows="as IAUC, comparable across images",
        does_not_show=_ORDER_ONLY,
    ),
    Metric(
        name="dauc-normalised",
        label="DAUC / p²",
        function=dauc_normalised,
        needs=("deletion",),
        map_of="prediction",
        better="higher",
        low=0.0,
        high=1.0,
        source="000 §4.3, divided by the sum of squared scores (ours)",
        shows="as DAUC, comparable across images",
        does_not_show="whether it is the missing pixels or the black shapes that make it fall",
    ),
)
