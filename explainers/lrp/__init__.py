"""Layer-wise relevance propagation (LRP) for Keras networks.

heatmap = LRP(classifier, composite="preset-a-flat").explain(image, target="horse")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from explainers.classifier import Classifier
from explainers.errors import ExplainerError
from explainers.lrp import composites, engine
from explainers.lrp.composites import NAMES, Composite
from explainers.lrp.fold import fold
from explainers.lrp.graph import read
from explainers.network import NetworkExplainer
from explainers.parameters import at_least

__all__ = ["LRP", "NAMES", "Composite"]


class LRP(NetworkExplainer):
    """How much of a target's score every pixel of this image carries (Bach et al. 2015).

    The target's signed score before softmax or sigmoid is sent back layer by layer, each by the
    rule that the composite has for it, to the preprocessed input, and summed over its channels.
    Because the score keeps its sign, positive relevance supports the class for false negatives
    too. (Only where the last layer with weights is a convolution under an alpha-beta or z+ rule
    does a score below zero turn the whole map over.)

    Biases keep the share of relevance that is theirs. In deep networks with batch normalisation
    that is nearly all of it (of MobileNet's score, some 1e-5 reaches the image): compare places
    within a map, not the sizes of two maps.

    The published studies that showed LRP heatmaps to participants (Alqaraawi et al. 2020, and 001
    after it) do not say which rules they used; "preset-a-flat" is our choice.

    composite: a name from `NAMES`, or a `Composite` of one's own.
    epsilon: of the dense layers' rule, in units of the score; None for the composite's own (0.1
    for the presets). Only for named composites.
    batch_size: how many maps (images times targets) are worked out at once.

    Raises ExplainerError for a black box, an unknown composite, and a network with a layer that
    relevance cannot pass through (the message names it).
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        composite: str | Composite = "preset-a-flat",
        epsilon: float | None = None,
        batch_size: int = 8,
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        if epsilon is not None:
            epsilon = at_least("epsilon", epsilon, 0)
        self.composite = composite
        self.epsilon = epsilon
        model = classifier.require_network("LRP")

        def build(rules: Composite) -> Callable[[Any, Any], Any]:
            nodes = fold(read(model))
            return engine.compiled(nodes, rules, classifier.prepare, classifier.input_shape)

        if isinstance(composite, Composite):
            if epsilon is not None:
                raise ExplainerError(
                    "epsilon is given beside a Composite of one's own; set it in the composite."
                )
            self._maps = build(composite)
        else:
            rules = composites.named(composite, epsilon=epsilon)
            key = ("lrp", composite, epsilon)
            self._maps = classifier.cached_graph(key, lambda: build(rules))
