"""Folding leaves the function as it was, and leaves alone what it cannot fold exactly."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from explainers.lrp import rules
from explainers.lrp.composites import named, uniform
from explainers.lrp.engine import relevance, scores
from explainers.lrp.fold import fold
from explainers.lrp.graph import read
from explainers.lrp.operations import Affine, Rearrange

from .networks import branched, photographs, randomised


def chain(*between):
    model = keras.Sequential([keras.Input((8, 8, 3)), *between, layers.Flatten(), layers.Dense(4)])
    return randomised(model)


def left_over(nodes):
    """Batch normalisation and padding that folding left in place."""
    return [
        node.name
        for node in nodes
        if isinstance(node.operation, Affine)
        or (isinstance(node.operation, Rearrange) and node.operation.kind == "padding")
    ]


def bn(name="bn"):
    return layers.BatchNormalization(name=name)


FOLDED = {
    "after a convolution": [layers.Conv2D(5, 3, use_bias=False), bn(), layers.ReLU()],
    "after a convolution with bias": [layers.Conv2D(5, 3), bn(), layers.ReLU()],
    "after a grouped convolution": [layers.Conv2D(6, 3, groups=3), bn(), layers.ReLU()],
    "after a depthwise convolution": [
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        bn(),
    ],
    "after a separable convolution": [layers.SeparableConv2D(5, 3), bn(), layers.ReLU()],
    "after a dense layer": [layers.Dense(5), bn(), layers.ReLU()],
    "after dropout": [layers.Conv2D(5, 3), layers.Dropout(0.5), bn()],
    "without scale and centre": [
        layers.Conv2D(5, 3),
        layers.BatchNormalization(scale=False, center=False),
    ],
    "twice": [layers.Conv2D(5, 3), bn("bn1"), bn("bn2")],
    "before a convolution": [layers.ReLU(), bn(), layers.Conv2D(5, 3)],
    "before a grouped convolution": [
        layers.Conv2D(6, 1, activation="relu"),
        bn(),
        layers.Conv2D(4, 3, groups=2),
    ],
    "before a depthwise convolution": [bn(), layers.DepthwiseConv2D(3, depth_multiplier=2)],
    "before an average": [layers.ReLU(), bn(), layers.AveragePooling2D(3, 2, padding="same")],
    "before flattening": [layers.ReLU(), bn()],
    "padding": [layers.ZeroPadding2D(((1, 2), (0, 3))), layers.Conv2D(5, 3)],
    "padding twice": [layers.ZeroPadding2D(1), layers.ZeroPadding2D(2), layers.Conv2D(5, 3)],
}

KEPT = {
    "before a convolution that pads": [
        layers.ReLU(),
        bn(),
        layers.Conv2D(5, 3, padding="same", activation="relu"),
    ],
    "before padding": [layers.ReLU(), bn(), layers.ZeroPadding2D(1), layers.Conv2D(5, 3)],
    "before a maximum": [layers.ReLU(), bn(), layers.MaxPooling2D(2)],
    "before a rectifier": [layers.MaxPooling2D(2), bn(), layers.ReLU()],
    "after padding of a convolution": [
        layers.Conv2D(5, 3),
        layers.ZeroPadding2D(1, name="padding"),
        bn(),
        layers.ReLU(),
    ],
    "preprocessing": [layers.Rescaling(1 / 127.5, -1, name="bn"), layers.Conv2D(5, 3)],
}


def assert_same_function(model, nodes):
    images = photographs(3, model.input_shape[1:]) / 255
    expected = model(images).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(scores(nodes, tf.constant(images)), expected, atol=1e-5 * scale)


@pytest.mark.parametrize("case", FOLDED)
def test_folds(case):
    model = chain(*FOLDED[case])
    nodes = fold(read(model))
    assert left_over(nodes) == []
    assert len(nodes) < len(read(model))
    assert_same_function(model, nodes)


@pytest.mark.parametrize("case", KEPT)
def test_keeps_what_cannot_be_folded_exactly(case):
    model = chain(*KEPT[case])
    nodes = fold(read(model))
    assert "bn" in left_over(nodes)
    assert_same_function(model, nodes)


@pytest.mark.parametrize("case", KEPT)
def test_what_was_kept_shares_like_a_bias(case):
    """Closed form: under z every layer is explained by input times gradient, biases keep theirs.

    The control passes all of it on, as for an activation.
    """
    model = chain(*KEPT[case])
    images = tf.constant(photographs(2, (8, 8, 3)) / 255)
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = model(images)[:, 1]
    expected = (images * tape.gradient(score, images)).numpy()
    nodes = fold(read(model))
    passing = [
        replace(node, operation=replace(node.operation, foldable=False))
        if isinstance(node.operation, Affine)
        else node
        for node in nodes
    ]
    found, control = (
        relevance(one, uniform(rules.z), images, tf.constant([[1]] * 2))[:, 0].numpy()
        for one in (nodes, passing)
    )
    if case == "preprocessing":  # relevance is that of the preprocessed pixels
        np.testing.assert_array_equal(found, control)
        return
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * scale)
    assert np.abs(control - expected).max() > 0.1 * scale


def test_keeps_a_normalisation_whose_input_is_read_elsewhere():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 1)(image)
    x = layers.Add()([layers.ReLU()(bn()(x)), x])
    model = randomised(keras.Model(image, layers.Dense(4)(layers.Flatten()(x))))
    nodes = fold(read(model))
    assert left_over(nodes) == ["bn"]
    assert_same_function(model, nodes)


def test_folds_everything_in_a_branched_network():
    model = branched(bias=True, batch_normalisation=True)
    nodes = fold(read(model))
    assert left_over(nodes) == []
    images = photographs(3) / 255
    np.testing.assert_allclose(
        tf.sigmoid(scores(nodes, tf.constant(images))), model(images), atol=1e-5
    )


@pytest.mark.parametrize(
    ("layer", "pad"),
    [
        (layers.Conv2D(5, 3), 1),
        (layers.Conv2D(5, 3, dilation_rate=2), 2),
        (layers.DepthwiseConv2D(3), 1),
    ],
)
@pytest.mark.parametrize("composite", ["preset-b-flat", "epsilon-gamma-box"])
def test_padding_of_its_own_or_in_front_is_explained_alike(layer, pad, composite):
    """No rule counts the zeros: also not those of the two that look past the values."""
    apart, own = (
        chain(*zeros, type(layer).from_config(layer.get_config() | {"padding": padding}))
        for zeros, padding in (([layers.ZeroPadding2D(pad)], "valid"), ([], "same"))
    )
    images, targets = tf.constant(photographs(2, (8, 8, 3)) / 255), tf.constant([[0, 3]] * 2)
    bounds = tf.zeros((1, 8, 8, 3)), tf.ones((1, 8, 8, 3))
    one, other = (
        relevance(fold(read(model)), named(composite), images, targets, bounds).numpy()
        for model in (apart, own)
    )
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5 * np.abs(one).max())


def test_a_folded_network_is_explained_like_one_trained_without_normalisation():
    """The same function, once with normalisation and once with its weights merged by hand."""
    with_it = chain(layers.Conv2D(5, 3, use_bias=False, name="conv"), bn(), layers.ReLU())
    without = chain(layers.Conv2D(5, 3, name="conv"), layers.ReLU())
    gamma, beta, mean, variance = with_it.get_layer("bn").get_weights()
    scale = gamma / np.sqrt(variance + with_it.get_layer("bn").epsilon)
    kernel = with_it.get_layer("conv").get_weights()[0]
    without.get_layer("conv").set_weights([kernel * scale, beta - mean * scale])
    without.layers[-1].set_weights(with_it.layers[-1].get_weights())
    images, targets = tf.constant(photographs(2, (8, 8, 3)) / 255), tf.constant([[0, 3]] * 2)

    one, other = (
        relevance(fold(read(model)), named("preset-a"), images, targets).numpy()
        for model in (with_it, without)
    )

    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5 * np.abs(one).max())
