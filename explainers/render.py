"""From raw heatmaps to pictures: the only place that knows colours, scales and overlays.

One rule for every method: the positive part (of what lies `above` the map's median, where its
method has no meaningful zero), divided by its own 99.5th percentile, in reds over the photograph;
a darker red is a larger value. The photograph itself is drawn in greys, so that
its colours cannot be mistaken for the map's. MC-RISE's maps, one per colour, can also be drawn with
their sign: `colour_overlays`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.images import as_array, check_image
from explainers.parameters import within

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

PERCENTILE = 99.5

# From a faint to a deep red at equal steps. Lightness falls steadily, so the order survives in
# greyscale print and for readers with a colour-vision deficiency.
_REDS = np.array(
    [
        [254, 224, 210],
        [252, 187, 161],
        [252, 146, 114],
        [251, 106, 74],
        [239, 59, 44],
        [203, 24, 29],
        [153, 0, 13],
    ],
    np.float64,
)
# The same for values below zero, in the maps that are drawn with their sign.
_BLUES = np.array(
    [
        [222, 235, 247],
        [198, 219, 239],
        [158, 202, 225],
        [107, 174, 214],
        [66, 146, 198],
        [33, 113, 181],
        [8, 69, 148],
    ],
    np.float64,
)
# How much of the red covers the photograph, at the weakest and the strongest value: enough to tell
# neighbouring steps apart, little enough to recognise what lies beneath.
_COVER = (0.45, 0.75)
_FADE_IN = 8.0  # the red reaches its first step at an eighth of the scale

_LEGEND_GROUND = 235.0


def above(heatmap: ArrayLike, baseline: str) -> NDArray[np.float64]:
    """The map `(H, W)` as pictures take it, its values counted from where nothing is drawn.

    baseline: "zero", the map itself; "median", what lies above the median of the map. The second
    is for maps without a meaningful zero (the registry says which methods give such): a RISE map
    is near the mean score of all masked images wherever a pixel does not matter, which is to say
    nearly everywhere, and drawn from zero it would be red all over; so it is with MC-RISE, whose
    support is the largest of several maps and so above zero by their chance alone (ours).
    """
    checked = _checked_map(heatmap)
    if baseline == "median":
        return checked - np.median(checked)
    if baseline != "zero":
        raise ExplainerError(f"baseline is {baseline!r}; expected zero or median.")
    return checked


def positive_scale(heatmap: ArrayLike, percentile: float = PERCENTILE) -> float:
    """The value drawn at full strength: a percentile of the positive part over all pixels.

    Where so few pixels are positive that the percentile is 0, the maximum; 0.0 where none is.
    Callers that want one scale for several maps pass the largest of theirs to `overlay`.
    """
    positive = np.maximum(_checked_map(heatmap), 0.0)
    return float(np.percentile(positive, percentile) or positive.max())


def strength(heatmap: ArrayLike, scale: float | None = None) -> NDArray[np.float64]:
    """The positive part as 0..1: divided by `scale` (its own where None) and cut off at 1."""
    checked = _checked_map(heatmap)
    return np.maximum(_divided(checked, positive_scale(checked) if scale is None else scale), 0.0)


def thresholded(heatmap: ArrayLike, s: float = 1.0) -> NDArray[np.float64]:
    """The map as H2O publishes its own: scaled to 0..1, values below mean + s * std set to 0.

    Mean and standard deviation are of the scaled map (000 §3.5; s = 1 in its §4). A constant map
    has no scale: it becomes 0 everywhere (ours).
    """
    checked = _checked_map(heatmap)
    s = within("s", s, -1000, 1000)
    low, high = checked.min(), checked.max()
    if low == high:
        return np.zeros(checked.shape)
    scaled = (checked - low) / (high - low)
    return np.where(scaled < scaled.mean() + s * scaled.std(), 0.0, scaled)


def overlay(
    image: ArrayLike, heatmap: ArrayLike, *, scale: float | None = None
) -> NDArray[np.uint8]:
    """The heatmap's positive part in reds over the photograph, uint8 `(H, W, 3)`.

    image: `(H, W, 1 or 3)`, 0..255. heatmap: `(H, W)`, raw. scale: the value drawn at full
    strength, `positive_scale(heatmap)` where None.
    A map without a positive value gives the photograph in greys.
    """
    photograph = check_image(image)
    value = strength(heatmap, scale)
    _check_size(value, photograph)
    return _blend(_greys(photograph), value)


def signed_scale(maps: ArrayLike, percentile: float = PERCENTILE) -> float:
    """As `positive_scale`, of absolute values, over all colours of maps `(colours, H, W)`."""
    size = np.abs(_checked_map(maps, "(colours, H, W)"))
    return float(np.percentile(size, percentile) or size.max())


def colour_overlays(
    image: ArrayLike, maps: ArrayLike, *, scale: float | None = None
) -> NDArray[np.uint8]:
    """MC-RISE's maps over the photograph, one picture per colour: uint8 `(colours, H, W, 3)`.

    maps: `(colours, H, W)`, raw. scale: the absolute value drawn at full strength in all of them,
    `signed_scale(maps)` where None. Red where masking with that colour raises the score, blue
    where it lowers it. So (002 §4.2; at length in `McRise`), at one place:

    1. blue in every picture: what the photograph shows there supports the target, whatever its
       colour; red in every one: it is an obstacle;
    2. grey in every picture: irrelevant;
    3. red in some: that colour is a feature of the target which the photograph lacks there;
    4. blue in some: the photograph's own colour supports the target;
    5. grey in some only: that colour is like the photograph's own.
    """
    photograph = check_image(image)
    checked = _checked_map(maps, "(colours, H, W)")
    _check_size(checked[0], photograph)
    greys = _greys(photograph)
    values = _divided(checked, signed_scale(checked) if scale is None else scale)
    return np.stack([_blend(greys, value) for value in values])


def error_analysis(
    image: ArrayLike, predicted: ArrayLike, true: ArrayLike, *, scale: float | None = None
) -> NDArray[np.uint8]:
    """MC-RISE's maps of the predicted class beside those of the true class (002 Fig. 6).

    One picture per colour, the predicted class on the left: uint8 `(colours, H, 2 W, 3)`, colours
    and readings as in `colour_overlays`, on one scale, the larger of both where None. What is red
    on the right and blue on the left is what the photograph lacks to be classified rightly.
    """
    both = [_checked_map(maps, "(colours, H, W)") for maps in (predicted, true)]
    if len(both[0]) != len(both[1]):
        raise ExplainerError(
            f"There are maps of {len(both[0])} colours for the predicted class, of {len(both[1])} "
            "for the true one; expected the same."
        )
    if scale is None:
        scale = max(signed_scale(maps) for maps in both)
    return np.concatenate([colour_overlays(image, maps, scale=scale) for maps in both], axis=2)


def legend(width: int = 240, height: int = 16, *, signed: bool = False) -> NDArray[np.uint8]:
    """The colours of `overlay` from no support (left) to full strength (right), on light grey.

    signed: those of `colour_overlays`, from full strength below zero to full strength above.
    uint8 `(height, width, 3)`; what the colours mean is the caller's to write beside it.
    """
    ground = np.full((height, width), _LEGEND_GROUND)
    value = np.broadcast_to(np.linspace(-1.0 if signed else 0.0, 1.0, width), (height, width))
    return _blend(ground, value)


def _divided(values: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """The values over the scale, cut off at -1 and 1; all 0 where the scale is."""
    if not (math.isfinite(scale) and scale >= 0):
        raise ExplainerError(f"scale is {scale}; expected a number from 0 up.")
    if scale == 0:
        return np.zeros(values.shape)
    return np.clip(values / scale, -1.0, 1.0)


def _blend(greys: NDArray[np.float64], value: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values 0..1 in reds, -1..0 in blues."""
    weakest, strongest = _COVER
    size = np.abs(value)
    cover = np.minimum(1.0, _FADE_IN * size) * (weakest + (strongest - weakest) * size)
    colours = np.where(value[..., None] < 0, _shade(_BLUES, size), _shade(_REDS, size))
    blended = (1 - cover[..., None]) * greys[..., None] + cover[..., None] * colours
    return np.rint(blended).astype(np.uint8)


def _shade(colours: NDArray[np.float64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.linspace(0.0, 1.0, len(colours))
    return np.stack([np.interp(value, steps, channel) for channel in colours.T], axis=-1)


def _greys(photograph: NDArray[np.float32]) -> NDArray[np.float64]:
    """Luma (Rec. 601), lifted a little so that dark red stands out from dark ground."""
    weights = [1.0] if photograph.shape[2] == 1 else [0.299, 0.587, 0.114]
    return 40.0 + (photograph.astype(np.float64) @ weights) * (215.0 / 255.0)


def _check_size(heatmap: NDArray[np.float64], photograph: NDArray[np.float32]) -> None:
    if heatmap.shape != photograph.shape[:2]:
        raise ExplainerError(
            f"The heatmap has {heatmap.shape[0]} x {heatmap.shape[1]} values, the image "
            f"{photograph.shape[0]} x {photograph.shape[1]} pixels; expected the same."
        )


def _checked_map(heatmap: ArrayLike, expected: str = "(H, W)") -> NDArray[np.float64]:
    array = as_array(heatmap, "heatmap")
    axes = expected.count(",") + 1
    if array.ndim != axes or array.size == 0 or array.dtype.kind not in "uifb":
        raise ExplainerError(
            f"The heatmap is {array.dtype} of shape {array.shape}; expected numbers {expected}."
        )
    if not np.isfinite(array).all():
        raise ExplainerError("The heatmap has values that are NaN or infinite.")
    return array.astype(np.float64)
