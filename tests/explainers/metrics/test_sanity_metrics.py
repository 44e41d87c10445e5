"""The sanity checks on networks whose maps one can work out."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from explainers import Classifier, Explainer, ExplainerError, Occlusion, Partial, create, registry
from explainers.metrics import Reason, Undefined
from explainers.metrics.sanity import (
    Likeness,
    Step,
    cascade,
    cascading_constant,
    cascading_mean,
    cascading_randomisation,
    likeness,
    random_logit,
    randomised,
)

from ..methods import cheap

MAP = np.random.default_rng(0).normal(size=(12, 10))


class Brightness(Explainer):
    """A map of the image that knows nothing of the network."""

    def _steps(self, image, targets):
        yield Partial(1, 1, lambda: np.repeat(image.mean(-1)[None], len(targets), axis=0))


def ranks(values):
    return np.argsort(np.argsort(values.ravel()))


def spearman(one, other):
    """For values without ties: 1 - 6 * sum of squared rank differences / (n^3 - n)."""
    n = one.size
    return 1 - 6 * np.square(ranks(one) - ranks(other)).sum() / (n**3 - n)


# -- likeness ----------------------------------------------------------------------------------


def test_the_same_map_a_scaled_one_and_the_reversed_one():
    same, scaled, reversed_ = (likeness(MAP, other) for other in (MAP, 3 * MAP + 1, -MAP))
    assert same.spearman == pytest.approx(1)
    assert same.spearman_absolute == pytest.approx(1)
    assert same.ssim == pytest.approx(1)
    assert scaled.spearman == pytest.approx(1)
    assert scaled.ssim == pytest.approx(1)
    assert reversed_.spearman == pytest.approx(-1)
    assert reversed_.spearman_absolute == pytest.approx(1)
    assert reversed_.ssim < -0.5


def test_spearman_by_its_formula():
    other = np.random.default_rng(1).normal(size=MAP.shape) + MAP
    found = likeness(MAP, other)
    assert found.spearman == pytest.approx(spearman(MAP, other))
    assert found.spearman_absolute == pytest.approx(spearman(np.abs(MAP), np.abs(other)))
    assert 0.3 < found.spearman < 0.9


def test_a_constant_map_is_like_nothing():
    constant = np.full(MAP.shape, 2.0)
    for found in (likeness(MAP, constant), likeness(constant, MAP), likeness(constant, constant)):
        assert found.spearman is found.ssim is Reason.CONSTANT_MAP
    signs = likeness(np.sign(MAP), MAP)  # constant only without its signs
    assert signs.spearman > 0.7
    assert signs.spearman_absolute is Reason.CONSTANT_MAP


@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        (MAP, MAP[:, :9], "The heatmap has 12 x 9 values, the image 12 x 10"),
        (MAP, np.full(MAP.shape, np.nan), "NaN"),
    ],
)
def test_unusable_maps(one, other, sentence):
    with pytest.raises(ExplainerError, match=sentence):
        likeness(one, other)


def test_small_maps_have_ranks_but_no_structure():
    found = likeness(MAP[:6], 2 * MAP[:6])
    assert found.spearman == pytest.approx(1)
    assert found.ssim is Reason.SMALL_MAP
    assert likeness(MAP[:7], MAP[:7]).ssim == pytest.approx(1)  # the control: 7 rows are enough


# -- cascading randomisation -------------------------------------------------------------------


@pytest.fixture
def deep(make_network):
    """A convolution before a nested model of two convolutions and a dense layer."""
    import keras

    inside = make_network(size=22, channels=3, seed=2)
    network = keras.Sequential(
        [keras.Input((24, 24, 3)), keras.layers.Conv2D(3, 3, name="first"), inside]
    )
    return Classifier.from_keras(network, labels=["cat", "dog", "horse"], preprocess="unit")


def weights_of(layer):
    return [array.copy() for array in layer.get_weights()]


def test_layers_lose_their_weights_from_the_top_and_the_network_keeps_its_own(deep):
    before = weights_of(deep.model)
    first, inside = deep.model.layers
    names = [layer.name for layer in (first, *inside.layers) if layer.weights]
    steps = []
    for name, redrawn in cascade(deep, seed=3):
        assert redrawn.labels == deep.labels
        steps.append((name, weights_of(redrawn.model)))
    assert [name for name, _ in steps] == names[::-1]
    for done, (_, found) in enumerate(steps, start=1):
        below = len(before) - 2 * done  # a kernel and a bias each
        for number, (array, own) in enumerate(zip(found, before, strict=True)):
            same = np.array_equal(array, own)
            assert same == (number < below or own.ndim == 1)  # biases are 0 all over
    for array, own in zip(deep.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, own)


def test_layers_become_as_before_training():
    """Kernels of variance 2 / inputs, no bias, batch normalisation that changes nothing."""
    import keras

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((9, 9, 3)),
            layers.Conv2D(64, 3, name="convolution"),
            layers.BatchNormalization(name="normalisation"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.SeparableConv2D(32, 3, name="separable"),
            layers.Flatten(),
            layers.Dense(40, name="dense"),
        ]
    )
    generator = np.random.default_rng(0)
    for variable in network.weights:
        variable.assign(generator.uniform(2, 3, variable.shape))
    *_, (name, randomised) = cascade(Classifier.from_keras(network, labels=None))
    assert name == "convolution"
    found = {
        (layer.name, variable.name): variable.numpy()
        for layer in randomised.model.layers
        for variable in layer.weights
    }
    inputs = {
        ("convolution", "kernel"): 27,
        ("depthwise", "kernel"): 9,
        ("separable", "depthwise_kernel"): 9,
        ("separable", "pointwise_kernel"): 64,
        ("dense", "kernel"): 32 * 9,
    }
    for key, array in found.items():
        if key in inputs:
            error = 1 / np.sqrt(2 * array.size)
            assert array.std() == pytest.approx(np.sqrt(2 / inputs[key]), rel=4 * error)
            assert abs(array.mean()) < 4 * array.std() / np.sqrt(array.size)
        else:
            wanted = 1 if key[1] in ("gamma", "moving_variance") else 0
            assert (array == wanted).all(), key
    assert len(found) == len(inputs) + 4 + 4  # the normalisation's, and the biases


def test_the_seed_decides(deep):
    def last(seed):
        *_, (_, redrawn) = cascade(deep, seed=seed)
        return weights_of(redrawn.model)

    one, same, other = last(1), last(1), last(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_randomised_network_is_where_the_cascade_ends(deep):
    before = weights_of(deep.model)
    *_, (_, last) = cascade(deep, seed=3)
    found = weights_of(randomised(deep, seed=3).model)
    assert all(map(np.array_equal, found, weights_of(last.model)))
    # The controls: it is another network, and the one given stays as it was.
    assert not all(map(np.array_equal, found, before))
    assert all(map(np.array_equal, weights_of(deep.model), before))


def test_a_black_box_has_no_weights_to_lose(black_box):
    with pytest.raises(ExplainerError, match="Randomising weights needs the network itself"):
        next(cascade(black_box(lambda x: x[:, 0, 0, :1])))


@pytest.mark.parametrize("name", registry.available())
def test_methods_see_the_randomised_weights(classifier, picture, name):
    """One classifier serves all steps; its maps are those of one made anew from its network."""
    for _, redrawn in cascade(classifier):
        anew = Classifier.from_keras(redrawn.model, labels=classifier.labels, preprocess="unit")
        maps = [create(name, one, **cheap(name)).explain(picture, "dog") for one in (redrawn, anew)]
        np.testing.assert_allclose(*maps, rtol=1e-4, atol=1e-6)


def linear(weights):
    """Sums of weights times pixels, one per class."""
    import keras

    height, width, classes = weights.shape
    dense = keras.layers.Dense(classes)
    network = keras.Sequential([keras.Input((height, width, 1)), keras.layers.Flatten(), dense])
    dense.set_weights([weights.reshape(-1, classes), np.zeros(classes)])
    return Classifier.from_keras(network, labels=None)


def pixels(classifier):
    return Occlusion(classifier, box=1, fill="black")


def test_cascading_randomisation_by_hand():
    """Occlusion by single pixels is weight times pixel, before and after."""
    weights = np.random.default_rng(5).normal(size=(8, 9, 2)).astype(np.float32)
    image = np.random.default_rng(6).integers(50, 200, (8, 9, 1)).astype(np.float32)
    classifier = linear(weights)
    ((name, randomised),) = cascade(classifier, seed=4)
    drawn = randomised.model.get_weights()[0].reshape(weights.shape)
    wanted = spearman(weights[..., 1] * image[..., 0], drawn[..., 1] * image[..., 0])
    (step,) = cascading_randomisation(classifier, pixels, image, 1, seed=4)
    assert step.layer == name
    assert step.likeness.spearman == pytest.approx(wanted, abs=1e-3)
    assert cascading_mean([step]) == pytest.approx(wanted, abs=1e-3)
    assert abs(wanted) < 0.35


def test_cascading_randomisation_of_a_small_map():
    """Ranks need no window: 4 x 5 pixels."""
    weights = np.random.default_rng(5).normal(size=(4, 5, 2)).astype(np.float32)
    image = np.full((4, 5, 1), 100.0)
    steps = list(cascading_randomisation(linear(weights), pixels, image, 1))
    assert np.isfinite(cascading_mean(steps))
    assert steps[0].likeness.ssim is Reason.SMALL_MAP


def steps_of(*correlations):
    return [Step("layer", Likeness(one, one, one)) for one in correlations]


def test_layers_with_a_constant_map_are_counted_beside_the_mean():
    """Two of four layers count: (.5 + .1) / 2."""
    constant = Reason.CONSTANT_MAP
    steps = steps_of(0.5, constant, 0.1, constant)
    assert cascading_mean(steps) == pytest.approx(0.3)
    assert cascading_constant(steps) == 0.5
    assert cascading_constant(steps_of(0.5, 0.1)) == 0
    for score in (cascading_mean, cascading_constant):
        with pytest.raises(Undefined):
            score(steps_of(constant, constant))


def test_a_map_of_the_image_stays_and_one_of_the_network_changes(classifier, picture):
    stays = list(cascading_randomisation(classifier, Brightness, picture, "dog"))
    assert len(stays) == 3
    assert all(step.likeness.spearman == pytest.approx(1) for step in stays)
    assert all(step.likeness.ssim == pytest.approx(1) for step in stays)
    occluded = cascading_randomisation(classifier, lambda c: Occlusion(c, box=4), picture, "dog")
    assert cascading_mean(list(occluded)) < 0.8 * cascading_mean(stays)


def test_a_constant_map_is_counted(classifier):
    flat = np.full((24, 24, 3), 7.0)
    steps = list(cascading_randomisation(classifier, Brightness, flat, "dog"))
    with pytest.raises(Undefined) as caught:
        cascading_mean(steps)
    assert caught.value.reason is Reason.CONSTANT_MAP


# -- random logit ------------------------------------------------------------------------------


def test_random_logit_by_hand():
    """The other class has the reversed weights: SSIM of w, scaled to 0..1, with 1 - w."""
    weights = np.random.default_rng(7).normal(size=(9, 9)).astype(np.float32)
    classifier = linear(np.stack([weights, -weights], axis=-1))
    found = random_logit(pixels(classifier), np.full((9, 9, 1), 100.0), 0)
    scaled = (weights - weights.min()) / np.ptp(weights)
    wanted = structural_similarity(scaled, 1 - scaled, data_range=1.0, win_size=7)
    assert found == pytest.approx(wanted, abs=1e-3)
    assert wanted < -0.5


def test_a_map_that_does_not_know_the_class_is_the_same(classifier, picture):
    assert random_logit(Brightness(classifier), picture, "dog") == pytest.approx(1)
    assert random_logit(Occlusion(classifier, box=4), picture, "dog") < 0.95


def test_the_other_class_follows_the_seed():
    """Class 1 has class 0's weights, class 2 the reversed: 1 or below -0.5."""
    weights = np.random.default_rng(7).normal(size=(9, 9)).astype(np.float32)
    explainer = pixels(linear(np.stack([weights, weights, -weights], axis=-1)))
    image = np.full((9, 9, 1), 100.0)
    found = [random_logit(explainer, image, 0, seed=seed) for seed in range(8)]
    assert found == [random_logit(explainer, image, 0, seed=seed) for seed in range(8)]
    assert {value > 0 for value in found} == {True, False}
    assert max(found) == pytest.approx(1)


def test_one_class_has_no_other(black_box):
    one = black_box(lambda x: x[:, 0, 0, :1])
    with pytest.raises(ExplainerError, match="needs a second class"):
        random_logit(pixels(one), np.zeros((8, 8, 1)), 0)


def test_small_maps_have_no_random_logit():
    weights = np.random.default_rng(7).normal(size=(6, 9, 2)).astype(np.float32)
    with pytest.raises(Undefined) as caught:
        random_logit(pixels(linear(weights)), np.full((6, 9, 1), 100.0), 0)
    assert caught.value.reason is Reason.SMALL_MAP


def test_constant_maps_have_no_random_logit(black_box):
    flat = black_box(lambda x: np.zeros((len(x), 2)), 2)
    with pytest.raises(Undefined) as caught:
        random_logit(pixels(flat), np.full((8, 8, 1), 9.0), 0)
    assert caught.value.reason is Reason.CONSTANT_MAP
