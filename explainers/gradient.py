"""The gradient of the score with respect to the image (004 §3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from explainers import head as heads
from explainers.classifier import Classifier
from explainers.network import NetworkExplainer, compiled, for_each_target
from explainers.parameters import whole


class Gradient(NetworkExplainer):
    """How strongly a target's score reacts to each pixel: |d score / d pixel| (004 §3).

    The score is the probability, after softmax or sigmoid, as 004 has it (a network with linear
    outputs is taken as it is); pixels count from 0 to 255 whatever the preprocessing, so a value
    says by how much a probability changes per grey level. A pixel's value is the largest of its
    channels (Simonyan et al. 2014, section 3.1; 004 does not say). It is never negative and has
    no direction: more of the pixel may speak for the target or against it.

    dilations: how often the map is dilated by a 3 x 3 square (every pixel becomes the maximum of
    its neighbourhood), which makes up for the map's high entropy. 004 §5.2 uses 0, 2 and 5, and 5
    where it intersects methods.
    batch_size: how many maps (images times targets) are worked out at once.

    Raises ExplainerError for a black box.
    """

    def __init__(self, classifier: Classifier, *, dilations: int = 0, batch_size: int = 4) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.dilations = whole("dilations", dilations, minimum=0, maximum=1000)
        classifier.require_network("The gradient")
        self._maps = classifier.cached_graph(
            ("gradient", self.dilations), lambda: _graph(classifier, self.dilations)
        )


def _graph(classifier: Classifier, dilations: int) -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    score = heads.function(classifier.require_network("The gradient"), "probabilities")

    def maps(images: Any, targets: Any) -> Any:
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(images)
            scores = score(classifier.prepare(images))

        def magnitude(gradient: Any) -> Any:
            return _dilated(tf.reduce_max(tf.abs(gradient), axis=-1), dilations)

        return for_each_target(tape, scores, images, targets, magnitude)

    return compiled(maps, classifier.input_shape)


def _dilated(maps: Any, times: int) -> Any:
    """Maps `(N, H, W)` dilated by a 3 x 3 square, `times` times."""
    import tensorflow as tf

    side = 2 * times + 1  # what so many squares of 3 add up to
    down = tf.nn.max_pool2d(maps[..., tf.newaxis], (side, 1), 1, "SAME")
    dilated = tf.nn.max_pool2d(down, (1, side), 1, "SAME")[..., 0]
    return dilated + (maps - maps)  # a maximum passes NaN over
