"""Worked out by hand for a linear black box on an image of 2 x 2 pixels.

Class 0 scores the sum of the contributions of the pixels that are still (or again) the image's
own, class 1 always .5:

    contributions  .4 .2      image  200  10      p = (.8 or so, .5)
                   .1 .1              60 120

Class 1 never falls, so d = max(0, p0 - p0') * p0. One pixel per step: fractions 0, 1/4, ..., 1.
"""

from itertools import pairwise

import numpy as np
import pytest

from explainers import Classifier, ExplainerError
from explainers.metrics import Reason, Undefined
from explainers.metrics.curves import Curve, deletion_curve, insertion_curve
from explainers.metrics.faithfulness import (
    dauc,
    dauc_normalised,
    deletion_spearman,
    dngs,
    iauc,
    iauc_normalised,
    insertion_spearman,
    ipgs,
    sparsity,
)

IMAGE = np.array([[[200], [10]], [[60], [120]]], np.float32)
POSITIVE = np.array([[0.4, 0.2], [0.1, 0.1]])
MIXED = np.array([[0.4, -0.2], [0.5, 0.1]])
BEST_FIRST = np.array([[4.0, 3.0], [2.0, 1.0]])
BEST_LAST = -BEST_FIRST

DELETION = (dauc, dauc_normalised, deletion_spearman, dngs)
INSERTION = (iauc, iauc_normalised, insertion_spearman, ipgs)


@pytest.fixture
def linear(black_box):
    """Two classes: contributions of the pixels that equal IMAGE's, summed; and .5."""

    def make(contributions):
        def function(images):
            own = (images == IMAGE)[..., 0]
            return np.stack([(own * contributions).sum((1, 2)), np.full(len(images), 0.5)], axis=1)

        return black_box(function, 2)

    return make


def deleted(box, heatmap, **settings):
    return deletion_curve(box, IMAGE, heatmap, steps=4, **settings)


def inserted(box, heatmap, **settings):
    return insertion_curve(box, IMAGE, heatmap, steps=4, **settings)


# -- by hand: a perfect map, its reverse, and one in between -------------------------------------


def test_deletion_of_a_perfect_map(linear):
    """p0: .8 .4 .2 .1 0, so d: 0 .32 .48 .56 .64.

    DAUC = (0/2 + .32 + .48 + .56 + .64/2) / 4 = 1.68 / 4 = .42; sum of p^2 = .64 + .25 = .89.
    DS: saliency 1, 2/3, 1/3, 0 sums up to 0 1 5/3 2 2, ranks 1 2 3 4.5 4.5 (the last pixel's
    scaled value is 0, hence the tie); d has ranks 1 2 3 4 5. Products of the deviations from 3:
    4 + 1 + 0 + 1.5 + 3 = 9.5; squares: 10 and 9.5. So 9.5 / sqrt(95) = sqrt(.95).
    DNGS: d never falls, 0.
    """
    curve = deleted(linear(POSITIVE), BEST_FIRST)
    np.testing.assert_allclose(curve.distances, [0, 0.32, 0.48, 0.56, 0.64], atol=1e-15)
    np.testing.assert_allclose(curve.saliency, [0, 1, 5 / 3, 2, 2])
    assert dauc(curve) == pytest.approx(0.42)
    assert dauc_normalised(curve) == pytest.approx(0.42 / 0.89)
    assert deletion_spearman(curve) == pytest.approx(0.95**0.5)
    assert dngs(curve) == 0


def test_deletion_of_the_reversed_map(linear):
    """p0: .8 .7 .6 .4 0, so d: 0 .08 .16 .32 .64; DAUC = (.08 + .16 + .32 + .32) / 4 = .22."""
    curve = deleted(linear(POSITIVE), BEST_LAST)
    np.testing.assert_allclose(curve.distances, [0, 0.08, 0.16, 0.32, 0.64], atol=1e-15)
    assert dauc(curve) == pytest.approx(0.22)
    assert dauc_normalised(curve) == pytest.approx(0.22 / 0.89)


def test_insertion_of_a_perfect_map(linear):
    """From the blurred image (no pixel the image's own): p0: 0 .4 .6 .7 .8, d: .64 .32 .16 .08 0.

    IAUC = (.32 + .32 + .16 + .08 + 0) / 4 = .88 / 4 = .22. IS: d has ranks 5 4 3 2 1, the summed
    saliency 1 2 3 4.5 4.5: -sqrt(.95). IPGS: d never rises, 0.
    """
    curve = inserted(linear(POSITIVE), BEST_FIRST)
    np.testing.assert_allclose(curve.distances, [0.64, 0.32, 0.16, 0.08, 0], atol=1e-15)
    assert iauc(curve) == pytest.approx(0.22)
    assert iauc_normalised(curve) == pytest.approx(0.22 / 0.89)
    assert insertion_spearman(curve) == pytest.approx(-(0.95**0.5))
    assert ipgs(curve) == 0


def test_insertion_of_the_reversed_map(linear):
    """p0: 0 .1 .2 .4 .8, d: .64 .56 .48 .32 0; IAUC = (.32 + .56 + .48 + .32) / 4 = .42."""
    curve = inserted(linear(POSITIVE), BEST_LAST)
    np.testing.assert_allclose(curve.distances, [0.64, 0.56, 0.48, 0.32, 0], atol=1e-15)
    assert iauc(curve) == pytest.approx(0.42)


def test_deletion_with_a_pixel_against_the_class(linear):
    """Contributions .4 -.2 .5 .1, p0: .8 .4 .6 .1 0, d: 0 .32 .16 .56 .64.

    DAUC = (.32 + .16 + .56 + .32) / 4 = .34. DNGS = .32 - .16 = .16.
    DS: d has ranks 1 3 2 4 5, deviations -2 0 -1 1 2; saliency -2 -1 0 1.5 1.5: products
    4 + 0 + 0 + 1.5 + 3 = 8.5, so 8.5 / sqrt(95).
    """
    curve = deleted(linear(MIXED), BEST_FIRST)
    np.testing.assert_allclose(curve.distances, [0, 0.32, 0.16, 0.56, 0.64], atol=1e-15)
    assert dauc(curve) == pytest.approx(0.34)
    assert dngs(curve) == pytest.approx(0.16)
    assert deletion_spearman(curve) == pytest.approx(8.5 / 95**0.5)


def test_insertion_with_a_pixel_against_the_class(linear):
    """p0: 0 .4 .2 .7 .8, d: .64 .32 .48 .08 0: IAUC (.32 + .32 + .48 + .08) / 4 = .3, IPGS .16.

    IS: d has ranks 5 3 4 2 1, deviations 2 0 1 -1 -2: -8.5 / sqrt(95).
    """
    curve = inserted(linear(MIXED), BEST_FIRST)
    assert iauc(curve) == pytest.approx(0.3)
    assert ipgs(curve) == pytest.approx(0.16)
    assert insertion_spearman(curve) == pytest.approx(-8.5 / 95**0.5)


def test_a_score_above_the_image_s_counts_as_no_distance(linear):
    """The pixel against the class goes first: p0: .8 1 .6 .1 0, d: 0 0 .16 .56 .64."""
    curve = deleted(linear(MIXED), np.array([[3.0, 4.0], [2.0, 1.0]]))
    np.testing.assert_allclose(curve.distances, [0, 0, 0.16, 0.56, 0.64], atol=1e-15)
    assert dngs(curve) == 0


def test_every_class_counts_with_its_own_score(black_box):
    """Two pixels; p = (.8, .4), (.4, .4) without the first, (0, 0) without both.

    d: 0, .4 * .8 = .32, .8 * .8 + .4 * .4 = .8; DAUC = (.32 + .4) / 2 = .36; of .8: .45.
    """

    def function(images):
        first, second = (images[:, 0, :, 0] > 0).T
        return np.stack([0.4 * first + 0.4 * second, 0.4 * (first | second)], axis=1)

    curve = deletion_curve(
        black_box(function, 2), np.array([[[9], [9]]]), np.array([[2.0, 1.0]]), steps=2
    )
    np.testing.assert_allclose(curve.distances, [0, 0.32, 0.8])
    assert dauc(curve) == pytest.approx(0.36)
    assert dauc_normalised(curve) == pytest.approx(0.45)


def test_no_order_of_the_pixels_beats_the_perfect_one(linear):
    box = linear(POSITIVE)
    rng = np.random.default_rng(0)
    maps = [rng.permutation(4).reshape(2, 2) for _ in range(30)]
    assert max(dauc(deleted(box, heatmap)) for heatmap in maps) <= 0.42 + 1e-12
    assert min(iauc(inserted(box, heatmap)) for heatmap in maps) >= 0.22 - 1e-12


def test_the_limits(black_box):
    """The prediction is 0 as soon as one pixel goes: from there on d is all it can be."""
    size = 20
    image = np.full((size, size, 1), 90)
    box = black_box(lambda images: (images[:, :1, :1, 0] == 90).all((1, 2))[:, None] * 0.7)
    heatmap = np.arange(400.0, 0, -1).reshape(size, size)
    best = deletion_curve(box, image, heatmap, steps=400)
    # One trapezoid of 400 is cut in half.
    assert dauc_normalised(best) == pytest.approx(1 - 0.5 / 400)
    worst = deletion_curve(box, image, -heatmap, steps=400)
    assert dauc_normalised(worst) == pytest.approx(0.5 / 400)


def test_naive_scores_of_a_network(make_network, picture):
    """A second implementation of all scores, one step at a time, in plain Python."""
    network = make_network(activation="softmax", outputs=5)  # some class falls when others rise
    classifier = Classifier.from_keras(network, labels=None, preprocess="unit")
    heatmap = np.random.default_rng(8).normal(size=(24, 24))
    built = insertion_curve(classifier, picture, heatmap, steps=40)
    cut = deletion_curve(classifier, picture, heatmap, steps=40)

    def naive(curve, original):
        d = [
            sum(max(0.0, p - q) * p for p, q in zip(original, scores, strict=True))
            for scores in curve.scores
        ]
        steps = list(pairwise(d))
        widths = np.diff(curve.fractions)
        area = sum(w * (a + b) / 2 for w, (a, b) in zip(widths, steps, strict=True))
        # Without ties Spearman is 1 - 6 sum(difference of ranks squared) / (n^3 - n).
        ranks = [
            np.argsort(np.argsort(values)) for values in (d, np.cumsum(np.ones(len(d))))
        ]  # the summed saliency of this map rises at every step
        n = len(d)
        spearman = 1 - 6 * ((ranks[0] - ranks[1]) ** 2).sum() / (n**3 - n)
        rises = sum(max(0.0, b - a) for a, b in steps)
        falls = sum(max(0.0, a - b) for a, b in steps)
        return area, spearman, rises, falls

    assert (np.diff(built.saliency) > 0).all()
    area, spearman, rises, _ = naive(built, built.scores[-1])
    found = iauc(built), insertion_spearman(built), ipgs(built)
    np.testing.assert_allclose(found, (area, spearman, rises), rtol=1e-9)
    area, spearman, _, falls = naive(cut, cut.scores[0])
    found = dauc(cut), deletion_spearman(cut), dngs(cut)
    np.testing.assert_allclose(found, (area, spearman, falls), rtol=1e-9)


def along(kind, scores, saliency=None):
    """A curve of one class with these scores."""
    steps = len(scores)
    values = np.arange(steps, dtype=float) if saliency is None else np.array(saliency, float)
    scores = np.array(scores, float).reshape(steps, -1)
    return Curve(kind, np.linspace(0, 1, steps), scores, values, 0, "black")


def test_steps_of_a_plateau_share_a_rank():
    """d: 0 0 0 0 .5, but for a billionth up and down; saliency 0 1 2 3 4.

    Ranks 2.5 2.5 2.5 2.5 5, deviations -.5 (four times) and 2; of saliency -2 -1 0 1 2: products
    1 + .5 + 0 - .5 + 4 = 5; squares 5 and 10: 5 / sqrt(50).
    """
    noise = np.array([0, 3e-9, 1e-9, 2e-9, 0])
    fall = np.array([1, 1, 1, 1, 0.5])
    expected = 5 / 50**0.5
    assert deletion_spearman(along("deletion", fall - noise)) == pytest.approx(expected)
    assert insertion_spearman(along("insertion", (fall - noise)[::-1])) == pytest.approx(-expected)
    # The control: a thousandth is no rounding. d ranks 1 4 2 3 5: 4 - 1 + 0 + 0 + 4 = 7 of 10.
    assert deletion_spearman(along("deletion", fall - 1e6 * noise)) == pytest.approx(0.7)


@pytest.mark.parametrize(("kind", "scores"), [("deletion", DELETION), ("insertion", INSERTION)])
def test_a_score_below_0_of_the_image_has_no_distance(kind, scores):
    """(.8, -.5) to (.2, -2): the second class falls, and d would count that as a gain."""
    change = np.array([[0.8, -0.5], [0.2, -2.0]])
    for score in scores:
        with pytest.raises(Undefined, match=r"the image has one of -0\.5") as caught:
            score(along(kind, change if kind == "deletion" else change[::-1]))
        assert caught.value.reason is Reason.NEGATIVE_SCORE
        # The control: along the curve alone scores may be below 0.
        change_later = np.array([[0.8, 0.0], [0.2, -2.0]])
        score(along(kind, change_later if kind == "deletion" else change_later[::-1]))


# -- sparsity ------------------------------------------------------------------------------------


def test_sparsity_by_hand():
    """1 3 5 9 -> 0 1/4 1/2 1, mean 7/16: 16/7."""
    heatmap = np.array([[1.0, 3.0], [5.0, 9.0]])
    assert sparsity(heatmap) == pytest.approx(16 / 7)
    assert sparsity(heatmap * 1e-6 - 4) == pytest.approx(16 / 7)
    assert sparsity(heatmap.astype(np.uint8)) == pytest.approx(16 / 7)
    # Turned round: 1 3/4 1/2 0, mean 9/16.
    assert sparsity(-heatmap) == pytest.approx(16 / 9)


def test_sparsity_of_one_pixel_and_of_all_but_one():
    heatmap = np.zeros((5, 8))
    heatmap[2, 3] = 7
    assert sparsity(heatmap) == pytest.approx(40)
    assert sparsity(-heatmap) == pytest.approx(40 / 39)


def test_sparsity_of_values_whose_difference_would_be_infinite():
    """-1.5e308 0 1.5e308 -> 0 1/2 1, mean 1/2."""
    assert sparsity(np.array([[-1.5e308, 0, 1.5e308]])) == pytest.approx(2)


def test_sparsity_of_a_constant_map():
    with pytest.raises(Undefined, match="The map is 3 everywhere") as caught:
        sparsity(np.full((2, 2), 3))
    assert caught.value.reason is Reason.CONSTANT_MAP


def test_sparsity_of_no_map():
    with pytest.raises(ExplainerError, match="NaN"):
        sparsity(np.array([[1, np.nan]]))
    with pytest.raises(ExplainerError, match=r"shape \(2, 2, 2\)"):
        sparsity(np.zeros((2, 2, 2)))


# -- undefined and unusable ----------------------------------------------------------------------


@pytest.mark.parametrize(("make", "scores"), [(deleted, DELETION), (inserted, INSERTION)])
def test_an_image_whose_prediction_is_0(black_box, make, scores):
    box = black_box(lambda images: np.where(images[:, :1, :1, 0] == 200, 0.0, 0.3)[:, 0])
    curve = make(box, BEST_FIRST)
    assert np.ptp(curve.scores) > 0  # not constant: only the image's own score is 0
    for score in scores:
        with pytest.raises(Undefined, match="score is 0 for every class") as caught:
            score(curve)
        assert caught.value.reason is Reason.ZERO_PREDICTION


@pytest.mark.parametrize(("make", "scores"), [(deleted, DELETION), (inserted, INSERTION)])
@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_a_prediction_that_never_falls(black_box, make, scores, noise):
    """Not a perfect IPGS or DNGS of 0, nor a Spearman correlation of rounding."""
    box = black_box(lambda images: 0.6 + noise * images.mean((1, 2), dtype=np.float64))
    curve = make(box, BEST_FIRST)
    for score in scores:
        with pytest.raises(Undefined, match="The curve stays at") as caught:
            score(curve)
        assert caught.value.reason is Reason.CONSTANT_CURVE


@pytest.mark.parametrize(("make", "scores"), [(deleted, DELETION), (inserted, INSERTION)])
def test_a_prediction_that_falls_by_a_thousandth_counts(black_box, make, scores):
    box = black_box(lambda images: 0.6 + 6e-4 * (images == IMAGE).mean((1, 2)))
    assert all(np.isfinite(score(make(box, BEST_FIRST))) for score in scores)


@pytest.mark.parametrize(("make", "scores"), [(deleted, INSERTION), (inserted, DELETION)])
def test_a_curve_of_the_other_kind(linear, make, scores):
    curve = make(linear(POSITIVE), BEST_FIRST)
    for score in scores:
        with pytest.raises(ExplainerError, match=r"is taken of a curve of kind .*, not of"):
            score(curve)


def test_something_that_is_no_curve():
    with pytest.raises(ExplainerError, match=r"DAUC is taken of a curve .* not of ndarray"):
        dauc(np.zeros(5))


def test_scores_do_not_change_their_curve(linear):
    curve = deleted(linear(MIXED), BEST_FIRST)
    before = Curve(**{name: np.copy(value) for name, value in vars(curve).items()})
    for score in DELETION:
        assert score(curve) == score(curve)
    np.testing.assert_array_equal(curve.scores, before.scores)
