"""The feature explanation method: FEM (Fuad et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from explainers.activations import Halves, enlarge
from explainers.classifier import Classifier
from explainers.network import NetworkExplainer, compiled
from explainers.parameters import at_least


class Fem(NetworkExplainer):
    """Where the last convolution answers unusually strongly, whatever the class (Fuad et al. 2020).

    In each channel of the layer's activation A, a place counts where A > mean + k * std over all
    places, and it counts with the channel's mean; the map is the sum over the channels, enlarged
    bilinearly to the image (see `activations.enlarge`). No target enters: the map is the same for
    all of them. The population's standard deviation and the strict comparison, by which a channel
    that is the same everywhere adds nothing, are ours.

    k: how many standard deviations above the mean a place has to be; 2 in the source.
    layer: as in `GradCam`; None for the activation of the last convolution (000 §4.1).
    batch_size: how many images are worked out at once.

    `explainer.layer` is the name of the layer that is read.

    Raises ExplainerError for a black box, a network without a convolution, an unknown layer, one
    that yields no map, and a k that is no number from 0 up.
    """

    class_agnostic = True

    def __init__(
        self,
        classifier: Classifier,
        *,
        k: float = 2.0,
        layer: str | None = None,
        batch_size: int = 64,
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.k = at_least("k", k, 0)
        halves = Halves(classifier.require_network("FEM"), layer)
        self.layer = halves.layer
        self._maps = classifier.cached_graph(
            ("fem", halves.cut, self.k), lambda: _graph(classifier, halves, self.k)
        )


def _graph(classifier: Classifier, halves: Halves, k: float) -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    def maps(images: Any, targets: Any) -> Any:
        values = halves.trunk(classifier.prepare(images))
        # In double precision a channel that is the same everywhere equals its mean exactly.
        read = tf.cast(halves.activation(values), tf.float64)
        mean = tf.reduce_mean(read, axis=[1, 2], keepdims=True)
        spread = tf.math.reduce_std(read, axis=[1, 2], keepdims=True)
        strong = tf.cast(read > mean + k * spread, tf.float64)
        small = tf.cast(tf.reduce_sum(mean * strong, axis=-1), tf.float32)
        return enlarge(small[:, tf.newaxis], *tf.unstack(tf.shape(images)[1:3]))

    return compiled(maps, classifier.input_shape)
