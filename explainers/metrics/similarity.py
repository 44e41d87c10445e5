"""SIM and PCC: how like a map is to where people look (000 §2.2).

Both compare with a fixation density map, made of gaze while people classify the image. Sizes must
agree; neither is about faithfulness: a map can be like what people look at because they and the
classifier look at the same, or because it shows edges and centres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.metrics import Metric
from explainers.metrics.maps import check_map, min_max

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def sim(heatmap: ArrayLike, fixations: ArrayLike) -> float:
    """SIM, similarity (000 §2.2; Bylinskii et al. 2019): higher is better.

        sum over pixels of min(P, Q)

    where P and Q are the two maps, each min-max scaled and divided by its sum (the intersection of
    two histograms). From 0 (no pixel in common) to 1 (the same distribution).

    heatmap: `(H, W)`, signed; its most negative value becomes 0, so that strong negative values
    raise the ground under all others (pass the positive part alone where that is to be compared).
    fixations: `(H, W)`, 0 or more. Undefined where either is constant.

    Does not show whether the map is faithful to the classifier; a map that is wider or narrower
    than the fixation map scores lower even where both have the same centres.
    """
    first, second = _pair(heatmap, fixations)
    return float(np.minimum(_density(first), _density(second)).sum())


def pcc(heatmap: ArrayLike, fixations: ArrayLike) -> float:
    """PCC, Pearson's correlation coefficient (000 §2.2; Bylinskii et al. 2019): higher is better.

        cov(P, Q) / (sd(P) * sd(Q))

    over pixels of the two maps as they are. From -1 through 0 (no linear relation) to 1; the scale
    and the ground of either map do not matter. Undefined where either is constant.

    Does not show whether the map is faithful to the classifier; a few extreme pixels decide.
    """
    first, second = _pair(heatmap, fixations)
    # Scaled first, which changes nothing but that squares of very small values would vanish.
    return float(np.corrcoef(min_max(first).ravel(), min_max(second).ravel())[0, 1])


def _pair(
    heatmap: ArrayLike, fixations: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    second = check_map(fixations, name="fixation map")
    if second.min() < 0:
        raise ExplainerError(
            f"The fixation map has values down to {second.min():g}; expected 0 or more."
        )
    first = check_map(heatmap)
    if first.shape != second.shape:
        raise ExplainerError(
            f"The heatmap has {first.shape[0]} x {first.shape[1]} values, the fixation map "
            f"{second.shape[0]} x {second.shape[1]}; expected the same."
        )
    return first, second


def _density(values: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = min_max(values)
    return scaled / scaled.sum()


_NOT_FAITHFUL = "whether the map is faithful: the classifier has no part in it"

METRICS = (
    Metric(
        name="sim",
        label="SIM",
        function=sim,
        needs=("heatmap", "fixations"),
        map_of="target",
        better="higher",
        low=0.0,
        high=1.0,
        source="000 §2.2; Bylinskii et al. 2019",
        shows="how much of the map lies where people look",
        does_not_show=_NOT_FAITHFUL,
    ),
    Metric(
        name="pcc",
        label="PCC",
        function=pcc,
        needs=("heatmap", "fixations"),
        map_of="target",
        better="higher",
        low=-1.0,
        high=1.0,
        source="000 §2.2; Bylinskii et al. 2019",
        shows="whether the map is high where people look and low where they do not",
        does_not_show=_NOT_FAITHFUL,
    ),
)
