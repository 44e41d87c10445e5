"""Which Keras layers relevance can pass through, and the operations each stands for.

A layer's own activation becomes an operation of its own, a separable convolution its two halves,
and layers that do nothing at inference (dropout) become none. Layers are matched by exact type: a
subclass may compute something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from explainers.lrp.operations import (
    Affine,
    Average,
    Concatenate,
    Elementwise,
    ImpassableError,
    Kind,
    Linear,
    Maximum,
    Operation,
    Rearrange,
    Sum,
    Zeros,
)
from explainers.lrp.rules import Apply, Tensor

_AT_THE_END = ("softmax", "sigmoid")
_BOUNDED = ("relu6", "sigmoid", "hard_sigmoid", "sparse_sigmoid")
_ABOVE_ZERO = (*_BOUNDED, "relu", "softplus", "exponential", "sparse_plus", "squareplus")
_ELEMENTWISE = (
    *_ABOVE_ZERO,
    *("celu", "elu", "gelu", "hard_shrink", "hard_silu", "hard_tanh", "leaky_relu", "mish"),
    *("selu", "silu", "soft_shrink", "softsign", "tanh", "tanh_shrink", "threshold"),
)
# What they do, they do in training only.
_AUGMENTATIONS = (
    *("RandomBrightness", "RandomColorJitter", "RandomContrast", "RandomErasing", "RandomFlip"),
    *("RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomPerspective", "RandomRotation"),
    *("RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom"),
)

Translation = Callable[[Any, str, bool], list[Operation]]


def translate(layer: Any, name: str, *, end: bool) -> list[Operation]:
    """The operations of one layer, in order; none where it does nothing at inference.

    `end` says that the layer yields the network's scores: its softmax or sigmoid is left off.
    Raises ImpassableError, calling the layer `name`, where relevance cannot pass.
    """
    found = _translations().get(type(layer))
    if found is None:
        raise ImpassableError(f"cannot pass through the layer {name!r} ({type(layer).__name__})")
    if getattr(layer, "data_format", None) == "channels_first":
        raise ImpassableError(f"needs channels last, and the layer {name!r} has them first")
    return found(layer, name, end)


def rearranges_only(layer: Any) -> bool:
    """Whether a layer changes no value, so that the activation before it is still the last."""
    return _translations().get(type(layer)) in (_rearrange, _flatten, _nothing)


@cache
def _translations() -> dict[type, Translation]:
    from keras import layers as k
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    return {
        k.Dense: _dense,
        k.Conv2D: _convolution,
        k.DepthwiseConv2D: _depthwise,
        k.SeparableConv2D: _separable,
        k.Conv2DTranspose: _transposed_convolution,
        k.BatchNormalization: _batch_normalisation,
        k.Rescaling: _rescaling,
        k.Normalization: _elementwise,
        k.Activation: _activation_layer,
        k.Softmax: _softmax,
        k.ReLU: _rectifier,
        k.LeakyReLU: _elementwise,
        k.ELU: _elementwise,
        k.PReLU: _elementwise,
        k.MaxPooling2D: _maximum,
        k.GlobalMaxPooling2D: _maximum,
        k.AveragePooling2D: _average,
        k.GlobalAveragePooling2D: _average,
        k.AdaptiveMaxPooling2D: _maximum,
        k.AdaptiveAveragePooling2D: _average,
        k.UpSampling2D: _upsampling,
        k.Flatten: _flatten,
        k.Reshape: _rearrange,
        k.Permute: _rearrange,
        k.Cropping2D: _rearrange,
        k.ZeroPadding2D: _padding,
        k.Add: lambda layer, name, end: [Sum()],
        k.Average: _mean_of_branches,
        CustomScaleLayer: _scaled_branch,
        k.Concatenate: _concatenate,
        k.Dropout: _nothing,
        k.SpatialDropout2D: _nothing,
        k.GaussianDropout: _nothing,
        k.GaussianNoise: _nothing,
        k.AlphaDropout: _nothing,
        k.ActivityRegularization: _nothing,
        k.Identity: _nothing,
        **{getattr(k, name): _nothing for name in _AUGMENTATIONS},
    }


# -- layers with weights ----------------------------------------------------------------------


def _dense(layer: Any, name: str, end: bool) -> list[Operation]:
    import tensorflow as tf

    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        return tf.matmul(x, kernel) if len(x.shape) == 2 else tf.tensordot(x, kernel, 1)

    linear = _linear("dense", apply, lambda: layer.kernel, lambda: layer.bias)
    return [linear, *_activation(layer.activation, name, end)]


def _convolution(layer: Any, name: str, end: bool) -> list[Operation]:
    apply = _convolve(layer, layer.strides, layer.dilation_rate, layer.padding)
    padded = layer.padding == "same" and max(layer.kernel_size) > 1
    linear = _linear("convolution", apply, lambda: layer.kernel, lambda: layer.bias, padded)
    if layer.padding == "valid" and max(layer.dilation_rate) == 1:
        linear = replace(linear, amid_zeros=lambda zeros: _convolve_amid_zeros(layer, zeros))
    return [linear, *_activation(layer.activation, name, end)]


def _depthwise(layer: Any, name: str, end: bool) -> list[Operation]:
    linear = _depthwise_half(layer, lambda: layer.kernel, lambda: layer.bias)
    return [linear, *_activation(layer.activation, name, end)]


def _separable(layer: Any, name: str, end: bool) -> list[Operation]:
    depthwise = _depthwise_half(layer, lambda: layer.depthwise_kernel, lambda: None)
    pointwise = _linear(
        "convolution",
        _convolve(layer, (1, 1), (1, 1), "valid"),
        lambda: layer.pointwise_kernel,
        lambda: layer.bias,
    )
    return [depthwise, pointwise, *_activation(layer.activation, name, end)]


def _depthwise_half(layer: Any, kernel: Callable[[], Any], bias: Callable[[], Any]) -> Linear:
    import keras

    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        return keras.ops.depthwise_conv(
            x, kernel, layer.strides, layer.padding, "channels_last", layer.dilation_rate
        )

    padded = layer.padding == "same" and max(layer.kernel_size) > 1
    return _linear("depthwise", apply, kernel, bias, padded)


def _transposed_convolution(layer: Any, name: str, end: bool) -> list[Operation]:
    """With its kernel laid out as other convolutions have it: ``(..., inputs, outputs)``."""
    import keras
    import tensorflow as tf

    def turned(kernel: Tensor) -> Tensor:
        return tf.transpose(kernel, [0, 1, 3, 2])

    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        return keras.ops.conv_transpose(
            x,
            turned(kernel),
            layer.strides,
            layer.padding,
            layer.output_padding,
            "channels_last",
            layer.dilation_rate,
        )

    # Outputs see unequal numbers of inputs, which is what padding does too.
    linear = _linear("convolution", apply, lambda: turned(layer.kernel), lambda: layer.bias, True)
    return [linear, *_activation(layer.activation, name, end)]


def _convolve(layer: Any, strides: Any, dilation: Any, padding: str) -> Apply:
    import keras

    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        return keras.ops.conv(x, kernel, strides, padding, "channels_last", dilation)

    return apply


def _convolve_amid_zeros(layer: Any, zeros: Zeros) -> Apply:
    import tensorflow as tf

    def apply(x: Tensor, kernel: Tensor) -> Tensor:
        return tf.nn.conv2d(x, kernel, layer.strides, [(0, 0), *zeros, (0, 0)])

    return apply


def _linear(
    kind: Kind,
    apply: Apply,
    kernel: Callable[[], Any],
    bias: Callable[[], Any],
    padded: bool = False,
) -> Linear:
    def parameters() -> tuple[Tensor, Tensor | None]:
        found = bias()
        return _value(kernel()), None if found is None else _value(found)

    return Linear(kind, apply, parameters, padded)


def _value(variable: Any) -> Tensor:
    """A variable's value now, in float32 (networks may be trained in half precision)."""
    import tensorflow as tf

    return tf.cast(tf.convert_to_tensor(variable), tf.float32)


# -- scale and shift --------------------------------------------------------------------------


def _batch_normalisation(layer: Any, name: str, end: bool) -> list[Operation]:
    import tensorflow as tf

    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if axes not in ([-1], [layer.input_spec.ndim - 1]):
        raise ImpassableError(
            f"needs batch normalisation over the last axis, and the layer {name!r} has {axes}"
        )

    def parameters() -> tuple[Tensor, Tensor]:
        scale = tf.math.rsqrt(_value(layer.moving_variance) + layer.epsilon)
        if layer.scale:
            scale *= _value(layer.gamma)
        shift = -_value(layer.moving_mean) * scale
        if layer.center:
            shift += _value(layer.beta)
        return scale, shift

    return [Affine(parameters=parameters, foldable=True)]


def _rescaling(layer: Any, name: str, end: bool) -> list[Operation]:
    def parameters() -> tuple[Tensor, Tensor]:
        import tensorflow as tf

        return tf.constant(layer.scale, tf.float32), tf.constant(layer.offset, tf.float32)

    return [Affine(parameters=parameters)]


# -- activations ------------------------------------------------------------------------------


def _activation_layer(layer: Any, name: str, end: bool) -> list[Operation]:
    return _activation(layer.activation, name, end)


def _activation(function: Any, name: str, end: bool) -> list[Operation]:
    import keras

    called = getattr(function, "__name__", type(function).__name__)
    if called == "linear":
        return []
    own = function is not keras.activations.get(called) if called in _ELEMENTWISE else False
    return activation("a function of its own" if own else called, function, name, end)


def activation(called: str, function: Any, name: str, end: bool) -> list[Operation]:
    """The Keras activation `called` so; none where it is the network's last softmax or sigmoid."""
    if end and called in _AT_THE_END:
        return []
    if called not in _ELEMENTWISE:
        where = " in the middle of the network" if called in _AT_THE_END else ""
        raise ImpassableError(
            f"cannot pass through the activation {called!r} of the layer {name!r}{where}"
        )
    return [
        Elementwise(function, never_below_zero=called in _ABOVE_ZERO, bounded=called in _BOUNDED)
    ]


def _softmax(layer: Any, name: str, end: bool) -> list[Operation]:
    import keras

    return _activation(keras.activations.softmax, name, end)


def _rectifier(layer: Any, name: str, end: bool) -> list[Operation]:
    positive = not layer.negative_slope
    bounded = positive and layer.max_value is not None
    return [Elementwise(layer.call, never_below_zero=positive, bounded=bounded)]


def _elementwise(layer: Any, name: str, end: bool) -> list[Operation]:
    return [Elementwise(layer.call)]


# -- pooling, shapes, branches ----------------------------------------------------------------


def _maximum(layer: Any, name: str, end: bool) -> list[Operation]:
    return [Maximum(layer.call)]


def _average(layer: Any, name: str, end: bool) -> list[Operation]:
    return [Average(layer.call)]


def _upsampling(layer: Any, name: str, end: bool) -> list[Operation]:
    if layer.interpolation == "nearest":
        return [Rearrange(layer.call)]
    if layer.interpolation == "bilinear":
        return [Average(layer.call)]
    raise ImpassableError(
        f"cannot pass through the interpolation {layer.interpolation!r} of the layer {name!r}, "
        "only through nearest and bilinear"
    )


def _mean_of_branches(layer: Any, name: str, end: bool) -> list[Operation]:
    branches = len(layer._build_shapes_dict["input_shape"])
    return [Sum(weights=(1 / branches,) * branches)]


def _scaled_branch(layer: Any, name: str, end: bool) -> list[Operation]:
    return [Sum(weights=(1.0, float(layer.scale)))]


def _flatten(layer: Any, name: str, end: bool) -> list[Operation]:
    return [Rearrange(layer.call, kind="flatten")]


def _rearrange(layer: Any, name: str, end: bool) -> list[Operation]:
    return [Rearrange(layer.call)]


def _padding(layer: Any, name: str, end: bool) -> list[Operation]:
    return [Rearrange(layer.call, kind="padding", zeros=layer.padding)]


def _concatenate(layer: Any, name: str, end: bool) -> list[Operation]:
    axis = layer.axis
    if axis >= 0:  # the target axis of relevance shifts counts from the front
        shapes: Sequence[Any] = layer._build_shapes_dict["input_shape"]
        axis -= len(shapes[0])
    return [Concatenate(axis)]


def _nothing(layer: Any, name: str, end: bool) -> list[Operation]:
    return []
