"""The operations a network is made of, as relevance propagation sees them.

Each operation has three parts: `forward`, what it computes; `backward`, how the relevance of its
output is divided among its inputs; and `non_negative`, whether its output is never below zero
given that of its inputs. Tensors are ``(N, ...)`` in the forward pass; relevance carries the
targets on a second axis, ``(N, T, ...)``.

Only `Linear` operations (layers with weights) follow a rule chosen by a composite. For the rest
there is one way each: elementwise operations have a single input to hand the relevance to; maximum
pooling gives all to the winner (Bach et al. 2015, section 3.2); averages and sums divide in
proportion to what each input contributed, and in equal shares where the result is zero (ours:
rules that look past the activations, flat and w2, put relevance there too).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from explainers.lrp import rules
from explainers.lrp.rules import Apply, Tensor, merge_targets, split_targets, transpose

Kind = Literal["dense", "convolution", "depthwise"]
Parameters = Callable[[], tuple[Tensor, Tensor | None]]


class Operation:
    """One step of the network: one or more inputs, one output."""

    def forward(self, *inputs: Tensor) -> Tensor:
        raise NotImplementedError

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        raise NotImplementedError

    def non_negative(self, *inputs: bool) -> bool:
        return all(inputs)


@dataclass(frozen=True)
class Linear(Operation):
    """A layer with weights, without its activation: ``apply(x, kernel) + bias``.

    `parameters` reads kernel and bias (None for no bias) from the model's variables, each time
    anew: the map follows the weights the model has now. `padded` says that the layer sees zeros
    beyond the border of its input.
    """

    kind: Kind
    apply: Apply
    parameters: Parameters
    padded: bool = False

    def forward(self, *inputs: Tensor) -> Tensor:
        kernel, bias = self.parameters()
        return self.output(inputs[0], kernel, bias)

    def output(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        found = self.apply(x, kernel)
        return found if bias is None else found + bias

    def non_negative(self, *inputs: bool) -> bool:
        return False


@dataclass(frozen=True)
class Elementwise(Operation):
    """An activation: every output depends on one input alone, which takes all its relevance."""

    function: Callable[[Tensor], Tensor]
    never_below_zero: bool = False

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(inputs[0])

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        return (relevance,)

    def non_negative(self, *inputs: bool) -> bool:
        return self.never_below_zero


@dataclass(frozen=True)
class Affine(Elementwise):
    """``scale * x + shift`` per channel: batch normalisation, rescaling. Relevance passes.

    `parameters` gives scale and shift, numbers or one per channel. A `foldable` one is part of
    the network and may be merged into its neighbour; the rest is preprocessing.
    """

    function: Callable[[Tensor], Tensor] = lambda x: x
    parameters: Callable[[], tuple[Tensor, Tensor]] = lambda: (1.0, 0.0)
    foldable: bool = False

    def forward(self, *inputs: Tensor) -> Tensor:
        scale, shift = self.parameters()
        return inputs[0] * scale + shift


@dataclass(frozen=True)
class Applied(Operation):
    """One function of one input; how relevance comes back depends on the function."""

    function: Callable[[Tensor], Tensor]

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(inputs[0])


@dataclass(frozen=True)
class Rearrange(Applied):
    """Moves values, changes none, may add zeros: flatten, reshape, zero padding, cropping."""

    kind: Literal["flatten", "padding", "reshape"] = "reshape"

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        return (transpose(self.function, relevance, inputs[0]),)


@dataclass(frozen=True)
class Average(Applied):
    """Average pooling, local or global: in proportion to the inputs (the z rule)."""

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        ratio, rest = _ratio_and_rest(relevance, output)
        proportional = inputs[0][:, None] * transpose(self.function, ratio, inputs[0])
        return (proportional + transpose(self.function, rest, inputs[0]),)


def _ratio_and_rest(relevance: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """What to divide in proportion, over the output; and what in equal shares: it was zero."""
    import tensorflow as tf

    gone = tf.abs(output) < rules.ZERO
    return rules.divide(relevance, output), relevance * tf.cast(gone, relevance.dtype)[:, None]


@dataclass(frozen=True)
class Maximum(Applied):
    """Maximum pooling, local or global: the winner takes all."""

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        import tensorflow as tf

        repeated = tf.repeat(inputs[0], tf.shape(relevance)[1], axis=0)
        with tf.GradientTape() as tape:
            tape.watch(repeated)
            found = self.function(repeated)
        flat = tape.gradient(found, repeated, output_gradients=merge_targets(relevance))
        return (split_targets(flat, relevance),)


@dataclass(frozen=True)
class Sum(Operation):
    """Addition of branches: in proportion to what each adds (the z rule)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return sum(inputs[1:], start=inputs[0])

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        ratio, rest = _ratio_and_rest(relevance, output)
        return [one[:, None] * ratio + rest / len(inputs) for one in inputs]


@dataclass(frozen=True)
class Concatenate(Operation):
    """Branches side by side along `axis` (counted from the last): each gets back its own."""

    axis: int

    def forward(self, *inputs: Tensor) -> Tensor:
        import tensorflow as tf

        return tf.concat(inputs, axis=self.axis)

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        import tensorflow as tf

        sizes = [tf.shape(one)[self.axis] for one in inputs]
        return tf.split(relevance, sizes, axis=self.axis, num=len(inputs))


@dataclass(frozen=True)
class Node:
    """An operation at its place in the network: `inputs` are positions in the list of nodes.

    The image itself has the position -1.
    """

    name: str
    operation: Operation
    inputs: tuple[int, ...]
