"""The pointing game: does the map's maximum lie on the object?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.images import as_array
from explainers.metrics import Metric, Reason, Undefined
from explainers.metrics.maps import check_map, check_mask, require_varied
from explainers.metrics.outcomes import Outcome, summary
from explainers.parameters import whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TOLERANCE = 15


def pointing_game(heatmap: ArrayLike, mask: ArrayLike, *, tolerance: int = TOLERANCE) -> float:
    """Pointing game (Zhang et al. 2016; 000 §2.2): higher is better.

    1 where the map's largest value lies on the object, or within a circle of `tolerance` pixels
    around it, 0 elsewhere; where several pixels share the largest value, the share of them that
    hit (ours: what pointing at one of them by chance would score on average).

    heatmap: `(H, W)`, signed, of the object's class. mask: bool `(H, W)`, all objects of that
    class; of boxes, see `box_mask`. tolerance: 15 as in the source, whose photographs are some 500
    pixels wide; in a picture of 224 pixels it is twice as generous.

    Undefined for a constant map and an empty mask. Does not show anything of the map but its
    maximum, nor whether the classifier looks at the object at all: a map that is faithful to a
    classifier that uses the surroundings misses. Large objects are hit by chance; see
    `pointing_chance`.
    """
    values = check_map(heatmap)
    hit = _near(mask, tolerance, values.shape)
    require_varied(values)
    return float(hit[values == values.max()].mean())


def pointing_chance(mask: ArrayLike, *, tolerance: int = TOLERANCE) -> float:
    """What a map with its maximum anywhere scores on average: the share of pixels that hit."""
    return float(_near(mask, tolerance).mean())


def box_mask(boxes: ArrayLike, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels `(H, W)` whose centre lies in one of the boxes `(n, 4)`.

    A box is (top, left, bottom, right) in pixels, as `voc.Photograph.boxes` gives them.
    """
    array = as_array(boxes, "boxes")
    if array.ndim != 2 or array.shape[1] != 4 or array.dtype.kind not in "uif":
        raise ExplainerError(
            f"The boxes are {array.dtype} of shape {array.shape}; expected numbers (boxes, 4)."
        )
    mask = np.zeros(size, bool)
    # NaN compares as false: such a box holds nothing.
    y, x = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    for top, left, bottom, right in array:
        mask |= ((y >= top) & (y < bottom))[:, None] & (x >= left) & (x < right)
    return mask


def class_mean(by_label: Mapping[str, Sequence[Outcome]]) -> float:
    """The mean over classes of each class's mean (Zhang et al. 2016).

    Frequent classes count no more than rare ones. NaN where no class has a value; the outcomes
    that are none are to be counted beside it (`outcomes.summary`).
    """
    means = [found.mean for found in map(summary, by_label.values()) if found.values]
    return float(np.mean(means)) if means else float("nan")


def _near(
    mask: ArrayLike, tolerance: int, size: tuple[int, ...] | None = None
) -> NDArray[np.bool_]:
    """The pixels from which the object is at most `tolerance` pixels away."""
    from scipy.ndimage import distance_transform_edt

    inside = check_mask(mask, size)
    radius = whole("tolerance", tolerance, minimum=0)
    if not inside.any():
        raise Undefined(Reason.EMPTY_MASK, "There is no object to point at.")
    return np.asarray(distance_transform_edt(~inside) <= radius)


METRICS = (
    Metric(
        name="pointing-game",
        label="Pointing game",
        function=pointing_game,
        needs=("heatmap", "mask"),
        map_of="target",
        better="higher",
        low=0.0,
        high=1.0,
        source="Zhang et al. 2016; 000 §2.2",
        shows="whether the map's maximum lies on an object that people have marked",
        does_not_show="the rest of the map, nor whether the classifier uses the object",
    ),
)
