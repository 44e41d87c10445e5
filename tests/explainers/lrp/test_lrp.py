"""The method as it is used: images and labels in, maps out."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from explainers import ALL, Classifier, ExplainerError
from explainers.lrp import LRP, NAMES, Composite, rules

from .networks import branched, photographs, randomised

LABELS = ("cat", "dog", "horse", "bird")


@pytest.fixture(scope="module")
def classifier():
    return Classifier.from_keras(
        branched(bias=True, batch_normalisation=True), labels=LABELS, preprocess="signed"
    )


def linear_classifier(**options):
    """Flatten and one dense layer without bias: relevance is input times weight."""
    model = randomised(
        keras.Sequential(
            [
                keras.Input((4, 5, 3)),
                layers.Flatten(),
                layers.Dense(4, use_bias=False, activation="sigmoid"),
            ]
        )
    )
    return Classifier.from_keras(model, labels=LABELS, **options)


@pytest.mark.parametrize("composite", NAMES)
def test_every_composite_gives_finite_signed_maps(classifier, composite):
    image = photographs(1)[0]
    maps = LRP(classifier, composite=composite).explain(image, ALL)
    assert maps.shape == (4, 16, 12)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert np.abs(maps).max(axis=(1, 2)).min() > 0


def test_one_target_has_no_axis_of_targets(classifier):
    image = photographs(1)[0]
    lrp = LRP(classifier)
    one = lrp.explain(image, "horse")
    assert one.shape == (16, 12)
    np.testing.assert_array_equal(one, lrp.explain(image, 2))
    np.testing.assert_array_equal(one, lrp.explain(image, ["horse"])[0])


def test_on_a_linear_network_relevance_is_weight_times_preprocessed_input():
    classifier = linear_classifier(preprocess="signed")
    composite = Composite({"dense": rules.z})
    image = photographs(1, (4, 5, 3))[0]
    weights = classifier.model.get_weights()[0].reshape(4, 5, 3, 4)

    maps = LRP(classifier, composite=composite).explain(image, ALL)

    expected = ((image / 127.5 - 1)[..., np.newaxis] * weights).sum(axis=2)
    np.testing.assert_allclose(maps, np.moveaxis(expected, -1, 0), rtol=1e-3, atol=1e-5)


def test_positive_relevance_supports_the_class_whatever_the_sign_of_its_score():
    """Also for a class that is not predicted: its score is negative, its support positive."""
    classifier = linear_classifier(preprocess="unit")
    image = photographs(1, (4, 5, 3))[0]
    scores = classifier.logits(image[np.newaxis])[0]
    missed = int(scores.argmin())
    assert scores[missed] < 0

    found = LRP(classifier, composite="preset-a").explain(image, missed)

    support = (image / 255 * classifier.model.get_weights()[0][:, missed].reshape(4, 5, 3)).sum(2)
    clear = np.abs(support) > 1e-3
    np.testing.assert_array_equal(found[clear] > 0, support[clear] > 0)
    assert (found > 0).any()
    assert found.sum() < 0


def test_what_is_put_in_is_the_score_before_the_sigmoid():
    classifier = linear_classifier(preprocess="unit")
    image = photographs(1, (4, 5, 3))[0]
    flat = LRP(classifier, composite=Composite({"dense": rules.flat})).explain(image, ALL)
    scores = classifier.logits(image[np.newaxis])[0]
    np.testing.assert_allclose(flat.sum(axis=(1, 2)), scores, rtol=1e-4)
    assert np.abs(scores).max() > 1


@pytest.mark.parametrize("composite", ["preset-a-flat", "epsilon-gamma-box"])
def test_relevance_stops_at_the_preprocessed_input_inside_the_network_too(composite):
    """Scaling in the classifier's preprocessing or in the network's first layer: the same map."""
    outside = branched(bias=True)
    inside = keras.Sequential(
        [keras.Input((16, 12, 3)), layers.Rescaling(1 / 127.5, offset=-1), outside]
    )
    image = photographs(1)[0]
    one, other = (
        LRP(
            Classifier.from_keras(model, labels=LABELS, preprocess=preprocess), composite=composite
        ).explain(image, "dog")
        for model, preprocess in ((outside, "signed"), (inside, "none"))
    )
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(one).max())


@pytest.mark.parametrize("batch_size", [1, 3, 5, 64])
def test_batches_of_images_and_targets_change_nothing(classifier, batch_size):
    images = photographs(3)
    expected = np.stack([LRP(classifier).explain(image, ALL) for image in images])

    found = LRP(classifier, batch_size=batch_size).explain_batch(images, ALL)

    assert found.shape == (3, 4, 16, 12)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("composite", NAMES)
def test_images_and_targets_at_once_or_one_by_one(classifier, composite):
    images = photographs(2)
    lrp = LRP(classifier, composite=composite)
    expected = np.stack([[lrp.explain(image, target) for target in (3, 0)] for image in images])
    found = lrp.explain_batch(images, [3, 0])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_a_batch_for_one_target_has_no_axis_of_targets(classifier):
    images = photographs(3)
    lrp = LRP(classifier)
    assert lrp.explain_batch(images, "cat").shape == (3, 16, 12)


def test_uint8_and_float_images_give_the_same_map(classifier):
    image = photographs(1)[0].astype(np.uint8)
    lrp = LRP(classifier)
    np.testing.assert_array_equal(lrp.explain(image, 0), lrp.explain(image.astype(float), 0))


def test_progress_counts_maps(classifier):
    steps = LRP(classifier, batch_size=3).iter_explain(photographs(1)[0], ALL)
    assert [(step.done, step.total) for step in steps] == [(3, 4), (4, 4)]


def test_a_grey_image_of_any_size():
    model = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.SeparableConv2D(6, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )
    lrp = LRP(Classifier.from_keras(randomised(model), labels=LABELS, preprocess="unit"))
    for shape in ((12, 10, 1), (9, 17, 1)):
        found = lrp.explain(photographs(1, shape)[0], "bird")
        assert found.shape == shape[:2]
        assert np.abs(found).max() > 0


def test_one_graph_serves_all_with_the_same_rules(classifier):
    assert LRP(classifier)._maps is LRP(classifier, batch_size=2)._maps
    assert LRP(classifier)._maps is not LRP(classifier, epsilon=0.2)._maps


def test_maps_follow_the_weights_the_network_has_now():
    """Weight randomisation changes them in place."""
    classifier = linear_classifier(preprocess="unit")
    lrp = LRP(classifier)
    image = photographs(1, (4, 5, 3))[0]
    before = lrp.explain(image, 0)
    kernel = classifier.model.layers[-1].kernel
    kernel.assign(kernel * 2.0)
    np.testing.assert_allclose(lrp.explain(image, 0).sum(), 2 * before.sum(), rtol=0.05)


def test_vgg16s_architecture():
    keras.utils.set_random_seed(1)
    model = keras.applications.VGG16(
        weights=None, include_top=False, input_shape=(48, 64, 3), pooling="avg"
    )
    scores = layers.Dense(4, activation="sigmoid")(model.output)
    classifier = Classifier.from_keras(
        keras.Model(model.input, scores), labels=LABELS, preprocess="caffe"
    )
    image = photographs(1, (48, 64, 3))[0]
    found = LRP(classifier, epsilon=0.0).explain(image, ALL)
    # Biases start at zero, so all relevance reaches the image.
    np.testing.assert_allclose(
        found.sum(axis=(1, 2)), classifier.logits(image[np.newaxis])[0], rtol=1e-3
    )


# -- refusals ---------------------------------------------------------------------------------


def test_a_black_box_is_refused():
    black_box = Classifier.from_callable(lambda images: np.zeros((len(images), 1)), labels=["cat"])
    with pytest.raises(ExplainerError, match="LRP needs the network itself"):
        LRP(black_box)


def test_an_unknown_composite_is_refused_with_the_known(classifier):
    with pytest.raises(ExplainerError, match=r"'preset-c'.*preset-a-flat"):
        LRP(classifier, composite="preset-c")


@pytest.mark.parametrize("epsilon", [-0.1, float("nan"), float("inf"), "0.1", True])
def test_an_epsilon_that_is_no_number_from_zero_is_refused(classifier, epsilon):
    with pytest.raises(ExplainerError, match="epsilon is"):
        LRP(classifier, epsilon=epsilon)


def test_an_epsilon_beside_a_composite_of_ones_own_is_refused(classifier):
    with pytest.raises(ExplainerError, match="set it in the composite"):
        LRP(classifier, composite=Composite({"dense": rules.z}), epsilon=0.1)


def test_an_unsupported_layer_is_refused_at_construction():
    model = keras.Sequential(
        [
            keras.Input((4, 5, 3)),
            layers.LayerNormalization(name="normal"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    with pytest.raises(ExplainerError, match=r"'normal' \(LayerNormalization\)"):
        LRP(Classifier.from_keras(model, labels=LABELS))


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.full((16, 12, 3), np.nan)])
def test_an_unusable_image_is_refused(classifier, image):
    with pytest.raises(ExplainerError, match="image"):
        LRP(classifier).explain(image, 0)
