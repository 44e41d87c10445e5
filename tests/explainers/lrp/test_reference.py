"""Ours against relevance computed elsewhere: iNNvestigate's published reference files.

Each file holds, for one method and several one-layer networks (the layer, then flattening), the
input, the weights, the output, and the relevance of the largest output.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from explainers.lrp import rules
from explainers.lrp.composites import Composite, named, uniform
from explainers.lrp.engine import relevance
from explainers.lrp.fold import fold
from explainers.lrp.graph import read

FILES = Path(__file__).parents[4] / "shared" / "data" / "lrp-reference"

COMPOSITES: dict[str, Composite] = {
    # In a network of one bias-free layer without pooling averages, LRP-z is input times gradient.
    "InputTimesGradient": uniform(rules.z),
    "LRPZ": uniform(rules.z),
    "LRPEpsilon": uniform(partial(rules.epsilon, epsilon=1e-7)),
    "LRPZPlus": uniform(rules.z_plus),
    "LRPAlpha1Beta0": uniform(partial(rules.alpha_beta, alpha=1.0, beta=0.0)),
    "LRPFlat": uniform(rules.flat),
    "LRPSequentialPresetA": named("preset-a"),
}

LAYERS = {
    "Dense": lambda: keras.layers.Dense(5),
    "Dense_relu": lambda: keras.layers.Dense(5, activation="relu"),
    "Conv2D": lambda: keras.layers.Conv2D(5, 3),
    "Conv2D_relu": lambda: keras.layers.Conv2D(5, 3, activation="relu"),
    "AveragePooling2D": lambda: keras.layers.AveragePooling2D(2),
    "MaxPooling2D": lambda: keras.layers.MaxPooling2D(2),
}


def reference(method, layer):
    h5py = pytest.importorskip("h5py")
    path = FILES / f"{method}.hdf5"
    if not path.is_file():
        pytest.skip(f"the reference file {path.name} is not here")
    with h5py.File(path) as file:
        group = file[layer]
        weights = [group["weights"][name][()] for name in sorted(group["weights"])]
        images = file["input"][()].astype(np.float32)
        return images, weights, group["output"][()], group["attribution"][()]


def rebuilt(layer, weights):
    model = keras.Sequential([keras.Input((10, 10, 3)), LAYERS[layer](), keras.layers.Flatten()])
    model.set_weights(weights)
    return model


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("method", COMPOSITES)
def test_relevance_is_the_published_one(method, layer):
    images, weights, output, expected = reference(method, layer)
    model = rebuilt(layer, weights)
    largest = output.argmax(axis=1)[:, np.newaxis].astype(np.int32)

    found = relevance(
        fold(read(model)), COMPOSITES[method], tf.constant(images), tf.constant(largest)
    )

    np.testing.assert_allclose(model(images), output, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_rebuilt_networks_have_the_published_gradient(layer):
    images, weights, output, expected = reference("Gradient", layer)
    model = rebuilt(layer, weights)
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = tf.reduce_sum(tf.reduce_max(model(images), axis=1))

    found = tape.gradient(score, images)

    np.testing.assert_allclose(model(images), output, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_another_rule_does_not_pass_for_the_published_one():
    images, weights, output, expected = reference("LRPAlpha1Beta0", "Conv2D")
    largest = output.argmax(axis=1)[:, np.newaxis].astype(np.int32)
    nodes = fold(read(rebuilt("Conv2D", weights)))

    found = relevance(nodes, uniform(rules.z), tf.constant(images), tf.constant(largest))

    assert not np.allclose(found[:, 0], expected, rtol=1e-2, atol=1e-3)
