"""Propagation rules of layer-wise relevance propagation (LRP), as pure functions.

Every rule answers one question about one linear layer ``z = apply(x, kernel) + bias``: given the
relevance of its outputs, how much of it does each input get? A rule is a function
``rule(step, relevance, **parameters)``, where `step` holds the layer and what it saw in the
forward pass and `relevance` has the shape ``(N, T, *output)``: N images, T targets. It returns
``(N, T, *input)``. Nothing here knows of Keras or of networks.

Sources: Bach et al. 2015, PLoS ONE 10(7) (z, epsilon, alpha-beta, flat); Montavon et al. 2017,
Pattern Recognition 65 (z+, w2, bounded box); Montavon et al. 2019, Explainable AI, chapter 10
(gamma). Where the papers leave something open:

- The bias takes its share of the relevance and keeps it. Without biases z, z+ and alpha-beta
  conserve relevance; flat and w2 ignore the bias and always conserve it.
- An output whose denominator is zero hands nothing on.
- Rules for non-negative inputs are completed for inputs of both signs by sorting the single
  contributions ``x_i * w_ij``, not the weights, into positive and negative ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tensor = Any  # tf.Tensor; TensorFlow itself is imported only where it is used
Apply = Callable[[Tensor, Tensor], Tensor]

# A denominator smaller than this is rounding left over from terms that cancel: it counts as zero.
ZERO = 1e-20


@dataclass(frozen=True)
class Step:
    """One linear layer in one forward pass.

    `apply(x, kernel)` is the layer without its bias, linear in both arguments; `x` ``(N, *input)``
    is what came in and `z` ``(N, *output)`` what came out, bias included. `non_negative` promises
    that no element of `x` is below zero, which halves the work of some rules. `bounds` are the
    lowest and highest values `x` can take, each ``(1, *input)``: the bounded box needs them.
    """

    apply: Apply
    kernel: Tensor
    bias: Tensor | None
    x: Tensor
    z: Tensor
    non_negative: bool = False
    bounds: tuple[Tensor, Tensor] | None = None


Rule = Callable[[Step, Tensor], Tensor]


def transpose(apply: Callable[[Tensor], Tensor], signal: Tensor, like: Tensor) -> Tensor:
    """The transpose of a linear `apply`: a signal ``(N, T, *output)`` becomes ``(N, T, *input)``.

    `like` ``(N, *input)`` gives the shape only. A linear function has the same derivative
    everywhere, so it is taken at zero and no input has to be repeated for T targets; inside a
    compiled graph the forward half of the derivative is never executed.
    """
    import tensorflow as tf

    flat = merge_targets(signal)
    shape = tf.concat([tf.shape(flat)[:1], tf.shape(like)[1:]], axis=0)
    origin = tf.ensure_shape(tf.zeros(shape, like.dtype), [None, *like.shape[1:]])
    with tf.GradientTape() as tape:
        tape.watch(origin)
        output = apply(origin)
    return split_targets(tape.gradient(output, origin, output_gradients=flat), signal)


def merge_targets(relevance: Tensor) -> Tensor:
    """``(N, T, ...)`` as ``(N * T, ...)``."""
    import tensorflow as tf

    return tf.reshape(relevance, tf.concat([[-1], tf.shape(relevance)[2:]], axis=0))


def split_targets(flat: Tensor, like: Tensor) -> Tensor:
    """``(N * T, ...)`` as ``(N, T, ...)``, with N and T taken from `like`."""
    import tensorflow as tf

    return tf.reshape(flat, tf.concat([tf.shape(like)[:2], tf.shape(flat)[1:]], axis=0))


def divide(relevance: Tensor, denominator: Tensor) -> Tensor:
    """Relevance ``(N, T, ...)`` over denominators ``(N, ...)``; zero where there is nothing."""
    import tensorflow as tf

    safe = tf.where(tf.abs(denominator) < ZERO, tf.zeros_like(denominator), denominator)
    return tf.math.divide_no_nan(relevance, safe[:, tf.newaxis])


def z(step: Step, relevance: Tensor) -> Tensor:
    """In proportion to the contributions ``x_i * w_ij`` (LRP-0; Bach 2015, Eq. 56)."""
    return _from_ratio(step, divide(relevance, step.z))


def epsilon(step: Step, relevance: Tensor, *, epsilon: float) -> Tensor:
    """Like `z`, the denominator moved away from zero by `epsilon` (Bach 2015, Eq. 58).

    It leaks by design: an output of value z hands on ``|z| / (|z| + epsilon)`` of its relevance.
    """
    import tensorflow as tf

    sign = tf.where(step.z < 0, -tf.ones_like(step.z), tf.ones_like(step.z))
    return _from_ratio(step, divide(relevance, step.z + epsilon * sign))


def alpha_beta(step: Step, relevance: Tensor, *, alpha: float, beta: float) -> Tensor:
    """Positive contributions weighted alpha, negative ones -beta (Bach 2015, Eq. 60).

    Conservation asks for ``alpha - beta = 1`` and, where beta is not 0, at least one negative
    contribution to every output.
    """
    kernels = _signed_parts(step.kernel)
    positive = _contributions(step, kernels, bias=True)
    shared = _hand_back(step, alpha * divide(relevance, positive), kernels)
    if beta:
        negative = step.z - positive
        opposed = _hand_back(step, beta * divide(relevance, negative), kernels[::-1])
        shared = shared - opposed
    return shared


def z_plus(step: Step, relevance: Tensor, *, bias: bool = True) -> Tensor:
    """Positive contributions only (Montavon 2017, section 4.3): alpha-beta with alpha 1, beta 0.

    Without `bias` the bias gets no share, and relevance is conserved with biases too.
    """
    kernels = _signed_parts(step.kernel)
    return _hand_back(step, divide(relevance, _contributions(step, kernels, bias=bias)), kernels)


def gamma(step: Step, relevance: Tensor, *, gamma: float) -> Tensor:
    """Positive contributions count ``1 + gamma`` times (Montavon 2019, section 10.2.3).

    For outputs below zero, which the paper leaves out, it is the negative ones that do: the
    denominator then never comes nearer to zero than the output itself.
    """
    import tensorflow as tf

    kernels = _signed_parts(step.kernel)
    positive = _contributions(step, kernels, bias=True)
    negative = step.z - positive
    above = tf.cast(step.z >= 0, step.z.dtype)
    favoured = above * positive + (1 - above) * negative
    ratio = divide(relevance, step.z + gamma * favoured)
    above = above[:, tf.newaxis]
    return _hand_back(step, ratio * (1 + gamma * above), kernels) + _hand_back(
        step, ratio * (1 + gamma * (1 - above)), kernels[::-1]
    )


def flat(step: Step, relevance: Tensor) -> Tensor:
    """In equal shares to every input the output sees, whatever its value and weight.

    Padding is not an input: outputs at the border share among fewer inputs.
    """
    import tensorflow as tf

    return _by_weight(step, relevance, tf.ones_like(step.kernel))


def w2(step: Step, relevance: Tensor) -> Tensor:
    """In proportion to the squared weights, whatever the inputs (Montavon 2017, section 4.1)."""
    import tensorflow as tf

    return _by_weight(step, relevance, tf.square(step.kernel))


def bounded_box(step: Step, relevance: Tensor) -> Tensor:
    """For inputs known to lie between bounds, such as pixels (z^B; Montavon 2017, section 4.2).

    Raises ValueError where `step` has no bounds.
    """
    import tensorflow as tf

    if step.bounds is None:
        raise ValueError("The bounded-box rule needs the lowest and highest input values.")
    low, high = step.bounds
    upper, lower = _signed_parts(step.kernel)
    denominator = step.apply(step.x, step.kernel) - step.apply(low, upper) - step.apply(high, lower)
    ratio = divide(relevance, denominator)
    return (
        step.x[:, tf.newaxis] * _back(step, ratio, step.kernel)
        - low[:, tf.newaxis] * _back(step, ratio, upper)
        - high[:, tf.newaxis] * _back(step, ratio, lower)
    )


def _back(step: Step, signal: Tensor, kernel: Tensor) -> Tensor:
    return transpose(lambda x: step.apply(x, kernel), signal, step.x)


def _from_ratio(step: Step, ratio: Tensor) -> Tensor:
    import tensorflow as tf

    return step.x[:, tf.newaxis] * _back(step, ratio, step.kernel)


def _signed_parts(tensor: Tensor) -> tuple[Tensor, Tensor]:
    import tensorflow as tf

    return tf.maximum(tensor, 0.0), tf.minimum(tensor, 0.0)


def _contributions(step: Step, kernels: tuple[Tensor, Tensor], *, bias: bool) -> Tensor:
    """Sum of the positive contributions to every output, `kernels` being (positive, negative)."""
    import tensorflow as tf

    if step.non_negative:
        total = step.apply(step.x, kernels[0])
    else:
        above, below = _signed_parts(step.x)
        total = step.apply(above, kernels[0]) + step.apply(below, kernels[1])
    if bias and step.bias is not None:
        total += tf.maximum(step.bias, 0.0)
    return total


def _hand_back(step: Step, ratio: Tensor, kernels: tuple[Tensor, Tensor]) -> Tensor:
    """Relevance to inputs above zero through `kernels[0]`, below zero through `kernels[1]`."""
    import tensorflow as tf

    if step.non_negative:
        return step.x[:, tf.newaxis] * _back(step, ratio, kernels[0])
    above, below = _signed_parts(step.x)
    return above[:, tf.newaxis] * _back(step, ratio, kernels[0]) + below[:, tf.newaxis] * _back(
        step, ratio, kernels[1]
    )


def _by_weight(step: Step, relevance: Tensor, weight: Tensor) -> Tensor:
    import tensorflow as tf

    ratio = divide(relevance, step.apply(tf.ones_like(step.x[:1]), weight))
    return _back(step, ratio, weight)
