"""Judging a classifier's scores: average precision, and the threshold of the best F1.

Average precision is the area under the precision-recall curve as a sum of steps,
AP = sum over thresholds n of (R_n - R_(n-1)) P_n, equal scores counting as one threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainers.errors import ExplainerError

Floats = NDArray[np.float64]


def average_precision(
    truth: ArrayLike, scores: ArrayLike, *, labels: Sequence[str] | None = None
) -> Floats:
    """Average precision of every label.

    truth: (N, labels) or (N,), true where the label applies.
    scores: same shape, larger means more likely.
    labels: names for error messages.
    Returns (labels,) values in (0, 1]; (1,) for one-dimensional input.
    Raises ExplainerError where a label has no positive example: its value is undefined.
    """
    positives, values = _columns(truth, scores)
    names = labels or [f"number {k}" for k in range(positives.shape[1])]
    found = []
    for k, name in enumerate(names):
        if not positives[:, k].any():
            raise ExplainerError(
                f"label {name} has no positive example among {len(positives)} images: "
                "its average precision is undefined."
            )
        hits, taken, _ = _curve(positives[:, k], values[:, k])
        recall = hits / hits[-1]
        found.append(float(np.sum(np.diff(recall, prepend=0.0) * hits / taken)))
    return np.array(found)


def best_f1_threshold(truth: ArrayLike, scores: ArrayLike) -> float:
    """The threshold at which "score above threshold" has the largest F1, for one label.

    It lies halfway between two neighbouring scores, so that rounding changes no decision.
    """
    positives, values = _columns(truth, scores)
    if not positives.any():
        raise ExplainerError("a threshold needs at least one positive example.")
    hits, taken, levels = _curve(positives[:, 0], values[:, 0])
    best = int(np.argmax(2 * hits / (taken + hits[-1])))
    below = levels[best + 1] if best + 1 < len(levels) else levels[best] - 1e-6
    return float((levels[best] + below) / 2)


def _columns(truth: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    positives, values = np.asarray(truth).astype(bool), np.asarray(scores, dtype=np.float64)
    if positives.shape != values.shape or positives.ndim not in (1, 2) or not positives.size:
        raise ExplainerError(
            f"truth and scores must have one shape, (N,) or (N, labels), not "
            f"{positives.shape} and {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ExplainerError("scores must be finite numbers; some are NaN or infinite.")
    return positives.reshape(len(positives), -1), values.reshape(len(values), -1)


def _curve(positives: NDArray[np.bool_], values: Floats) -> tuple[Floats, Floats, Floats]:
    """Per distinct score, downwards: true positives and images at or above it, and the score."""
    order = np.argsort(-values, kind="stable")
    sorted_values = values[order]
    last = np.append(np.flatnonzero(np.diff(sorted_values)), len(values) - 1)
    hits = np.cumsum(positives[order])[last].astype(np.float64)
    return hits, last + 1.0, sorted_values[last]
