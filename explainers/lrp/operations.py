"""The operations a network is made of, as relevance propagation sees them.

Each operation has three parts: `forward`, what it computes; `backward`, how the relevance of its
output is divided among its inputs; and `non_negative`, whether its output is never below zero
given that of its inputs. Tensors are ``(N, ...)`` in the forward pass; relevance carries the
targets on a second axis, ``(N, T, ...)``.

Only `Linear` operations (layers with weights) follow a rule chosen by a composite. For the rest
there is one way each: elementwise operations have a single input to hand the relevance to; maximum
pooling gives all to the winner (Bach et al. 2015, section 3.2); averages, sums and normalisation
divide in proportion to what each input contributed, and in equal shares where the result is zero
(ours: rules that look past the activations, flat and w2, put relevance there too); products give
all to the signal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from explainers.lrp import rules
from explainers.lrp.rules import Apply, Tensor, merge_targets, split_targets, transpose

Kind = Literal["dense", "convolution", "depthwise"]
Zeros = tuple[tuple[int, int], tuple[int, int]]  # rows above and below, columns left and right
Parameters = Callable[[], tuple[Tensor, Tensor | None]]


class ImpassableError(Exception):
    """What relevance cannot be sent through; the message goes on after the name of a method."""


class Operation:
    """One step of the network: one or more inputs, one output."""

    def forward(self, *inputs: Tensor) -> Tensor:
        raise NotImplementedError

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor | None]:
        """The share of every input; None for one that is given nothing."""
        raise NotImplementedError

    def non_negative(self, *inputs: bool) -> bool:
        return all(inputs)


@dataclass(frozen=True)
class Linear(Operation):
    """A layer with weights, without its activation: ``apply(x, kernel) + bias``.

    `parameters` reads kernel and bias (None for no bias) from the model's variables, each time
    anew: the map follows the weights the model has now. `padded` says that the layer sees zeros
    beyond the border of its input. `amid_zeros` gives `apply` for an input with zeros added
    around it, where the layer can add them itself: cheaper than making a larger input.
    """

    kind: Kind
    apply: Apply
    parameters: Parameters
    padded: bool = False
    amid_zeros: Callable[[Zeros], Apply] | None = None

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
    """An activation: every output depends on one input alone, which takes all its relevance.

    `bounded`: its values lie between zero and a constant, like those of a gate.
    """

    function: Callable[[Tensor], Tensor]
    never_below_zero: bool = False
    bounded: bool = False

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
    """``scale * x + shift`` per channel: batch normalisation, rescaling.

    `parameters` gives scale and shift, numbers or one per channel. A `foldable` one is part of
    the network and may be merged into its neighbour. Where it could not be, its shift keeps the
    share of a bias (the z rule): were all the relevance passed on, that of inputs near zero would
    be out of proportion, and the rules below divide by such values. The rest is preprocessing,
    which relevance passes unchanged.
    """

    function: Callable[[Tensor], Tensor] = lambda x: x
    parameters: Callable[[], tuple[Tensor, Tensor]] = lambda: (1.0, 0.0)
    foldable: bool = False

    def forward(self, *inputs: Tensor) -> Tensor:
        scale, shift = self.parameters()
        return inputs[0] * scale + shift

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        if not self.foldable:
            return (relevance,)
        scale, _ = self.parameters()
        ratio, rest = _ratio_and_rest(relevance, output)
        return ((inputs[0] * scale)[:, None] * ratio + rest,)


@dataclass(frozen=True)
class Applied(Operation):
    """One function of one input; how relevance comes back depends on the function."""

    function: Callable[[Tensor], Tensor]

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(inputs[0])


@dataclass(frozen=True)
class Rearrange(Applied):
    """Moves or repeats values, drops some, adds `zeros`: flatten, reshape, padding, cropping."""

    kind: Literal["flatten", "padding", "reshape"] = "reshape"
    zeros: Zeros | None = None

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        return (transpose(self.function, relevance, inputs[0]),)


@dataclass(frozen=True)
class Average(Applied):
    """Means of inputs, as in average pooling: in proportion to the inputs (the z rule)."""

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        ratio, rest = _ratio_and_rest(relevance, output)
        proportional = inputs[0][:, None] * transpose(self.function, ratio, inputs[0])
        return (proportional + transpose(self.function, rest, inputs[0]),)


def _ratio_and_rest(relevance: Tensor, output: Tensor) -> tuple[Tensor, Tensor]:
    """What to divide in proportion, over the output; and what in equal shares: it was zero."""
    import tensorflow as tf

    gone = tf.equal(output, 0)
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
    """Addition of branches: in proportion to what each adds (the z rule).

    `weights`, none below zero, scale the branches; None: they count as they are.
    """

    weights: tuple[float, ...] | None = None

    def forward(self, *inputs: Tensor) -> Tensor:
        added = self._weighted(inputs)
        return sum(added[1:], start=added[0])

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        ratio, rest = _ratio_and_rest(relevance, output)
        return [one[:, None] * ratio + rest / len(inputs) for one in self._weighted(inputs)]

    def _weighted(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        if self.weights is None:
            return inputs
        return [weight * one for weight, one in zip(self.weights, inputs, strict=True)]


@dataclass(frozen=True)
class Gate(Operation):
    """A signal times factors that let it through or hold it back, as in squeeze-and-excitation.

    The signal takes all the relevance and the gates, taken for constants, none (Arras et al.
    2017, WASSA, section 3.1).
    """

    signal: int

    def forward(self, *inputs: Tensor) -> Tensor:
        found = inputs[0]
        for one in inputs[1:]:
            found = found * one
        return found

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor | None]:
        return [relevance if at == self.signal else None for at in range(len(inputs))]


@dataclass(frozen=True)
class Concatenate(Operation):
    """Branches side by side along `axis` (counted from the last): each gets back its own.

    `stacked`: along an axis that the branches do not have themselves.
    """

    axis: int
    stacked: bool = False

    def forward(self, *inputs: Tensor) -> Tensor:
        import tensorflow as tf

        return (tf.stack if self.stacked else tf.concat)(inputs, axis=self.axis)

    def backward(
        self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor
    ) -> Sequence[Tensor]:
        import tensorflow as tf

        if self.stacked:
            return tf.unstack(relevance, num=len(inputs), axis=self.axis)
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
