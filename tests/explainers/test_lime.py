import tracemalloc
from collections import deque

import numpy as np
import pytest

from explainers import ALL, Classifier, ExplainerError
from explainers.lime import Lime, coefficients, draw, sample_weights, standard_errors

RANDOM = np.random.default_rng(8)
IMAGE = RANDOM.integers(0, 256, (12, 15, 3)).astype(np.float32)
TILES = np.arange(12)[:, None] // 4 * 10 + np.arange(15) // 3  # 15 superpixels, numbered with gaps
PLAIN = {"kernel_width": 0.25, "alpha": 1.0}


def tiles(image):
    return TILES


@pytest.fixture
def linear(black_box):
    """Two linear scores in double precision, and their weights."""
    weights = np.random.default_rng(5).normal(size=(2, 12, 15, 3))

    def function(images):
        return np.einsum("nhwc,khwc->nk", images.astype(np.float64), weights)

    return black_box(function, 2), weights


@pytest.fixture
def curved(black_box):
    """Two sigmoids far from linear."""
    weights = np.random.default_rng(6).normal(size=(12 * 15 * 3, 2))

    def function(images):
        return 1 / (1 + np.exp(-images.reshape(len(images), -1).astype(np.float64) @ weights / 300))

    return black_box(function, 2)


def finished(explainer, image, target=ALL):
    """The last Partial."""
    return deque(explainer.iter_explain(image, target), maxlen=1).pop()


# -- known answers --------------------------------------------------------------------------------


def test_on_a_linear_model_it_recovers_the_weights(linear):
    """Closed form: a superpixel's effect is the sum of w * (x - mean colour) over its pixels."""
    classifier, weights = linear
    expected = np.zeros((2, 12, 15))
    for tile in np.unique(TILES):
        inside = tile == TILES
        change = IMAGE[inside].astype(np.float64) - IMAGE[inside].mean(0, dtype=np.float64)
        expected[:, inside] = np.einsum("pc,kpc->k", change, weights[:, inside])[:, None]
    found = finished(Lime(classifier, alpha=0.0, samples=60, segmenter=tiles), IMAGE)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.heatmap, expected, rtol=1e-4, atol=1e-5 * scale)
    assert found.standard_error.max() < 1e-4 * scale  # nothing is left to chance
    # The control: with a penalty the coefficients are smaller.
    shrunk = Lime(classifier, alpha=10.0, samples=60, segmenter=tiles).explain(IMAGE, ALL)
    assert np.abs(shrunk).sum() < 0.95 * np.abs(expected).sum()


def test_sample_weights_by_hand():
    """1 of 4 kept: D = 1 - 1/2; the root of exp(-(1/2)^2 / (1/4)^2) = exp(-4)."""
    kept = np.array([[1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]], bool)
    expected = [1, np.exp(-2), np.exp(-8)]  # none kept: D = 1
    np.testing.assert_allclose(sample_weights(kept, 0.25), expected)
    np.testing.assert_allclose(sample_weights(kept, 0.5), np.array(expected) ** 0.25)


def test_two_superpixels_by_hand():
    """Samples 11, 10, 01 with scores 1, 0.6, 0.5 lie on intercept 0.1, weights 0.5 and 0.4."""
    kept = np.array([[1, 1], [1, 0], [0, 1]], bool)
    scores = np.array([[1.0], [0.6], [0.5]])
    found = coefficients(kept, scores, alpha=0.0, kernel_width=0.25)
    np.testing.assert_allclose(found, [[0.5], [0.4]])


def problem(samples=40, superpixels=7, targets=3):
    random = np.random.default_rng(4)
    kept = draw(9, samples, superpixels)
    return kept, random.normal(size=(samples, targets)) + kept @ random.normal(size=(7, targets))


@pytest.mark.parametrize("alpha", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("kernel_width", [0.1, 0.25, 5.0])
def test_coefficients_solve_the_weighted_ridge_problem(alpha, kernel_width):
    """Against one least-squares problem: an explicit intercept, and rows for the penalty."""
    kept, scores = problem()
    root = np.exp(-((1 - np.sqrt(kept.mean(1))) ** 2) / kernel_width**2) ** 0.25
    design = np.column_stack([kept * root[:, None], root])
    penalty = np.sqrt(alpha) * np.eye(7, 8)
    expected, *_ = np.linalg.lstsq(
        np.vstack([design, penalty]), np.vstack([scores * root[:, None], np.zeros((7, 3))])
    )
    found = coefficients(kept, scores, alpha=alpha, kernel_width=kernel_width)
    np.testing.assert_allclose(found, expected[:7], rtol=1e-8, atol=1e-10)


def test_coefficients_are_those_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    kept, scores = problem()
    reference = linear_model.Ridge(alpha=1.0, fit_intercept=True)
    reference.fit(kept, scores, sample_weight=sample_weights(kept, 0.25))
    np.testing.assert_allclose(coefficients(kept, scores, **PLAIN), reference.coef_.T, rtol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_fewer_samples_than_superpixels(alpha):
    """Solvable all the same; how sure it is cannot be told."""
    kept, scores = problem(samples=5)
    found = coefficients(kept, scores, alpha=alpha, kernel_width=0.25)
    assert np.isfinite(found).all()
    if alpha == 0:  # it fits all of them, with an intercept
        rest = scores - kept @ found
        np.testing.assert_allclose(rest, rest[:1].repeat(5, 0), atol=1e-8)
    assert np.isnan(standard_errors(kept, scores, alpha=alpha, kernel_width=0.25)).all()
    assert np.isfinite(standard_errors(*problem(samples=9), **PLAIN)).all()


def test_standard_errors_are_the_spread_over_samples():
    """Of a score that is no linear function, over 300 draws of the samples."""
    effects = np.random.default_rng(2).normal(size=(10, 2))

    def score(kept):
        x = kept @ effects
        return np.column_stack([np.tanh(x[:, 0]), x[:, 1] ** 2])

    found, errors = [], []
    for seed in range(300):
        kept = draw(seed, 400, 10)
        found.append(coefficients(kept, score(kept), **PLAIN))
        errors.append(standard_errors(kept, score(kept), **PLAIN))
    spread, told = np.std(found, axis=0, ddof=1), np.mean(errors, axis=0)
    np.testing.assert_allclose(told / spread, 1, atol=0.2)  # 300 draws: the spread is +- 4 %
    assert np.mean(told / spread) == pytest.approx(1, abs=0.06)


# -- samples --------------------------------------------------------------------------------------


def test_samples():
    kept = draw(3, 4000, 12)
    assert kept[0].all()
    np.testing.assert_allclose(kept.mean(0), 0.5, atol=4 * 0.5 / 4000**0.5)
    assert (draw(3, 4000, 12) == kept).all()
    assert (draw(4, 4000, 12) != kept).any()


def test_what_is_shown(black_box):
    """The image itself first; in the other samples, superpixels as they are or in their mean."""
    shown = []

    def function(images):
        shown.append(images.copy())
        return images.mean((1, 2))

    settings = {"samples": 50, "segmenter": tiles, "batch_size": 20}
    Lime(black_box(function, 3), **settings).explain(IMAGE, 0)
    images = np.concatenate(shown)[:50]
    np.testing.assert_array_equal(images[0], IMAGE)
    replaced = 0
    for image in images:
        for tile in np.unique(TILES):
            inside = tile == TILES
            if (image[inside] != IMAGE[inside]).any():
                mean = IMAGE[inside].mean(0, dtype=np.float64)
                np.testing.assert_allclose(image[inside], np.tile(mean, (12, 1)), rtol=1e-6)
                replaced += 1
    assert replaced == (~draw(0, 50, 15)).sum()


# -- the contract ---------------------------------------------------------------------------------


def test_the_map_has_one_value_per_superpixel(curved):
    found = Lime(curved, samples=100, segmenter=tiles).explain(IMAGE, 1)
    values = {tile: set(found[tile == TILES].tolist()) for tile in np.unique(TILES)}
    assert all(len(one) == 1 for one in values.values())
    assert len(set.union(*values.values())) == 15
    assert found.min() < 0 < found.max()  # the sign is kept


def test_targets_come_from_the_same_predictions(curved):
    explainer = Lime(curved, samples=80, segmenter=tiles)
    both = explainer.explain(IMAGE, ALL)
    for index in range(2):
        np.testing.assert_array_equal(explainer.explain(IMAGE, index), both[index])
    assert (both[0] != both[1]).any()


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_changes_nothing(curved, batch_size):
    settings = {"samples": 90, "segmenter": tiles}
    reference = Lime(curved, **settings, batch_size=1000).explain(IMAGE, ALL)
    found = Lime(curved, **settings, batch_size=batch_size).explain(IMAGE, ALL)
    np.testing.assert_allclose(found, reference, atol=1e-6)


def test_partial_maps_are_those_of_fewer_samples(curved):
    explainer = Lime(curved, samples=70, segmenter=tiles, batch_size=30)
    steps = [
        (step.done, step.total, step.heatmap, step.standard_error)
        for step in explainer.iter_explain(IMAGE, 0)
    ]
    assert [done for done, *_ in steps] == [30, 60, 70]
    assert {total for _, total, *_ in steps} == {70}
    fewer = finished(Lime(curved, samples=30, segmenter=tiles), IMAGE, 0)
    np.testing.assert_allclose(steps[0][2], fewer.heatmap, atol=1e-6)
    np.testing.assert_allclose(steps[0][3], fewer.standard_error, atol=1e-6)
    assert steps[-1][3].mean() < steps[0][3].mean()
    first = next(
        iter(Lime(curved, samples=70, segmenter=tiles, batch_size=10).iter_explain(IMAGE, 0))
    )
    assert np.isfinite(first.heatmap).all()
    assert np.isnan(first.standard_error).all()


def test_the_seed_decides_which_samples(curved):
    settings = {"samples": 60, "segmenter": tiles}
    first = Lime(curved, **settings, seed=1).explain(IMAGE, 0)
    assert (Lime(curved, **settings, seed=1).explain(IMAGE, 0) == first).all()
    assert (Lime(curved, **settings, seed=2).explain(IMAGE, 0) != first).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_quickshift_superpixels_of_colour_and_of_grey(black_box, channels):
    """A bright corner and a score that sees nothing else."""
    image = np.full((20, 24, channels), 30.0)
    image[:8, :8] = 220
    image += np.random.default_rng(1).integers(-9, 10, image.shape)
    box = black_box(lambda images: images[:, 2:6, 2:6].std((1, 2, 3))[:, None] / 255)
    found = Lime(box, samples=200, kernel_size=1, max_dist=10).explain(image, 0)
    assert np.unique(found).size > 3
    assert found[2:6, 2:6].mean() > 10 * np.abs(found[10:]).mean()


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 2, 1), (9, 8, 3)])
def test_constant_and_tiny_images(black_box, shape):
    """Every superpixel is its mean already: nothing changes."""
    box = black_box(lambda images: images.mean((1, 2, 3))[:, None] / 255)
    found = finished(Lime(box, samples=20), np.full(shape, 80.0), 0)
    np.testing.assert_allclose(found.heatmap, np.zeros(shape[:2]), atol=1e-7)


def test_images_with_about_as_many_superpixels_share_a_graph(network):
    classifier = Classifier.from_keras(network, labels=None, preprocess="unit")

    def graphs(count):
        rows = (np.arange(24) * count // 24)[:, None].repeat(24, 1)
        image = RANDOM.integers(0, 256, (24, 24, 3))
        Lime(classifier, samples=10, segmenter=lambda _: rows).explain(image, 0)
        return len(classifier._graphs)

    first = graphs(1)
    assert [graphs(7), graphs(16)] == [first] * 2
    assert graphs(24) == first + 1  # it needs a wider one: the count does count


def test_memory_grows_with_the_batch_alone(black_box):
    box = black_box(lambda images: images.mean((1, 2, 3))[:, None])
    image = RANDOM.integers(0, 256, (96, 96, 3))
    halves = (np.arange(96) // 48)[:, None].repeat(96, 1)
    explainer = Lime(box, samples=2000, segmenter=lambda _: halves, batch_size=16)
    explainer.explain(image, 0)  # trace first
    tracemalloc.start()
    try:
        explainer.explain(image, 0)
        assert tracemalloc.get_traced_memory()[1] < 2000 * image.size * 4 / 40
    finally:
        tracemalloc.stop()


# -- unusable input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, "samples is 0; expected 2 to 1000000"),
        ({"samples": 1}, "samples is 1"),
        ({"samples": 10.0}, "samples is 10.0; expected a whole number"),
        ({"kernel_width": 0}, "kernel_width is 0; expected a number from 0.001"),
        ({"kernel_width": float("nan")}, "kernel_width is nan"),
        ({"alpha": -1}, "alpha is -1; expected a number from 0"),
        ({"kernel_size": 0.5}, "kernel_size is 0.5; expected a number from 1"),
        ({"max_dist": -1}, "max_dist is -1"),
        ({"ratio": 1.5}, "ratio is 1.5; expected a number from 0 to 1"),
        ({"segmenter": 4}, "segmenter is 4; expected a function or None"),
        ({"seed": 1.5}, "seed is 1.5; expected a whole number"),
    ],
)
def test_unusable_hyper_parameters(curved, settings, message):
    with pytest.raises(ExplainerError, match=message):
        Lime(curved, **settings)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((15, 12), int), r"of shape \(15, 12\); .* of shape \(12, 15\)"),
        (np.full((12, 15), np.nan), "returned float64"),
        (np.full((12, 15), -2), "returned the label -2"),
        (None, "returned object"),
    ],
)
def test_a_segmenter_that_returns_no_labels_is_refused_before_any_prediction(
    black_box, labels, message
):
    box = black_box(lambda images: 1 / 0)
    with pytest.raises(ExplainerError, match=message):
        Lime(box, segmenter=lambda image: labels).explain(IMAGE, 0)
