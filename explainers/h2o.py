"""H2O: heatmap by hierarchical occlusion, one map of the whole prediction (000 §3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.base import Explainer, Partial
from explainers.classifier import Classifier
from explainers.engine import score_batches
from explainers.errors import ExplainerError
from explainers.metrics.curves import distance
from explainers.parameters import choice, fraction, whole, within
from explainers.regions import RegionColours
from explainers.segmentation import Hierarchy, Split, hierarchy, slic

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Segmenter = Callable[["NDArray[np.float32]", "NDArray[np.bool_]", int], "ArrayLike"]
"""(the network's input `(H, W, C)`, the part to split, k) -> labels; see `segmentation.Split`."""

CONFIDENCE = 0.95
MOST_PREDICTIONS = 10**7


class H2O(Explainer):
    """What is lost of the whole prediction when superpixels are masked, coarse to fine (000 §3).

    The image is split into k superpixels at most, each of them again if it has more than
    `min_pixels` pixels, and so on. Every node's superpixels are masked in all combinations (not
    none, not all of them), each with all colours of a grid. A mask's value is its mean distance
    from the original prediction (Eq. 1) over the colours, divided by its area; a pixel's, the mean
    over the masks that cover it (Eq. 2); 0 where none does (ours: with some segmenters a pixel is
    in no superpixel). The distance weights each class's fall with its score: it is meant for
    scores of 0 and more. The map knows no target; the published view of it is
    `render.thresholded`.

    k: superpixels per node. min_pixels: 000's T; sqrt(W * H) where None.
    sigma: of the smoothing before SLIC, in pixels; see `segmentation.slic`. segmenter: in place of
    SLIC, a function of (input, part, k), see `segmentation.Split`. Either sees the network's
    preprocessed input; the image itself for a black box, and where a preprocessing given as a
    function changes the image's size or leaves it other than 1 or 3 channels (ours).
    z: levels per channel, evenly from its smallest to its largest value, both included (the middle
    one for z = 1: ours); 3^3 = 27 colours. They are taken from the pixels: the named preprocessings
    stretch each channel by itself, so that they are the same as those of the network's input. For a
    preprocessing given as a function they still are the pixels' (ours).

    At 224 x 224 pixels there are some 2,400 masks and 27 times as many predictions; partial maps
    come coarse to fine.

    colours: "all", or "adaptive" (ours): each mask gets colours drawn at random without replacement
    (seed), `min_colours` to begin with, until its value is known well enough: until half the width
    of the confidence interval of its mean over all colours (95 %, Student's t, corrected for the
    finite number of colours), divided by its area, is at most `tolerance` times the largest value
    of the map after the first colours. If every interval held, no pixel would be further than that
    from the full map. The intervals hold for a mask at a time, before looking, and for distances
    spread about normally: a mask whose first colours happen to agree stops too early, so the bound
    is a guide and no guarantee. On a photograph and MobileNet (770 masks) it took 47 % of the
    predictions; no pixel was off by more than 1.4 % of the map's largest value, though single masks
    were by 20 %. Partial results then carry the standard error over the draw of the colours, and
    `total` counts what is left at most.
    """

    class_agnostic = True

    def __init__(
        self,
        classifier: Classifier,
        *,
        k: int = 4,
        min_pixels: float | None = None,
        z: int = 3,
        sigma: float = 1.0,
        segmenter: Segmenter | None = None,
        colours: str = "all",
        tolerance: float = 0.05,
        min_colours: int = 5,
        seed: int = 0,
        batch_size: int = 64,
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.k = whole("k", k, minimum=2, maximum=10)  # 1,022 masks per node
        self.min_pixels = None if min_pixels is None else within("min_pixels", min_pixels, 1, 1e12)
        self.z = whole("z", z, minimum=1, maximum=16)  # 4,096 colours
        self.sigma = within("sigma", sigma, 0, 100)
        if segmenter is not None and not callable(segmenter):
            raise ExplainerError(f"segmenter is {segmenter!r}; expected a function or None.")
        self.segmenter = segmenter
        self.colours = choice("colours", colours, ("all", "adaptive"))
        self.tolerance = fraction("tolerance", tolerance)
        self.min_colours = whole("min_colours", min_colours, minimum=2)
        self.seed = whole("seed", seed, minimum=0)

    def _check(self, image: NDArray[np.float32]) -> None:
        if image.shape[0] * image.shape[1] < 2:
            raise ExplainerError("The image has one pixel: there is nothing to split.")

    def _steps(self, image: NDArray[np.float32], targets: tuple[int, ...]) -> Iterator[Partial]:
        height, width, _ = image.shape
        if self.classifier.model is None and self.segmenter is None:
            # A function that fails does so before the segmentation, which takes seconds.
            self.classifier.predict(image[np.newaxis], self.batch_size)
        least = (height * width) ** 0.5 if self.min_pixels is None else self.min_pixels
        tree = hierarchy((height, width), self._split(image), k=self.k, min_pixels=least)
        if not tree.nodes:
            raise ExplainerError(
                "The segmenter found fewer than 2 superpixels in the image: nothing to mask."
            )
        palette = colour_grid(image, self.z)
        count = sum(2 ** (len(node) - 1) - 2 for node in tree.nodes)
        if count * len(palette) > MOST_PREDICTIONS:
            raise ExplainerError(
                f"{count} masks in {len(palette)} colours are more predictions than the "
                f"{MOST_PREDICTIONS} allowed: lower k or z, or raise min_pixels."
            )
        masks = Masks.of(tree)
        seen = Distances(masks, len(palette))
        rounds = self._rounds(len(masks), len(palette))
        sampled = self.colours == "adaptive"

        original, done = None, 0
        chosen, colours = rounds.first()
        while len(chosen):
            ways = RegionColours(image, masks.regions, masks.spans[chosen], palette[colours])
            current = chosen
            for part, scores in score_batches(self.classifier, ways, batch_size=self.batch_size):
                original = scores[0].astype(np.float64) if original is None else original
                seen.add(current[part], distance(original, scores))
                done += len(scores)
                if part.stop == len(current):
                    chosen, colours = rounds.following(seen)
                yield Partial(
                    done, rounds.total, seen.heatmap, seen.standard_error if sampled else None
                )

    def _split(self, image: NDArray[np.float32]) -> Split:
        shown = self._network_input(image)
        if self.segmenter is None:
            return slic(shown, sigma=self.sigma)
        return partial(self.segmenter, shown)

    def _network_input(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        import tensorflow as tf

        if self.classifier.model is None:
            return image.copy()
        prepared = np.asarray(self.classifier.prepare(tf.constant(image[np.newaxis])))
        fits = prepared.shape[:3] == (1, *image.shape[:2]) and prepared.shape[3:] in ((1,), (3,))
        if not fits or not np.isfinite(prepared).all():
            return image.copy()
        return prepared[0].astype(np.float32)

    def _rounds(self, masks: int, colours: int) -> Rounds:
        order = np.tile(np.arange(colours), (masks, 1))
        if self.colours == "all":
            return Rounds(order, first=colours, tolerance=0.0)
        order = np.random.default_rng(self.seed).permuted(order, axis=1)
        return Rounds(order, first=min(self.min_colours, colours), tolerance=self.tolerance)


def colour_grid(image: NDArray[np.float32], z: int) -> NDArray[np.float32]:
    """The colours `(colours, C)` that fill masks: a grid over the image's own range (000 §3.4).

    Equal levels of a channel without contrast count once, which leaves every mean as it is.
    """
    low, high = image.min((0, 1)).astype(np.float64), image.max((0, 1)).astype(np.float64)
    levels = np.linspace(low, high, z) if z > 1 else (low + high)[np.newaxis] / 2
    distinct = [np.unique(channel) for channel in levels.T.astype(np.float32)]
    return np.array(list(product(*distinct)), np.float32)


@dataclass(frozen=True)
class Masks:
    """All masks of a hierarchy, node by node, breadth-first (000 §3.3).

    regions: int32 `(H, W)`: parts of the image that no mask cuts in two, numbered so that a
    superpixel of any node is one span of numbers.
    spans: int32 `(masks + 1, spans, 2)`, see `RegionColours`; one more, empty mask stands at the
    end for "no mask". areas: pixels of each mask, `(masks,)`.
    """

    regions: NDArray[np.int32]
    spans: NDArray[np.int32]
    areas: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.areas)

    @classmethod
    def of(cls, tree: Hierarchy) -> Masks:
        most = (max(len(node) for node in tree.nodes)) // 2
        spans = np.concatenate([node[_combinations(len(node) - 1, most)] for node in tree.nodes])
        cuts = np.unique(np.concatenate([[0], *tree.nodes]))
        regions = np.searchsorted(cuts, tree.ranks, side="right") - 1
        empty = np.zeros((1, most, 2), np.int32)
        return cls(
            regions.astype(np.int32),
            np.concatenate([np.searchsorted(cuts, spans).astype(np.int32), empty]),
            (spans[..., 1] - spans[..., 0]).sum(1, dtype=np.int64),
        )


@cache
def _combinations(superpixels: int, most: int) -> NDArray[np.intp]:
    """Which edges of a node bound the spans of each combination, `(combinations, most, 2)`."""
    found = []
    for bits in range(1, 2**superpixels - 1):
        member = np.array([0, *(bits >> place & 1 for place in range(superpixels)), 0])
        bounds = np.flatnonzero(np.diff(member))  # begins and ends, in turn
        found.append(np.pad(bounds, (0, 2 * most - len(bounds))).reshape(most, 2))
    return np.array(found, np.intp)


class Distances:
    """What the predictions so far say of each mask, and so of each pixel."""

    def __init__(self, masks: Masks, colours: int) -> None:
        self._masks, self._colours = masks, colours
        self._count = np.zeros(len(masks) + 1, np.int64)  # the last one: no mask
        self._sum = np.zeros(len(masks) + 1)
        self._squares = np.zeros(len(masks) + 1)
        lengths = (masks.spans[:-1, :, 1] - masks.spans[:-1, :, 0]).ravel()
        steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        # Each mask's regions, one by one: (region, mask) pairs.
        self._region = np.repeat(masks.spans[:-1, :, 0].ravel(), lengths) + steps
        self._mask = np.repeat(np.arange(lengths.size) // masks.spans.shape[1], lengths)

    def add(self, masks: NDArray[np.intp], distances: NDArray[np.float64]) -> None:
        np.add.at(self._count, masks, 1)
        np.add.at(self._sum, masks, distances)
        np.add.at(self._squares, masks, distances**2)

    def heatmap(self) -> NDArray[np.float32]:
        """Float32 `(1, H, W)`: the mean over the masks predicted so far, 0 where none covers."""
        count = self._count[:-1]
        mean = self._sum[:-1] / np.maximum(count, 1)
        total, covers = self._by_region(mean / self._masks.areas), self._by_region(count > 0)
        return self._pixels(total / np.maximum(covers, 1))

    def standard_error(self) -> NDArray[np.float32]:
        """Of the heatmap, over the draw of the colours."""
        errors = np.where(self._count[:-1] > 0, self.errors(), 0.0)
        total, covers = self._by_region(errors**2), self._by_region(self._count[:-1] > 0)
        return self._pixels(np.sqrt(total) / np.maximum(covers, 1))

    def errors(self) -> NDArray[np.float64]:
        """Standard errors of the masks' values, mean over all colours by area.

        For colours drawn without replacement: s / sqrt(n) * sqrt(1 - n / colours). NaN for less
        than two.
        """
        count = self._count[:-1]
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = (self._squares[:-1] - self._sum[:-1] ** 2 / count) / (count - 1)
        variance = np.where(count > 1, np.maximum(variance, 0.0), np.nan)
        unseen = 1 - count / self._colours
        error = np.where(unseen > 0, np.sqrt(variance / np.maximum(count, 1) * unseen), 0.0)
        return error / self._masks.areas

    def bounds(self) -> NDArray[np.float64]:
        """Half the widths of the confidence intervals of the masks' values."""
        from scipy.special import stdtrit

        degrees = np.maximum(self._count[:-1] - 1, 1)
        bounds: NDArray[np.float64] = stdtrit(degrees, (1 + CONFIDENCE) / 2) * self.errors()
        return bounds

    def _by_region(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Summed over the masks that cover each region."""
        size = int(self._masks.regions.max()) + 1
        sums = np.bincount(self._region, values[self._mask], minlength=size)
        return sums.astype(np.float64)

    def _pixels(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        return values[self._masks.regions][np.newaxis].astype(np.float32)


class Rounds:
    """Which masks are predicted with which colours, round by round.

    order: `(masks, colours)`, per mask the order in which it takes its colours; the first round
    has the first ones of every mask, each further round one more of those masks that are not known
    well enough.
    total: predictions, at most.
    """

    def __init__(self, order: NDArray[np.intp], *, first: int, tolerance: float) -> None:
        self._order, self._taken, self._tolerance = order, first, tolerance
        self._open = np.arange(len(order))
        self._allowed: float | None = None
        self.total = 1 + order.size

    def first(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Masks and colours, one pair per prediction; before them, no mask."""
        colours = self._order[:, : self._taken]
        masks = np.repeat(self._open, self._taken)
        return np.append(-1, masks), np.append(0, colours.ravel())

    def following(self, seen: Distances) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The next round; empty where nothing is left to predict."""
        if self._allowed is None:
            self._allowed = self._tolerance * float(seen.heatmap().max())
        known = seen.bounds()[self._open] <= self._allowed  # all of them after the last colour
        self.total -= int(known.sum()) * (self._order.shape[1] - self._taken)
        self._open = self._open[~known]
        colours = self._order[self._open, self._taken : self._taken + 1]
        self._taken += 1
        return self._open, colours.ravel()
