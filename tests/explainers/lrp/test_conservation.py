"""Relevance is handed on, neither made nor lost: the property LRP is named for."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from explainers.lrp import rules
from explainers.lrp.composites import Composite, named, uniform
from explainers.lrp.engine import relevance, scores
from explainers.lrp.fold import fold
from explainers.lrp.graph import read

from .networks import branched, photographs, randomised

ALL = tf.constant([[0, 1, 2, 3]] * 3)

CONSERVING = {
    "z": rules.z,
    "z+": rules.z_plus,
    "alpha1-beta0": partial(rules.alpha_beta, alpha=1.0, beta=0.0),
    "alpha2-beta1": partial(rules.alpha_beta, alpha=2.0, beta=1.0),
    "flat": rules.flat,
    "w2": rules.w2,
}


def put_in_and_arrived(model, composite):
    """Scores ``(N, T)`` and the sums of the relevance that reaches the image ``(N, T)``."""
    images = tf.constant(photographs(3, model.input_shape[1:]) / 255)
    nodes = fold(read(model))
    found = relevance(nodes, composite, images, ALL)
    return scores(nodes, images).numpy(), found.numpy().astype(float).sum(axis=(2, 3, 4))


def plain(*, bias):
    """Wide enough that no neuron is without positive and negative contributions."""
    return randomised(
        keras.Sequential(
            [
                keras.Input((12, 12, 3)),
                layers.Conv2D(8, 3, padding="same", activation="relu", use_bias=bias),
                layers.Conv2D(8, 3, activation="relu", use_bias=bias),
                layers.MaxPooling2D(2),
                layers.Conv2D(16, 3, activation="relu", use_bias=bias),
                layers.GlobalAveragePooling2D(),
                layers.Dense(16, activation="relu", use_bias=bias),
                layers.Dense(4, activation="softmax", use_bias=bias),
            ]
        )
    )


@pytest.mark.parametrize("rule", CONSERVING)
def test_without_biases_all_relevance_arrives(rule):
    put_in, arrived = put_in_and_arrived(plain(bias=False), uniform(CONSERVING[rule]))
    np.testing.assert_allclose(arrived, put_in, rtol=1e-5)


@pytest.mark.parametrize(
    "composite",
    [
        uniform(rules.z),
        uniform(rules.flat),
        uniform(rules.w2),
        # No z+ between the halves of a separable convolution: without a rectifier in between, an
        # output may have negative contributions only, and z+ then has nobody to hand it to.
        Composite({"dense": rules.z_plus, "convolution": rules.z_plus, "depthwise": rules.z}),
    ],
    ids=["z", "flat", "w2", "z+"],
)
def test_without_biases_all_relevance_arrives_through_branches(composite):
    put_in, arrived = put_in_and_arrived(branched(bias=False), composite)
    scale = np.abs(put_in).max()
    np.testing.assert_allclose(arrived, put_in, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("rule", ["z", "alpha1-beta0"])
def test_biases_keep_some(rule):
    put_in, arrived = put_in_and_arrived(plain(bias=True), uniform(CONSERVING[rule]))
    assert np.abs(arrived / put_in - 1).min() > 0.01


@pytest.mark.parametrize("rule", [rules.flat, rules.w2, partial(rules.z_plus, bias=False)])
def test_rules_that_ignore_the_bias_conserve_beside_it(rule):
    put_in, arrived = put_in_and_arrived(plain(bias=True), uniform(rule))
    np.testing.assert_allclose(arrived, put_in, rtol=1e-5)


@pytest.mark.parametrize("epsilon", [0.1, 1.0])
def test_epsilon_leaks_by_its_formula(epsilon):
    """An output z hands on ``|z| / (|z| + epsilon)`` of its relevance; here for one layer."""
    model = randomised(
        keras.Sequential(
            [keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(4, use_bias=False)]
        )
    )
    put_in, arrived = put_in_and_arrived(model, uniform(partial(rules.epsilon, epsilon=epsilon)))
    kept = np.abs(put_in) / (np.abs(put_in) + epsilon)
    np.testing.assert_allclose(arrived, put_in * kept, rtol=1e-4)
    assert kept.max() < 1


def test_a_deep_network_leaks_more_the_larger_epsilon():
    lost = []
    for epsilon in (1e-6, 0.1, 1.0):
        put_in, arrived = put_in_and_arrived(
            plain(bias=False), uniform(partial(rules.epsilon, epsilon=epsilon))
        )
        lost.append(np.abs(1 - arrived / put_in).mean())
    assert lost[0] < 1e-3 < lost[1] < lost[2]


@pytest.mark.parametrize("composite", ["preset-a", "preset-a-flat"])
def test_presets_lose_only_what_their_dense_epsilon_takes(composite):
    model = plain(bias=False)
    put_in, arrived = put_in_and_arrived(model, named(composite, epsilon=0.0))
    np.testing.assert_allclose(arrived, put_in, rtol=1e-5)
    _, leaked = put_in_and_arrived(model, named(composite))
    assert np.all(np.abs(leaked) < np.abs(put_in))
