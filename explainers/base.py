"""The contract of every heatmap method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from explainers.classifier import (
    CLASS_AGNOSTIC,
    Classifier,
    Target,
    check_batch_size,
    is_single,
)
from explainers.errors import ExplainerError
from explainers.images import check_image

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


Maps = Callable[[], "NDArray[np.float32]"]


class Partial:
    """How far an explanation has come.

    done, total: predictions made, and to be made; maps, for methods that go through the network.
    heatmap: what the predictions so far give, float32 `(H, W)` or `(targets, H, W)`; worked out
    when it is asked for, so read it before taking the next Partial.
    standard_error: of a sampled method's map, in its shape and units, over the chance in its
    masks; NaN while there are too few of them; None where nothing is sampled.
    """

    def __init__(
        self, done: int, total: int, heatmap: Maps, standard_error: Maps | None = None
    ) -> None:
        self.done = done
        self.total = total
        self._heatmap = heatmap
        self._standard_error = standard_error

    @property
    def heatmap(self) -> NDArray[np.float32]:
        return self._heatmap()

    @property
    def standard_error(self) -> NDArray[np.float32] | None:
        return None if self._standard_error is None else self._standard_error()

    def each(self, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Partial:
        """The same step with another view of its maps."""
        error = self._standard_error
        return Partial(
            self.done,
            self.total,
            lambda: change(self._heatmap()),
            None if error is None else lambda: change(error()),
        )


class Explainer(ABC):
    """A heatmap method with its hyper-parameters, for one classifier.

    Subclasses take their hyper-parameters by keyword, check them in `__init__`, and yield maps of
    all targets from `_steps`: one pass over the predictions serves every target.

    class_agnostic: the method explains the whole prediction at once and knows no target.
    linear: the map is linear in the scores, so that a weighted sum of classes is explained like a
    single one; `_steps` then takes weights `(classes, 1)` in place of targets too.
    """

    class_agnostic: ClassVar[bool] = False
    linear: ClassVar[bool] = False

    def __init__(self, classifier: Classifier, *, batch_size: int = 64) -> None:
        if not isinstance(classifier, Classifier):
            raise ExplainerError(
                f"Expected a Classifier (Classifier.from_keras, .from_callable), "
                f"not a {type(classifier).__name__}."
            )
        self.classifier = classifier
        self.batch_size = check_batch_size(batch_size)

    def explain(self, image: ArrayLike, target: Target | None = None) -> NDArray[np.float32]:
        """The heatmap of an image `(H, W, C)`, 0..255, for a target.

        Returns float32 `(H, W)` for one label or index, `(targets, H, W)` for a sequence or ALL;
        raw and signed: never normalised, thresholded or blurred.

        For CLASS_AGNOSTIC one map `(H, W)` of the whole prediction: the sum over all classes of
        score * map of that class (000 §4.2), from the same forward passes and one of the image;
        the method's own map where it is class-agnostic itself. Such a method gives the same map
        for every target, and needs none.

        Raises ExplainerError for an unusable image or target, before any prediction.
        """
        steps = deque(self.iter_explain(image, target), maxlen=1)
        return steps.pop().heatmap

    def iter_explain(self, image: ArrayLike, target: Target | None = None) -> Iterator[Partial]:
        """As `explain`, step by step; the last Partial holds the finished heatmap."""
        checked = check_image(image, self.classifier.input_shape)
        target = self._meant(target)
        targets = self.classifier.indices(target)
        self._check(checked)
        if self.class_agnostic:
            count = None if target is CLASS_AGNOSTIC or is_single(target) else len(targets)
            return (_repeated(step, count) for step in self._steps(checked, ()))
        if target is CLASS_AGNOSTIC:
            return self._weighted(checked, targets)
        steps = self._steps(checked, targets)
        return (step.each(lambda maps: maps[0]) for step in steps) if is_single(target) else steps

    def support(self, heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map as a picture shows it: one number per pixel, positive where it supports the target.

        `(..., H, W)`; the map itself for all methods whose map has one value per pixel already.
        """
        return heatmap

    def _meant(self, target: Target | None) -> Target:
        """The target, or the whole prediction where none is given and the method knows none."""
        if target is not None:
            return target
        if self.class_agnostic:
            return CLASS_AGNOSTIC
        raise ExplainerError(
            f"The target is missing: {type(self).__name__} explains a label or an index, a "
            "sequence of these, ALL, or CLASS_AGNOSTIC for the whole prediction."
        )

    def _check(self, image: NDArray[np.float32]) -> None:  # noqa: B027 (most have nothing to check)
        """Raise ExplainerError where the hyper-parameters do not fit this image."""

    @abstractmethod
    def _steps(self, image: NDArray[np.float32], targets: Any) -> Iterator[Partial]:
        """Partial maps `(targets, H, W)` of a checked image.

        Where the method is class-agnostic, `targets` is empty and the maps are `(1, H, W)`.
        """

    def _weighted(self, image: NDArray[np.float32], targets: tuple[int, ...]) -> Iterator[Partial]:
        """The class-agnostic map of a class-specific method (000 §4.2)."""
        scores = self.classifier.predict(image[np.newaxis], batch_size=1)[0]
        if self.linear:
            for step in self._steps(image, scores[:, np.newaxis].astype(np.float64)):
                yield step.each(lambda maps: maps[0])
            return
        for step in self._steps(image, targets):
            yield Partial(step.done, step.total, partial(_score_weighted, step, scores))


def _score_weighted(step: Partial, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.tensordot(scores, step.heatmap, axes=1).astype(np.float32)


def _repeated(step: Partial, count: int | None) -> Partial:
    """A class-agnostic map for `count` targets; for one, or for none, without the leading axis."""
    if count is None:
        return step.each(lambda maps: maps[0])
    return step.each(lambda maps: np.repeat(maps, count, axis=0))
