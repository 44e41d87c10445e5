import dataclasses

import numpy as np
import pytest

from explainers import Classifier, ExplainerError
from explainers.metrics import Reason, Undefined
from explainers.metrics.curves import (
    Curve,
    blurred,
    deletion_curve,
    distance,
    insertion_curve,
    trapezoid,
)

CURVES = {"deletion": deletion_curve, "insertion": insertion_curve}
both = pytest.mark.parametrize("kind", CURVES)


@pytest.fixture
def never(black_box):
    """A black box that must not be asked."""

    def function(images):
        raise AssertionError("a prediction was made")

    return black_box(function)


@pytest.fixture
def recorder(black_box):
    """A black box and the images it has seen, batch by batch."""
    seen = []

    def function(images):
        seen.append(images.copy())
        return images.mean((1, 2, 3), dtype=np.float64)[:, None] / 255

    return black_box(function), seen


def naive_images(kind, image, heatmap, steps):
    """The images of a curve one by one: sort, round half up, copy pixel after pixel."""
    image = np.asarray(image, np.float32)
    before = image if kind == "deletion" else blurred(image, kernel=11, sigma=5.0)
    after = np.zeros_like(image) if kind == "deletion" else image
    places = sorted(np.ndindex(heatmap.shape), key=lambda place: -heatmap[place])
    images = []
    for step in range(steps + 1):
        changed = before.copy()
        for place in places[: int(np.floor(step * heatmap.size / steps + 0.5))]:
            changed[place] = after[place]
        images.append(changed)
    return np.stack(images)


# -- the images ----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("shape", "steps"),
    [((4, 7, 3), 28), ((4, 7, 3), 5), ((7, 4, 1), 9), ((3, 3, 1), 1), ((1, 6, 3), 4)],
)
def test_the_images_are_those_of_a_naive_loop(recorder, kind, shape, steps):
    rng = np.random.default_rng(steps)
    image = rng.integers(0, 256, shape).astype(np.uint8)
    heatmap = rng.normal(size=shape[:2])
    box, seen = recorder
    CURVES[kind](box, image, heatmap, steps=steps, batch_size=64)
    (images,) = seen
    np.testing.assert_array_equal(images, naive_images(kind, image, heatmap, steps))


@both
def test_the_scores_of_a_network_are_those_of_the_naive_images(classifier, picture, kind):
    heatmap = np.random.default_rng(1).normal(size=(24, 24)).astype(np.float32)
    curve = CURVES[kind](classifier, picture, heatmap, steps=50, batch_size=16)
    expected = classifier.predict(naive_images(kind, picture, heatmap, 50))
    np.testing.assert_allclose(curve.scores, expected, atol=1e-6)
    np.testing.assert_allclose(curve.original, classifier.predict(picture[None])[0], atol=1e-6)
    assert np.ptp(curve.scores, axis=0).min() > 1e-4  # the network does see the difference


def test_steps_are_equal_and_their_edges_rounded_half_up(recorder):
    """Six pixels in four steps: 0, 1.5, 3, 4.5, 6 -> 0, 2, 3, 5, 6."""
    heatmap = np.arange(6.0).reshape(2, 3)
    curve = deletion_curve(recorder[0], np.full((2, 3, 1), 90), heatmap, steps=4)
    np.testing.assert_array_equal(curve.fractions * 6, [0, 2, 3, 5, 6])
    # Scaled: 1, .8, .6, .4, .2, 0; summed over the first 0, 2, 3, 5, 6 of them.
    np.testing.assert_allclose(curve.saliency, [0, 1.8, 2.4, 3, 3], atol=1e-12)
    # 90/255 of the mean for each pixel that is left.
    np.testing.assert_allclose(curve.scores[:, 0], np.array([6, 4, 3, 1, 0]) / 6 * 90 / 255)


def test_the_curve_says_how_it_was_made(recorder):
    image, heatmap = np.full((16, 14, 1), 90), np.arange(224.0).reshape(16, 14)
    curve = deletion_curve(recorder[0], image, heatmap, seed=3)
    assert (curve.kind, curve.steps, curve.seed, curve.base) == ("deletion", 224, 3, "black")
    assert curve.scores.shape == (225, 1)
    built = insertion_curve(recorder[0], image, heatmap, steps=7)
    assert (built.kind, built.steps, built.seed) == ("insertion", 7, 0)
    assert built.base == "blurred (Gaussian 11 x 11, sigma 5)"


def test_the_original_is_at_the_start_of_deletion_and_the_end_of_insertion(recorder):
    image, heatmap = np.array([[[0], [100]]]), np.array([[1.0, 2.0]])
    deleted = deletion_curve(recorder[0], image, heatmap, steps=2)
    built = insertion_curve(recorder[0], image, heatmap, steps=2)
    np.testing.assert_allclose(deleted.original, [50 / 255])
    np.testing.assert_allclose(built.original, [50 / 255])
    assert deleted.distances[0] == built.distances[-1] == 0


# -- cost ----------------------------------------------------------------------------------------


def test_one_prediction_per_step_and_the_last_batch_nearly_full(recorder):
    """225 images in batches of at most 64: four of 57, so that 3 images are padding, not 31."""
    box, seen = recorder
    heatmap = np.random.default_rng(0).normal(size=(15, 15))
    deletion_curve(box, np.full((15, 15, 1), 90), heatmap, batch_size=64)
    assert [len(batch) for batch in seen] == [57] * 4


@both
@pytest.mark.parametrize("batch_size", [1, 7, 4096])
def test_batch_size_changes_rounding_only(classifier, picture, kind, batch_size):
    heatmap = np.random.default_rng(2).normal(size=(24, 24))
    reference = CURVES[kind](classifier, picture, heatmap, steps=20)
    other = CURVES[kind](classifier, picture, heatmap, steps=20, batch_size=batch_size)
    np.testing.assert_allclose(other.scores, reference.scores, atol=1e-6)
    np.testing.assert_array_equal(other.saliency, reference.saliency)


def test_both_kinds_and_all_images_share_one_trace(network, picture):
    traces = []

    def preprocess(images):
        traces.append(images.shape)
        return images / 255.0

    box = Classifier.from_keras(network, labels=["a", "b", "c"], preprocess=preprocess)
    heatmap = np.random.default_rng(3).normal(size=(24, 24))
    deletion_curve(box, picture, heatmap, steps=20)
    first = len(traces)
    deletion_curve(box, 255 - picture, -heatmap, steps=20, seed=1)
    insertion_curve(box, picture, heatmap, steps=20)
    assert len(traces) == first


# -- ties ----------------------------------------------------------------------------------------


def first_half(box_and_seen, heatmap, seed):
    """Which pixels are black halfway."""
    box, seen = box_and_seen
    seen.clear()
    deletion_curve(box, np.full((4, 6, 1), 90), heatmap, steps=2, seed=seed)
    return seen[0][1, ..., 0] == 0


def test_ties_fall_as_the_seed_says(recorder):
    heatmap = np.zeros((4, 6))
    heatmap[1, 2:4] = 1  # then 10 of the 22 others, which are tied
    halves = [first_half(recorder, heatmap, seed) for seed in (0, 0, 1)]
    assert all(half.sum() == 12 and half[1, 2:4].all() for half in halves)
    np.testing.assert_array_equal(halves[0], halves[1])
    assert (halves[0] != halves[2]).any()


def test_without_ties_the_seed_changes_nothing(recorder):
    heatmap = np.random.default_rng(4).permutation(24).reshape(4, 6)
    halves = [first_half(recorder, heatmap, seed) for seed in (0, 1)]
    np.testing.assert_array_equal(*halves)


def test_ties_are_spread_over_the_image_not_read_off_in_rows(recorder):
    """Half of a tied map goes in every row, over many seeds, as often as in any other."""
    heatmap = np.zeros((4, 6))
    heatmap[0, 0] = -1
    share = np.mean([first_half(recorder, heatmap, seed) for seed in range(200)], axis=0)
    # 12 of 23 pixels; 200 draws have a standard error of .035.
    assert np.abs(np.delete(share.ravel(), 0) - 12 / 23).max() < 4 * 0.036
    assert share[0, 0] == 0


# -- the parts -----------------------------------------------------------------------------------


def test_distance_counts_only_what_falls_weighted_by_the_score():
    """(.5 - .25) * .5 + 0 (the second rises) + (.1 - .05) * .1 = .125 + .005."""
    original = np.array([0.5, 0.25, 0.1])
    others = np.array([[0.25, 0.75, 0.05], [0.5, 0.25, 0.1], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        distance(original, others), [0.13, 0, 0.5**2 + 0.25**2 + 0.1**2], atol=1e-15
    )


def test_blur_of_one_bright_pixel_is_the_kernel():
    """Closed form: 255 * g(i) g(j) / (sum g)^2, g(i) = exp(-i^2 / 50) for |i| <= 5, else 0."""
    image = np.zeros((15, 17, 3), np.float32)
    image[7, 8, 1] = 255
    g = np.exp(-(np.arange(-5, 6) ** 2) / 50)
    expected = np.zeros((15, 17, 3))
    expected[2:13, 3:14, 1] = 255 * np.outer(g, g) / g.sum() ** 2
    np.testing.assert_allclose(blurred(image, kernel=11, sigma=5.0), expected, atol=1e-5)


def test_blur_mirrors_at_the_edges():
    """A second implementation: symmetric padding, then weighted sums."""
    image = np.random.default_rng(5).integers(0, 256, (4, 9, 1)).astype(np.float32)
    g = np.exp(-(np.arange(-5, 6) ** 2) / 50)
    weights = np.outer(g, g) / g.sum() ** 2
    padded = np.pad(image[..., 0], 5, mode="symmetric")
    expected = [
        [(padded[y : y + 11, x : x + 11] * weights).sum() for x in range(9)] for y in range(4)
    ]
    np.testing.assert_allclose(blurred(image, kernel=11, sigma=5.0)[..., 0], expected, rtol=1e-5)


def test_trapezoids_mind_unequal_steps():
    """0..2/6: (1 + 0) / 2 * 1/3; 2/6..3/6: (0 + .5) / 2 * 1/6; ..1: (.5 + .5) / 2 * 1/2."""
    curve = Curve("deletion", np.array([0, 2, 3, 6]) / 6, np.zeros((4, 1)), np.zeros(4), 0, "")
    area = trapezoid(curve, np.array([1.0, 0.0, 0.5, 0.5]))
    assert area == pytest.approx(1 / 6 + 1 / 24 + 1 / 4)


def test_a_curve_cannot_be_changed(recorder):
    curve = deletion_curve(recorder[0], np.full((1, 2, 1), 9), np.array([[1.0, 2.0]]), steps=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        curve.seed = 4


# -- bad input -----------------------------------------------------------------------------------

IMAGE = np.full((4, 6, 1), 90, np.uint8)
HEATMAP = np.arange(24.0).reshape(4, 6)


@both
@pytest.mark.parametrize("value", [0.0, -3.5, 7])
def test_a_constant_map_has_no_curve(never, kind, value):
    with pytest.raises(Undefined, match=r"The map is .* everywhere") as caught:
        CURVES[kind](never, IMAGE, np.full((4, 6), value), steps=4)
    assert caught.value.reason is Reason.CONSTANT_MAP


@both
def test_a_map_that_varies_at_all_has_a_curve(recorder, kind):
    heatmap = np.zeros((4, 6), np.float32)
    heatmap[0, 0] = 1e-30
    image = IMAGE.copy()
    image[0, 0] = 0  # so that the blurred image differs
    assert CURVES[kind](recorder[0], image, heatmap, steps=4).saliency[1] == 1


@both
@pytest.mark.parametrize(
    ("heatmap", "message"),
    [
        (HEATMAP.T, r"The heatmap has 6 x 4 values, the image 4 x 6 pixels; expected the same"),
        (HEATMAP[None], r"of shape \(1, 4, 6\); expected numbers \(H, W\)"),
        (np.where(HEATMAP == 5, np.nan, HEATMAP), "values that are NaN or infinite"),
        (np.where(HEATMAP == 5, np.inf, HEATMAP), "values that are NaN or infinite"),
        (
            HEATMAP.astype(np.longdouble) * np.longdouble("1e4000"),
            "values that are NaN or infinite",
        ),
        (HEATMAP.astype(str), "expected numbers"),
        ([[1, 2], [3]], "rows of unequal length"),
    ],
)
def test_unusable_maps(never, kind, heatmap, message):
    with pytest.raises(ExplainerError, match=message):
        CURVES[kind](never, IMAGE, heatmap, steps=4)


@both
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0; expected 1 or more"),
        ({"steps": 25}, "steps is 25, more than the 24 pixels of the image"),
        ({}, "steps is 224, more than the 24 pixels of the image"),
        ({"steps": 4.0}, "steps is 4.0; expected a whole number"),
        ({"steps": 4, "seed": -1}, "seed is -1; expected 0 or more"),
        ({"steps": 4, "seed": None}, "seed is None; expected a whole number"),
        ({"steps": 4, "batch_size": 0}, "batch size is 0"),
    ],
)
def test_unusable_settings(never, kind, settings, message):
    with pytest.raises(ExplainerError, match=message):
        CURVES[kind](never, IMAGE, HEATMAP, **settings)


@both
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((4, 6, 1), np.nan), "NaN or infinite"),
        (np.full((4, 6), 90), "expected one image"),
        (np.full((4, 6, 1), 300.0), "from 300 to 300; expected 0..255"),
    ],
)
def test_unusable_images(never, kind, image, message):
    with pytest.raises(ExplainerError, match=message):
        CURVES[kind](never, image, HEATMAP, steps=4)


@both
def test_an_image_of_another_size_than_the_network_takes(classifier, kind):
    with pytest.raises(ExplainerError, match=r"\(4, 6, 1\), the classifier takes \(24, 24, 3\)"):
        CURVES[kind](classifier, IMAGE, HEATMAP, steps=4)


@both
def test_a_network_is_no_classifier(network, kind):
    with pytest.raises(ExplainerError, match=r"needs a Classifier .* not a Sequential"):
        CURVES[kind](network, IMAGE, HEATMAP, steps=4)
