"""Superpixels: SLIC on a part of an image, the hierarchy of them (000 §3.2), and quickshift."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.images import as_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

COMPACTNESS = 1.0
ITERATIONS = 10

Split = Callable[["NDArray[np.bool_]", int], "ArrayLike"]
"""From the part of an image to split, bool `(H, W)`, and the number k of superpixels wanted, to
their labels, whole numbers `(H, W)`: at most k different ones above 0 inside the part. A pixel
with label 0 is in none of them; labels outside the part are not read."""


@dataclass(frozen=True)
class Hierarchy:
    """Superpixels of superpixels.

    ranks: int32 `(H, W)`: a number per pixel, 0 to H * W - 1, such that every superpixel of every
    node is one run of numbers.
    nodes: breadth-first, per node the ranks at which its superpixels begin, and the last one's end;
    superpixels that follow one another there touch.
    """

    ranks: NDArray[np.int32]
    nodes: tuple[NDArray[np.int32], ...]


def hierarchy(size: tuple[int, int], split: Split, *, k: int, min_pixels: float) -> Hierarchy:
    """Split an image of (height, width), then its superpixels again and again (000 §3.2).

    A superpixel is split again if it has more than `min_pixels` pixels. A part that falls into
    fewer than two superpixels is no node: none of it could be masked without all of it (ours).

    Raises ExplainerError where `split` returns what is no label map.
    """
    pixels = size[0] * size[1]
    order = np.arange(pixels)
    nodes = []
    parts = deque([(0, pixels)])
    while parts:
        start, stop = parts.popleft()
        own = order[start:stop].copy()
        mask = np.zeros(pixels, bool)
        mask[own] = True
        mask = mask.reshape(size)
        labels = _checked_labels(split(mask, k), size, k, own)
        places = np.argsort(labels, kind="stable")
        order[start:stop] = own[places]
        found, first = np.unique(labels[places], return_index=True)
        edges = (start + np.append(first[found > 0], len(own))).tolist()
        if len(edges) < 3:
            continue
        nodes.append(np.array(edges, np.int32))
        parts.extend((low, high) for low, high in pairwise(edges) if high - low > min_pixels)
    ranks = np.empty(pixels, np.int32)
    ranks[order] = np.arange(pixels, dtype=np.int32)
    return Hierarchy(ranks.reshape(size), tuple(nodes))


def slic(image: NDArray[np.float32], *, sigma: float) -> Split:
    """SLIC of one image `(H, W, C)`, ready to split any part of it.

    Compactness 1, 10 iterations, a Gaussian of sigma pixels, connectivity not enforced, always
    with a mask. One channel counts as grey in three (ours). A part of fewer than two pixels stays
    whole.

    The image is scaled to 0..1 as a whole, as scikit-image 0.19 did, for which H2O was written.
    Since then scikit-image scales by the values inside the mask only, in whatever colours it is
    given, and compactness counts in those. So conversion to Lab and smoothing happen here, once,
    and the compactness handed on undoes that scaling: the labels are those of 0.19.
    """
    from scipy.ndimage import gaussian_filter
    from skimage import segmentation
    from skimage.color import rgb2lab

    exact = image.astype(np.float64)
    scaled = (exact - exact.min()) / (np.ptp(exact) or 1.0)
    lab = gaussian_filter(rgb2lab(_three_channels(scaled)), (sigma, sigma, 0))

    def split(mask: NDArray[np.bool_], k: int) -> ArrayLike:
        if np.count_nonzero(mask) < 2:
            return mask.astype(int)
        with warnings.catch_warnings():
            # k-means, which places the first centres, says so when one of them gets no pixel.
            warnings.filterwarnings("ignore", message="One of the clusters is empty")
            labels: ArrayLike = segmentation.slic(
                lab,
                n_segments=k,
                compactness=COMPACTNESS / (np.ptp(lab[mask]) or 1.0),
                max_num_iter=ITERATIONS,
                convert2lab=False,
                enforce_connectivity=False,
                mask=mask,
            )
        return labels

    return split


def quickshift(
    image: NDArray[np.float32], *, kernel_size: float, max_dist: float, ratio: float, seed: int
) -> NDArray[np.intp]:
    """Quickshift superpixels of an image `(H, W, C)`, 0..255: labels `(H, W)` from 0.

    The parameters are scikit-image's; seed: for its ties. One channel counts as grey in three
    (ours).
    """
    from skimage import segmentation

    labels: NDArray[np.intp] = segmentation.quickshift(
        _three_channels(image.astype(np.float64) / 255),
        ratio=ratio,
        kernel_size=kernel_size,
        max_dist=max_dist,
        rng=seed,
    )
    return labels


def _three_channels(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _checked_labels(
    labels: ArrayLike, size: tuple[int, int], k: int, part: NDArray[np.intp]
) -> NDArray[np.int64]:
    """The labels of a part's pixels, in their order."""
    inside = check_label_map(labels, size).ravel()[part]
    count = len(np.unique(inside[inside > 0]))
    if count > k:
        raise ExplainerError(f"The segmenter returned {count} superpixels; expected at most {k}.")
    return inside


def check_label_map(labels: ArrayLike, size: tuple[int, ...]) -> NDArray[np.int64]:
    """What a segmenter returned, as int64; ExplainerError unless it is whole numbers from 0 up."""
    array = as_array(labels, "segmenter's labels")
    if array.shape != tuple(size) or array.dtype.kind not in "uib":
        raise ExplainerError(
            f"The segmenter returned {array.dtype} of shape {array.shape}; "
            f"expected whole numbers of shape {tuple(size)}."
        )
    if array.min() < 0:
        raise ExplainerError(f"The segmenter returned the label {array.min()}; expected 0 or more.")
    return array.astype(np.int64)
