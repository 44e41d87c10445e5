"""Simple and Concise Confidence Gain (004 §4): what a map's best pixels add to a base image.

    mask = best_pixels(heatmap, 0.25)
    gain = gains(classifier, image, "horse", {"rise": mask}, base="gaussian")["rise"]
    scg(gain), ccg(gain)

The predictions are made once per mask and base image; both scores are read off them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from explainers.classifier import Classifier, check_batch_size
from explainers.engine import score_batches
from explainers.errors import ExplainerError
from explainers.images import check_image
from explainers.metrics import Metric, Reason, Undefined
from explainers.metrics.curves import ROUNDING, blurred
from explainers.metrics.maps import check_map, check_mask, order, require_varied
from explainers.parameters import choice, fraction, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Key = TypeVar("Key", bound=Hashable)

RHOS = (0.05, 0.25)
BASES = ("gaussian", "zeros")
RULES = ("largest", "threshold")
MOST_DILATIONS = 50


@dataclass(frozen=True)
class Gain:
    """The scores of the class with and without the mask's pixels, for one base image.

    original: p(I = y), of the image. base: p(I_K = y), of the base image. hybrid: p(I_M,K = y), of
    the base image with the mask's pixels restored.
    area: pixels in the mask; pixels: in the image.
    dilations: how often the mask was grown until the class was predicted; None where it was not.
    accurate, accurate_area: the score with the mask so grown (p(I_AM,K = y)) and its pixels; None
    likewise.
    """

    original: float
    base: float
    hybrid: float
    area: int
    pixels: int
    dilations: int | None = None
    accurate: float | None = None
    accurate_area: int | None = None


def best_pixels(heatmap: ArrayLike, rho: float, *, seed: int = 0) -> NDArray[np.bool_]:
    """The mask `(H, W)` of the floor(rho * H * W) pixels with the largest values (004 §4.1).

    Exactly as many, whatever the ties: pixels of the same value come in an order drawn with the
    seed (ours). Undefined for a constant map; ExplainerError where rho leaves no pixel.
    """
    values = check_map(heatmap)
    # 0.29 * 100 is 28.999... in floating point; rho is meant as it is written.
    count = int(Fraction(str(fraction("rho", rho))) * values.size)
    if count == 0:
        raise ExplainerError(
            f"rho is {rho}: of {values.size} pixels that is less than one; expected more."
        )
    require_varied(values)
    mask = np.zeros(values.size, bool)
    mask[order(values, whole("seed", seed, minimum=0))[:count]] = True
    return mask.reshape(values.shape)


def base_image(image: NDArray[np.float32], base: str) -> NDArray[np.float32]:
    """What the mask's pixels are put into (004 §5.2), float32 `(H, W, C)`.

    "gaussian": the image blurred by a Gaussian of 17 x 17 pixels (sigma 2.9, that is a sixth of
    it: ours, the paper gives none). "zeros": black.
    """
    if choice("base", base, BASES) == "zeros":
        return np.zeros_like(image)
    return blurred(image, kernel=17, sigma=2.9)


def gains(
    classifier: Classifier,
    image: ArrayLike,
    target: str | int,
    masks: Mapping[Key, NDArray[np.bool_] | Reason],
    *,
    base: str = "gaussian",
    predicted: str | None = None,
    dilations: int = MOST_DILATIONS,
    batch_size: int = 16,
) -> dict[Key, Gain | Reason]:
    """The gain of every mask `(H, W)` over one base image (004 §4.2, §4.3, Algorithm 1).

    A mask grows by 3 x 3 dilations until the hybrid image is predicted to show the target, at most
    `dilations` times (004 §5.2: 50), and no further than it has covered the image. Where the base
    image scores as high as the image, nothing grows: neither score exists then.

    masks: those of one image, by any key; a Reason in place of a mask is handed on.
    predicted: what counts as the target being predicted. "largest": no class scores higher;
    "threshold": its score is above the classifier's threshold for it (ours, for networks with
    several labels per image). None: "largest" for a softmax, "threshold" otherwise.

    At most one prediction per mask and dilation, and two for the images themselves; all masks grow
    together, so that batches are full. What would only pad a batch goes to further dilations.
    """
    photograph = check_image(image, classifier.input_shape)
    index = classifier.index(target)
    there = {key: mask for key, mask in masks.items() if not isinstance(mask, Reason)}
    for key, mask in there.items():
        if not check_mask(mask, photograph.shape[:2]).any():
            raise ExplainerError(f"The mask {key!r} is empty; expected at least one pixel.")
    if not there:
        return dict(masks)  # type: ignore[arg-type]
    growth = _Growth(
        classifier,
        photograph,
        base_image(photograph, base),
        np.stack([_rings(mask) for mask in there.values()]),
        index,
        _rule(classifier, predicted, index),
        check_batch_size(batch_size),
    )
    found = dict(zip(there, growth.run(whole("dilations", dilations, minimum=0)), strict=True))
    return {key: mask if isinstance(mask, Reason) else found[key] for key, mask in masks.items()}


def scg(gain: Gain) -> float:
    """SCG, Simple Confidence Gain (004 §4.2, Eq. 2): higher is better.

        (p(hybrid) - p(base)) / (p(image) - p(base))

    How much of the confidence that the base image loses comes back with the mask's pixels. 1: all;
    0: none. The paper says 0 to 1; it is below 0 where the pixels lower the score (kept: ours) and
    above 1 where they raise it beyond the whole image's. Undefined where p(image) is no higher
    than p(base), to a millionth of itself (what lies below is rounding: ours), which depends on the
    image alone and so leaves it out for all methods alike.

    Does not show how many pixels were needed (compare masks of one size only), nor the values and
    the order within the mask.
    """
    return (gain.hybrid - gain.base) / _lost(gain)


def ccg(gain: Gain) -> float:
    """CCG, Concise Confidence Gain (004 §4.3, Eq. 3): higher is better.

        (p(accurate hybrid) - p(base)) / (p(image) - p(base)) * N / A

    where the mask has been grown until its hybrid image is predicted to show the class; A is its
    area then and N the image's. The paper says 0 to N. 1: as much as the whole image. Negative
    where the base image is predicted as the class already and the pixels lower its score (kept).
    Undefined where p(image) is no higher than p(base) as for SCG, and where the class is not
    predicted after the last dilation: compare methods on the images that all of them have
    (`outcomes.in_common`).

    Does not show whether the grown mask still follows the map: it depends on the mask's shape, as
    scattered pixels grow faster than a compact region.
    """
    lost = _lost(gain)
    if gain.accurate is None or gain.accurate_area is None:
        raise Undefined(
            Reason.NOT_CLASSIFIED, "The class is not predicted, however much the mask grows."
        )
    return (gain.accurate - gain.base) / lost * gain.pixels / gain.accurate_area


def scg_published(gain: Gain) -> float:
    """SCG by the paper's rule (004 §5.2): higher is better; from 0.

    As `scg`, but an image counts only where p(hybrid) >= p(base) as well. That drops a method's
    own failures and flatters it; for comparison with the paper's Table 1 only.
    """
    return scg(_published(gain))


def ccg_published(gain: Gain) -> float:
    """CCG by the paper's rule (004 §5.2): higher is better; the paper says 0 to N.

    As `ccg`, but an image counts only where p(hybrid) >= p(base) for the mask before it grows.
    That drops a method's own failures and flatters it; for comparison with the paper's Table 1
    only.
    """
    return ccg(_published(gain))


def _lost(gain: Gain) -> float:
    """What the base image has lost of the image's score."""
    if not _falls(gain.original, gain.base):
        raise Undefined(
            Reason.BASE_NOT_LOWER,
            f"The base image scores {gain.base:g}, the image {gain.original:g}.",
        )
    return gain.original - gain.base


def _falls(original: float, base: float) -> bool:
    """Whether the base image scores lower than the image, by more than rounding."""
    return original - base > ROUNDING * abs(original)


def _published(gain: Gain) -> Gain:
    _lost(gain)
    if gain.hybrid < gain.base:
        raise Undefined(
            Reason.HYBRID_LOWER,
            f"With the mask's pixels the score is {gain.hybrid:g}, the base image's {gain.base:g}.",
        )
    return gain


# -- growing -----------------------------------------------------------------------------------


def _rings(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """`(H, W)`: after how many 3 x 3 dilations the mask holds the pixel."""
    from scipy.ndimage import distance_transform_cdt

    return np.asarray(distance_transform_cdt(~mask, "chessboard"), np.int32)


Predicted = Callable[["NDArray[Any]"], bool]


def _rule(classifier: Classifier, predicted: str | None, index: int) -> Predicted:
    if predicted is None:
        predicted = "largest" if classifier.activation == "softmax" else "threshold"
    if choice("predicted", predicted, RULES) == "largest":
        return lambda scores: bool(scores[index] >= scores.max())
    threshold = classifier.thresholds[classifier.labels[index]]
    return lambda scores: bool(scores[index] > threshold)


@dataclass(frozen=True)
class _Hybrids:
    """A base image with the pixels of grown masks restored.

    base, image: float32 `(H, W, C)`. rings: int32 `(masks, H, W)`. ways: int32 `(n, 2)`: which
    mask, and how many of its rings (0 for none: the base image).
    """

    base: NDArray[np.float32]
    image: NDArray[np.float32]
    rings: NDArray[np.int32]
    ways: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ways)

    @property
    def shared(self) -> tuple[NDArray[Any], ...]:
        return (self.base, self.image, self.rings)

    @property
    def per_mask(self) -> tuple[NDArray[Any], ...]:
        return (self.ways,)

    @staticmethod
    def composite(shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        import tensorflow as tf

        (base, image, rings), (ways,) = shared, batch
        inside = tf.gather(rings, ways[:, 0]) < ways[:, 1, None, None]
        return tf.where(inside[..., None], image, base)


@dataclass(frozen=True)
class _Growth:
    """All masks of one image and base, grown together."""

    classifier: Classifier
    image: NDArray[np.float32]
    base: NDArray[np.float32]
    rings: NDArray[np.int32]
    index: int
    predicted: Predicted
    batch_size: int

    def run(self, dilations: int) -> list[Gain]:
        last = np.minimum(self.rings.max(axis=(1, 2)), dilations).tolist()
        pending = dict.fromkeys(range(len(self.rings)), 0)  # mask -> its next dilation
        ways = self._ways(pending, last, beside=2)
        everything = np.iinfo(np.int32).max
        original, base, *scores = self._scores([(0, everything), (0, 0), *_with_ring(ways)])
        hybrids = {mask: one for (mask, grown), one in zip(ways, scores, strict=True) if not grown}
        found = [
            Gain(
                original=float(original[self.index]),
                base=float(base[self.index]),
                hybrid=float(hybrids[mask][self.index]),
                area=int(np.count_nonzero(rings == 0)),
                pixels=rings.size,
            )
            for mask, rings in enumerate(self.rings)
        ]
        if not _falls(float(original[self.index]), float(base[self.index])):
            return found
        while True:
            for (mask, grown), one in zip(ways, scores, strict=True):
                if mask not in pending:
                    continue  # a smaller mask of this batch is enough
                if self.predicted(one):
                    found[mask] = replace(
                        found[mask],
                        dilations=grown,
                        accurate=float(one[self.index]),
                        accurate_area=int(np.count_nonzero(self.rings[mask] <= grown)),
                    )
                if self.predicted(one) or grown == last[mask]:
                    del pending[mask]
                else:
                    pending[mask] = grown + 1
            if not pending:
                return found
            ways = self._ways(pending, last)
            scores = self._scores(_with_ring(ways))

    def _ways(
        self, pending: dict[int, int], last: list[int], beside: int = 0
    ) -> list[tuple[int, int]]:
        """Masks and dilations to predict: the next of each, and more as long as batches have room.

        beside: images that share the batches.
        """
        batches = -(-(len(pending) + beside) // self.batch_size)
        deep = (batches * self.batch_size - beside) // len(pending)
        return [
            (mask, grown)
            for mask, following in pending.items()
            for grown in range(following, min(following + deep, last[mask] + 1))
        ]

    def _scores(self, ways: list[tuple[int, int]]) -> list[NDArray[Any]]:
        hybrids = _Hybrids(self.base, self.image, self.rings, np.array(ways, np.int32))
        found = score_batches(self.classifier, hybrids, batch_size=self.batch_size)
        return [scores for _, part in found for scores in part]


def _with_ring(ways: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """As `_Hybrids` counts: a mask grown 0 times is its first ring."""
    return [(mask, grown + 1) for mask, grown in ways]


_PIXELS_ALONE = "how the map's values differ, within the mask or outside"

METRICS = (
    Metric(
        name="scg",
        label="SCG",
        function=scg,
        needs=("gain",),
        map_of="target",
        better="higher",
        low=float("-inf"),
        high=float("inf"),
        source="004 §4.2, Eq. 2; negative values kept (ours)",
        shows="how much of the score the best pixels alone bring back to a base image",
        does_not_show=_PIXELS_ALONE,
    ),
    Metric(
        name="ccg",
        label="CCG",
        function=ccg,
        needs=("gain",),
        map_of="target",
        better="higher",
        low=float("-inf"),
        high=float("inf"),
        source="004 §4.3, Eq. 3, Algorithm 1; negative values kept (ours)",
        shows="how small a region around the best pixels is enough for the class to be predicted",
        does_not_show="whether the grown region still follows the map",
    ),
    Metric(
        name="scg-published",
        label="SCG, published rule",
        function=scg_published,
        needs=("gain",),
        map_of="target",
        better="higher",
        low=0.0,
        high=float("inf"),
        source="004 §4.2, §5.2",
        shows="as SCG, over the images on which the method does not fail",
        does_not_show="the method's failures: they are left out",
    ),
    Metric(
        name="ccg-published",
        label="CCG, published rule",
        function=ccg_published,
        needs=("gain",),
        map_of="target",
        better="higher",
        low=float("-inf"),
        high=float("inf"),
        source="004 §4.3, §5.2",
        shows="as CCG, over the images on which the method does not fail",
        does_not_show="the method's failures: they are left out",
    ),
)
