"""Where a picture has edges: a control that knows no network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.base import Explainer, Partial
from explainers.classifier import Classifier
from explainers.parameters import within

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Edges(Explainer):
    """The strength of the picture's edges, whatever the classifier (a control of our own).

    Adebayo et al. 2018 hold saliency maps against an edge detector: what looks like a good
    explanation may be the picture's outlines alone. Each channel is smoothed by a Gaussian, and a
    pixel's value is the length of the smoothed channel's slope, in grey levels per pixel, the
    largest of the channels; beyond the border the picture is mirrored. It is never negative, and 0
    where the picture is even. No network and no target enters, and nothing is predicted.

    sigma: standard deviation of the Gaussian, in pixels: finer edges for smaller ones.
    batch_size: as every method takes it; without effect.

    Raises ExplainerError for a sigma that is no number from 0.5 to 100.
    """

    class_agnostic = True

    def __init__(self, classifier: Classifier, *, sigma: float = 1.0, batch_size: int = 64) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.sigma = within("sigma", sigma, 0.5, 100)

    def _steps(self, image: NDArray[np.float32], targets: Any) -> Iterator[Partial]:
        yield Partial(1, 1, lambda: _strength(image, self.sigma)[np.newaxis])


def _strength(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """`(H, W)`: the largest slope of the channels of an image `(H, W, C)`."""
    from scipy.ndimage import gaussian_gradient_magnitude

    channels = np.moveaxis(image.astype(np.float64), -1, 0)
    slopes = [gaussian_gradient_magnitude(one, sigma, mode="reflect") for one in channels]
    return np.max(slopes, axis=0).astype(np.float32)
