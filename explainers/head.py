"""The output end of a Keras network: what its last activation is and what lies before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from explainers.errors import ExplainerError

if TYPE_CHECKING:
    import keras

TensorFunction = Callable[[Any], Any]


@dataclass(frozen=True)
class Head:
    """The operation that yields the output.

    `before` are the models to run one after another to get its input (several where the operation
    sits in a nested model).
    """

    before: tuple[keras.Model, ...]
    operation: Any
    activation: Literal["softmax", "sigmoid", "linear"]

    def input(self, images: Any) -> Any:
        for model in self.before:
            images = model(images, training=False)
        return images


def find(model: keras.Model) -> Head:
    return _find(model, model.outputs[0], ())


def function(model: keras.Model, kind: str) -> TensorFunction:
    """From preprocessed images to "probabilities", "logits" or "features"."""
    if kind == "probabilities":
        return lambda images: model(images, training=False)
    return _logits(model) if kind == "logits" else _features(model)


def before_activation(head: Head) -> TensorFunction:
    """From the input of the head's operation to the score before its softmax or sigmoid."""
    import keras

    if _is_bare_activation(head.operation):
        return lambda inputs: inputs
    layer = head.operation
    if not isinstance(layer, keras.layers.Dense):
        raise ExplainerError(
            f"The score before {head.activation} cannot be read from the last layer "
            f"{layer.name!r} ({type(layer).__name__}); put the activation into a layer of its own."
        )

    def score(inputs: Any) -> Any:
        scores = keras.ops.matmul(inputs, layer.kernel)
        return scores if layer.bias is None else scores + layer.bias

    return score


def _logits(model: keras.Model) -> TensorFunction:
    head = find(model)
    if head.activation == "linear":
        return lambda images: model(images, training=False)
    score = before_activation(head)
    return lambda images: score(head.input(images))


def _features(model: keras.Model) -> TensorFunction:
    import keras

    head = _with_weights(model, model.outputs[0], ())

    def features(images: Any) -> Any:
        found = head.input(images)
        middle = tuple(range(1, len(found.shape) - 1))
        return keras.ops.mean(found, axis=middle) if middle else found

    return features


def _find(model: keras.Model, tensor: Any, before: tuple[keras.Model, ...]) -> Head:
    import keras

    operation, source = producer(tensor)
    if source is None:
        raise ExplainerError(f"The model {model.name!r} returns its own input.")
    trunk = (*before, keras.Model(model.inputs, source))
    if isinstance(operation, keras.Model):
        return _find(operation, operation.outputs[0], trunk)
    return Head(trunk, operation, _activation(operation))


def _with_weights(model: keras.Model, tensor: Any, before: tuple[keras.Model, ...]) -> Head:
    """The last operation with weights, walking back from the output."""
    import keras

    operation, source = producer(tensor)
    if source is None:
        raise ExplainerError(f"The model {model.name!r} has no layer with weights.")
    if not getattr(operation, "weights", ()):
        return _with_weights(model, source, before)
    trunk = (*before, keras.Model(model.inputs, source))
    if isinstance(operation, keras.Model):
        return _with_weights(operation, operation.outputs[0], trunk)
    return Head(trunk, operation, _activation(operation))


def producer(tensor: Any) -> tuple[Any, Any]:
    """The operation a symbolic tensor comes from, and that operation's first input."""
    history = tensor._keras_history
    inputs = history.operation._inbound_nodes[history.node_index].input_tensors
    return history.operation, inputs[0] if inputs else None


def _activation(operation: Any) -> Literal["softmax", "sigmoid", "linear"]:
    name = type(operation).__name__.lower()
    if name not in ("softmax", "sigmoid"):
        name = getattr(getattr(operation, "activation", None), "__name__", "")
        name = name.removesuffix("_v2")  # tf.nn.softmax calls itself softmax_v2
    return name if name in ("softmax", "sigmoid") else "linear"  # type: ignore[return-value]


def _is_bare_activation(operation: Any) -> bool:
    """An operation that is nothing but the activation: its input is the score itself."""
    return type(operation).__name__ in ("Activation", "Softmax", "Sigmoid")
