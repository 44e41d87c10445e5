import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy import ndimage

from explainers import ALL, CLASS_AGNOSTIC, Classifier, ExplainerError
from explainers.gradient import Gradient


def images(*shape):
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)


def linear(activation, *, outputs=3, shape=(5, 4, 3), seed=0):
    """Scores w * (pixel / 255): the classifier and w `(outputs, H, W, C)`."""
    keras.utils.set_random_seed(seed)
    dense = layers.Dense(outputs, activation=activation, kernel_initializer="random_normal")
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), dense])
    weights = dense.kernel.numpy().T.reshape(outputs, *shape)
    return Classifier.from_keras(model, labels=None, preprocess="unit"), weights.astype(float)


def smooth(shape=(9, 7, 3), outputs=3, activation="softmax"):
    """A network without kinks, so that differences come near the derivative."""
    keras.utils.set_random_seed(4)
    wide = keras.initializers.RandomNormal(stddev=0.6)
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(6, 3, activation="tanh", kernel_initializer=wide),
            layers.BatchNormalization(),
            layers.AveragePooling2D(2),
            layers.Conv2D(5, 2, activation="softplus", kernel_initializer=wide),
            layers.GlobalAveragePooling2D(),
            layers.Dense(outputs, activation=activation, kernel_initializer=wide),
        ]
    )


def smooth_classifier(*args, **kwargs):
    return Classifier.from_keras(smooth(*args, **kwargs), labels=None, preprocess="unit")


# -- the values -------------------------------------------------------------------------------


def test_of_a_linear_score_it_is_the_weight_per_grey_level():
    classifier, weights = linear(None)
    found = Gradient(classifier).explain(images(5, 4, 3), ALL)
    np.testing.assert_allclose(found, np.abs(weights).max(-1) / 255, rtol=1e-5)


@pytest.mark.parametrize("outputs", [1, 3])
def test_of_a_sigmoid_it_is_w_times_p_times_1_minus_p(outputs):
    classifier, weights = linear("sigmoid", outputs=outputs)
    image = images(5, 4, 3)
    p = classifier.predict(image[np.newaxis])[0].astype(float)
    expected = np.abs(weights).max(-1) * (p * (1 - p))[:, None, None] / 255
    np.testing.assert_allclose(Gradient(classifier).explain(image, ALL), expected, rtol=1e-4)


def test_of_a_softmax_the_other_outputs_count_too():
    """d p_t / d x = p_t * (w_t - sum of p_k * w_k)."""
    classifier, weights = linear("softmax")
    image = images(5, 4, 3)
    p = classifier.predict(image[np.newaxis])[0].astype(float)
    derivative = p[:, None, None, None] * (weights - np.tensordot(p, weights, 1)) / 255
    expected = np.abs(derivative).max(-1)
    np.testing.assert_allclose(Gradient(classifier).explain(image, ALL), expected, rtol=1e-3)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_it_is_the_slope_of_the_predicted_score(activation):
    """Against central differences of `predict`, at twelve pixels of each target."""
    classifier = Classifier.from_keras(
        smooth(activation=activation), labels=None, preprocess="signed"
    )
    image = np.random.default_rng(2).uniform(20, 230, (9, 7, 3)).astype(np.float32)
    found = Gradient(classifier).explain(image, ALL)
    step = 2.0
    for row, column in np.random.default_rng(3).integers(0, (9, 7), (12, 2)):
        moved = np.repeat(image[np.newaxis], 6, axis=0)
        for channel in range(3):
            moved[2 * channel, row, column, channel] += step
            moved[2 * channel + 1, row, column, channel] -= step
        scores = classifier.predict(moved).astype(float)
        slopes = np.abs(scores[0::2] - scores[1::2]).max(0) / (2 * step)
        np.testing.assert_allclose(found[:, row, column], slopes, rtol=0.03, atol=3e-7)
    assert found.max() > 1e-4  # far above what the differences cannot resolve


def test_preprocessing_is_part_of_the_derivative():
    """Pixels twice as bright, divided by twice as much: the same input, half the slope."""
    model, image = smooth(), images(9, 7, 3) // 2
    one = Gradient(Classifier.from_keras(model, labels=None, preprocess="unit"))
    other = Gradient(Classifier.from_keras(model, labels=None, preprocess=lambda x: x / 510.0))
    np.testing.assert_allclose(
        other.explain(image * 2, 0), one.explain(image, 0) / 2, rtol=1e-3, atol=1e-9
    )


# -- dilation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [0, 1, 2, 5])
def test_dilation_is_the_maximum_of_the_neighbourhood_again_and_again(times):
    """Against scipy's greyscale dilation; 0, 2 and 5 are 004's."""
    classifier = smooth_classifier()
    image = images(9, 7, 3)
    expected = Gradient(classifier).explain(image, ALL)
    for _ in range(times):
        expected = ndimage.grey_dilation(expected, size=(1, 3, 3), mode="nearest")
    found = Gradient(classifier, dilations=times).explain(image, ALL)
    np.testing.assert_array_equal(found, expected)


# -- kinds of networks and targets ------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 7, 1), (6, 11, 3)])
def test_grey_and_oblong_images(shape):
    classifier = smooth_classifier(shape)
    found = Gradient(classifier).explain(images(*shape), 2)
    assert found.shape == shape[:2]
    assert found.dtype == np.float32
    assert found.min() >= 0 < found.max()


def test_images_of_any_size():
    gradient = Gradient(smooth_classifier((None, None, 3)))
    for shape in ((9, 7, 3), (12, 10, 3)):
        assert gradient.explain(images(*shape), 0).shape == shape[:2]


def test_a_network_nested_in_another_gives_the_same_map():
    flat = smooth()
    image = keras.Input((9, 7, 3))
    inner = keras.Model(flat.inputs, flat.layers[-2].output)
    nested = keras.Model(image, keras.Sequential([flat.layers[-1]])(inner(image)))
    one, other = (
        Gradient(Classifier.from_keras(model, labels=None, preprocess="unit")).explain(
            images(9, 7, 3), ALL
        )
        for model in (flat, nested)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_all_targets_together_equal_each_alone(batch_size):
    classifier = smooth_classifier(outputs=5)
    stack = images(3, 9, 7, 3)
    alone = np.stack(
        [[Gradient(classifier).explain(image, target) for target in range(5)] for image in stack]
    )
    gradient = Gradient(classifier, batch_size=batch_size)
    together = np.stack([gradient.explain(image, ALL) for image in stack])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(gradient.explain_batch(stack, ALL), alone, rtol=1e-4, atol=1e-9)
    assert len({each.tobytes() for each in together[0]}) == 5


def test_batches_for_one_target_and_for_the_whole_prediction():
    classifier = Classifier.from_keras(smooth(), labels=["a", "b", "c"], preprocess="unit")
    stack = images(3, 9, 7, 3)
    gradient = Gradient(classifier, batch_size=2)
    for target in ("b", CLASS_AGNOSTIC):
        expected = np.stack([gradient.explain(image, target) for image in stack])
        assert expected.shape == (3, 9, 7)
        np.testing.assert_allclose(
            gradient.explain_batch(stack, target), expected, rtol=1e-4, atol=1e-9
        )


def test_progress_counts_maps():
    classifier = smooth_classifier(outputs=5)
    steps = Gradient(classifier, batch_size=2).iter_explain(images(9, 7, 3), ALL)
    assert [(step.done, step.total) for step in steps] == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_comes_near_single_precision(policy):
    single = smooth()
    keras.config.set_dtype_policy(policy)
    try:
        half = smooth()
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(single.get_weights())
    image = images(9, 7, 3)
    expected, found = (
        Gradient(Classifier.from_keras(model, labels=None, preprocess="unit")).explain(image, ALL)
        for model in (single, half)
    )
    assert half.layers[0].compute_dtype != "float32"
    np.testing.assert_allclose(found, expected, atol=0.05 * expected.max())


def test_maps_follow_the_weights_the_network_has_now():
    """Weight randomisation changes them in place."""
    classifier, _ = linear(None)
    gradient = Gradient(classifier)
    image = images(5, 4, 3)
    before = gradient.explain(image, 0)
    kernel = classifier.model.layers[-1].kernel
    kernel.assign(kernel * 3.0)
    np.testing.assert_allclose(gradient.explain(image, 0), 3 * before, rtol=1e-5)


# -- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dilations": -1}, "dilations is -1; expected 0 to 1000"),
        ({"dilations": 1.5}, r"dilations is 1\.5; expected a whole number"),
        ({"batch_size": 0}, "batch size is 0"),
    ],
)
def test_unusable_hyper_parameters(classifier, settings, message):
    with pytest.raises(ExplainerError, match=message):
        Gradient(classifier, **settings)


def test_a_black_box_is_refused(black_box):
    with pytest.raises(ExplainerError, match=r"The gradient needs the network itself.*black box"):
        Gradient(black_box(lambda stack: stack.mean((1, 2)), 3))


def test_a_network_that_cuts_the_gradient_off_is_refused():
    cut = Classifier.from_keras(smooth(), labels=None, preprocess=tf.stop_gradient)
    with pytest.raises(ExplainerError, match="has no gradient"):
        Gradient(cut).explain(images(9, 7, 3), 0)
