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
    "debiased-rise": {"masks": 64},
    "h2o": {"z": 2, "min_pixels": 12_000.0},
    "lime": {"samples": 96},
    "mc-rise": {"masks": 64},
    "multiscale": {"depth": 2, "best": "all"},
    "occluding-patches": {"box": 32, "stride": 24},
    "occlusion": {"box": 32, "stride": 24},
    "rise": {"masks": 64},
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
    """The target's score of each image, one image at a time; rounding may leave 0..255."""
    return np.array(
        [
            classifier.predict(np.clip(image, 0, 255)[np.newaxis], batch_size=1)[0, target]
            for image in images
        ],
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


# -- random masks ----------------------------------------------------------------------------------


def _grid_masks(explainer: Any, image: Image, colours: int) -> Iterator[Map]:
    """Per mask `(1 + colours, H, W)`: how far each pixel is kept, or masked with each colour."""
    from scipy.ndimage import map_coordinates

    from explainers.sampling import draw

    size = image.shape[:2]
    p_mask, grid = explainer.p_mask, explainer.grid
    drawn = draw(
        explainer.seed, explainer.masks, size=size, grid=grid, p_mask=p_mask, colours=colours
    )
    for cells, shift in zip(*drawn, strict=True):
        # A cell's value lies at its centre.
        places = [
            (np.arange(pixels) + moved + 0.5) * count / pixels - 0.5
            for pixels, moved, count in zip(size, shift, grid, strict=True)
        ]
        at = np.meshgrid(*places, indexing="ij")
        kinds = [(cells == kind).astype(np.float64) for kind in range(1 + colours)]
        yield np.stack([map_coordinates(kind, at, order=1, mode="nearest") for kind in kinds])


def _rise(explainer: Any, image: Image, target: int) -> Map:
    found = np.zeros(image.shape[:2])
    for kept, _ in _grid_masks(explainer, image, 1):
        (score,) = _scores(explainer.classifier, [image * kept[..., None]], target)
        found += kept / explainer.p_keep * score
    return found / explainer.masks


def _debiased_rise(explainer: Any, image: Image, target: int) -> Map:
    found, p = np.zeros(image.shape[:2]), explainer.p_keep
    for kept, _ in _grid_masks(explainer, image, 1):
        (score,) = _scores(explainer.classifier, [image * kept[..., None]], target)
        found += (kept - p) / (p * (1 - p)) * score
    return found / explainer.masks


def _mc_rise(explainer: Any, image: Image, target: int) -> Map:
    palette, p = explainer.palette(image.shape[2]).astype(np.float64), explainer.p_mask
    found = np.zeros((len(palette), *image.shape[:2]))
    for kept, *masked in _grid_masks(explainer, image, len(palette)):
        painted = sum(
            mask[..., None] * colour for mask, colour in zip(masked, palette, strict=True)
        )
        (score,) = _scores(explainer.classifier, [image * kept[..., None] + painted], target)
        found += (len(palette) * np.stack(masked) / p - kept / (1 - p)) * score
    return found / explainer.masks


# -- superpixels -----------------------------------------------------------------------------------


def _lime(explainer: Any, image: Image, target: int) -> Map:
    from explainers.lime import draw
    from explainers.segmentation import quickshift

    regions = quickshift(
        image.astype(np.float32),
        kernel_size=explainer.kernel_size,
        max_dist=explainer.max_dist,
        ratio=explainer.ratio,
        seed=explainer.seed,
    )
    count = int(regions.max()) + 1
    kept = draw(explainer.seed, explainer.samples, count)
    fill = image.copy()
    for region in range(count):
        fill[regions == region] = image[regions == region].mean(0)
    images = (np.where(one[regions][..., None], image, fill) for one in kept)
    scores = _scores(explainer.classifier, images, target)
    distance = 1 - np.sqrt(kept.mean(1))
    weights = np.sqrt(np.exp(-(distance**2) / explainer.kernel_width**2))
    design = np.column_stack([np.ones(len(kept)), kept])
    penalty = explainer.alpha * np.diag([0.0] + [1.0] * count)
    weighted = design.T * weights
    return np.linalg.solve(weighted @ design + penalty, weighted @ scores)[1:][regions]


def _h2o(explainer: Any, image: Image, target: int) -> Map:
    """Every node's masks as whole arrays; the target does not enter."""
    from explainers.segmentation import hierarchy, slic

    classifier = explainer.classifier
    seen = np.asarray(classifier.prepare(image[np.newaxis].astype(np.float32)))[0]
    tree = hierarchy(
        image.shape[:2],
        slic(seen, sigma=explainer.sigma),
        k=explainer.k,
        min_pixels=explainer.min_pixels,
    )
    levels = np.linspace(image.min((0, 1)), image.max((0, 1)), explainer.z).T
    palette = list(product(*levels))
    original = classifier.predict(image[np.newaxis], batch_size=1)[0].astype(np.float64)
    total, count = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for edges in tree.nodes:
        parts = [(tree.ranks >= low) & (tree.ranks < high) for low, high in pairwise(edges)]
        for chosen in product([False, True], repeat=len(parts)):
            if any(chosen) and not all(chosen):
                mask = np.any([part for part, taken in zip(parts, chosen, strict=True) if taken], 0)
                losses = []
                for colour in palette:
                    masked = np.where(mask[..., None], colour, image)
                    scores = classifier.predict(masked[np.newaxis], batch_size=1)[0]
                    losses.append(np.sum(np.maximum(0, original - scores) * original))
                total[mask] += np.mean(losses) / mask.sum()
                count[mask] += 1
    return total / np.maximum(count, 1)


_HEATMAPS: dict[str, Callable[[Any, Image, int], Map]] = {
    "debiased-rise": _debiased_rise,
    "h2o": _h2o,
    "lime": _lime,
    "mc-rise": _mc_rise,
    "multiscale": _multiscale,
    "occluding-patches": _occluding_patches,
    "occlusion": _occlusion,
    "rise": _rise,
}
