"""What all metrics do with a map before they judge it: check, order, scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.images import as_array
from explainers.metrics import Reason, Undefined

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def check_map(
    heatmap: ArrayLike, size: tuple[int, ...] | None = None, name: str = "heatmap"
) -> NDArray[np.float64]:
    """A map `(H, W)` as float64; ExplainerError for another shape or size, text, NaN, infinity.

    size: height and width that it must have, where given. name: what messages call it.
    """
    array = as_array(heatmap, name)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "uifb":
        raise ExplainerError(
            f"The {name} is {array.dtype} of shape {array.shape}; expected numbers (H, W)."
        )
    if size is not None and array.shape != tuple(size):
        raise ExplainerError(
            f"The {name} has {array.shape[0]} x {array.shape[1]} values, the image "
            f"{size[0]} x {size[1]} pixels; expected the same."
        )
    with np.errstate(over="ignore"):  # of a wider kind of number; found below
        values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ExplainerError(f"The {name} has values that are NaN or infinite.")
    return values


def check_mask(mask: ArrayLike, size: tuple[int, ...] | None = None) -> NDArray[np.bool_]:
    """A mask `(H, W)` of true and false; ExplainerError for another kind, shape or size."""
    array = as_array(mask, "mask")
    if array.ndim != 2 or array.size == 0 or array.dtype != bool:
        raise ExplainerError(
            f"The mask is {array.dtype} of shape {array.shape}; expected true and false (H, W)."
        )
    if size is not None and array.shape != tuple(size):
        raise ExplainerError(
            f"The mask has {array.shape[0]} x {array.shape[1]} values, the image "
            f"{size[0]} x {size[1]} pixels; expected the same."
        )
    return array


def require_varied(heatmap: NDArray[np.float64]) -> None:
    """Undefined for a map that has the same value everywhere: it ranks no pixel above another."""
    if heatmap.min() == heatmap.max():
        raise Undefined(Reason.CONSTANT_MAP, f"The map is {heatmap.flat[0]:g} everywhere.")


def order(heatmap: NDArray[np.float64], seed: int) -> NDArray[np.intp]:
    """The pixels (flat indices) by decreasing value; ties in an order drawn with the seed."""
    chance = np.random.default_rng(seed).permutation(heatmap.size)
    return np.lexsort((chance, -heatmap.ravel()))


def min_max(heatmap: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map scaled to 0..1; Undefined for a constant one."""
    require_varied(heatmap)
    low, high = heatmap.min(), heatmap.max()
    if high / 2 - low / 2 > np.finfo(np.float64).max / 2:  # the difference would be infinite
        return min_max(heatmap / 2)
    return (heatmap - low) / (high - low)
