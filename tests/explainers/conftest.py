"""Small classifiers that many tests share."""

import os

import numpy as np
import pytest

from explainers import Classifier

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture
def black_box():
    """Make a black box from a function and its number of outputs."""

    def make(function, outputs=1, **more):
        labels = [f"label {index}" for index in range(outputs)]
        return Classifier.from_callable(function, labels=labels, **more)

    return make


def build_network(*, activation="sigmoid", outputs=3, size=24, channels=3, separate=False, seed=0):
    """A small convolutional network with random weights."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    last = [layers.Dense(outputs, activation=None if separate else activation)]
    if separate:
        last.append(layers.Activation(activation))
    return keras.Sequential(
        [
            keras.Input((size, size, channels)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(6, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            *last,
        ]
    )


@pytest.fixture(scope="session")
def network():
    """Three independent sigmoids over 24 x 24 colour images."""
    return build_network()


@pytest.fixture(scope="session")
def make_network():
    return build_network


@pytest.fixture(scope="session")
def classifier(network):
    return Classifier.from_keras(network, labels=["cat", "dog", "horse"], preprocess="unit")


@pytest.fixture(scope="session")
def picture():
    """One 24 x 24 colour image."""
    return np.random.default_rng(7).integers(0, 256, (24, 24, 3)).astype(np.uint8)
