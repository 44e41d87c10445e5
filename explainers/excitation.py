"""Excitation backprop: marginal winning probabilities, plain and contrastive (004 §3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from explainers.activations import enlarge, is_map, matching
from explainers.classifier import Classifier
from explainers.errors import ExplainerError
from explainers.lrp import engine, rules
from explainers.lrp.fold import fold
from explainers.lrp.graph import IMAGE, read
from explainers.lrp.operations import Affine, Average, Linear, Maximum, Node, Operation, Sum
from explainers.network import NetworkExplainer, compiled

Tensor = Any

# The side of the map that 004 reads, pool2 of AlexNet, and of its images (004 §5).
_SIDE = (13, 227)

_IMAGE_NAME = "image"


class Mwp(NetworkExplainer):
    """The probability of every place to win, top down, given that the target has won (004 §3).

    Excitation backprop (Zhang et al. 2016, ECCV, section 3.2). The target wins with probability 1.
    A winner hands its probability on to the neurons it reads, in proportion to activation times
    weight, weights below zero left out (Eq. 2, 5); biases take no part. Maximum pooling hands it
    to the maximum. The map of a layer, summed over its channels, is enlarged bilinearly to the
    image (see `activations.enlarge`): never negative, and over the layer's own places it sums to 1
    (to less where a winner has no input above zero, or a shortcut leads past the layer). The
    target's score itself does not enter, so predicted and other targets compare in place, not in
    size. Batch normalisation is merged into its neighbour first, where that is exact.

    Where activations may be negative, which the source does not foresee, the single contributions
    activation * weight are sorted, not the weights, and averages and sums of branches hand nothing
    to inputs below zero, unless none is above (ours). On networks of ReLUs whose input is not
    negative this is the z+ rule of layer-wise relevance propagation, for a score of 1.

    layer: the name of the layer whose map is shown, "base/pool2" inside a nested model (or just
    "pool2", where that is the only one); "image" for the pixels themselves. None: the second
    pooling layer, as in 004 §5.2; in a network that has fewer, the last layer whose map keeps at
    least 13/227 of the image's height and width, as pool2 does in the AlexNet of 004 (ours). Only
    layers that no other way to the image leads past are chosen.
    batch_size: how many maps (images times targets) are worked out at once.

    `explainer.layer` is the name of the layer that is shown.

    Raises ExplainerError for a black box, a network with a layer that cannot be passed (the same
    as for LRP: the message names it), an unknown layer, and one that yields no map.
    """

    contrastive: ClassVar[bool] = False

    def __init__(
        self, classifier: Classifier, *, layer: str | None = None, batch_size: int = 8
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        name = "c-mwp" if self.contrastive else "mwp"
        nodes = fold(read(classifier.require_network(name), method=name))
        stop = _place(nodes, layer, classifier.input_shape)
        self.layer = _IMAGE_NAME if stop == IMAGE else nodes[stop].name
        self._maps = classifier.cached_graph(
            ("mwp", self.contrastive, stop),
            lambda: _graph(classifier, nodes, stop, self.contrastive),
        )


class ContrastiveMwp(Mwp):
    """What wins for the target rather than for its opposite: C-MWP (004 §3).

    The marginal winning probability of the target less that of its dual, an output with the same
    weights negated (Zhang et al. 2016, section 3.3). The difference is taken below the layer that
    yields the scores and sent on from there; everything else is as for `Mwp`. Positive: for the
    target; negative: against it, sign kept (the source cuts off what is below zero); over the
    layer's places the map sums to 0 where both have won in full.

    C-MWP in 004's Table 1 is this with `layer` None: the second pooling layer.
    """

    contrastive = True


def probabilities(
    nodes: Sequence[Node], images: Tensor, targets: Tensor, *, stop: int, contrastive: bool
) -> Tensor:
    """Winning probabilities `(N, T, h, w, channels)` of what the node at `stop` yields.

    images: preprocessed, `(N, H, W, C)`; targets: int32 `(N, T)`; stop: a position, or IMAGE.
    """
    import tensorflow as tf

    values, steps = engine.forward(nodes, images)
    last = len(nodes) - 1
    top = top_layers(nodes) if contrastive else frozenset()
    waiting = {last: tf.one_hot(targets, tf.shape(values[last])[-1])}
    for position in range(last, stop, -1):
        node, arrived = nodes[position], waiting.pop(position, None)
        if arrived is None:  # it leads to gates only
            continue
        if isinstance(node.operation, Linear):
            rule = _contrast if position in top else _excite
            shares: Sequence[Tensor | None] = (engine.apply(rule, steps[position], arrived),)
        else:
            inputs = [values[at] for at in node.inputs]
            shares = _pass(node.operation, inputs, values[position], arrived)
        for at, share in zip(node.inputs, shares, strict=True):
            if at >= stop and share is not None:
                waiting[at] = waiting[at] + share if at in waiting else share
    return waiting[stop]


def top_layers(nodes: Sequence[Node]) -> frozenset[int]:
    """Positions of the layers with weights that no other layer with weights follows."""
    followed = {len(nodes) - 1: False}
    found = []
    for position in reversed(range(len(nodes))):
        linear = isinstance(nodes[position].operation, Linear)
        if linear and not followed[position]:
            found.append(position)
        for at in nodes[position].inputs:
            followed[at] = followed.get(at, False) or followed[position] or linear
    return frozenset(found)


_excite = partial(rules.z_plus, bias=False)


def _contrast(step: rules.Step, arrived: Tensor) -> Tensor:
    return _excite(step, arrived) - _excite(replace(step, kernel=-step.kernel), arrived)


def _pass(
    operation: Operation, inputs: Sequence[Tensor], output: Tensor, arrived: Tensor
) -> Sequence[Tensor | None]:
    import tensorflow as tf

    if isinstance(operation, Affine):  # unlike relevance, a winner hands on all it has
        return (arrived,)
    if isinstance(operation, (Average, Sum)):  # their weights are positive
        inputs = [tf.nn.relu(one) for one in inputs]
        output = operation.forward(*inputs)
    return operation.backward(inputs, output, arrived)


def _graph(
    classifier: Classifier, nodes: Sequence[Node], stop: int, contrastive: bool
) -> Callable[[Tensor, Tensor], Tensor]:
    import tensorflow as tf

    def maps(images: Tensor, targets: Tensor) -> Tensor:
        prepared = classifier.prepare(images)
        found = probabilities(nodes, prepared, targets, stop=stop, contrastive=contrastive)
        return enlarge(tf.reduce_sum(found, axis=-1), *tf.unstack(tf.shape(images)[1:3]))

    return compiled(maps, classifier.input_shape)


# -- which layer is shown ---------------------------------------------------------------------


def _place(nodes: Sequence[Node], layer: str | None, shape: Sequence[int | None]) -> int:
    """The position of the layer to show."""
    top = min(top_layers(nodes), default=len(nodes))
    shapes = _shapes(nodes, shape)
    maps = [at for at in range(top) if is_map(shapes[at])]
    if layer is None:
        return _usual(nodes, shapes, [at for at in maps if _alone(nodes, at)])
    found = [] if not isinstance(layer, str) else matching([node.name for node in nodes], layer)
    if not found:
        if layer == _IMAGE_NAME:
            return IMAGE
        names = list(dict.fromkeys(nodes[at].name for at in maps))[-8:]
        raise ExplainerError(
            f"No layer {layer!r} is left once the network is simplified; the last that yield a map "
            f"are {', '.join(names) or 'none'}."
        )
    if found[-1] not in maps:
        raise ExplainerError(
            f"The layer {layer!r} yields no map (height, width, channels) below the layer of the "
            "scores."
        )
    return found[-1]


def _usual(nodes: Sequence[Node], shapes: dict[int, Any], maps: Sequence[int]) -> int:
    pools = [at for at in maps if isinstance(nodes[at].operation, (Average, Maximum))]
    if len(pools) > 1:
        return pools[1]
    part, whole = _SIDE
    height, width, _ = shapes[IMAGE]
    large = [
        at
        for at in maps
        if shapes[at][0] * whole >= height * part and shapes[at][1] * whole >= width * part
    ]
    return max(large, default=IMAGE)


def _alone(nodes: Sequence[Node], position: int) -> bool:
    """Whether no way from the scores to the image leads past the node."""
    return all(at >= position for node in nodes[position + 1 :] for at in node.inputs)


def _shapes(nodes: Sequence[Node], shape: Sequence[int | None]) -> dict[int, Any]:
    """What each node yields, without the batch, for an image of `shape` (224 where it is free)."""
    import tensorflow as tf

    found: dict[int, Any] = {}

    def forward(images: Tensor) -> Tensor:
        values, _ = engine.forward(nodes, images)
        found.update({at: tuple(value.shape[1:]) for at, value in values.items()})
        return values[len(nodes) - 1]

    sizes = [224 if size is None else size for size in shape[:2]]
    spec = tf.TensorSpec((1, *sizes, shape[2]), tf.float32)
    tf.function(forward, autograph=False).get_concrete_function(spec)
    return found
