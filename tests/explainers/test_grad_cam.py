import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from explainers import ALL, CLASS_AGNOSTIC, Classifier, ExplainerError, GradCam


def images(*shape):
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)


def pooled(activation, *, outputs=3, shape=(5, 4, 3), scale=1.0):
    """A 1 x 1 convolution with ReLU, the mean over all places, a dense layer."""
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(6, 1, activation="relu", bias_initializer="random_normal", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(outputs, activation=activation),
        ]
    )
    model.layers[-1].kernel.assign(model.layers[-1].kernel * scale)
    return Classifier.from_keras(model, labels=None, preprocess="unit")


def by_hand(classifier, image):
    """alpha is weight / places: ReLU(sum of w_tk / (h * w) * A_k), in numpy."""
    kernel, bias, weights = (value.astype(float) for value in classifier.model.get_weights()[:3])
    activation = np.maximum(image / 255 @ kernel[0, 0] + bias, 0)
    places = activation.shape[0] * activation.shape[1]
    return np.maximum(np.einsum("kt,hwk->thw", weights / places, activation), 0)


# -- the values -------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
@pytest.mark.parametrize("shape", [(5, 4, 3), (4, 7, 1)])
def test_after_a_mean_over_places_the_weights_are_the_dense_layers(activation, shape):
    """Closed form; and the same for every last activation, as the score is the one before."""
    classifier = pooled(activation, shape=shape)
    image = images(*shape)
    found = GradCam(classifier).explain(image, ALL)
    expected = by_hand(classifier, image)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert (expected.max((1, 2)) > 0).any()
    assert (expected == 0).any()  # something was cut off


def test_after_a_maximum_over_places_the_weights_are_the_dense_layers():
    """The gradient of each channel's one maximum is the weight: its mean, weight / places."""
    classifier = pooled(None)
    convolution, _, dense = classifier.model.layers
    model = keras.Sequential(
        [keras.Input((5, 4, 3)), convolution, layers.GlobalMaxPooling2D(), dense]
    )
    image = images(5, 4, 3)
    found = GradCam(Classifier.from_keras(model, labels=None, preprocess="unit"))
    expected = by_hand(classifier, image)
    np.testing.assert_allclose(found.explain(image, ALL), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_sure_network_still_has_a_map(activation):
    """Its probability is 1 to the last digit and has no gradient any more."""
    classifier = pooled(activation, scale=4000.0)
    image = images(5, 4, 3)
    sure = int(classifier.predict(image[np.newaxis])[0].argmax())
    assert classifier.predict(image[np.newaxis])[0, sure] == 1
    found = GradCam(classifier).explain(image, sure)
    assert found.max() > 0
    np.testing.assert_allclose(found, by_hand(classifier, image)[sure], rtol=1e-4)


def test_a_single_sigmoid():
    classifier = pooled("sigmoid", outputs=1)
    image = images(5, 4, 3)
    found = GradCam(classifier).explain(image, 0)
    np.testing.assert_allclose(found, by_hand(classifier, image)[0], rtol=1e-4, atol=1e-7)


def test_the_activation_may_be_a_layer_of_its_own():
    whole = pooled("softmax")
    model = whole.model
    dense = layers.Dense(3)
    apart = keras.Sequential([*model.layers[:-1], dense, layers.Softmax()])
    apart.build((None, 5, 4, 3))
    dense.set_weights(model.layers[-1].get_weights())
    apart = Classifier.from_keras(apart, labels=None, preprocess="unit")
    image = images(5, 4, 3)
    np.testing.assert_allclose(
        GradCam(apart).explain(image, ALL), GradCam(whole).explain(image, ALL), rtol=1e-5
    )


def test_a_dense_layer_over_all_places():
    """alpha is the mean of the weights over the places, worked out in numpy; then enlarged."""
    keras.utils.set_random_seed(3)
    conv = layers.Conv2D(2, 2, strides=2, activation="relu")
    dense = layers.Dense(2, activation="sigmoid")
    model = keras.Sequential([keras.Input((4, 6, 1)), conv, layers.Flatten(), dense])
    classifier = Classifier.from_keras(model, labels=None, preprocess="unit")
    image = images(4, 6, 1)
    patches = (image / 255).reshape(2, 2, 3, 2).transpose(0, 2, 1, 3)
    activation = np.maximum(np.einsum("hwyx,yxk->hwk", patches, conv.kernel.numpy()[:, :, 0]), 0)
    alpha = dense.kernel.numpy().reshape(6, 2, 2).mean(0)
    small = np.maximum(np.einsum("kt,hwk->thw", alpha, activation), 0)
    expected = tf.image.resize(small[..., np.newaxis], (4, 6), "bilinear")[..., 0]
    np.testing.assert_allclose(
        GradCam(classifier).explain(image, ALL), expected, rtol=1e-4, atol=1e-7
    )


def deep(shape=(16, 12, 3), activation="softmax", outputs=3):
    """Branches, a residual connection and a network nested in it."""
    keras.utils.set_random_seed(4)
    image = keras.Input(shape)
    x = layers.Conv2D(6, 3, activation="relu", name="stem")(image)
    x = layers.MaxPooling2D(name="pool")(x)
    y = layers.BatchNormalization(name="bn")(layers.Conv2D(6, 3, padding="same", name="inner")(x))
    x = layers.ReLU(name="out")(layers.Add(name="sum")([x, y]))
    x = layers.Conv2D(5, 3, padding="same", name="last")(x)
    x = layers.Activation("relu", name="end")(layers.BatchNormalization()(x))
    x = layers.Dense(7, activation="tanh")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(outputs, activation=activation, name="top")(x))


@pytest.mark.parametrize("layer", ["stem", "pool", "inner", "bn", "out", "last", "end"])
def test_any_layer_against_a_model_of_two_outputs(layer):
    """Another way to the same numbers: Keras gives layer and score, TensorFlow the gradient."""
    model = deep(activation=None)
    image = images(16, 12, 3)
    both = keras.Model(model.input, [model.get_layer(layer).output, model.output])
    with tf.GradientTape(persistent=True) as tape:
        activation, scores = both(image[np.newaxis] / np.float32(255))
        each = [scores[:, target] for target in range(3)]
    expected = []
    for score in each:
        alpha = tf.reduce_mean(tape.gradient(score, activation), [1, 2], keepdims=True)
        cam = tf.nn.relu(tf.reduce_sum(alpha * activation, -1, keepdims=True))
        expected.append(tf.image.resize(cam, (16, 12))[0, ..., 0])
    explainer = GradCam(
        Classifier.from_keras(model, labels=None, preprocess="unit"),
        layer=None if layer == "end" else layer,
    )
    assert explainer.layer == layer
    found = explainer.explain(image, ALL)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6 * np.max(expected))
    assert found.max() > 0


# -- kinds of networks and targets ------------------------------------------------------------


def test_nested_networks_give_the_same_map():
    """Functional in Functional, Functional in Sequential, Sequential in Functional."""
    flat = deep()
    inner = keras.Model(flat.inputs, flat.layers[-2].output, name="base")
    image = keras.Input((16, 12, 3))
    functional = keras.Model(image, flat.layers[-1](inner(image)))
    sequential = keras.Sequential([keras.Input((16, 12, 3)), inner, flat.layers[-1]])
    twice = keras.Model(image, keras.Sequential([image_input(), functional])(image))
    picture = images(16, 12, 3)
    expected = GradCam(of(flat)).explain(picture, ALL)
    assert expected.max() > 0
    for model in (functional, sequential, twice):
        explainer = GradCam(of(model))
        assert explainer.layer.endswith("base/end")
        np.testing.assert_allclose(explainer.explain(picture, ALL), expected, rtol=1e-5, atol=1e-8)


def test_a_sequential_network_nested_in_a_functional_one():
    keras.utils.set_random_seed(5)
    base = keras.Sequential(
        [image_input(), layers.Conv2D(4, 3, activation="relu", name="conv")], name="base"
    )
    image = keras.Input((16, 12, 3))
    x = layers.GlobalAveragePooling2D()(base(image))
    explainer = GradCam(of(keras.Model(image, layers.Dense(3, "softmax")(x))))
    assert explainer.layer == "base/conv"
    assert explainer.explain(images(16, 12, 3), ALL).max() > 0


def image_input():
    return keras.Input((16, 12, 3))


def of(model):
    return Classifier.from_keras(model, labels=None, preprocess="unit")


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_all_targets_together_equal_each_alone(batch_size):
    classifier = of(deep(outputs=5))
    stack = images(3, 16, 12, 3)
    alone = np.stack(
        [[GradCam(classifier).explain(image, target) for target in range(5)] for image in stack]
    )
    explainer = GradCam(classifier, batch_size=batch_size)
    together = np.stack([explainer.explain(image, ALL) for image in stack])
    close = {"rtol": 1e-4, "atol": 1e-5 * alone.max()}
    np.testing.assert_allclose(together, alone, **close)
    np.testing.assert_allclose(explainer.explain_batch(stack, ALL), alone, **close)
    whole = np.stack([explainer.explain(image, CLASS_AGNOSTIC) for image in stack])
    np.testing.assert_allclose(explainer.explain_batch(stack, CLASS_AGNOSTIC), whole, **close)


def test_images_of_any_size():
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    for shape in ((9, 7, 3), (12, 10, 3)):
        assert GradCam(of(model)).explain(images(*shape), ALL).shape == (3, *shape[:2])


def test_half_precision_comes_near_single_precision():
    single = deep()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = deep()
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(single.get_weights())
    image = images(16, 12, 3)
    expected, found = (GradCam(of(model)).explain(image, ALL) for model in (single, half))
    np.testing.assert_allclose(found, expected, atol=0.02 * expected.max())


# -- refusals ---------------------------------------------------------------------------------


def test_a_black_box_is_refused(black_box):
    with pytest.raises(ExplainerError, match=r"Grad-CAM needs the network itself.*black box"):
        GradCam(black_box(lambda stack: stack.mean((1, 2)), 3))


def test_a_network_without_a_convolution_is_refused():
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ExplainerError, match="no convolution that yields a map"):
        GradCam(of(model))


def test_an_unknown_layer_is_refused():
    with pytest.raises(ExplainerError, match=r"no layer 'nowhere'; the last .* last, batch.* end"):
        GradCam(of(deep()), layer="nowhere")


def test_a_layer_without_a_map_is_refused():
    with pytest.raises(ExplainerError, match=r"'top' yields \(3,\), not a map"):
        GradCam(of(deep()), layer="top")


def test_each_use_of_a_shared_layer_has_a_graph_of_its_own():
    """The layer found by itself is the first use here, the one named the last."""
    keras.utils.set_random_seed(3)
    image, shared = keras.Input((12, 12, 3)), keras.layers.ReLU(name="r")
    first = shared(keras.layers.Conv2D(4, 3)(image))
    last = shared(keras.layers.MaxPooling2D(4)(first))
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(last))
    model = keras.Model(image, scores)
    used, fresh = (Classifier.from_keras(model, labels=None) for _ in range(2))
    picture = np.random.default_rng(3).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    other = GradCam(used).explain(picture, 0)
    named = GradCam(used, layer="r").explain(picture, 0)
    np.testing.assert_array_equal(named, GradCam(fresh, layer="r").explain(picture, 0))
    assert (named != other).any()
