"""Where methods agree (004 §4.4): the pixels that all of their masks have in common.

    masks = {name: best_pixels(heatmap, 0.25) for name, heatmap in heatmaps.items()}
    gains(classifier, image, "horse", agreements(masks))

Such a mask is smaller than those it is made of, so SCG does not compare them (004 §4.4); CCG does.
The paper takes three methods, occluding patches of 10 pixels, the gradient dilated 5 times, and
C-MWP: their three pairs and the triple are what `agreements` makes of three masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.metrics import Reason, Undefined
from explainers.metrics.maps import check_mask
from explainers.metrics.outcomes import outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray


def intersection(*masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels `(H, W)` in all masks; Undefined where there is none."""
    if not masks:
        raise ExplainerError("There is no mask to intersect; expected at least one.")
    first = check_mask(masks[0])
    shared = np.logical_and.reduce([check_mask(mask, first.shape) for mask in masks])
    if not shared.any():
        raise Undefined(
            Reason.EMPTY_INTERSECTION, f"The {len(masks)} masks have no pixel in common."
        )
    return shared


def agreements(
    masks: Mapping[str, NDArray[np.bool_] | Reason],
    sets: Sequence[Sequence[str]] | None = None,
) -> dict[str, NDArray[np.bool_] | Reason]:
    """The common pixels of sets of methods, by their names joined with "+".

    masks: one image's mask per method, or the reason why it has none.
    sets: of names; None for every pair, and all methods together where there are more than two.
    A set without a common pixel, or with a method that has no mask, gives the reason.
    """
    if sets is None:
        sets = [*combinations(masks, 2)]
        if len(masks) > 2:
            sets.append(tuple(masks))
    unknown = [name for names in sets for name in names if name not in masks]
    if unknown:
        raise ExplainerError(f"There is no mask of {unknown[0]!r}; there are {', '.join(masks)}.")
    return {
        "+".join(names): outcome(intersection, *(masks[name] for name in names)) for names in sets
    }
