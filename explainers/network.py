"""What the methods share that look inside the network: one graph for images times targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.base import Explainer, Partial
from explainers.classifier import CLASS_AGNOSTIC, Target, check_finite, is_single
from explainers.errors import ExplainerError
from explainers.images import check_images

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Gradients of a probability are tiny, too tiny for half precision: they are worked out times this.
# A power of two, so that in single precision nothing changes.
_ENLARGED = 1024.0


class NetworkExplainer(Explainer):
    """A method that needs the network itself.

    Subclasses set `_maps` in `__init__`: a graph from images 0..255 `(N, H, W, C)` and targets,
    int32 `(N, T)`, to maps `(N, T, H, W)`. Class-agnostic ones are given one target to ignore.

    batch_size: how many maps (images times targets) are worked out at once.
    """

    _maps: Callable[[Any, Any], Any]

    def explain_batch(self, images: ArrayLike, target: Target | None = None) -> NDArray[np.float32]:
        """The heatmaps of images `(N, H, W, C)`, 0..255, all for the same target or targets.

        Returns float32 `(N, H, W)` for one label or index and for CLASS_AGNOSTIC,
        `(N, targets, H, W)` for a sequence or ALL; otherwise as `explain`.
        """
        stack = check_images(images, self.classifier.input_shape)
        target = self._meant(target)
        targets = self.classifier.indices(target)
        if target is CLASS_AGNOSTIC and not self.class_agnostic:  # one by one: maps of all classes
            return np.stack([self.explain(image, target) for image in stack])
        explained = () if self.class_agnostic else targets
        found = np.zeros((len(stack), len(explained) or 1, *stack.shape[1:3]), np.float32)
        for _ in self._fill(found, stack, explained):
            pass
        if is_single(target) or (self.class_agnostic and target is CLASS_AGNOSTIC):
            return found[:, 0]
        if self.class_agnostic:
            return np.repeat(found, len(targets), axis=1)
        return found

    def _steps(self, image: NDArray[np.float32], targets: tuple[int, ...]) -> Iterator[Partial]:
        found = np.zeros((1, len(targets) or 1, *image.shape[:2]), np.float32)
        for done in self._fill(found, image[np.newaxis], targets):
            yield Partial(done, found.shape[1], lambda: found[0].copy())

    def _fill(
        self, found: NDArray[np.float32], images: NDArray[Any], targets: tuple[int, ...]
    ) -> Iterator[int]:
        """Fills in the maps `(N, T, H, W)`, yielding how many are done."""
        import tensorflow as tf

        columns = np.asarray(targets or (0,), np.int32)
        wide = min(len(columns), self.batch_size)
        deep = max(1, self.batch_size // wide)
        done = 0
        for start in range(0, len(images), deep):
            part = tf.constant(images[start : start + deep].astype(np.float32))
            for left in range(0, len(columns), wide):
                chosen = columns[left : left + wide]
                pairs = tf.constant(np.tile(chosen, (len(part), 1)))
                maps = check_finite(self._maps(part, pairs).numpy(), "maps")
                found[start : start + deep, left : left + wide] = maps
                done += maps.shape[0] * maps.shape[1]
                yield done


def compiled(maps: Callable[[Any, Any], Any], shape: Any) -> Callable[[Any, Any], Any]:
    """`maps` as one graph for any number of images of `shape` (H, W, C) and of targets."""
    import tensorflow as tf

    image = tf.TensorSpec((None, *shape), tf.float32)
    target = tf.TensorSpec((None, None), tf.int32)
    return tf.function(maps, input_signature=[image, target], autograph=False)


def for_each_target(
    tape: Any, scores: Any, source: Any, targets: Any, finish: Callable[[Any], Any]
) -> Any:
    """`finish(d score / d source)` of every target, `(N, T, ...)`, from one forward pass.

    tape: a persistent GradientTape that saw `scores` `(N, classes)` come from `source` `(N, ...)`;
    targets: int32 `(N, T)`. The backward passes run one after another, each over all images:
    memory grows with the images and not with the targets, and nothing is computed twice.
    """
    import tensorflow as tf

    exact = tf.cast(scores, tf.float32)

    def backward(chosen: Any) -> Any:
        seed = tf.one_hot(chosen, tf.shape(exact)[-1]) * _ENLARGED
        gradient = tape.gradient(scores, source, output_gradients=tf.cast(seed, scores.dtype))
        if gradient is None:
            raise ExplainerError("The network's score has no gradient: an operation cuts it off.")
        gradient = tf.ensure_shape(gradient, source.shape)  # some, as of a maximum, have lost it
        return finish(tf.cast(gradient, tf.float32) / _ENLARGED)

    found = tf.map_fn(
        backward, tf.transpose(targets), fn_output_signature=tf.float32, parallel_iterations=1
    )
    return tf.transpose(found, [1, 0, *range(2, len(found.shape))])
