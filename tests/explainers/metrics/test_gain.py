"""SCG and CCG on scores that one can add up by hand, and against Algorithm 1 step by step."""

from dataclasses import replace

import numpy as np
import pytest

from explainers import Classifier, ExplainerError
from explainers.metrics import Reason, Undefined, metric
from explainers.metrics.gain import (
    MOST_DILATIONS,
    RHOS,
    Gain,
    base_image,
    best_pixels,
    ccg,
    ccg_published,
    gains,
    scg,
    scg_published,
)

# A 5 x 5 image: the centre carries 0.2 of the score, its 8 neighbours 0.05, the border 0.025 each.
WEIGHTS = np.full((5, 5), 0.025)
WEIGHTS[1:4, 1:4] = 0.05
WEIGHTS[2, 2] = 0.2
IMAGE = np.full((5, 5, 1), 100.0, np.float32)


def pixel(y, x, size=(5, 5)):
    mask = np.zeros(size, bool)
    mask[y, x] = True
    return mask


@pytest.fixture
def weighted(black_box):
    """The sum of the weights of the pixels that are there; predicted above 0.5."""

    def function(images):
        return np.einsum("nhwc,hw->n", images.astype(np.float64) / 100, WEIGHTS)[:, None]

    return black_box(function, thresholds={"label 0": 0.5})


# -- best pixels -------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.05, 0.25, 0.29, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(10, 10), (9, 7), (227, 227)])
def test_exactly_the_floor_of_rho_times_n_pixels_whatever_the_ties(rho, shape):
    size = shape[0] * shape[1]
    wanted = round(rho * 100) * size // 100
    values = np.random.default_rng(0).normal(size=shape)
    mask = best_pixels(values, rho)
    assert mask.sum() == wanted
    assert wanted == size or values[mask].min() > values[~mask].max()
    assert best_pixels(values > 1, rho).sum() == wanted


def test_twenty_nine_percent_of_a_hundred_pixels_are_29():
    """In floating point 0.29 * 100 is 28.999999999999996."""
    assert int(0.29 * 100) == 28
    assert best_pixels(np.arange(100.0).reshape(10, 10), 0.29).sum() == 29


def test_ties_follow_the_seed():
    values = np.zeros((20, 20))
    values[0, 0] = 1
    one, same, other = (best_pixels(values, 0.25, seed=seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    assert one[0, 0]
    assert other[0, 0]


def test_a_constant_map_has_no_best_pixels():
    with pytest.raises(Undefined) as caught:
        best_pixels(np.full((10, 10), 3.0), 0.25)
    assert caught.value.reason is Reason.CONSTANT_MAP


@pytest.mark.parametrize(
    ("heatmap", "rho", "sentence"),
    [
        (np.zeros((4, 4)), 0.05, "of 16 pixels that is less than one"),
        (np.zeros((4, 4)), 1.5, "rho is 1.5; expected a number from 0 to 1"),
        (np.zeros((4, 4)), float("nan"), "rho is nan"),
        (np.full((4, 4), np.nan), 0.25, "NaN"),
        (np.zeros((4, 4, 2)), 0.25, r"shape \(4, 4, 2\)"),
    ],
)
def test_unusable_maps_and_shares(heatmap, rho, sentence):
    with pytest.raises(ExplainerError, match=sentence):
        best_pixels(heatmap, rho)


# -- base images -------------------------------------------------------------------------------


def test_base_images():
    """The blur of a single white pixel is the kernel: 17 x 17 and no wider, a Gaussian of 2.9."""
    image = np.zeros((41, 41, 3), np.float32)
    image[20, 20] = 255
    blurred = base_image(image, "gaussian")[..., 1]
    reach = np.arange(-8, 9)
    line = np.exp(-(reach**2) / (2 * 2.9**2))
    kernel = np.outer(line, line) / line.sum() ** 2
    np.testing.assert_allclose(blurred[12:29, 12:29], 255 * kernel, atol=1e-5)
    assert np.count_nonzero(blurred) == 17 * 17
    assert not base_image(image, "zeros").any()
    with pytest.raises(ExplainerError, match="base is 'black'; expected one of gaussian, zeros"):
        base_image(image, "black")


# -- by hand -----------------------------------------------------------------------------------


def test_gains_by_hand(weighted):
    """Centre: 0.2, grown once 0.2 + 8 * 0.05 = 0.6 with 9 pixels.

    Corner: 0.025; grown 0.125 and 0.475, then 7 * 0.025 + 0.6 = 0.775 with 16 pixels.
    """
    masks = {"centre": pixel(2, 2), "corner": pixel(0, 0), "all": np.ones((5, 5), bool)}
    found = gains(weighted, IMAGE, 0, masks, base="zeros")
    centre, corner, everything = (found[name] for name in ("centre", "corner", "all"))
    assert (centre.original, centre.base, centre.area, centre.pixels) == (
        pytest.approx(1),
        0,
        1,
        25,
    )
    assert scg(centre) == pytest.approx(0.2)
    assert (centre.dilations, centre.accurate_area) == (1, 9)
    assert ccg(centre) == pytest.approx(0.6 * 25 / 9)
    assert scg(corner) == pytest.approx(0.025)
    assert (corner.dilations, corner.accurate_area) == (3, 16)
    assert ccg(corner) == pytest.approx(0.775 * 25 / 16)
    assert scg(everything) == pytest.approx(1)
    assert (everything.dilations, ccg(everything)) == (0, pytest.approx(1))


def test_perfect_and_reversed_maps(weighted):
    """Of 9 pixels (36 %) the weights' own order has 0.6, the reversed order 9 * 0.025."""
    masks = {name: best_pixels(sign * WEIGHTS, 0.36) for name, sign in (("up", 1), ("down", -1))}
    found = gains(weighted, IMAGE, 0, masks, base="zeros")
    assert scg(found["up"]) == pytest.approx(0.6)
    assert scg(found["down"]) == pytest.approx(0.225)
    assert ccg(found["up"]) > ccg(found["down"])


def test_a_region_that_lowers_the_score_has_a_negative_scg(black_box):
    """Left column -0.5 each, right column 1.5 each: the image 2, the left pixels alone -1."""
    image = np.full((2, 2, 1), 1.0, np.float32)
    score = black_box(
        lambda x: (1.5 * x[:, :, 1, 0].sum(1) - 0.5 * x[:, :, 0, 0].sum(1))[:, None],
        thresholds={"label 0": 1.9},
    )
    left = np.array([[True, False], [True, False]])
    gain = gains(score, image, 0, {"left": left}, base="zeros")["left"]
    assert scg(gain) == pytest.approx(-0.5)
    assert ccg(gain) == pytest.approx(1)  # grown over the whole image
    for published in (scg_published, ccg_published):
        with pytest.raises(Undefined) as caught:
            published(gain)
        assert caught.value.reason is Reason.HYBRID_LOWER
    better = gains(score, image, 0, {"right": ~left}, base="zeros")["right"]
    assert scg(better) == scg_published(better) == pytest.approx(1.5)
    assert ccg(better) == ccg_published(better) == pytest.approx(1.5 * 4 / 2)


def test_a_base_image_that_scores_as_high_leaves_the_image_out(black_box):
    dark = black_box(lambda x: 1 - x.mean((1, 2, 3))[:, None] / 255)
    masks = {"one": pixel(2, 2), "other": pixel(0, 0)}
    for image in (IMAGE, np.zeros_like(IMAGE)):  # lower and equal
        for gain in gains(dark, image, 0, masks, base="zeros").values():
            assert gain.dilations is None
            for score in (scg, ccg, scg_published, ccg_published):
                with pytest.raises(Undefined) as caught:
                    score(gain)
                assert caught.value.reason is Reason.BASE_NOT_LOWER
    # The negative control: over the other base image the same image counts.
    image = np.zeros((30, 30, 1), np.float32)
    image[:, :15] = 255
    corner = black_box(lambda x: 1 - x[:, 0, -1] / 255 + x[:, 0, 0] / 255)
    there = {"one": pixel(0, 0, (30, 30))}
    assert scg(gains(corner, image, 0, there, base="zeros")["one"]) == pytest.approx(1)


def test_pixels_that_change_nothing_count_by_the_published_rule_too():
    """004 §5.2: p(hybrid) >= p(base) counts."""
    gain = Gain(0.8, 0.2, 0.2, 4, 16, dilations=0, accurate=0.2, accurate_area=4)
    assert scg_published(gain) == scg(gain) == 0
    assert ccg_published(gain) == ccg(gain) == 0
    with pytest.raises(Undefined):  # the control: a little lower does not
        scg_published(replace(gain, hybrid=0.199))


@pytest.mark.parametrize(("lost", "counts"), [(2e-7, False), (5e-7, True)])
def test_a_base_image_that_scores_lower_by_rounding_leaves_the_image_out(black_box, lost, counts):
    """Of a score of .4, a millionth is 4e-7."""
    score = black_box(
        lambda x: 0.4 - lost * (1 - x.mean((1, 2, 3), dtype=np.float64)[:, None] / 100)
    )
    masks = {"one": pixel(2, 2)}  # predicted at once: there is no other class
    gain = gains(score, IMAGE, 0, masks, base="zeros", predicted="largest")["one"]
    assert (gain.dilations is not None) == counts
    if counts:
        assert scg(gain) == pytest.approx(1 / 25, rel=0.2)
    else:
        with pytest.raises(Undefined) as caught:
            scg(gain)
        assert caught.value.reason is Reason.BASE_NOT_LOWER


def test_a_class_that_is_never_predicted_has_no_ccg(weighted, black_box):
    found = gains(weighted, IMAGE, 0, {"corner": pixel(0, 0)}, base="zeros", dilations=2)
    assert scg(found["corner"]) == pytest.approx(0.025)
    with pytest.raises(Undefined) as caught:
        ccg(found["corner"])
    assert caught.value.reason is Reason.NOT_CLASSIFIED
    enough = gains(weighted, IMAGE, 0, {"corner": pixel(0, 0)}, base="zeros", dilations=3)
    assert enough["corner"].dilations == 3
    # Grown over the whole image and still below the threshold.
    low = black_box(lambda x: x.mean((1, 2, 3))[:, None] / 255)
    grown = gains(low, IMAGE, 0, {"corner": pixel(0, 0)}, base="zeros")["corner"]
    assert grown.dilations is None
    assert grown.original < 0.5


def test_a_mask_grows_at_most_fifty_times(black_box):
    """In a row of 60 pixels the score is what the farthest pixel shows; or the 51st."""
    row = np.full((1, 60, 1), 255, np.float32)
    start = {"first": pixel(0, 0, (1, 60))}
    assert MOST_DILATIONS == 50
    for last, dilations in ((50, 50), (51, None)):
        score = black_box(lambda x, last=last: x[:, 0, last] / 255)
        assert gains(score, row, 0, start, base="zeros")["first"].dilations == dilations


# -- what counts as predicted ------------------------------------------------------------------


def test_predicted_is_the_largest_or_above_the_threshold(black_box):
    """Scores 0.3 (grown 0: one pixel of four) and always 0.4 for the other label."""
    image = np.full((1, 4, 1), 1.0, np.float32)

    def function(x):
        share = x.mean((1, 2, 3))
        return np.stack([share, np.full_like(share, 0.4)], axis=1)

    score = black_box(function, 2, thresholds={"label 0": 0.2})
    start = {"end": pixel(0, 0, (1, 4))}
    found = {
        rule: gains(score, image, 0, start, base="zeros", predicted=rule)["end"].dilations
        for rule in ("largest", "threshold", None)
    }
    assert found == {"largest": 1, "threshold": 0, None: 0}
    with pytest.raises(ExplainerError, match="predicted is 'most'; expected one of largest"):
        gains(score, image, 0, start, predicted="most")


def test_a_score_at_the_threshold_is_not_above_it(black_box):
    image = np.full((1, 4, 1), 1.0, np.float32)
    score = black_box(lambda x: x.mean((1, 2, 3))[:, None], thresholds={"label 0": 0.25})
    start = {"end": pixel(0, 0, (1, 4))}
    assert gains(score, image, 0, start, base="zeros")["end"].dilations == 1


def test_a_softmax_predicts_its_largest_class(make_network, picture):
    network = make_network(activation="softmax")
    softmax = Classifier.from_keras(network, labels=["a", "b", "c"], preprocess="unit")
    largest = int(softmax.predict(picture[None])[0].argmax())
    everything = {"all": np.ones((24, 24), bool)}
    for target in range(3):
        gain = gains(softmax, picture, target, everything)["all"]
        if gain.original > gain.base:
            assert gain.dilations == (0 if target == largest else None)


# -- against Algorithm 1 -----------------------------------------------------------------------


def algorithm_1(classifier, image, index, mask, base, threshold):
    """004's pseudocode, one prediction at a time, with scipy's dilation."""
    from scipy.ndimage import binary_dilation

    def score(inside):
        hybrid = np.where(inside[..., None], image, base_image(image, base))
        return classifier.predict(hybrid[None])[0, index]

    original, bare, first = score(np.ones_like(mask)), score(np.zeros_like(mask)), score(mask)
    for dilations in range(51):
        found = score(mask)
        if found > threshold:
            gain = (found - bare) / (original - bare)
            return (first - bare) / (original - bare), gain * mask.size / mask.sum(), dilations
        mask = binary_dilation(mask, np.ones((3, 3)))
    return (first - bare) / (original - bare), None, None


@pytest.mark.parametrize("batch_size", [1, 5, 64])
@pytest.mark.parametrize("base", ["gaussian", "zeros"])
def test_many_masks_at_once_as_one_by_one(make_network, picture, base, batch_size):
    """A random network, whose threshold lies between the base image's score and the image's."""
    image = picture.astype(np.float32)
    network = make_network(outputs=8, seed=1)
    plain = Classifier.from_keras(network, labels=None, preprocess="unit")
    scores = plain.predict(np.stack([image, base_image(image, base)]))
    index = int((scores[0] - scores[1]).argmax())
    label, threshold = plain.labels[index], float(scores[:, index].mean())
    classifier = Classifier.from_keras(
        network, labels=plain.labels, preprocess="unit", thresholds={label: threshold}
    )
    rng = np.random.default_rng(3)
    smooth = rng.normal(size=(3, 3)).repeat(8, 0).repeat(8, 1)
    masks = {
        (name, rho): best_pixels(values, rho)
        for name, values in (("noise", rng.normal(size=(24, 24))), ("smooth", smooth))
        for rho in RHOS
    } | {("pixel", 0): pixel(0, 23, (24, 24))}
    found = gains(classifier, image, label, masks, base=base, batch_size=batch_size)
    grown = []
    for key, mask in masks.items():
        simple, concise, dilations = algorithm_1(classifier, image, index, mask, base, threshold)
        assert scg(found[key]) == pytest.approx(simple, abs=1e-3)
        assert found[key].dilations == dilations
        assert ccg(found[key]) == pytest.approx(concise, abs=1e-3)
        grown.append(dilations)
    assert max(grown) > min(grown)


def test_predictions_are_few_and_batched(black_box):
    """Two masks, one dilation and seven, beside the two images: in batches of 4 pictures."""
    batches = []

    def function(images):
        batches.append(len(images))
        return images[:, 0, 7, 0][:, None] / 255

    row = np.full((1, 20, 1), 255, np.float32)
    masks = {"near": pixel(0, 6, (1, 20)), "far": pixel(0, 0, (1, 20))}
    found = gains(black_box(function), row, 0, masks, base="zeros", batch_size=4)
    assert (found["near"].dilations, found["far"].dilations) == (1, 7)
    # Round 1: image, base, near 0, far 0. Round 2: near 1, 2, far 1, 2. Then far 3 to 6, far 7.
    assert batches == [4, 4, 4, 4]


# -- input -------------------------------------------------------------------------------------


def test_a_reason_in_place_of_a_mask_is_handed_on(weighted):
    masks = {"none": Reason.EMPTY_INTERSECTION, "centre": pixel(2, 2)}
    found = gains(weighted, IMAGE, 0, masks, base="zeros")
    assert list(found) == ["none", "centre"]
    assert found["none"] is Reason.EMPTY_INTERSECTION
    assert isinstance(found["centre"], Gain)
    assert gains(weighted, IMAGE, 0, {"none": Reason.CONSTANT_MAP}) == {"none": Reason.CONSTANT_MAP}


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (np.zeros((5, 5), bool), "The mask 'one' is empty"),
        (np.ones((5, 4), bool), "The mask has 5 x 4 values, the image 5 x 5 pixels"),
        (np.ones((5, 5)), "The mask is float64 of shape"),
    ],
)
def test_unusable_masks_are_refused_before_any_prediction(black_box, mask, sentence):
    def never(images):
        raise AssertionError

    with pytest.raises(ExplainerError, match=sentence):
        gains(black_box(never), IMAGE, 0, {"one": mask})


def test_the_registry_knows_both_scores():
    gain = Gain(original=0.9, base=0.1, hybrid=0.5, area=10, pixels=100, dilations=0,
                accurate=0.5, accurate_area=10)  # fmt: skip
    assert metric("scg").function(gain) == pytest.approx(0.5)
    assert metric("ccg").function(gain) == pytest.approx(5)
    assert metric("scg").needs == metric("ccg").needs == ("gain",)
