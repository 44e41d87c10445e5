"""Operators, functions of keras.ops, gates and the rarer layers, as real applications use them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from explainers import Classifier, ExplainerError
from explainers.excitation import Mwp
from explainers.lrp import LRP, rules
from explainers.lrp.composites import named, uniform
from explainers.lrp.engine import relevance, scores
from explainers.lrp.fold import fold
from explainers.lrp.graph import read
from explainers.lrp.layers import _AUGMENTATIONS

from .networks import photographs, randomised

SHAPE = (8, 8, 3)
IMAGES = tf.constant(photographs(2, SHAPE) / 255)
TARGETS = tf.constant([[0, 3]] * 2)


def network(between, *, bias=True, shape=SHAPE):
    """A convolution, whatever `between` does with its output, and a dense layer."""
    image = keras.Input(shape)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", use_bias=bias)(image)
    x = layers.Dense(4, use_bias=bias)(layers.Flatten()(between(x)))
    return randomised(keras.Model(image, x))


def maps(model, composite="preset-a"):
    rules_of = named(composite) if isinstance(composite, str) else composite
    return relevance(fold(read(model)), rules_of, IMAGES, TARGETS).numpy()


def assert_same_scores(model):
    expected = model(IMAGES, training=False).numpy()
    found = scores(fold(read(model)), IMAGES)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def branches(join):
    """Two convolutions of the same input, joined."""
    return lambda x: join(
        layers.Conv2D(4, 3, padding="same")(x), layers.Conv2D(4, 1, activation="relu")(x)
    )


# -- functions that do what a layer does -------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "layer"),
    [
        (branches(lambda a, b: a + b), branches(lambda a, b: layers.Add()([a, b]))),
        (
            branches(lambda a, b: keras.ops.concatenate([a, b], axis=3)),
            branches(lambda a, b: layers.Concatenate()([a, b])),
        ),
        (keras.ops.relu, layers.ReLU()),
        (keras.ops.silu, layers.Activation("silu")),
        (lambda x: keras.ops.leaky_relu(x, 0.3), layers.LeakyReLU(0.3)),
        (lambda x: 2.0 * x / 4.0 - 1.0, layers.Rescaling(0.5, -1.0)),
        (lambda x: 1.0 - x, layers.Rescaling(-1.0, 1.0)),
        (lambda x: -x, layers.Rescaling(-1.0)),
        (lambda x: keras.ops.mean(x, axis=(1, 2)), layers.GlobalAveragePooling2D()),
        (lambda x: x[:, 1:-2, 3:], layers.Cropping2D(((1, 2), (3, 0)))),
        (lambda x: keras.ops.transpose(x, (0, 2, 1, 3)), layers.Permute((2, 1, 3))),
        (lambda x: keras.ops.reshape(x, (-1, 16, 4, 4)), layers.Reshape((16, 4, 4))),
    ],
)
def test_a_function_is_explained_like_its_layer(function, layer):
    with_function, with_layer = network(function), network(layer)
    assert_same_scores(with_function)
    np.testing.assert_allclose(maps(with_function), maps(with_layer), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("application", "preprocess"), [("mobilenet_v2", "signed"), ("resnet50", "caffe")]
)
def test_keras_own_preprocessing_may_stand_in_the_network(application, preprocess):
    """The same map as with the classifier's: relevance is that of the preprocessed pixels."""
    image = keras.Input(SHAPE)
    body = network(layers.ReLU())
    inside = keras.Model(
        image, body(getattr(keras.applications, application).preprocess_input(image))
    )
    photograph = photographs(1, SHAPE)[0]
    one, other = (
        LRP(Classifier.from_keras(model, labels=None, preprocess=name)).explain(photograph, 1)
        for model, name in ((inside, "none"), (body, preprocess))
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("end", [keras.ops.sigmoid, keras.ops.softmax])
def test_a_function_at_the_end_is_left_off(end):
    body = network(layers.ReLU())
    model = keras.Model(body.input, end(body.output))
    np.testing.assert_array_equal(scores(fold(read(model)), IMAGES), body(IMAGES))


def test_softmax_as_a_function_in_the_middle_is_refused():
    with pytest.raises(ExplainerError, match=r"'softmax' of the layer .* in the middle"):
        read(network(keras.ops.softmax))


# -- rarer layers ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _AUGMENTATIONS)
def test_augmentation_does_nothing(name):
    factors = {"Brightness", "Contrast", "Hue", "Rotation", "Saturation", "Sharpness", "Zoom"}
    arguments = [0.2] * (name.removeprefix("Random") in factors)
    layer = getattr(layers, name)(*([0.1, 0.1] if name == "RandomTranslation" else arguments))
    model = keras.Sequential([keras.Input(SHAPE), layer, layers.Flatten(), layers.Dense(4)])
    assert_same_scores(model)
    assert [node.name for node in read(model)] == [one.name for one in model.layers[1:]]


def scaled_branch(a, b):
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    return CustomScaleLayer(0.2)([a, layers.ReLU()(b)])


RARER = {
    "Conv2DTranspose": lambda x: layers.Conv2DTranspose(5, 3, strides=2, use_bias=False)(x),
    "UpSampling2D": lambda x: layers.UpSampling2D(2)(x),
    "UpSampling2D, bilinear": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
    "Cropping2D": lambda x: layers.Cropping2D(1)(x),
    "Permute": lambda x: layers.Permute((3, 1, 2))(x),
    "AdaptiveAveragePooling2D": lambda x: layers.AdaptiveAveragePooling2D(3)(x),
    "AdaptiveMaxPooling2D": lambda x: layers.AdaptiveMaxPooling2D(3)(x),
    "Average": branches(lambda a, b: layers.Average()([a, layers.ReLU()(b)])),
    "InceptionResNet's scaled branch": branches(scaled_branch),
}


@pytest.mark.parametrize("layer", RARER)
def test_through_rarer_layers_z_is_input_times_gradient(layer):
    """Closed form for networks of rectifiers without biases; all relevance arrives."""
    model = network(RARER[layer], bias=False)
    for variable in model.weights:
        if "bias" in variable.path:
            variable.assign(variable * 0.0)
    assert_same_scores(model)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(IMAGES)
        chosen = [model(IMAGES)[:, target] for target in (0, 3)]
    expected = np.stack([IMAGES * tape.gradient(one, IMAGES) for one in chosen], axis=1)
    found = maps(model, uniform(rules.z))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * scale)
    np.testing.assert_allclose(
        found.sum(axis=(2, 3, 4)), np.stack(chosen, axis=1), rtol=1e-3, atol=1e-4 * scale
    )


def test_an_interpolation_with_negative_weights_is_refused():
    with pytest.raises(ExplainerError, match="interpolation 'bicubic' of the layer 'larger'"):
        read(network(layers.UpSampling2D(2, interpolation="bicubic", name="larger")))


@pytest.mark.parametrize("rule", [rules.z_plus, rules.flat, rules.w2])
def test_a_transposed_convolution_is_the_convolution_it_equals(rule):
    """With stride 1 it is a convolution by the kernel turned around."""
    ends = [layers.Conv2DTranspose(5, 3), layers.Conv2D(5, 3)]
    transposed, plain = (
        keras.Sequential([keras.Input(SHAPE), *start, end, layers.ReLU(), layers.Flatten()])
        for start, end in zip(([], [layers.ZeroPadding2D(2)]), ends, strict=True)
    )
    kernel, bias = randomised(transposed).get_weights()
    plain.set_weights([kernel[::-1, ::-1].transpose(0, 1, 3, 2), bias])
    np.testing.assert_allclose(
        maps(transposed, uniform(rule)), maps(plain, uniform(rule)), rtol=1e-3, atol=1e-6
    )


# -- gates -------------------------------------------------------------------------------------


def squeeze_and_excitation(x):
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(2, 1, activation="relu")(gate)
    return layers.Multiply()([layers.Conv2D(4, 1, activation="sigmoid")(gate), x])


def hard_swish(x):
    return x * (layers.ReLU(6.0)(x + 3.0) * (1 / 6))


def places(x):
    return layers.Conv2D(1, 1, activation="sigmoid")(x) * x


def swish(x):
    return keras.ops.multiply(x, keras.ops.sigmoid(x))


GATED = {"se": squeeze_and_excitation, "hard": hard_swish, "places": places, "swish": swish}


@pytest.mark.parametrize("gated", GATED)
def test_gates_are_constants_to_relevance(gated):
    """Closed form: without biases, z is input times gradient, here with the gate's held back."""
    model = network(GATED[gated])
    first, last = model.layers[1], model.layers[-1]
    for layer in (first, last):
        layer.bias.assign(layer.bias * 0.0)
    assert_same_scores(model)
    product = keras.Model(model.input, last.input)
    kernel = tf.constant(last.kernel)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(IMAGES)
        signal = first(IMAGES)
        flat = tf.reshape(signal, (len(IMAGES), -1))
        gate = tf.stop_gradient(tf.math.divide_no_nan(product(IMAGES), flat))
        score = (flat * gate) @ kernel
        chosen = [score[:, target] for target in (0, 3)]
    expected = np.stack([IMAGES * tape.gradient(one, IMAGES) for one in chosen], axis=1)
    np.testing.assert_allclose(
        maps(model, uniform(rules.z)), expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max()
    )


def test_a_gates_own_layers_get_nothing():
    """Whatever rule they follow: the map does not depend on it."""
    model = network(squeeze_and_excitation)
    nodes = fold(read(model))
    gates = {node.name for node in nodes if node.name.startswith("conv2d")} - {nodes[0].name}
    assert len(gates) == 2
    assert np.abs(maps(model)).max() > 0


@pytest.mark.parametrize(
    "product",
    [
        lambda x: x * x,
        branches(lambda a, b: a * b),
        branches(lambda a, b: keras.ops.sigmoid(a) * keras.ops.sigmoid(b)),
    ],
)
def test_a_product_without_a_gate_is_refused(product):
    with pytest.raises(ExplainerError, match="cannot tell the signal from its gates"):
        read(network(product))


def test_winners_pass_gates_too():
    model = network(squeeze_and_excitation)
    classifier = Classifier.from_keras(model, labels=None, preprocess="unit")
    found = Mwp(classifier, layer="image").explain(photographs(1, SHAPE)[0], 1)
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-4)


def test_mobilenet_v3_is_read():
    """An application with gates, hard sigmoids made of operators, and preprocessing inside."""
    model = keras.applications.MobileNetV3Small(
        weights=None, input_shape=(32, 32, 3), classes=4, classifier_activation=None
    )
    randomised(model, spread=0.1)
    images = photographs(2, (32, 32, 3))
    expected = model(images).numpy()
    found = scores(fold(read(model)), tf.constant(images))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
