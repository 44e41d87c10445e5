"""Sends relevance from the scores of a network back to its input.

One graph does both passes: the forward pass is shared by all targets of an image, the backward
pass carries the targets along on an axis of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from explainers.lrp.composites import Composite
from explainers.lrp.graph import IMAGE
from explainers.lrp.operations import Linear, Node
from explainers.lrp.rules import Rule, Step, Tensor

Bounds = tuple[Tensor, Tensor]


def scores(nodes: Sequence[Node], images: Tensor) -> Tensor:
    """The network's scores before softmax or sigmoid ``(N, classes)`` of preprocessed images."""
    values = {IMAGE: images}
    for position, node in enumerate(nodes):
        values[position] = node.operation.forward(*(values[at] for at in node.inputs))
    return values[len(nodes) - 1]


def relevance(
    nodes: Sequence[Node],
    composite: Composite,
    images: Tensor,
    targets: Tensor,
    bounds: Bounds | None = None,
) -> Tensor:
    """Relevance ``(N, T, H, W, C)`` of preprocessed images ``(N, H, W, C)``, targets ``(N, T)``.

    What is put in is the signed score of each target before softmax or sigmoid. `bounds`: the
    lowest and highest preprocessed image, each ``(1, H, W, C)``, for composites that need them.
    """
    import tensorflow as tf

    first = first_layers(nodes)
    values, steps = forward(nodes, images, first, bounds)
    output = values[len(nodes) - 1]
    chosen = tf.one_hot(targets, tf.shape(output)[-1], dtype=output.dtype)
    waiting = {len(nodes) - 1: chosen * output[:, tf.newaxis]}
    for position in reversed(range(len(nodes))):
        node = nodes[position]
        arrived = waiting.pop(position, None)
        if arrived is None:  # it leads to gates only
            continue
        inputs = [values[at] for at in node.inputs]
        if isinstance(node.operation, Linear):
            rule = composite.rule(node.operation.kind, first=position in first)
            shares: Sequence[Tensor | None] = (apply(rule, steps[position], arrived),)
        else:
            shares = node.operation.backward(inputs, values[position], arrived)
        for at, share in zip(node.inputs, shares, strict=True):
            if share is not None:
                waiting[at] = waiting[at] + share if at in waiting else share
    return waiting[IMAGE]


def first_layers(nodes: Sequence[Node]) -> frozenset[int]:
    """Positions of the layers with weights that no other layer with weights precedes."""
    seen = {IMAGE: False}  # position -> is there a layer with weights on every way to it?
    found = []
    for position, node in enumerate(nodes):
        behind = all(seen[at] for at in node.inputs)
        seen[position] = behind or isinstance(node.operation, Linear)
        if isinstance(node.operation, Linear) and not behind:
            found.append(position)
    return frozenset(found)


def forward(
    nodes: Sequence[Node],
    images: Tensor,
    first: frozenset[int] = frozenset(),
    bounds: Bounds | None = None,
) -> tuple[dict[int, Tensor], dict[int, Step]]:
    """Every node's output, and for the layers with weights what their rules need."""
    values = {IMAGE: images}
    never_below_zero = {IMAGE: False}
    steps: dict[int, Step] = {}
    for position, node in enumerate(nodes):
        inputs = [values[at] for at in node.inputs]
        operation = node.operation
        if isinstance(operation, Linear):
            kernel, bias = operation.parameters()
            values[position] = operation.output(inputs[0], kernel, bias)
            steps[position] = Step(
                apply=operation.apply,
                kernel=kernel,
                bias=bias,
                x=inputs[0],
                z=values[position],
                non_negative=never_below_zero[node.inputs[0]],
                mixes_channels=operation.kind != "depthwise"
                and kernel.shape[-2] == inputs[0].shape[-1],
                bounds=_bounds(nodes, node.inputs[0], bounds) if position in first else None,
            )
        else:
            values[position] = operation.forward(*inputs)
        never_below_zero[position] = operation.non_negative(
            *(never_below_zero[at] for at in node.inputs)
        )
    return values, steps


def _bounds(nodes: Sequence[Node], position: int, bounds: Bounds | None) -> Bounds | None:
    """The bounds of the image, sent through what precedes the first layer with weights."""
    import tensorflow as tf

    if bounds is None or position == IMAGE:
        return bounds
    node = nodes[position]
    inputs = [_bounds(nodes, at, bounds) for at in node.inputs]
    low = node.operation.forward(*(one[0] for one in inputs if one is not None))
    high = node.operation.forward(*(one[1] for one in inputs if one is not None))
    return tf.minimum(low, high), tf.maximum(low, high)


def apply(rule: Rule, step: Step, arrived: Tensor) -> Tensor:
    """A rule, no earlier than its relevance is there.

    Denominators depend on the forward pass only; left to itself the graph computes all of them at
    once and holds them until they are used.
    """
    import tensorflow as tf

    with tf.control_dependencies([arrived]):
        return rule(step, arrived)


def compiled(
    nodes: Sequence[Node], composite: Composite, prepare: Callable[[Tensor], Tensor], shape: Any
) -> Callable[[Tensor, Tensor], Tensor]:
    """A graph from images 0..255 ``(N, H, W, C)`` and targets ``(N, T)`` to maps ``(N, T, H, W)``.

    Relevance belongs to the preprocessed input and is summed over its channels.
    """
    import tensorflow as tf

    def maps(images: Tensor, targets: Tensor) -> Tensor:
        bounds = None
        if composite.needs_bounds:
            black = prepare(tf.zeros_like(images[:1]))
            white = prepare(tf.fill(tf.shape(images[:1]), 255.0))
            bounds = tf.minimum(black, white), tf.maximum(black, white)
        found = relevance(nodes, composite, prepare(images), targets, bounds)
        return tf.reduce_sum(found, axis=-1)

    image = tf.TensorSpec((None, *shape), tf.float32)
    target = tf.TensorSpec((None, None), tf.int32)
    return tf.function(maps, input_signature=[image, target], autograph=False)
