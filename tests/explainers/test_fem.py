import keras
import numpy as np
import pytest
from keras import layers

from explainers import ALL, CLASS_AGNOSTIC, Classifier, ExplainerError, Fem


def reader(shape=(2, 5, 3), channels=3, name="base"):
    """A network whose last convolution yields the pixels themselves: the activation is at hand."""
    conv = layers.Conv2D(channels, 1, activation="relu", use_bias=False, name="conv")
    image = keras.Input(shape)
    base = keras.Model(image, conv(image), name=name)
    conv.set_weights([np.eye(shape[2], channels)[np.newaxis, np.newaxis]])
    means = layers.GlobalAveragePooling2D()(base(image))
    return Classifier.from_keras(
        keras.Model(image, layers.Dense(4, activation="softmax")(means)), labels=None
    )


def ten_places():
    """Channels over ten places, by hand.

    0: nine times 0, once 100: mean 10, standard deviation 30, so 70 has to be exceeded at K = 2.
    1: 20 everywhere: nothing stands out. 2: eight times 0, twice 100: mean 20, deviation 40: 100 is
    no more than 20 + 2 * 40, but more than 20 + 1.9 * 40.
    """
    image = np.zeros((10, 3), np.float32)
    image[3, 0] = 100
    image[:, 1] = 20
    image[[3, 8], 2] = 100
    return image.reshape(2, 5, 3)


@pytest.mark.parametrize(
    ("k", "third", "eighth"),
    [(2.0, 10, 0), (1.9, 10 + 20, 20), (3.0, 0, 0), (0.0, 10 + 20, 20)],
)
def test_by_hand(k, third, eighth):
    expected = np.zeros(10)
    expected[[3, 8]] = third, eighth
    found = Fem(reader(), k=k).explain(ten_places(), CLASS_AGNOSTIC)
    np.testing.assert_allclose(found, expected.reshape(2, 5), rtol=1e-6)


def test_k_is_2_by_default():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    classifier = reader((9, 8, 3))
    found = Fem(classifier).explain(image, 0)
    np.testing.assert_array_equal(found, Fem(classifier, k=2).explain(image, 0))
    assert (found != Fem(classifier, k=1).explain(image, 0)).any()


def test_against_numpy_on_a_network_with_random_weights(make_network, picture):
    """And enlarged from the 9 x 9 places of the last convolution."""
    import tensorflow as tf

    model = make_network(seed=3)
    explainer = Fem(Classifier.from_keras(model, labels=None, preprocess="unit"), k=1.0)
    activation = picture[np.newaxis] / np.float32(255)
    for layer in model.layers[:3]:
        activation = layer(activation)
    read = np.asarray(activation)[0].astype(float)
    mean, spread = read.mean((0, 1)), read.std((0, 1))
    small = ((read > mean + spread) * mean).sum(-1)
    assert small.max() > 0
    expected = tf.image.resize(small[..., np.newaxis], (24, 24))[..., 0]
    np.testing.assert_allclose(explainer.explain(picture, 0), expected, rtol=1e-5, atol=1e-7)


def test_every_target_has_the_same_map():
    explainer = Fem(reader())
    image = ten_places()
    one = explainer.explain(image, CLASS_AGNOSTIC)
    assert one.shape == (2, 5)
    assert one.max() > 0
    np.testing.assert_array_equal(explainer.explain(image, 2), one)
    np.testing.assert_array_equal(explainer.explain(image, ALL), np.stack([one] * 4))


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_a_batch_of_images(batch_size):
    explainer = Fem(reader((6, 7, 3)), k=1, batch_size=batch_size)
    stack = np.random.default_rng(0).integers(0, 256, (3, 6, 7, 3)).astype(np.uint8)
    expected = np.stack([explainer.explain(image, 0) for image in stack])
    for target in (0, CLASS_AGNOSTIC):
        np.testing.assert_allclose(explainer.explain_batch(stack, target), expected, rtol=1e-5)
    both = explainer.explain_batch(stack, [0, 3])
    assert both.shape == (3, 2, 6, 7)
    np.testing.assert_allclose(both, np.stack([expected] * 2, axis=1), rtol=1e-5)


def test_one_channel():
    image = ten_places()[..., :1]
    found = Fem(reader((2, 5, 1), channels=1)).explain(image, 0)
    np.testing.assert_allclose(found[0, 3], 10, rtol=1e-6)


def test_the_layer_in_the_nested_network_or_another():
    assert Fem(reader()).layer == "base/conv"
    assert Fem(reader(), layer="conv").layer == "base/conv"
    with pytest.raises(ExplainerError, match="no layer 'nowhere'"):
        Fem(reader(), layer="nowhere")


@pytest.mark.parametrize("k", [-1, float("nan"), float("inf"), "2", None, True])
def test_a_k_that_is_no_number_from_zero_is_refused(k):
    with pytest.raises(ExplainerError, match=r"k is .*; expected a number of 0 or more"):
        Fem(reader(), k=k)


def test_a_black_box_is_refused(black_box):
    with pytest.raises(ExplainerError, match=r"FEM needs the network itself.*black box"):
        Fem(black_box(lambda stack: stack.mean((1, 2)), 3))


def test_a_network_without_a_convolution_is_refused():
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ExplainerError, match="no convolution that yields a map"):
        Fem(Classifier.from_keras(model, labels=None))
