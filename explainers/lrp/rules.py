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

# Over a denominator next to nothing relevance overflows, and one infinity spoils a whole map.
_LARGEST_RATIO = 1e30
_TINY = 1e-20


@dataclass(frozen=True)
class Step:
    """One linear layer in one forward pass.

    `apply(x, kernel)` is the layer without its bias, linear in both arguments; `x` ``(N, *input)``
    is what came in and `z` ``(N, *output)`` what came out, bias included. `non_negative` promises
    that no element of `x` is below zero, which halves the work of some rules; `mixes_channels` that
    the kernel is ``(..., input channels, outputs)`` with every output seeing every channel.
    `bounds` are the lowest and highest values `x` can take, each ``(1, *input)``: the bounded box
    needs them.
    """

    apply: Apply
    kernel: Tensor
    bias: Tensor | None
    x: Tensor
    z: Tensor
    non_negative: bool = False
    bounds: tuple[Tensor, Tensor] | None = None
    mixes_channels: bool = False


Rule = Callable[[Step, Tensor], Tensor]


def transpose(
    apply: Callable[[Tensor], Tensor], signal: Tensor, like: Tensor, *, copies: int = 1
) -> Tensor:
    """The transpose of a linear `apply`: a signal ``(N, T, *output)`` becomes ``(N, T, *input)``.

    `like` ``(N, *input)`` gives the shape only; the input of `apply` has its channels `copies`
    times. A linear function has the same derivative everywhere, so it is taken at an input of any
    value and nothing has to be repeated for T targets; inside a compiled graph the forward half
    of the derivative is never executed.
    """
    import tensorflow as tf

    flat = merge_targets(signal)
    inner, channels = tf.shape(like)[1:-1], tf.shape(like)[-1:]
    shape = tf.concat([tf.shape(flat)[:1], inner, channels * copies], axis=0)
    known = like.shape[-1] and like.shape[-1] * copies
    anywhere = tf.raw_ops.Empty(shape=shape, dtype=like.dtype)  # nothing but its shape is read
    anywhere = tf.ensure_shape(anywhere, [None, *like.shape[1:-1], known])
    with tf.GradientTape() as tape:
        tape.watch(anywhere)
        output = apply(anywhere)
    return split_targets(tape.gradient(output, anywhere, output_gradients=flat), signal)


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

    ratio = tf.math.divide_no_nan(relevance, denominator[:, tf.newaxis])
    return tf.raw_ops.ClipByValue(  # one pass over memory; tf.clip_by_value makes two
        t=ratio, clip_value_min=-_LARGEST_RATIO, clip_value_max=_LARGEST_RATIO
    )


def _over(relevance: Tensor, denominator: Tensor) -> Tensor:
    """As `divide`, for denominators that are zero or at least `_TINY`: nothing overflows."""
    import tensorflow as tf

    return tf.math.divide_no_nan(relevance, denominator[:, tf.newaxis])


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
    import tensorflow as tf

    upper, lower = _signed_parts(step.kernel)
    positive = _contributions(step, (upper, lower), bias=True)
    shares = [(_over(relevance, positive), (alpha * upper, alpha * lower))]
    if beta:
        opposed = tf.nn.relu(positive - step.z - _TINY)
        shares.append((_over(relevance, opposed), (beta * lower, beta * upper)))
    return _hand_back(step, *shares)


def z_plus(step: Step, relevance: Tensor, *, bias: bool = True) -> Tensor:
    """Positive contributions only (Montavon 2017, section 4.3): alpha-beta with alpha 1, beta 0.

    Without `bias` the bias gets no share, and relevance is conserved with biases too.
    """
    kernels = _signed_parts(step.kernel)
    positive = _contributions(step, kernels, bias=bias)
    return _hand_back(step, (_over(relevance, positive), kernels))


def gamma(step: Step, relevance: Tensor, *, gamma: float) -> Tensor:
    """Positive contributions count ``1 + gamma`` times (Montavon 2019, section 10.2.3).

    For outputs below zero, which the paper leaves out, it is the negative ones that do: the
    denominator then never comes nearer to zero than the output itself.
    """
    import tensorflow as tf

    positive = _contributions(step, _signed_parts(step.kernel), bias=True)
    upper, lower = (step.kernel + gamma * part for part in _signed_parts(step.kernel))
    below = tf.cast(step.z < 0, relevance.dtype)[:, tf.newaxis] * relevance
    ratio = divide(relevance - below, step.z + gamma * positive)

    def opposite() -> Tensor:
        ratio = divide(below, step.z + gamma * (step.z - positive))
        return _hand_back(step, (ratio, (lower, upper)))

    # After a rectifier nothing arrives at outputs below zero, and half the work need not be done.
    nothing = tf.reduce_all(tf.equal(below, 0))
    shared = _hand_back(step, (ratio, (upper, lower)))
    return tf.cond(nothing, lambda: shared, lambda: shared + opposite())


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

    if step.bounds is None:
        raise ValueError("The bounded-box rule needs the lowest and highest input values.")
    low, high = step.bounds
    upper, lower = _signed_parts(step.kernel)
    denominator = step.apply(step.x, step.kernel) - step.apply(low, upper) - step.apply(high, lower)
    ratio = divide(relevance, denominator)
    by_input, by_low, by_high = _back(step, ratio, step.kernel, upper, lower)
    return step.x[:, None] * by_input - low[:, None] * by_low - high[:, None] * by_high


def _back(step: Step, signal: Tensor, *kernels: Tensor) -> list[Tensor]:
    """The signal ``(N, T, *output)`` sent back through each of the kernels."""
    import tensorflow as tf

    def through(kernel: Tensor, copies: int) -> Tensor:
        return transpose(lambda x: step.apply(x, kernel), signal, step.x, copies=copies)

    if len(kernels) == 1 or not step.mixes_channels:
        return [through(kernel, 1) for kernel in kernels]
    # Side by side, so that few input channels (an image has three) cost no more than many.
    together = through(tf.concat(kernels, axis=-2), len(kernels))
    return tf.split(together, len(kernels), axis=-1)


def _from_ratio(step: Step, ratio: Tensor) -> Tensor:

    (back,) = _back(step, ratio, step.kernel)
    return step.x[:, None] * back


def _signed_parts(tensor: Tensor) -> tuple[Tensor, Tensor]:
    import tensorflow as tf

    return tf.maximum(tensor, 0.0), tf.minimum(tensor, 0.0)


def _contributions(step: Step, kernels: tuple[Tensor, Tensor], *, bias: bool) -> Tensor:
    """Sum of the positive contributions to every output, `kernels` being (positive, negative).

    Sums below `_TINY` are made zero. The difference is taken from the bias and the rectifier
    follows at once, since TensorFlow merges both into the convolution.
    """
    import tensorflow as tf

    if step.non_negative:
        total = step.apply(step.x, kernels[0])
    else:
        above, below = _signed_parts(step.x)
        total = step.apply(above, kernels[0]) + step.apply(below, kernels[1])
    if bias and step.bias is not None:
        return tf.nn.relu(total + (tf.maximum(step.bias, 0.0) - _TINY))
    return tf.nn.relu(total - _TINY)


def _hand_back(step: Step, *shares: tuple[Tensor, tuple[Tensor, Tensor]]) -> Tensor:
    """What the inputs get; each share is a ratio and its kernels for inputs above and below zero.

    The products are added up before they meet the inputs: such passes over memory count where the
    products themselves are cheap, as in depthwise convolutions.
    """
    sides = 1 if step.non_negative else 2
    backs = [_back(step, ratio, *kernels[:sides]) for ratio, kernels in shares]
    found = [sum(parts[1:], start=parts[0]) for parts in zip(*backs, strict=True)]
    if step.non_negative:
        return step.x[:, None] * found[0]
    above, below = _signed_parts(step.x)
    return above[:, None] * found[0] + below[:, None] * found[1]


def _by_weight(step: Step, relevance: Tensor, weight: Tensor) -> Tensor:
    import tensorflow as tf

    ratio = divide(relevance, step.apply(tf.ones_like(step.x[:1]), weight))
    (back,) = _back(step, ratio, weight)
    return back
