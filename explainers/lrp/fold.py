"""Merges layers into their neighbours where the network stays the same function.

Batch normalisation between a convolution and its activation would otherwise stand between the
weights and the values their rule asks about; explained together with its layer it is part of the
weights. It goes into the layer before it where nothing else reads that layer's output, else into
the one after it where that sees no zero padding (the border would be shifted too); what cannot be
merged stays, as in networks that normalise before they activate (see `operations.Affine`). Zero
padding goes into the convolution after it, so that no rule counts the zeros as inputs.

Kernels are merged inside the graph, from the variables the model has when it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from explainers.lrp.graph import IMAGE
from explainers.lrp.operations import Affine, Average, Linear, Node, Rearrange
from explainers.lrp.rules import Apply, Tensor


def fold(nodes: Sequence[Node]) -> list[Node]:
    """The same network with padding and batch normalisation merged where that is exact."""
    found = _with_padding(nodes)
    position = 0
    while position < len(found):
        shorter = _merged(found, position)
        if shorter is None:
            position += 1
        else:
            found, position = shorter, 0
    return found


def _with_padding(nodes: Sequence[Node]) -> list[Node]:
    found = list(nodes)
    for position, node in enumerate(found):
        layer, at = node.operation, node.inputs[0]
        if not isinstance(layer, Linear) or layer.kind == "dense":
            continue
        while at != IMAGE:
            padding = found[at].operation
            if not isinstance(padding, Rearrange) or padding.kind != "padding":
                break
            layer, at = _after_padding(layer, padding), found[at].inputs[0]
        found[position] = replace(node, operation=layer, inputs=(at,))
    return _reachable(found)


def _after_padding(layer: Linear, padding: Rearrange) -> Linear:
    def enlarged(x: Tensor, kernel: Tensor) -> Tensor:
        return layer.apply(padding.function(x), kernel)

    apply: Apply = enlarged
    if layer.amid_zeros is not None and padding.zeros is not None:
        apply = layer.amid_zeros(padding.zeros)
    return replace(layer, apply=apply, padded=True, amid_zeros=None)


def _merged(nodes: list[Node], position: int) -> list[Node] | None:
    """The nodes without the batch normalisation at `position`; None where it has to stay."""
    affine = nodes[position].operation
    if not isinstance(affine, Affine) or not affine.foldable:
        return None
    before = nodes[position].inputs[0]
    layer = nodes[before].operation if before != IMAGE else None
    if isinstance(layer, Linear) and len(_readers(nodes, before)) == 1:
        return _without(nodes, position, before, _after(layer, affine))
    return _merged_forward(nodes, position, affine)


def _merged_forward(nodes: list[Node], position: int, affine: Affine) -> list[Node] | None:
    current, flattened = position, False
    while len(readers := _readers(nodes, current)) == 1:
        current = readers[0]
        operation = nodes[current].operation
        if isinstance(operation, Linear):
            if operation.padded or (flattened and operation.kind != "dense"):
                return None
            return _without(nodes, position, current, _before(operation, affine))
        if isinstance(operation, Rearrange) and operation.kind == "flatten":
            flattened = True
        elif not isinstance(operation, Average):  # an average of scaled values is scaled alike
            return None
    return None


def _after(layer: Linear, affine: Affine) -> Linear:
    """``affine(layer(x))`` as one layer."""
    import tensorflow as tf

    def parameters() -> tuple[Tensor, Tensor | None]:
        kernel, bias = layer.parameters()
        scale, shift = affine.parameters()
        per_output = scale
        if layer.kind == "depthwise":  # kernel (height, width, channels, multiplier)
            per_output = tf.reshape(scale, tf.shape(kernel)[2:])
        return kernel * per_output, shift if bias is None else bias * scale + shift

    return replace(layer, parameters=parameters)


def _before(layer: Linear, affine: Affine) -> Linear:
    """``layer(affine(x))`` as one layer; `layer` sees no padding."""
    import tensorflow as tf

    def parameters() -> tuple[Tensor, Tensor | None]:
        kernel, bias = layer.parameters()
        scale, shift = affine.parameters()
        if layer.kind == "dense":  # after flattening, every place has all the channels
            places = tf.shape(kernel)[0] // tf.shape(scale)[0]
            scale, shift = tf.tile(scale, [places]), tf.tile(shift, [places])
            added = tf.linalg.matvec(kernel, shift, transpose_a=True)
            scaled = kernel * scale[:, None]
        elif layer.kind == "depthwise":
            added = tf.reshape(tf.reduce_sum(kernel * shift[:, None], axis=[0, 1]), [-1])
            scaled = kernel * scale[:, None]
        else:
            added = tf.reduce_sum(kernel * _per_weight(shift, kernel), axis=[0, 1, 2])
            scaled = kernel * _per_weight(scale, kernel)
        return scaled, added if bias is None else bias + added

    return replace(layer, parameters=parameters)


def _per_weight(values: Tensor, kernel: Tensor) -> Tensor:
    """One value per input channel, laid out as a convolution's kernel ``(inputs, outputs)``.

    In a grouped convolution every output sees the channels of its group only.
    """
    import tensorflow as tf

    seen, outputs = kernel.shape[2], kernel.shape[3]
    grouped = tf.transpose(tf.reshape(values, [-1, seen]))
    return tf.repeat(grouped, outputs // tf.shape(grouped)[1], axis=1)


# -- lists of nodes ---------------------------------------------------------------------------


def _readers(nodes: Sequence[Node], position: int) -> list[int]:
    return [at for at, node in enumerate(nodes) if position in node.inputs]


def _without(nodes: list[Node], gone: int, changed: int, operation: Linear) -> list[Node]:
    """The nodes with one bypassed and the operation of another replaced."""
    found = list(nodes)
    found[changed] = replace(found[changed], operation=operation)
    source = found[gone].inputs[0]
    for at in _readers(nodes, gone):
        inputs = tuple(source if one == gone else one for one in found[at].inputs)
        found[at] = replace(found[at], inputs=inputs)
    last = source if gone == len(found) - 1 else len(found) - 1
    return _reachable(found, last)


def _reachable(nodes: Sequence[Node], last: int | None = None) -> list[Node]:
    """The nodes that the one at `last` depends on, renumbered."""
    last = len(nodes) - 1 if last is None else last
    needed = {last}
    for position in range(last, -1, -1):
        if position in needed:
            needed.update(nodes[position].inputs)
    kept = sorted(one for one in needed if one >= 0)
    place = {old: new for new, old in enumerate(kept)} | {IMAGE: IMAGE}
    return [
        replace(nodes[old], inputs=tuple(place[one] for one in nodes[old].inputs)) for old in kept
    ]
