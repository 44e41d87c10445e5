"""Which functions of `keras.ops` relevance can pass through when a network is built with them.

They come into a network by operators (``x + y``, ``x / 127.5``, ``x[..., ::-1]``), by Keras' own
preprocessing functions, and by name.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from explainers.lrp.layers import activation
from explainers.lrp.operations import (
    Affine,
    Average,
    Concatenate,
    ImpassableError,
    Operation,
    Rearrange,
    Sum,
)

_ARITHMETIC = ("Add", "Divide", "Multiply", "Negative", "Subtract", "TrueDivide")
_REARRANGING = ("GetItem", "Reshape", "Squeeze", "Transpose")


def translate(function: Any, arguments: Any, name: str, *, end: bool) -> list[Operation]:
    """The operations of one call of a function; `arguments` are Keras' record of what it got.

    `end` says that it yields the network's scores: a softmax or sigmoid is left off.
    Raises ImpassableError, calling the function `name`, where relevance cannot pass.
    """
    import keras

    kind = _kind(function)
    given = arguments.args
    if kind in _ARITHMETIC:
        found = _arithmetic(kind, given)
        if found is not None:
            return [found]
    elif kind in _REARRANGING:
        return [Rearrange(lambda x: function.call(x, *given[1:]))]
    elif kind == "Mean":
        return [Average(function.call)]
    elif kind in ("Concatenate", "Stack"):
        rank = len(given[0][0].shape) + (kind == "Stack")
        axis = function.axis - rank if function.axis >= 0 else function.axis
        return [Concatenate(axis, stacked=kind == "Stack")]
    elif hasattr(keras.activations, _snake_case(kind)):
        return activation(_snake_case(kind), function.call, name, end)
    raise ImpassableError(
        f"cannot pass through the function {name!r} ({type(function).__name__}), unless it is "
        "made part of preprocessing"
    )


def rearranges_only(function: Any) -> bool:
    """Whether a function changes no value, so that the activation before it is still the last."""
    return _kind(function) in _REARRANGING


def is_product(layer: Any) -> bool:
    """Whether a layer or a function multiplies its inputs with one another."""
    import keras

    return type(layer) is keras.layers.Multiply or _kind(layer) == "Multiply"


def _kind(function: Any) -> str:
    """The name of a function that is Keras' own; none for others."""
    import keras

    own = type(function).__module__.startswith("keras.src.ops.")
    return type(function).__name__ if own and not isinstance(function, keras.Layer) else ""


def _arithmetic(kind: str, given: tuple[Any, ...]) -> Operation | None:
    """Two branches added, or one scaled and shifted by constants; None for all else."""
    import keras

    symbolic = [isinstance(one, keras.KerasTensor) for one in given]
    if all(symbolic):
        if kind == "Negative":
            return _affine(-1.0, 0.0)
        return Sum() if kind == "Add" else None
    constant = _constant(given[symbolic.index(False)])
    if constant is None:
        return None
    first = symbolic[0]  # the order matters where something is taken away or divided by
    if kind == "Add":
        return _affine(1.0, constant)
    if kind == "Subtract":
        return _affine(1.0, -constant) if first else _affine(-1.0, constant)
    if kind == "Multiply":
        return _affine(constant, 0.0)
    return _affine(1.0 / constant, 0.0) if first else None


def _affine(scale: Any, shift: Any) -> Affine:
    return Affine(parameters=lambda: (np.float32(scale), np.float32(shift)))


def _constant(value: Any) -> Any:
    try:
        return np.asarray(value, np.float32)
    except (TypeError, ValueError):
        return None


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
