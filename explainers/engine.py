"""Perturb, predict, hand on: the loop under every perturbation method.

A method describes its perturbed images compactly (boxes, and so on); they come into being inside
the TensorFlow graph, one batch at a time, right before the network. The host never holds a stack
of them, and memory grows with the batch, not with the number of perturbations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from explainers.classifier import Classifier, Outputs, check_batch_size, check_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Perturbation(Protocol):
    """One image, perturbed in `len(self)` ways.

    shared: arrays that all ways have in common (the image itself, say).
    per_mask: arrays with one entry per way; entries that are all zeros must be harmless, since
    they pad the last batch.
    composite: from both, as tensors, to the perturbed images `(batch, H, W, C)`, float32 0..255;
    it is traced once per batch size and image shape, so it reads nothing but its arguments.
    """

    def __len__(self) -> int: ...

    @property
    def shared(self) -> tuple[NDArray[Any], ...]: ...

    @property
    def per_mask(self) -> tuple[NDArray[Any], ...]: ...

    @staticmethod
    def composite(shared: Sequence[Any], batch: Sequence[Any]) -> Any: ...


def score_batches(
    classifier: Classifier, perturbation: Perturbation, *, batch_size: int = 64
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The classifier's scores of every perturbed image, batch by batch.

    Yields (which ways, their scores `(ways, classes)`), in order. Scores are those after softmax
    or sigmoid, float32 from a network, in a black box's own precision otherwise. Every batch has
    `batch_size` images: the last one is padded, so nothing is traced twice.
    """
    import tensorflow as tf

    size = check_batch_size(batch_size)
    call = _compiled(classifier, perturbation, size)
    shared = [tf.constant(array) for array in perturbation.shared]
    count = len(perturbation)
    for start in range(0, count, size):
        used = min(size, count - start)
        batch = [
            tf.constant(_padded(array[start : start + used], size))
            for array in perturbation.per_mask
        ]
        yield slice(start, start + used), call(shared, batch)[:used]


def picked(scores: NDArray[Any], targets: Outputs) -> NDArray[Any]:
    """Of scores `(n, classes)` those of the targets, `(n, targets)`."""
    return scores @ targets if isinstance(targets, np.ndarray) else scores[:, targets]


def _compiled(
    classifier: Classifier, perturbation: Perturbation, size: int
) -> Callable[[list[Any], list[Any]], NDArray[Any]]:
    import tensorflow as tf

    shared = [tf.TensorSpec(array.shape, array.dtype) for array in perturbation.shared]
    batch = [
        tf.TensorSpec((size, *array.shape[1:]), array.dtype) for array in perturbation.per_mask
    ]
    composite = type(perturbation).composite
    network = None if classifier.model is None else classifier.graph()

    def build() -> Callable[..., Any]:
        def forward(shared: list[Any], batch: list[Any]) -> Any:
            images = composite(shared, batch)
            return images if network is None else network(images)

        return tf.function(forward).get_concrete_function(shared, batch)

    key = (type(perturbation), *((tuple(spec.shape), spec.dtype) for spec in (*shared, *batch)))
    # Called with the lists it was traced with: given their tensors one by one, TensorFlow first
    # fails to match them and prints them all into an error it then drops, 6 ms per batch.
    graph = classifier.cached_graph(key, build)
    if network is None:
        return lambda shared, batch: classifier.score(graph(shared, batch).numpy())
    return lambda shared, batch: check_finite(graph(shared, batch).numpy(), "scores")


def _padded(array: NDArray[Any], size: int) -> NDArray[Any]:
    if len(array) == size:
        return array
    padded = np.zeros((size, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    return padded
