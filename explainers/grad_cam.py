"""Gradient-weighted class activation maps: Grad-CAM (Selvaraju et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from explainers.activations import Halves, enlarge
from explainers.classifier import Classifier
from explainers.network import NetworkExplainer, compiled, for_each_target


class GradCam(NetworkExplainer):
    """Where the last convolution found what speaks for a target (Selvaraju et al. 2017, ICCV).

    Each channel k of the layer's activation A has the weight alpha_k, the mean over all places of
    d score / d A_k (Eq. 1); the map is ReLU(sum over k of alpha_k * A_k) (Eq. 2), enlarged
    bilinearly to the image (see `activations.enlarge`). It is never negative: what speaks against
    the target is cut off. The score is the one before softmax or sigmoid, as in the source
    (section 3): a confident network's probability has next to no gradient left.

    layer: the name of the layer to read, "base/conv1" inside a nested model (or just "conv1",
    where that is the only one). None: the activation of the last convolution (000 §4.1), after
    the ReLU that follows it, also through batch normalisation; what that means where branches
    meet is in `activations.Halves` (ours).
    batch_size: how many maps (images times targets) are worked out at once.

    `explainer.layer` is the name of the layer that is read.

    Raises ExplainerError for a black box, a network without a convolution, an unknown layer, and
    one that yields no map.
    """

    def __init__(
        self, classifier: Classifier, *, layer: str | None = None, batch_size: int = 64
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        halves = Halves(classifier.require_network("Grad-CAM"), layer)
        self.layer = halves.layer
        self._maps = classifier.cached_graph(
            ("grad-cam", halves.cut), lambda: _graph(classifier, halves)
        )


def _graph(classifier: Classifier, halves: Halves) -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    def maps(images: Any, targets: Any) -> Any:
        values = halves.trunk(classifier.prepare(images))
        activation = halves.activation(values)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(activation)
            scores = halves.scores(values, activation)

        def mean(gradient: Any) -> Any:
            return tf.reduce_mean(gradient, axis=[1, 2])

        weights = for_each_target(tape, scores, activation, targets, mean)
        read = tf.cast(activation, tf.float32)
        small = tf.nn.relu(tf.einsum("ntk,nhwk->nthw", weights, read))
        return enlarge(small, *tf.unstack(tf.shape(images)[1:3]))

    return compiled(maps, classifier.input_shape)
