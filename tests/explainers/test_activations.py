import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from explainers import ExplainerError
from explainers.activations import Halves, enlarge

RELU = {"activation": "relu"}


def conv(name="conv", filters=4, size=3, **options):
    return layers.Conv2D(filters, size, padding="same", name=name, **options)


def functional(body, *, shape=(8, 6, 3), activation="softmax", name="network"):
    """A network: image -> body -> mean over all places -> three scores."""
    keras.utils.set_random_seed(0)
    image = keras.Input(shape)
    found = layers.GlobalAveragePooling2D()(body(image))
    return keras.Model(image, layers.Dense(3, activation=activation)(found), name=name)


def chain(*steps):
    def body(x):
        for step in steps:
            x = step(x)
        return x

    return body


def residual(x):
    x = conv("first", **RELU)(x)
    inner = layers.BatchNormalization(name="bn")(conv("last")(x))
    return layers.Activation("relu", name="out")(layers.Add(name="add")([x, inner]))


def activation_first(x):
    x = conv("first")(x)
    inner = conv("last")(layers.ReLU(name="inner")(x))
    x = layers.BatchNormalization(name="bn")(layers.Add(name="add")([x, inner]))
    return layers.ReLU(name="post")(x)


def dense_block(x):
    x = conv("first", **RELU)(x)
    x = layers.Concatenate(name="joined")([x, conv("last")(x)])
    return layers.ReLU(name="post")(layers.BatchNormalization(name="bn")(x))


def inception(x):
    x = conv("first", **RELU)(x)
    branches = [layers.ReLU(name=f"relu{i}")(conv(f"last{i}")(x)) for i in range(3)]
    inner = layers.Concatenate(name="inner")(branches[:2])
    return layers.Concatenate(name="mixed")([inner, branches[2]])


def gated(x):
    x = conv("last")(x)
    gate = conv("gate", size=1, activation="sigmoid")(
        layers.GlobalAveragePooling2D(keepdims=True)(x)
    )
    return layers.Multiply(name="gated")([x, gate])


# What is built on the image, and the layer that is to be found.
LAST = {
    "rectified by itself": (
        lambda: chain(conv("a", **RELU), conv(**RELU), layers.MaxPooling2D()),
        "conv",
    ),
    "rectified by the next": (lambda: chain(conv(), layers.ReLU(name="relu")), "relu"),
    "through normalisation": (
        lambda: chain(conv(), layers.BatchNormalization(), layers.Activation("relu", name="relu")),
        "relu",
    ),
    "only normalised": (lambda: chain(conv(), layers.BatchNormalization(name="bn")), "bn"),
    "normalised after": (lambda: chain(conv(**RELU), layers.BatchNormalization()), "conv"),
    "no activation": (lambda: chain(conv(), layers.AveragePooling2D(2)), "conv"),
    "residual": (lambda: residual, "out"),
    "residual, activation first": (lambda: activation_first, "post"),
    "dense block": (lambda: dense_block, "post"),
    "inception": (lambda: inception, "mixed"),
    "read twice": (lambda: gated, "last"),
    "depthwise": (
        lambda: chain(conv(), layers.DepthwiseConv2D(3, name="deep"), layers.ReLU(6.0, name="r")),
        "r",
    ),
    "separable": (lambda: chain(layers.SeparableConv2D(4, 3, name="sep", **RELU)), "sep"),
    "transposed": (lambda: chain(layers.Conv2DTranspose(4, 3, name="up", **RELU)), "up"),
    "one place left": (
        lambda: chain(
            conv(**RELU), layers.GlobalAveragePooling2D(keepdims=True), conv("top", size=1)
        ),
        "conv",
    ),
}


@pytest.mark.parametrize("kind", LAST)
def test_the_last_convolutions_activation(kind):
    body, expected = LAST[kind]
    assert Halves(functional(body())).layer == expected


@pytest.mark.parametrize("function", [keras.ops.relu, keras.activations.relu, keras.ops.hard_silu])
def test_an_activation_called_as_a_function(function):
    model = functional(lambda x: function(conv()(x)))
    halves = Halves(model)
    assert halves.layer not in ("conv", "image")
    images = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    found = halves.activation(halves.trunk(images))
    np.testing.assert_array_equal(found, function(model.get_layer("conv")(images)))
    assert Halves(functional(lambda x: conv()(x) * 2.0)).layer == "conv"


def test_in_a_network_for_images_of_any_size():
    model = functional(chain(conv(**RELU), layers.MaxPooling2D()), shape=(None, None, 3))
    assert Halves(model).layer == "conv"


def branched():
    """Two nested networks side by side; a Sequential one goes on from the second."""
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 6, 3))
    left = keras.Model(image, residual(image), name="a")(image)
    right = keras.Model(image, dense_block(image), name="b")(image)
    more = [keras.Input((8, 6, 8)), conv("c", **RELU), layers.Dropout(0.5)]
    right = keras.Sequential(more, name="s")(right)
    means = [layers.GlobalMaxPooling2D()(left), layers.GlobalAveragePooling2D()(right)]
    return keras.Model(image, layers.Dense(3, "softmax")(layers.Concatenate()(means)))


def test_cut_anywhere_the_scores_are_the_networks():
    """Also where other values pass by the cut: residual connections, branches."""
    model = branched()
    images = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)
    maps = ["a/first", "a/last", "a/bn", "a/add", "a/out", "b/first", "b/joined", "b/post", "s/c"]
    for name in maps:
        halves = Halves(model, name)
        assert halves.layer == name
        values = halves.trunk(tf.constant(images))
        scores = halves.scores(values, halves.activation(values))
        np.testing.assert_allclose(tf.nn.softmax(scores), model(images), rtol=1e-5, atol=1e-7)
        changed = halves.scores(values, halves.activation(values) + 1.0)
        assert np.abs(changed - scores).max() > 1e-3  # what lies behind the cut reads it


def test_the_activation_is_what_keras_computes():
    model = functional(residual)
    images = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)
    for name in ("first", "bn", "out"):
        halves = Halves(model, name)
        found = halves.activation(halves.trunk(tf.constant(images)))
        expected = keras.Model(model.input, model.get_layer(name).output)(images)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_dropout_and_normalisation_run_as_at_inference():
    """Even where the network was built to train for ever."""

    def body(x):
        x = conv()(x)
        x = layers.BatchNormalization(name="bn")(x, training=True)
        return layers.ReLU(name="relu")(layers.Dropout(0.5)(x, training=True))

    model = functional(body, activation=None)
    images = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)
    halves = Halves(model)
    values = halves.trunk(tf.constant(images))
    scores = halves.scores(values, halves.activation(values))
    np.testing.assert_allclose(scores, model(images, training=False), rtol=1e-5, atol=1e-6)


def test_a_layer_by_its_own_name_or_its_path():
    inner = functional(lambda x: conv("unique", **RELU)(x))
    inner = keras.Model(inner.inputs, inner.get_layer("unique").output, name="base")
    model = functional(lambda x: inner(x))
    assert Halves(model, "unique").layer == "base/unique"
    assert Halves(model, "base/unique").layer == "base/unique"


def test_a_name_in_two_nested_networks_needs_its_path():
    def part(name):
        image = keras.Input((8, 6, 3))
        return keras.Model(image, conv("conv", filters=3)(image), name=name)

    model = functional(chain(part("a"), part("b")))
    assert Halves(model, "a/conv").layer == "a/conv"
    with pytest.raises(ExplainerError, match="'conv' may be any of a/conv, b/conv; name one"):
        Halves(model, "conv")


def test_of_a_layer_used_twice_the_last_use_counts():
    shared = conv("shared", filters=3)
    model = functional(chain(shared, shared))
    images = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)
    halves = Halves(model, "shared")
    found = halves.activation(halves.trunk(tf.constant(images)))
    np.testing.assert_allclose(found, shared(shared(images)), rtol=1e-5, atol=1e-6)


def test_a_network_without_a_convolution_is_refused():
    model = functional(chain(layers.Dense(4), layers.MaxPooling2D()))
    with pytest.raises(ExplainerError, match="no convolution that yields a map"):
        Halves(model)
    assert Halves(model, model.layers[1].name)  # a layer that is named will do


def test_a_network_whose_convolutions_yield_one_place_is_refused():
    model = functional(layers.Conv2D(4, (8, 6)))
    with pytest.raises(ExplainerError, match="no convolution that yields a map"):
        Halves(model)


@pytest.mark.parametrize("layer", ["nowhere", 3, ""])
def test_an_unknown_layer_is_refused(layer):
    with pytest.raises(ExplainerError, match=r"no layer .*; the last that yield a map are .*out"):
        Halves(functional(residual), layer)


def test_a_layer_without_a_map_is_refused():
    model = functional(residual)
    with pytest.raises(ExplainerError, match=r"yields \(3,\), not a map"):
        Halves(model, model.layers[-1].name)


def test_reading_leaves_the_network_as_it_was():
    model = branched()
    images = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)
    config, before = model.get_config(), model(images).numpy()
    inbound = [len(layer._inbound_nodes) for layer in model.layers]
    halves = Halves(model)
    values = halves.trunk(tf.constant(images))
    halves.scores(values, halves.activation(values))
    assert model.get_config() == config
    assert [len(layer._inbound_nodes) for layer in model.layers] == inbound
    np.testing.assert_array_equal(model(images), before)


# -- enlarging --------------------------------------------------------------------------------


def test_enlarging_is_bilinear_between_pixel_centres():
    """By hand: two places over four pixels, centres at 1 and 3 of 0.5, 1.5, 2.5, 3.5."""
    found = enlarge(tf.constant([[[[0.0, 8.0]]]]), 2, 4).numpy()
    np.testing.assert_allclose(found[0, 0], [[0, 2, 6, 8]] * 2)


def test_enlarging_keeps_images_and_targets_apart():
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    found = enlarge(tf.constant(maps), 9, 7).numpy()
    assert found.shape == (2, 3, 9, 7)
    alone = enlarge(tf.constant(maps[1:, 2:]), 9, 7).numpy()
    np.testing.assert_array_equal(found[1, 2], alone[0, 0])
    np.testing.assert_array_equal(enlarge(tf.constant(maps), 4, 5), maps)  # nothing to do
