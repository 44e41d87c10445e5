"""Small networks with random weights for the tests of relevance propagation."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers


def randomised(model, seed=0, *, spread=0.5):
    """The model with every weight drawn anew; variances of batch normalisation stay positive."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        drawn = random.normal(0, spread, variable.shape)
        variable.assign(np.abs(drawn) + 0.5 if "variance" in variable.path else drawn)
    return model


def branched(*, bias, batch_normalisation=False):
    """Every kind of layer relevance passes: branches, poolings, padding, depthwise, separable."""
    normalised = layers.BatchNormalization if batch_normalisation else (lambda: layers.Dropout(0.5))
    image = keras.Input((16, 12, 3))
    x = layers.ZeroPadding2D(1)(image)
    x = layers.Conv2D(6, 3, use_bias=bias)(x)
    x = layers.ReLU()(normalised()(x))
    x = layers.MaxPooling2D(2)(x)
    short = x
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=bias)(x)
    x = layers.ReLU(6.0)(normalised()(x))
    x = layers.SeparableConv2D(6, 3, padding="same", use_bias=bias)(x)
    x = layers.Add()([layers.ReLU()(normalised()(x)), short])
    x = layers.Activation("relu")(x)
    left = layers.Conv2D(4, 1, use_bias=bias, activation="relu")(x)
    right = layers.Conv2D(5, 3, padding="same", use_bias=bias, activation="relu")(x)
    x = layers.Concatenate()([left, right])
    x = layers.AveragePooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(10, use_bias=bias, activation="relu")(layers.Dropout(0.5)(x))
    return randomised(keras.Model(image, layers.Dense(4, use_bias=bias, activation="sigmoid")(x)))


def photographs(number, shape=(16, 12, 3), seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (number, *shape)).astype(np.float32)
