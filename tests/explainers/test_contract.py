"""What holds for every method there is, whoever wrote it: the contract of `explainers.base`."""

import json
import tracemalloc
from functools import cache

import keras
import numpy as np
import pytest

from explainers import (
    ALL,
    CLASS_AGNOSTIC,
    Classifier,
    ExplainerError,
    available,
    create,
    parameters,
    registry,
)

from .methods import cheap

METHODS = available()
AGNOSTIC_OF_MODEL = [name for name in METHODS if not registry.method(name).needs_network]
OF_NETWORK = [name for name in METHODS if registry.method(name).needs_network]
ASKING = [name for name in AGNOSTIC_OF_MODEL if registry.method(name).reads_network]
# H2O draws its colours where asked to, which its own tests do.
SAMPLED = [name for name in METHODS if "seed" in parameters(name) and name != "h2o"]


def network(shape=(20, 28, 3), outputs=3, activation="softmax", seed=4):
    """Two convolutions, each before a pooling; weights large enough for answers that differ."""
    random = np.random.default_rng(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(6, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(outputs, activation=activation),
        ]
    )
    for weights in model.weights:
        fan_in = int(np.prod(weights.shape[:-1])) or 1
        weights.assign(random.normal(0, (2 / fan_in) ** 0.5, weights.shape))
    return model


LABELS = {3: ["cat", "dog", "horse"], 1: ["cat"]}
KINDS = {
    "softmax, not square": ((20, 28, 3), 3, "softmax"),
    "sigmoids, one channel": ((24, 20, 1), 3, "sigmoid"),
    "a single sigmoid": ((20, 20, 3), 1, "sigmoid"),
}


@cache
def classifier_of(kind):
    shape, outputs, activation = KINDS[kind]
    model = network(shape, outputs, activation)
    return Classifier.from_keras(model, labels=LABELS[outputs], preprocess="unit")


@cache
def picture_of(kind):
    """Noise over a few flat areas, so that superpixels have something to find."""
    random = np.random.default_rng(5)
    height, width, channels = KINDS[kind][0]
    areas = random.integers(30, 226, (4, 4, channels))
    flat = areas.repeat(-(-height // 4), 0)[:height].repeat(-(-width // 4), 1)[:, :width]
    return np.clip(flat + random.integers(-30, 31, flat.shape), 0, 255).astype(np.uint8)


MAIN = "softmax, not square"


@pytest.fixture
def classifier():
    return classifier_of(MAIN)


@pytest.fixture
def picture():
    return picture_of(MAIN)


def made(name, classifier, **changes):
    return create(name, classifier, **{**cheap(name), **changes})


def refusal(name, classifier, picture, **changes):
    """Why a method is refused when it is made, or handed an image; None where it is not."""
    try:
        made(name, classifier, **changes).iter_explain(picture, "dog")
    except ExplainerError as error:
        return str(error)
    return None


class Counting:
    """A black box in double precision that counts its calls and the images it was shown."""

    def __init__(self, answer=None):
        self.calls, self.images = 0, 0
        self.answer = answer

    def __call__(self, images):
        self.calls += 1
        self.images += len(images)
        if self.answer is not None:
            return self.answer(images)
        height, width = images.shape[1:3]
        weights = np.random.default_rng(3).normal(size=(height, width, 3))
        x = np.einsum("nhwc,hwk->nk", images.astype(np.float64), weights) / (255 * 20)
        return 1 / (1 + np.exp(-x))

    def classifier(self, shape=None):
        return Classifier.from_callable(self, labels=LABELS[3], input_shape=shape)


# -- what comes back ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", METHODS)
def test_every_kind_of_network_and_of_target(name, kind):
    classifier, picture = classifier_of(kind), picture_of(kind)
    explainer = made(name, classifier)
    height, width, _ = picture.shape
    outputs = len(classifier.labels)
    every = explainer.explain(picture, ALL)
    one = every.shape[1:]
    assert one[-2:] == (height, width)
    assert len(every) == outputs
    for found, shape, expected in (
        (explainer.explain(picture, classifier.labels[-1]), one, every[-1]),
        (explainer.explain(picture, outputs - 1), one, every[-1]),
        (explainer.explain(picture, [0]), (1, *one), every[:1]),
        (explainer.explain(picture, list(classifier.labels)[::-1]), every.shape, every[::-1]),
        (explainer.explain(picture.astype(np.float64), 0), one, every[0]),
    ):
        assert found.shape == shape
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(every).max())
    assert np.isfinite(every).all()
    assert np.ptp(every[0]) > 0
    assert explainer.support(every).shape == (outputs, height, width)
    assert explainer.support(every[0]).shape == (height, width)


@pytest.mark.parametrize("name", METHODS)
def test_the_map_of_the_whole_prediction(name, classifier, picture):
    """The sum of score times map (000, section 4.2), or the method's own map."""
    explainer = made(name, classifier)
    whole = explainer.explain(picture, CLASS_AGNOSTIC)
    every = explainer.explain(picture, ALL)
    assert whole.dtype == np.float32
    if registry.method(name).class_agnostic:
        for one in every:
            np.testing.assert_array_equal(one, whole)
    else:
        scores = classifier.predict(picture[None])[0]
        expected = sum(score * one for score, one in zip(scores, every, strict=True))
        np.testing.assert_allclose(whole, expected, atol=1e-5 * np.abs(every).max())
        assert any(np.abs(one - whole).max() > 0 for one in every)


@pytest.mark.parametrize("name", METHODS)
def test_a_target_is_needed_unless_the_method_knows_none(name, classifier, picture):
    explainer = made(name, classifier)
    calls = [explainer.explain, explainer.iter_explain]
    if name in OF_NETWORK:
        calls.append(lambda image: explainer.explain_batch(image[None])[0])
    if registry.method(name).class_agnostic:
        expected = explainer.explain(picture, CLASS_AGNOSTIC)
        np.testing.assert_array_equal(explainer.explain(picture), expected)
        if name in OF_NETWORK:
            np.testing.assert_allclose(calls[-1](picture), expected, rtol=1e-5)
        return
    for call in calls:
        with pytest.raises(ExplainerError, match=r"The target is missing: .* ALL, or CLASS_AGN"):
            call(picture)


@pytest.mark.parametrize("name", METHODS)
def test_the_registry_says_what_the_class_does(name):
    found = registry.method(name)
    assert found.load().class_agnostic is found.class_agnostic
    assert found.family in {"occlusion", "gradient", "activation", "image"}
    assert found.summary
    assert "\n" not in found.summary


@pytest.mark.parametrize("name", METHODS)
def test_step_by_step(name, classifier, picture):
    explainer = made(name, classifier, batch_size=16)
    expected = explainer.explain(picture, ["dog", "cat"])
    last = None
    for step in explainer.iter_explain(picture, ["dog", "cat"]):
        assert 0 < step.done <= step.total
        assert last is None or step.done > last.done
        assert step.heatmap.shape == expected.shape
        if step.standard_error is not None:
            assert step.standard_error.shape == expected.shape
            assert not (step.standard_error < 0).any()  # NaN while there are too few
        last = step
    assert last.done == last.total
    np.testing.assert_array_equal(last.heatmap, expected)


@pytest.mark.parametrize("name", METHODS)
def test_parameters_survive_a_spec(name, classifier):
    """They are stored as JSON, and made anew from there."""
    stored = json.loads(json.dumps(parameters(name)))
    assert set(stored) == set(parameters(name))
    assert create(name, classifier, **stored).batch_size == parameters(name)["batch_size"]


# -- chance and batches ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_map(name, classifier, picture):
    first = made(name, classifier).explain(picture, "cat")
    np.random.seed(1)  # a method that drew from here would change
    keras.utils.set_random_seed(1)
    again = made(name, classifier).explain(picture, "cat")
    np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize("name", SAMPLED)
def test_another_seed_gives_another_map(name, classifier, picture):
    first = made(name, classifier).explain(picture, "cat")
    other = made(name, classifier, seed=1).explain(picture, "cat")
    assert np.abs(other - first).max() > 1e-3 * np.abs(first).max()


@pytest.mark.parametrize("name", METHODS)
def test_the_batch_size_changes_nothing(name, classifier, picture):
    """Up to rounding; in double precision where a choice could hang on it (tree ranking)."""
    if name in AGNOSTIC_OF_MODEL:
        classifier = Counting().classifier()
    reference = made(name, classifier, batch_size=64).explain(picture, ["dog", "cat"])
    for size in (1, 7):
        found = made(name, classifier, batch_size=size).explain(picture, ["dog", "cat"])
        np.testing.assert_allclose(found, reference, atol=1e-6 * max(1, np.abs(reference).max()))


@pytest.mark.parametrize(
    "name", [name for name in METHODS if {"masks", "samples"} & {*cheap(name)}]
)
def test_memory_grows_with_the_batch_alone(name, picture):
    """Ten times the masks, and never a stack of them (each as large as the image) at once."""
    [parameter] = {"masks", "samples"} & {*cheap(name)}
    peaks = []
    for count in (200, 2000):
        classifier = Counting(lambda images: images.mean((1, 2))).classifier()
        explainer = made(name, classifier, batch_size=50, **{parameter: count})
        explainer.explain(picture, 0)
        tracemalloc.start()
        explainer.explain(picture, 0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    stack = 1800 * picture.size * 4
    assert peaks[1] - peaks[0] < stack / 5


# -- black boxes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ASKING)
def test_a_black_box_gives_the_networks_map(name, classifier, picture):
    box = Counting(lambda images: classifier.predict(images))
    found = made(name, box.classifier()).explain(picture, "dog")
    expected = made(name, classifier).explain(picture, "dog")
    assert box.calls > 0
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", OF_NETWORK)
def test_a_black_box_is_refused_where_the_network_is_needed(name):
    box = Counting()
    with pytest.raises(ExplainerError, match="black box") as caught:
        made(name, box.classifier())
    assert "\n" not in str(caught.value)
    assert box.calls == 0


# -- the network stays as it is -------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_left_unchanged(name, picture):
    classifier = Classifier.from_keras(network(seed=2), labels=LABELS[3], preprocess="unit")
    before, scores = classifier.fingerprint(), classifier.predict(picture[None])
    trainable = [layer.trainable for layer in classifier.model.layers]
    made(name, classifier).explain(picture, "dog")
    assert classifier.fingerprint() == before
    assert [layer.trainable for layer in classifier.model.layers] == trainable
    np.testing.assert_array_equal(classifier.predict(picture[None]), scores)


# -- unusable input -------------------------------------------------------------------------------

GOOD = np.full((20, 28, 3), 99.0)


@pytest.mark.parametrize(
    ("image", "target", "message"),
    [
        (GOOD[:, :20], 0, "the classifier takes"),
        (GOOD[..., 0], 0, "expected one image"),
        (GOOD[..., :2], 0, "1 or 3 channels"),
        (GOOD[None], 0, "expected one image"),
        (GOOD / 255 + np.eye(20, 28)[..., None] / 2, 0, "as if scaled to 0..1"),
        (np.where(GOOD > 0, np.nan, 0), 0, "NaN"),
        (GOOD * 3, 0, "expected 0..255"),
        (-GOOD, 0, "expected 0..255"),
        (GOOD.astype(str), 0, "expected numbers"),
        (GOOD, "cow", "no label 'cow'"),
        (GOOD, 3, "no output 3"),
        (GOOD, -1, "no output -1"),
        (GOOD, True, "a label or an index"),
        (GOOD, [], "is empty"),
        (GOOD, ["dog", "cow"], "no label 'cow'"),
    ],
)
def test_images_and_targets_are_checked_before_any_prediction(image, target, message):
    """By the call itself, not by its first step."""
    box = Counting()
    for name in METHODS:
        classifier = classifier_of(MAIN) if name in OF_NETWORK else box.classifier((20, 28, 3))
        explainer = made(name, classifier)
        with pytest.raises(ExplainerError, match=message) as caught:
            explainer.iter_explain(image, target)
        assert "\n" not in str(caught.value)
    assert box.calls == 0
    # The counterpart: what is refused is the fault, not the method.
    made(METHODS[0], classifier_of(MAIN)).iter_explain(GOOD, 0)


@pytest.mark.parametrize("size", [0, -1, 2.5, "8", None, True, 10**9])
def test_odd_batch_sizes(size, classifier):
    for name in METHODS:
        with pytest.raises(ExplainerError, match=r"[Bb]atch.size"):
            made(name, classifier, batch_size=size)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda images: np.zeros((len(images), 2)), r"returned float64 \(\d+, 2\)"),
        (lambda images: np.zeros(len(images)), "returned"),
        (lambda images: np.zeros((1 + len(images), 3)), "returned"),
        (lambda images: np.full((len(images), 3), np.nan), "not finite"),
        (lambda images: [["a"] * 3] * len(images), "returned"),
        (lambda images: None, "returned"),
    ],
)
def test_a_black_box_that_answers_wrongly_is_asked_once(answer, message, picture):
    for name in ASKING:
        box = Counting(answer)
        explainer = made(name, box.classifier())
        with pytest.raises(ExplainerError, match=message):
            explainer.explain(picture, "dog")
        assert box.calls == 1, name


@pytest.mark.parametrize("name", METHODS)
def test_odd_parameters_are_taken_or_refused_in_one_sentence(name, classifier, picture):
    """Whatever a spec or a command line can hold; refused before the first prediction."""
    box = Counting()
    asked = classifier if name in OF_NETWORK else box.classifier()
    for parameter in parameters(name):
        refused = 0
        for value in (None, "x", "", [], {"x": 1}, [1, "x"], -1, 0, 1.5, 1e30, 10**400, True):
            reason = refusal(name, asked, picture, **{parameter: value})
            if reason:
                assert "\n" not in reason
                assert parameter.split("_")[0] in reason.lower()
                refused += 1
        assert refused > 5, parameter
    assert box.calls == 0


@pytest.mark.parametrize("name", METHODS)
def test_unknown_parameters_are_named(name, classifier):
    with pytest.raises(ExplainerError, match=f"{name} has no parameter 'size'; it has "):
        create(name, classifier, size=3)


def test_a_network_without_a_convolution(picture):
    """Refused when the method is made where it is needed, served by the others."""
    model = keras.Sequential(
        [keras.Input((20, 28, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    )
    dense = Classifier.from_keras(model, labels=LABELS[3], preprocess="unit")
    refused = set()
    for name in METHODS:
        reason = refusal(name, dense, picture)
        if reason:
            assert "convolution" in reason
            refused.add(name)
        else:
            assert made(name, dense).explain(picture, "dog").shape[-2:] == (20, 28)
    assert refused == {"grad-cam", "fem"}


# What these read of a network knows nothing of its last bias.
WITHOUT_LAST_BIAS = ("edges", "fem", "grad-cam", "mwp", "c-mwp")


# -- networks and limits that used to hang or to draw nonsense ----------------------------------


@pytest.mark.parametrize("name", [n for n in METHODS if n not in WITHOUT_LAST_BIAS])
def test_a_network_that_gives_nan_is_refused(name):
    """H2O's rounds never ended on it, and occlusion took NaN for "not predicted yet"."""
    image = keras.Input((20, 20, 3))
    features = keras.layers.Conv2D(3, 3, activation="relu")(image)
    means = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, keras.layers.Dense(2, "sigmoid")(means))
    *others, bias = model.get_weights()
    model.set_weights([*others, np.full_like(bias, np.nan)])
    broken = Classifier.from_keras(model, labels=["a", "b"])
    picture = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    with pytest.raises(ExplainerError, match=r"The network gives \w+ that are NaN or infinite"):
        create(name, broken, **cheap(name)).explain(picture, "a")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("rise", {"masks": 10**6, "grid": 60}, "cells; expected at most 1000000000"),
        ("lime", {"max_dist": 0}, "superpixels; expected at most 4096"),
        ("h2o", {"k": 10, "z": 16, "min_pixels": 40}, "more predictions than the 10000000"),
        ("gradient", {"dilations": 10**9}, "dilations is 1000000000; expected 0 to 1000"),
    ],
)
def test_more_than_a_machine_holds_is_refused_before_any_prediction(name, settings, message):
    picture = np.random.default_rng(0).integers(0, 256, (70, 70, 3)).astype(np.uint8)
    image = keras.Input((70, 70, 3))
    means = keras.layers.GlobalAveragePooling2D()(image)
    model = keras.Model(image, keras.layers.Dense(2, "sigmoid")(means))
    with pytest.raises(ExplainerError, match=message):
        next(
            create(name, Classifier.from_keras(model, labels=["a", "b"]), **settings).iter_explain(
                picture, "a"
            )
        )
