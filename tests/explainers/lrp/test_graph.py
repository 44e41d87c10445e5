"""Reading networks: what passes, what is refused by name, and that nesting changes nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from explainers import ExplainerError
from explainers.lrp.composites import named
from explainers.lrp.engine import relevance, scores
from explainers.lrp.fold import fold
from explainers.lrp.graph import read

from .networks import branched, photographs, randomised


def functional(*between, outputs=4):
    image = keras.Input((8, 8, 3))
    x = image
    for layer in between:
        x = layer(x)
    return keras.Model(image, layers.Dense(outputs)(layers.Flatten()(x)))


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (layers.LayerNormalization(name="odd"), "LayerNormalization"),
        (layers.GroupNormalization(2, name="odd"), "GroupNormalization"),
        (layers.Lambda(lambda x: x, name="odd"), "Lambda"),
    ],
)
def test_an_unknown_layer_is_refused_by_name(layer, kind):
    with pytest.raises(ExplainerError, match=rf"layer 'odd' \({kind}\)"):
        read(functional(layers.Conv2D(4, 3), layer))


def test_an_unknown_layer_inside_a_nested_model_is_named_with_its_path():
    inside = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.LayerNormalization(name="odd")], name="base"
    )
    with pytest.raises(ExplainerError, match="'base/odd'"):
        read(functional(inside))


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (keras.ops.sin, "Sin"),
        (lambda x: x - keras.ops.relu(x), "Subtract"),
        (lambda x: 2.0 / (x + 300.0), "TrueDivide"),
    ],
)
def test_a_function_that_is_unknown_is_refused_by_name(function, kind):
    with pytest.raises(ExplainerError, match=rf"function '\w+' \({kind}\)"):
        read(functional(function))


def test_softmax_in_the_middle_is_refused():
    with pytest.raises(ExplainerError, match=r"'softmax' of the layer 'attention' in the middle"):
        read(functional(layers.Conv2D(4, 3, activation="softmax", name="attention")))


def test_an_activation_of_ones_own_is_refused():
    layer = layers.Conv2D(4, 3, activation=lambda x: x[..., ::-1], name="mirror")
    with pytest.raises(ExplainerError, match="'mirror'"):
        read(functional(layer))


def test_a_subclass_of_a_known_layer_is_not_taken_for_it():
    class Halved(layers.Dense):
        def call(self, inputs):
            return super().call(inputs) / 2

    with pytest.raises(ExplainerError, match="Halved"):
        read(functional(Halved(4)))


def test_a_network_without_a_graph_is_refused():
    class Opaque(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ExplainerError, match="functional or Sequential"):
        read(Opaque(name="opaque"))


def test_normalisation_over_rows_is_refused():
    with pytest.raises(ExplainerError, match="'rows'"):
        read(functional(layers.BatchNormalization(axis=1, name="rows")))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear"])
@pytest.mark.parametrize("place", ["in the layer", "layer of its own", "before a reshape"])
def test_scores_are_those_before_the_last_activation(activation, place):
    if place == "in the layer":
        end = [layers.Flatten(), layers.Dense(4, activation=activation)]
    elif place == "layer of its own":
        end = [layers.Flatten(), layers.Dense(4), layers.Activation(activation)]
    else:
        end = [layers.Conv2D(4, 8), layers.Activation(activation), layers.Reshape((4,))]
    model = randomised(keras.Sequential([keras.Input((8, 8, 3)), *end]))
    images = photographs(2, (8, 8, 3)) / 255

    found = scores(fold(read(model)), tf.constant(images))

    np.testing.assert_allclose(
        keras.activations.get(activation)(found), model(images), rtol=1e-4, atol=1e-6
    )
    assert np.abs(found).max() > 1  # no probability


def test_a_hidden_sigmoid_stays():
    model = randomised(functional(layers.Conv2D(4, 3, activation="sigmoid")))
    images = photographs(2, (8, 8, 3)) / 255
    found = scores(fold(read(model)), tf.constant(images))
    np.testing.assert_allclose(found, model(images), rtol=1e-4, atol=1e-5)


def test_nesting_changes_nothing():
    flat = branched(bias=True, batch_normalisation=True)
    base = keras.Model(flat.input, flat.layers[-2].output)
    image = keras.Input((16, 12, 3))
    nested = keras.Model(
        image, keras.Sequential([keras.Input((10,)), flat.layers[-1]])(base(image))
    )
    twice = keras.Sequential([keras.Input((16, 12, 3)), nested])
    images, targets = tf.constant(photographs(2) / 255), tf.constant([[1, 2]] * 2)

    maps = [
        relevance(fold(read(model)), named("preset-a"), images, targets).numpy()
        for model in (flat, nested, twice)
    ]

    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


def test_a_layer_used_twice_is_read_twice():
    shared = layers.Conv2D(3, 3, padding="same", activation="relu")
    model = randomised(functional(shared, shared))
    images = photographs(2, (8, 8, 3)) / 255
    nodes = fold(read(model))
    assert [node.name for node in nodes].count(shared.name) == 4  # twice with its activation
    np.testing.assert_allclose(scores(nodes, tf.constant(images)), model(images), rtol=1e-4)


def test_a_network_about_as_deep_as_keras_can_build():
    model = functional(*(layers.ReLU() for _ in range(800)))
    assert len(read(model)) == 802


def test_reading_leaves_the_model_as_it_was():
    model = branched(bias=True, batch_normalisation=True)
    images = photographs(2) / 255
    config, weights, output = model.get_config(), model.get_weights(), model(images).numpy()
    inbound = [len(layer._inbound_nodes) for layer in model.layers]

    relevance(fold(read(model)), named("preset-a"), tf.constant(images), tf.constant([[0]] * 2))

    assert model.get_config() == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == inbound
    np.testing.assert_array_equal(model(images), output)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)
