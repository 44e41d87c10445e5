"""The methods as one would first write them: every masked image made, whole, and predicted.

They serve `benchmarks.explainers` as something to compare with: how many predictions they need,
and, with settings they can afford, whether the map is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import pairwise, product
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers import Classifier, Explainer
from explainers.boxes import fill_colours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Map = NDArray[np.float64]
    Image = NDArray[np.float64]
    Box = tuple[int, int, int, int]

SMALL: dict[str, dict[str, Any]] = {
    "multiscale": {"depth": 2, "best": "all"},
    "occluding-patches": {"box": 32, "stride": 24},
    "occlusion": {"box": 32, "stride": 24},
}
"""Settings for the comparison of maps; methods that are not here have no naive program."""


def heatmap(method: str, explainer: Explainer, picture: NDArray[np.uint8], target: int) -> Map:
    return _HEATMAPS[method](explainer, picture.astype(np.float64), target)


def predictions(method: str, explainer: Explainer, picture: NDArray[np.uint8], own: int) -> int:
    """How many the naive program makes where the method itself makes `own`."""
    if method == "multiscale":
        return _multiscale_predictions(explainer, *picture.shape[:2])
    return own


def _scores(classifier: Classifier, images: Iterable[Image], target: int) -> Map:
    """The target's score of each image, one image at a time."""
    return np.array(
        [classifier.predict(image[np.newaxis], batch_size=1)[0, target] for image in images],
        np.float64,
    )


def _filled(image: Image, box: Box, fill: Any) -> Image:
    top, left, bottom, right = box
    filled = image.copy()
    boxes = np.array([box], np.int32)
    filled[top:bottom, left:right] = fill_colours(image.astype(np.float32), boxes, fill)[0]
    return filled


def _occlusion(explainer: Any, image: Image, target: int) -> Map:
    (original,) = _scores(explainer.classifier, [image], target)
    return original - _left(explainer, image, target)


def _occluding_patches(explainer: Any, image: Image, target: int) -> Map:
    return 1 - _left(explainer, image, target)


def _left(explainer: Any, image: Image, target: int) -> Map:
    """Mean score of the images in which a box covers the pixel."""
    height, width, _ = image.shape
    total, count = np.zeros((height, width)), np.zeros((height, width))
    rows, columns = (range(0, size, explainer.stride) for size in (height, width))
    for top, left in product(rows, columns):
        bottom, right = min(top + explainer.box, height), min(left + explainer.box, width)
        filled = _filled(image, (top, left, bottom, right), explainer.fill)
        (score,) = _scores(explainer.classifier, [filled], target)
        total[top:bottom, left:right] += score
        count[top:bottom, left:right] += 1
    return total / count


# -- multi-scale occlusion, tree by tree -----------------------------------------------------------


class _Region:
    def __init__(self, box: Box, children: list[_Region]) -> None:
        self.box = box
        self.children = children
        self.importance = 0.0

    def walk(self) -> Iterator[_Region]:
        yield self
        for child in self.children:
            yield from child.walk()


def _cells(size: int, depth: int, level: int, offset: int, low: int, high: int) -> list[Any]:
    """One shifted grid along one axis, cropped to low..high; exact until rounded half up."""
    step, shift = Fraction(size, 2**level), offset * Fraction(size, 2 ** (depth + 1))
    edges = [
        floor(shift + place * step + Fraction(1, 2))
        for place in range(-(2**level) - 1, 2**level + 2)
    ]
    cropped = [(max(a, low), min(b, high)) for a, b in pairwise(edges)]
    return [(start, stop) for start, stop in cropped if start < stop]


def _grow(
    shape: tuple[int, int], depth: int, offset: tuple[int, int], box: Box, level: int
) -> _Region:
    if level == depth:
        return _Region(box, [])
    rows = _cells(shape[0], depth, level + 1, offset[0], box[0], box[2])
    columns = _cells(shape[1], depth, level + 1, offset[1], box[1], box[3])
    return _Region(
        box,
        [
            _grow(shape, depth, offset, (top, left, bottom, right), level + 1)
            for (top, bottom), (left, right) in product(rows, columns)
        ],
    )


def _multiscale(explainer: Any, image: Image, target: int) -> Map:
    """With the default parameters but `depth`, `fill`, and the average of all trees."""
    height, width, _ = image.shape
    shifts = range(2**explainer.depth)
    whole = (0, 0, height, width)
    trees = [
        _grow((height, width), explainer.depth, offset, whole, 0)
        for offset in product(shifts, shifts)
    ]
    (original,) = _scores(explainer.classifier, [image], target)
    regions = [region for tree in trees for region in tree.walk()]
    occluded = (_filled(image, region.box, explainer.fill) for region in regions)
    for region, score in zip(regions, _scores(explainer.classifier, occluded, target), strict=True):
        region.importance = max(0.0, original - score)
    least = explainer.min_importance * max(region.importance for region in regions)

    def leaves(region: _Region) -> list[_Region]:
        below = region.children
        if not below or region.importance > sum(child.importance for child in below):
            return [region] if region.importance >= least else []
        return [leaf for child in below for leaf in leaves(child)]

    found = np.zeros((height, width))
    for leaf in (leaf for tree in trees for leaf in leaves(tree)):
        top, left, bottom, right = leaf.box
        found[top:bottom, left:right] += leaf.importance / len(trees)
    return found


def _multiscale_predictions(explainer: Any, height: int, width: int) -> int:
    """Every region of every tree, the root once, and the image as it is."""

    def along(size: int, level: int) -> int:
        depth = explainer.depth
        return sum(len(_cells(size, depth, level, k, 0, size)) for k in range(2**depth))

    levels = range(1, explainer.depth + 1)
    return 2 + sum(along(height, level) * along(width, level) for level in levels)


_HEATMAPS: dict[str, Callable[[Any, Image, int], Map]] = {
    "multiscale": _multiscale,
    "occluding-patches": _occluding_patches,
    "occlusion": _occlusion,
}
