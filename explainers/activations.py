"""The maps inside a Keras network: which layer yields one, and the network cut in two there.

Models nested in models are opened: their layers are named by path, "base/conv1", or by their own
name where that is enough. The model itself is only read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explainers import head as heads
from explainers.errors import ExplainerError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Call:
    """One use of a layer or operation.

    arguments: Keras' record of them, with symbolic tensors as placeholders.
    inputs: which value stands for which placeholder (by id).
    outputs: the values it yields. shape: of the first of them, without the batch.
    """

    name: str
    operation: Any
    arguments: Any
    inputs: Mapping[int, int]
    outputs: Sequence[int]
    shape: tuple[int | None, ...]

    def run(self, values: dict[int, Any]) -> None:
        import keras

        args, kwargs = self._arguments(values)
        if getattr(self.operation, "_call_has_training_arg", False):
            kwargs["training"] = False
        found = keras.tree.flatten(self.operation(*args, **kwargs))
        values.update(zip(self.outputs, found, strict=True))

    def first_input(self, values: dict[int, Any]) -> Any:
        import keras

        return keras.tree.flatten(self._arguments(values))[0]

    def _arguments(self, values: dict[int, Any]) -> tuple[Any, Any]:
        known = {placeholder: values.get(at) for placeholder, at in self.inputs.items()}
        args, kwargs = self.arguments.fill_in(known)
        return args, dict(kwargs)


_IMAGE = 0  # the value that stands for the preprocessed image


class Halves:
    """A network cut behind the layer that yields a map: image -> activation -> scores.

    layer: its name. None finds the last convolution whose output still has more than one place,
    and from there follows batch normalisation, addition and concatenation, as long as nothing
    else reads what they yield, to the activation function of the convolution's own or the first
    one met; where its branch is then concatenated with others, to the whole. This is what is
    customary for each of the well-known architectures: the rectified last convolution of a VGG,
    the end of the last block of a ResNet, DenseNet, Inception, MobileNet or EfficientNet.

    Raises ExplainerError where there is no convolution or no such layer, or where it yields no
    map `(N, height, width, channels)`.
    """

    def __init__(self, model: keras.Model, layer: str | None = None) -> None:
        self._head = heads.find(model)
        self._calls: list[Call] = []
        _open(model, [_IMAGE], "", self._calls)
        self.cut = _last_map(self._calls) if layer is None else _named(self._calls, layer)
        self.layer = self._calls[self.cut].name

    def trunk(self, images: Any) -> dict[int, Any]:
        """What the layers up to the cut yield for preprocessed images; see `activation`."""
        values = {_IMAGE: images}
        for call in self._calls[: self.cut + 1]:
            call.run(values)
        return values

    def activation(self, values: dict[int, Any]) -> Any:
        """The map `(N, h, w, channels)` among the values of `trunk`."""
        return values[self._calls[self.cut].outputs[0]]

    def scores(self, values: dict[int, Any], activation: Any) -> Any:
        """Scores before softmax or sigmoid `(N, classes)`, going on from an activation."""
        values = values | {self._calls[self.cut].outputs[0]: activation}
        *between, last = self._calls[self.cut + 1 :]
        for call in between:
            call.run(values)
        if self._head.activation != "linear":
            return heads.before_activation(self._head)(last.first_input(values))
        last.run(values)
        return values[last.outputs[0]]


def enlarge(maps: Any, height: Any, width: Any) -> Any:
    """Maps `(N, T, h, w)` as `(N, T, height, width)`, bilinear.

    Pixel centres lie at half-integers in both grids, so the corners of map and image coincide
    (`tf.image.resize`; ours); beyond the outermost centres the border value continues.
    """
    import tensorflow as tf

    last = tf.transpose(maps, [0, 2, 3, 1])
    return tf.transpose(tf.image.resize(last, (height, width), "bilinear"), [0, 3, 1, 2])


def is_map(shape: Sequence[int | None]) -> bool:
    """Whether a shape (height, width, channels) has more than one place."""
    return len(shape) == 3 and tuple(shape[:2]) != (1, 1)


def matching(names: Sequence[str], layer: str) -> list[int]:
    """Where in `names` the layer is meant, by its path or by its own name.

    Raises ExplainerError for an own name that occurs in several nested models.
    """
    found = [at for at, name in enumerate(names) if name == layer]
    found = found or [at for at, name in enumerate(names) if name.endswith(f"/{layer}")]
    paths = sorted({names[at] for at in found})
    if len(paths) > 1:
        raise ExplainerError(f"The layer {layer!r} may be any of {', '.join(paths)}; name one.")
    return found


# -- reading the network ----------------------------------------------------------------------


def _open(model: Any, inputs: Sequence[int], path: str, calls: list[Call]) -> list[int]:
    """Adds the model's calls in order of computation; returns the values it yields."""
    known = {id(tensor): at for tensor, at in zip(model.inputs, inputs, strict=True)}
    stack = list(reversed(model.outputs))
    while stack:  # a loop, not recursion: networks can be as deep as Python's stack
        history = stack[-1]._keras_history
        if id(stack[-1]) in known:
            stack.pop()
            continue
        node = history.operation._inbound_nodes[history.node_index]
        missing = [tensor for tensor in node.input_tensors if id(tensor) not in known]
        if missing:
            stack.extend(missing)
            continue
        found = _called(node, known, path, calls)
        known.update({id(tensor): at for tensor, at in zip(node.outputs, found, strict=True)})
    return [known[id(tensor)] for tensor in model.outputs]


def _called(node: Any, known: dict[int, int], path: str, calls: list[Call]) -> list[int]:
    import keras

    operation = node.operation
    name = path + operation.name
    if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
        given = [known[id(tensor)] for tensor in node.input_tensors]
        return _open(operation, given, f"{name}/", calls)
    inputs = {id(tensor): known[id(tensor)] for tensor in node.input_tensors}
    start = calls[-1].outputs[-1] + 1 if calls else _IMAGE + 1
    outputs = list(range(start, start + len(node.outputs)))
    shape = tuple(node.outputs[0].shape[1:])
    calls.append(Call(name, operation, node.arguments, inputs, outputs, shape))
    return outputs


# -- finding the layer ------------------------------------------------------------------------


def _named(calls: Sequence[Call], layer: str) -> int:
    names = [call.name for call in calls]
    found = matching(names, layer) if isinstance(layer, str) else []
    if not found:
        maps = [call.name for call in calls if is_map(call.shape)][-8:]
        raise ExplainerError(
            f"The network has no layer {layer!r}; the last that yield a map are "
            f"{', '.join(maps) or 'none'}."
        )
    if len(calls[found[-1]].shape) != 3:
        raise ExplainerError(
            f"The layer {layer!r} yields {calls[found[-1]].shape}, not a map "
            "(height, width, channels)."
        )
    return found[-1]


def _is_activation_function(operation: Any) -> bool:
    """An activation called as a function, such as `keras.ops.relu`: an operation, no layer."""
    import keras

    called = type(operation).__name__  # "HardSilu"; "ReLU"
    names = (re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", called).lower(), called.lower())
    known = any(hasattr(keras.activations, name) for name in names)
    return known and not isinstance(operation, keras.Layer)


def _last_map(calls: Sequence[Call]) -> int:
    from keras import layers as k

    kinds = (k.Conv2D, k.DepthwiseConv2D, k.SeparableConv2D, k.Conv2DTranspose)
    functions = (k.Activation, k.ReLU, k.LeakyReLU, k.PReLU, k.ELU)
    passing = (k.BatchNormalization, k.Add, k.Concatenate, k.Dropout, k.SpatialDropout2D)
    for position in reversed(range(len(calls))):
        if isinstance(calls[position].operation, kinds) and is_map(calls[position].shape):
            break
    else:
        raise ExplainerError(
            "The network has no convolution that yields a map of more than one place; "
            "name the layer to read."
        )
    own = getattr(calls[position].operation.activation, "__name__", "custom")
    activated = own != "linear"
    while (reader := _only_reader(calls, position)) is not None:
        operation = calls[reader].operation
        activates = isinstance(operation, functions) or _is_activation_function(operation)
        passes = isinstance(operation, passing) or activates
        if not (isinstance(operation, k.Concatenate) if activated else passes):
            break
        activated = activated or activates
        position = reader
    return position


def _only_reader(calls: Sequence[Call], position: int) -> int | None:
    value = calls[position].outputs[0]
    readers = [at for at, call in enumerate(calls) if value in call.inputs.values()]
    return readers[0] if len(readers) == 1 else None
