"""LIME: a linear model of the score around one image, in its superpixels (000 [19], §4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from explainers.base import Explainer, Partial
from explainers.classifier import Classifier, Outputs
from explainers.engine import picked, score_batches
from explainers.errors import ExplainerError
from explainers.parameters import whole, within
from explainers.regions import RegionFills, region_means
from explainers.segmentation import check_label_map, quickshift

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Segmenter = Callable[["NDArray[np.float32]"], "ArrayLike"]
"""(image `(H, W, C)`, 0..255) -> labels `(H, W)`, whole numbers from 0 up."""

Fit = Callable[..., "NDArray[np.float64]"]


MOST_SUPERPIXELS = 4096  # the regression solves for all of them at once


class Lime(Explainer):
    """The weights of superpixels in a linear model of the score (Ribeiro et al. 2016: 000 [19]).

    The image is split into superpixels. Each sample keeps every one of them with probability 1/2
    and replaces the others by their mean colour (000 §4.1); the first sample keeps all. A ridge
    regression explains the scores by which superpixels were kept; a sample counts the more the
    fewer are replaced. The map gives each pixel the coefficient of its superpixel: how much the
    score rises with it. One set of predictions serves all targets.

    With D, the cosine distance of a sample's zeros and ones from all ones (1 - sqrt(share kept); 1
    where none is kept), its weight is the square root of exp(-D^2 / kernel_width^2): as in the
    authors' program, whose paper has no root. The intercept is not penalised.

    samples: how many, one prediction each. kernel_width: see above. alpha: of the ridge; 0 for
    least squares.
    kernel_size, max_dist, ratio: of quickshift, as scikit-image names them; small images need a
    smaller kernel_size (one of 20 pixels is a single superpixel). segmenter: in its place, a
    function from the image to labels. seed: of samples and quickshift's ties.

    The standard error is that of the coefficients over the choice of the samples, for these
    superpixels: the sandwich estimate of a weighted regression, times n / (n - superpixels - 1);
    NaN while there are not more samples than that. It does not say how well a linear model fits.
    """

    linear = True

    def __init__(
        self,
        classifier: Classifier,
        *,
        samples: int = 1000,
        kernel_width: float = 0.25,
        alpha: float = 1.0,
        kernel_size: float = 4.0,
        max_dist: float = 200.0,
        ratio: float = 0.2,
        segmenter: Segmenter | None = None,
        seed: int = 0,
        batch_size: int = 64,
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.samples = whole("samples", samples, minimum=2, maximum=10**6)
        self.kernel_width = within("kernel_width", kernel_width, 1e-3, 1e6)
        self.alpha = within("alpha", alpha, 0, 1e12)
        self.kernel_size = within("kernel_size", kernel_size, 1, 100)
        self.max_dist = within("max_dist", max_dist, 0, 1e6)
        self.ratio = within("ratio", ratio, 0, 1)
        if segmenter is not None and not callable(segmenter):
            raise ExplainerError(f"segmenter is {segmenter!r}; expected a function or None.")
        self.segmenter = segmenter
        self.seed = whole("seed", seed, minimum=0)

    def _steps(self, image: NDArray[np.float32], targets: Outputs) -> Iterator[Partial]:
        if self.classifier.model is None and self.segmenter is None:
            # A function that fails does so before the segmentation, which takes seconds.
            self.classifier.predict(image[np.newaxis], self.batch_size)
        regions = self._regions(image)
        count = int(regions.max()) + 1
        if count > MOST_SUPERPIXELS:
            raise ExplainerError(
                f"The image falls into {count} superpixels; expected at most {MOST_SUPERPIXELS}: "
                "raise max_dist or kernel_size."
            )
        kept = draw(self.seed, self.samples, count)
        # 16, 32, 64, ... columns: images with about as many superpixels share a graph.
        masked = np.zeros((self.samples, max(16, 2 ** (count - 1).bit_length())), bool)
        masked[:, :count] = ~kept
        ways = RegionFills(image, region_means(image, regions), regions, masked)
        scores = np.empty((self.samples, np.shape(targets)[-1]))

        def maps(done: int, fit: Fit) -> NDArray[np.float32]:
            found = fit(
                kept[:done], scores[:done], alpha=self.alpha, kernel_width=self.kernel_width
            )
            return found.T[:, regions].astype(np.float32)

        for part, found in score_batches(self.classifier, ways, batch_size=self.batch_size):
            scores[part] = picked(found, targets)
            yield Partial(
                part.stop,
                self.samples,
                partial(maps, part.stop, coefficients),
                partial(maps, part.stop, standard_errors),
            )

    def _regions(self, image: NDArray[np.float32]) -> NDArray[np.int32]:
        """The superpixels `(H, W)`, numbered from 0 without gaps."""
        if self.segmenter is None:
            labels: ArrayLike = quickshift(
                image,
                kernel_size=self.kernel_size,
                max_dist=self.max_dist,
                ratio=self.ratio,
                seed=self.seed,
            )
        else:
            labels = self.segmenter(image.copy())
        checked = check_label_map(labels, image.shape[:2])
        _, regions = np.unique(checked, return_inverse=True)
        return regions.reshape(checked.shape).astype(np.int32)


def draw(seed: int, samples: int, superpixels: int) -> NDArray[np.bool_]:
    """Which superpixels each sample keeps, `(samples, superpixels)`; all of them in the first."""
    random = np.random.default_rng(seed)
    kept = random.integers(0, 2, (samples, superpixels), np.uint8).astype(bool)
    kept[0] = True
    return kept


def sample_weights(kept: NDArray[np.bool_], kernel_width: float) -> NDArray[np.float64]:
    """`(samples,)`: the root of exp(-D^2 / kernel_width^2), D the cosine distance from all ones."""
    distance = 1 - np.sqrt(kept.mean(1))
    weights: NDArray[np.float64] = np.exp(-(distance**2) / (2 * kernel_width**2))
    return weights


def coefficients(
    kept: NDArray[np.bool_], scores: NDArray[np.float64], *, alpha: float, kernel_width: float
) -> NDArray[np.float64]:
    """`(superpixels, targets)` of the ridge regression of scores `(samples, targets)`.

    Minimises sum w * (score - intercept - kept . b)^2 + alpha * |b|^2; of several minima
    (alpha = 0, fewer samples than superpixels) the shortest b.
    """
    return _fit(kept, scores, alpha, kernel_width)[0]


def standard_errors(
    kept: NDArray[np.bool_], scores: NDArray[np.float64], *, alpha: float, kernel_width: float
) -> NDArray[np.float64]:
    """Of the coefficients over the choice of the samples, `(superpixels, targets)`; see Lime."""
    found, map_of_scores, residuals = _fit(kept, scores, alpha, kernel_width)
    samples, superpixels = kept.shape
    degrees = samples - superpixels - 1
    if degrees < 1:
        return np.full_like(found, np.nan)
    errors: NDArray[np.float64] = np.sqrt(samples / degrees * (map_of_scores**2 @ residuals**2))
    return errors


def _fit(
    kept: NDArray[np.bool_], scores: NDArray[np.float64], alpha: float, kernel_width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients; the matrix that makes them from the scores; what they leave unexplained.

    An intercept without penalty is the same as taking the weighted means off both sides.
    """
    weights = sample_weights(kept, kernel_width)[:, np.newaxis]
    share = weights / weights.sum()
    design = kept - (share * kept).sum(0)
    target = scores - (share * scores).sum(0)
    gram = design.T @ (weights * design) + alpha * np.eye(design.shape[1])
    map_of_scores = np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ (weights * design).T
    found = map_of_scores @ target
    return found, map_of_scores, target - design @ found
