"""Insertion and deletion curves: the scores of an image while its pixels go or come, best first.

One pass of steps + 1 predictions serves every score, the whole prediction (000 Eq. 1) and single
classes alike. The images come into being inside the TensorFlow graph: each pixel knows its rank,
each step how many ranks have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explainers.classifier import Classifier, check_batch_size
from explainers.engine import score_batches
from explainers.errors import ExplainerError
from explainers.images import check_image
from explainers.metrics import Reason, Undefined
from explainers.metrics.maps import check_map, min_max, order
from explainers.parameters import whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STEPS = 224
ROUNDING = 1e-6
"""What float32 predictions differ by without a reason, as a share of the score or curve."""

Kind = Literal["deletion", "insertion", "ca-deletion"]


@dataclass(frozen=True, eq=False)
class Curve:
    """An image's scores after 0, 1, ... steps, all its pixels changed after the last.

    kind: "deletion" (from the image), "insertion" (to the image), or "ca-deletion" (from the
    image, with colours).
    fractions: `(steps + 1,)`, the share of the pixels changed, 0..1.
    scores: `(steps + 1, classes)`, the classifier's.
    saliency: `(steps + 1,)`, the min-max scaled values of the changed pixels, summed up.
    seed: of the order among pixels with the same value.
    base: what the image is taken down to, or built up from, in words.
    """

    kind: Kind
    fractions: NDArray[np.float64]
    scores: NDArray[np.float64]
    saliency: NDArray[np.float64]
    seed: int
    base: str

    @property
    def steps(self) -> int:
        return len(self.fractions) - 1

    @property
    def original(self) -> NDArray[np.float64]:
        """The scores `(classes,)` of the unchanged image."""
        return self.scores[-1 if self.kind == "insertion" else 0]

    @property
    def distances(self) -> NDArray[np.float64]:
        """`(steps + 1,)`: how far the prediction lies below the image's; see `distance`."""
        return distance(self.original, self.scores)


def deletion_curve(
    classifier: Classifier,
    image: ArrayLike,
    heatmap: ArrayLike,
    *,
    steps: int = STEPS,
    seed: int = 0,
    batch_size: int = 64,
) -> Curve:
    """Pixels of the image set to black, by decreasing value of the map (000 §2.2).

    image: `(H, W, C)`, 0..255. heatmap: `(H, W)`, raw and signed. steps: equal ones, each of
    H * W / steps pixels, the edges rounded half up (224: ours; 000 does not say). Pixels with the
    same value come in an order drawn with the seed (ours).

    Raises Undefined for a constant map, ExplainerError for other unusable input, both before any
    prediction.
    """
    photograph = check_image(image, require_classifier(classifier).input_shape)
    return swap_curve(
        classifier,
        "deletion",
        ranked=check_map(heatmap, photograph.shape[:2]),
        before=photograph,
        after=np.zeros_like(photograph),
        base="black",
        steps=steps,
        seed=seed,
        batch_size=batch_size,
    )


def insertion_curve(
    classifier: Classifier,
    image: ArrayLike,
    heatmap: ArrayLike,
    *,
    steps: int = STEPS,
    seed: int = 0,
    batch_size: int = 64,
) -> Curve:
    """Pixels of the image restored over its blurred self, by decreasing value (000 §2.2).

    The blur is a Gaussian of 11 pixels, sigma 5 (ours; 000 does not say). For the rest see
    `deletion_curve`.
    """
    photograph = check_image(image, require_classifier(classifier).input_shape)
    return swap_curve(
        classifier,
        "insertion",
        ranked=check_map(heatmap, photograph.shape[:2]),
        before=blurred(photograph, kernel=11, sigma=5.0),
        after=photograph,
        base="blurred (Gaussian 11 x 11, sigma 5)",
        steps=steps,
        seed=seed,
        batch_size=batch_size,
    )


def swap_curve(
    classifier: Classifier,
    kind: Kind,
    *,
    ranked: NDArray[np.float64],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    base: str,
    steps: int,
    seed: int,
    batch_size: int,
) -> Curve:
    """The curve of one image turning into another, by decreasing value of `ranked`.

    before, after: float32 `(H, W, C)`; ranked: `(H, W)`; all checked already. The rest as in
    `deletion_curve`.
    """
    size = ranked.size
    steps = whole("steps", steps, minimum=1)
    if steps > size:
        raise ExplainerError(f"steps is {steps}, more than the {size} pixels of the image.")
    batch = _even(steps + 1, batch_size)
    places = order(ranked, whole("seed", seed, minimum=0))
    ranks = np.empty(size, np.int32)
    ranks[places] = np.arange(size)
    counts = changed(steps, size)
    saliency = np.concatenate([[0.0], np.cumsum(min_max(ranked).ravel()[places])])[counts]
    swap = _Swap(before, after, ranks.reshape(ranked.shape), counts.astype(np.int32))
    found = score_batches(classifier, swap, batch_size=batch)
    scores = np.concatenate([part for _, part in found]).astype(np.float64)
    return Curve(kind, counts / size, scores, saliency, seed, base)


def changed(steps: int, size: int) -> NDArray[np.int64]:
    """How many of so many pixels have changed `(steps + 1,)`: equal steps, rounded half up."""
    return (2 * np.arange(steps + 1) * size + steps) // (2 * steps)


def distance(original: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """000 Eq. 1: sum over classes of max(0, p[r] - p'[r]) * p[r], p the original prediction.

    original `(classes,)`, others `(..., classes)`: gives `(...)`. Only what falls counts, weighted
    with the class's own score, so that for scores of 0 and more it lies between 0 and sum p[r]^2.
    """
    return np.maximum(0.0, original - others) @ original


def blurred(image: NDArray[np.float32], *, kernel: int, sigma: float) -> NDArray[np.float32]:
    """The image `(H, W, C)` under a Gaussian of kernel x kernel pixels (odd), mirrored at edges."""
    from scipy.ndimage import gaussian_filter

    exact = image.astype(np.float64)
    smooth = gaussian_filter(exact, sigma, mode="reflect", radius=kernel // 2, axes=(0, 1))
    return smooth.astype(np.float32)


def trapezoid(curve: Curve, values: NDArray[np.float64]) -> float:
    """The area under values `(steps + 1,)` over the fraction of pixels."""
    return float(np.trapezoid(values, curve.fractions))


def require_kind(curve: Curve, metric: str, *kinds: Kind) -> None:
    """ExplainerError where a metric is given a curve of another kind."""
    found = curve.kind if isinstance(curve, Curve) else type(curve).__name__
    if found not in kinds:
        wanted = " or ".join(kinds)
        raise ExplainerError(f"{metric} is taken of a curve of kind {wanted}, not of {found}.")


def require_change(values: NDArray[np.float64], scale: float) -> None:
    """Undefined for a constant curve: every order of the pixels would give the same.

    Constant within the rounding of float32 predictions, that is one millionth of `scale`.
    """
    if np.ptp(values) <= ROUNDING * scale:
        raise Undefined(
            Reason.CONSTANT_CURVE, f"The curve stays at {values[0]:g} whichever pixels change."
        )


def require_classifier(classifier: Classifier) -> Classifier:
    """The classifier; ExplainerError where it is something else."""
    if not isinstance(classifier, Classifier):
        raise ExplainerError(
            f"A curve needs a Classifier (Classifier.from_keras, .from_callable), "
            f"not a {type(classifier).__name__}."
        )
    return classifier


# -- inside ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Swap:
    """One image that turns into another, pixel by pixel.

    before, after: float32 `(H, W, C)`. ranks: int32 `(H, W)`, 0 for the first pixel to change.
    counts: int32 `(n,)`, how many pixels have changed.
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    ranks: NDArray[np.int32]
    counts: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def shared(self) -> tuple[NDArray[Any], ...]:
        return (self.before, self.after, self.ranks)

    @property
    def per_mask(self) -> tuple[NDArray[Any], ...]:
        return (self.counts,)

    @staticmethod
    def composite(shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        import tensorflow as tf

        (before, after, ranks), (counts,) = shared, batch
        # One long row per image: broadcasting over one trailing axis is the quickest.
        rows = tf.repeat(tf.reshape(ranks, (1, -1)), before.shape[2], axis=1)
        images = tf.where(
            rows < counts[:, None], tf.reshape(after, (1, -1)), tf.reshape(before, (1, -1))
        )
        return tf.reshape(images, (-1, *before.shape))


def _even(count: int, batch_size: int) -> int:
    """The batch size, lessened so that the last batch is nearly full: 57 for 225 images, not 64."""
    batches = -(-count // check_batch_size(batch_size))
    return -(-count // batches)
