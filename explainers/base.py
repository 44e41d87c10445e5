"""The contract of every heatmap method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from explainers.classifier import Classifier, Target, check_batch_size, is_single
from explainers.errors import ExplainerError
from explainers.images import check_image

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Partial:
    """How far an explanation has come.

    done, total: predictions made, and to be made.
    heatmap: what the predictions so far give, float32 `(H, W)` or `(targets, H, W)`; worked out
    when it is asked for, so read it before taking the next Partial.
    """

    def __init__(self, done: int, total: int, heatmap: Callable[[], NDArray[np.float32]]) -> None:
        self.done = done
        self.total = total
        self._heatmap = heatmap

    @property
    def heatmap(self) -> NDArray[np.float32]:
        return self._heatmap()


class Explainer(ABC):
    """A heatmap method with its hyper-parameters, for one classifier.

    Subclasses take their hyper-parameters by keyword, check them in `__init__`, and yield maps of
    all targets from `_steps`: one pass over the predictions serves every target.
    """

    def __init__(self, classifier: Classifier, *, batch_size: int = 64) -> None:
        if not isinstance(classifier, Classifier):
            raise ExplainerError(
                f"Expected a Classifier (Classifier.from_keras, .from_callable), "
                f"not a {type(classifier).__name__}."
            )
        self.classifier = classifier
        self.batch_size = check_batch_size(batch_size)

    def explain(self, image: ArrayLike, target: Target) -> NDArray[np.float32]:
        """The heatmap of an image `(H, W, C)`, 0..255, for a target.

        Returns float32 `(H, W)` for one label or index, `(targets, H, W)` for a sequence or ALL;
        raw and signed: never normalised, thresholded or blurred.
        Raises ExplainerError for an unusable image or target, before any prediction.
        """
        steps = deque(self.iter_explain(image, target), maxlen=1)
        return steps.pop().heatmap

    def iter_explain(self, image: ArrayLike, target: Target) -> Iterator[Partial]:
        """As `explain`, step by step; the last Partial holds the finished heatmap."""
        checked = check_image(image, self.classifier.input_shape)
        targets = self.classifier.indices(target)
        self._check(checked)
        steps = self._steps(checked, targets)
        return (_first(step) for step in steps) if is_single(target) else steps

    def _check(self, image: NDArray[np.float32]) -> None:  # noqa: B027 (most have nothing to check)
        """Raise ExplainerError where the hyper-parameters do not fit this image."""

    @abstractmethod
    def _steps(self, image: NDArray[np.float32], targets: tuple[int, ...]) -> Iterator[Partial]:
        """Partial maps `(targets, H, W)` of a checked image."""


def _first(step: Partial) -> Partial:
    return Partial(step.done, step.total, lambda: step.heatmap[0])
