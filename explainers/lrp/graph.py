"""Reads a built Keras network, functional or Sequential, nested or not, as a list of operations.

The list is in the order of computation. Softmax or sigmoid at the very end is left off: relevance
starts from the score before it. The model itself is only read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from explainers.errors import ExplainerError
from explainers.lrp import functions, layers
from explainers.lrp.operations import (
    Affine,
    Elementwise,
    Gate,
    ImpassableError,
    Node,
    Operation,
    Rearrange,
)

if TYPE_CHECKING:
    import keras

IMAGE = -1
"""The position that stands for the image in a node's inputs."""


def read(model: keras.Model, *, method: str = "lrp") -> list[Node]:
    """The operations from the preprocessed image to the scores before softmax or sigmoid.

    Raises ExplainerError naming the method and the first layer that it cannot pass.
    """
    try:
        return _read(model)
    except ImpassableError as reason:
        raise ExplainerError(
            f"{method} {reason}; methods that need predictions only would work: "
            f"{', '.join(_of_predictions())}."
        ) from None


def _of_predictions() -> list[str]:
    from explainers.registry import available
    from explainers.registry import method as known

    found = map(known, available())
    return [one.name for one in found if one.reads_network and not one.needs_network]


def _read(model: keras.Model) -> list[Node]:
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs or len(inputs) != 1 or len(outputs) != 1:
        raise ImpassableError(
            "needs a built functional or Sequential network with one input and one output, and "
            f"{model.name!r} ({type(model).__name__}) is none"
        )
    nodes: list[Node] = []
    last = _visit(outputs[0], {id(inputs[0]): IMAGE}, nodes, path="", end=True)
    if last == IMAGE or not nodes:
        raise ExplainerError(f"The network {model.name!r} returns its own input.")
    return nodes


def _visit(tensor: Any, known: dict[int, int], nodes: list[Node], *, path: str, end: bool) -> int:
    """Adds what a symbolic tensor depends on; returns the position of what computes it.

    `known`: positions of the tensors met so far, by id. `end`: nothing but rearranging follows.
    """
    stack = [(tensor, end)]
    while stack:  # a loop, not recursion: networks can be as deep as Python's stack
        current, last = stack[-1]
        if id(current) in known:
            stack.pop()
            continue
        history = current._keras_history
        layer = history.operation
        call = layer._inbound_nodes[history.node_index]
        sources = call.input_tensors
        missing = [one for one in sources if id(one) not in known]
        if missing:
            last = last and (layers.rearranges_only(layer) or functions.rearranges_only(layer))
            stack.extend((one, last) for one in missing)
            continue
        if not sources:
            raise ImpassableError(f"cannot start from the constant {path + layer.name!r}")
        inputs = tuple(known[id(one)] for one in sources)
        known[id(current)] = _enter(current, call, inputs, nodes, path, last)
        stack.pop()
    return known[id(tensor)]


def _enter(
    tensor: Any, call: Any, inputs: tuple[int, ...], nodes: list[Node], path: str, end: bool
) -> int:
    import keras

    layer = call.operation
    name = path + layer.name
    if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        inside = {id(one): at for one, at in zip(layer.inputs, inputs, strict=True)}
        output = layer.outputs[tensor._keras_history.tensor_index]
        return _visit(output, inside, nodes, path=f"{name}/", end=end)
    found: list[Operation]
    if functions.is_product(layer) and len(inputs) > 1:
        found = [_gate(tensor, call, inputs, nodes, name)]
    elif isinstance(layer, keras.Layer):
        found = layers.translate(layer, name, end=end)
    else:
        found = functions.translate(layer, call.arguments, name, end=end)
    position = inputs[0]
    for operation in found:
        nodes.append(Node(name, operation, inputs))
        position = len(nodes) - 1
        inputs = (position,)
    return position


def _gate(
    tensor: Any, call: Any, inputs: tuple[int, ...], nodes: Sequence[Node], name: str
) -> Gate:
    """A product, its signal being the one factor that has the product's shape and is no gate."""
    full = [at for at, one in enumerate(call.input_tensors) if one.shape == tensor.shape]
    signals = full if len(full) < 2 else [at for at in full if not _bounded(nodes, inputs[at])]
    if len(signals) != 1:
        raise ImpassableError(
            f"cannot tell the signal from its gates in the product {name!r}, where not just one "
            "factor has the product's shape and comes from no sigmoid"
        )
    return Gate(signals[0])


def _bounded(nodes: Sequence[Node], position: int) -> bool:
    """Whether values come from a sigmoid, or another bounded activation, scaled or not."""
    while position != IMAGE:
        operation = nodes[position].operation
        if isinstance(operation, Elementwise) and operation.bounded:
            return True
        if not isinstance(operation, (Affine, Rearrange)):
            return False
        position = nodes[position].inputs[0]
    return False
