import math

import numpy as np
import pytest

from explainers import ExplainerError
from explainers.metrics import Reason, Undefined
from explainers.metrics.pointing import box_mask, class_mean, pointing_chance, pointing_game


def peak(y, x, size=(40, 60)):
    heatmap = np.zeros(size)
    heatmap[y, x] = 1
    return heatmap


MASK = box_mask([[10, 20, 20, 40]], (40, 60))


def test_a_box_holds_the_pixels_whose_centre_it_holds():
    assert MASK.sum() == 10 * 20
    assert MASK[10:20, 20:40].all()
    edges = box_mask([[0.4, 1.6, 2.5, 3.5]], (4, 5))  # rows 0, 1; columns 2 (1.5 is out), 3 is not
    assert np.argwhere(edges).tolist() == [[0, 2], [1, 2]]
    two = box_mask([[0, 0, 1, 1], [3, 4, 9, 9]], (4, 5))
    assert np.argwhere(two).tolist() == [[0, 0], [3, 4]]
    assert not box_mask(np.zeros((0, 4)), (4, 5)).any()
    with pytest.raises(ExplainerError, match=r"The boxes are int64 of shape \(4,\)"):
        box_mask([0, 0, 1, 1], (4, 5))


@pytest.mark.parametrize(
    ("place", "tolerance", "wanted"),
    [
        ((15, 30), 0, 1),
        ((10, 20), 0, 1),  # the corner belongs to it
        ((9, 20), 0, 0),
        ((9, 20), 1, 1),
        ((9, 19), 1, 0),  # diagonally it is 1.41 pixels away
        ((9, 19), 2, 1),
        ((34, 30), 15, 1),
        ((35, 30), 15, 0),
        ((7, 16), 5, 1),  # 3, 4: 5 pixels away
        ((7, 16), 4, 0),
    ],
)
def test_hits_within_the_tolerance(place, tolerance, wanted):
    assert pointing_game(peak(*place), MASK, tolerance=tolerance) == wanted


def test_the_tolerance_is_fifteen_pixels_unless_said():
    assert pointing_game(peak(34, 30), MASK) == 1
    assert pointing_game(peak(35, 30), MASK) == 0


def test_perfect_and_reversed_maps():
    perfect = MASK.astype(float)
    assert pointing_game(perfect, MASK) == 1
    assert pointing_game(-perfect, MASK, tolerance=0) == 0
    # Over the reversed map's maxima, the tolerance alone hits.
    near = pointing_chance(MASK) * MASK.size
    assert pointing_game(-perfect, MASK) == pytest.approx((near - 200) / (MASK.size - 200))


def test_of_several_maxima_the_share_that_hits():
    heatmap = peak(15, 30) + peak(0, 0) + peak(39, 59) + peak(12, 22)
    assert pointing_game(heatmap, MASK, tolerance=0) == 0.5


def test_the_sign_counts():
    heatmap = -5 * peak(15, 30) + peak(0, 0)
    assert pointing_game(heatmap, MASK, tolerance=0) == 0
    assert pointing_game(-heatmap, MASK, tolerance=0) == 1


def test_chance_is_what_random_maps_score():
    generator = np.random.default_rng(0)
    found = [
        pointing_game(generator.normal(size=MASK.shape), MASK, tolerance=3) for _ in range(2000)
    ]
    chance = pointing_chance(MASK, tolerance=3)
    error = math.sqrt(chance * (1 - chance) / 2000)
    assert np.mean(found) == pytest.approx(chance, abs=4 * error)
    assert pointing_chance(MASK, tolerance=0) == MASK.mean()


@pytest.mark.parametrize(
    ("heatmap", "mask", "reason"),
    [
        (np.full((40, 60), 2.0), MASK, Reason.CONSTANT_MAP),
        (peak(0, 0), np.zeros((40, 60), bool), Reason.EMPTY_MASK),
    ],
)
def test_where_there_is_no_game(heatmap, mask, reason):
    with pytest.raises(Undefined) as caught:
        pointing_game(heatmap, mask)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("heatmap", "mask", "tolerance", "sentence"),
    [
        (np.full((40, 60), np.nan), MASK, 15, "NaN"),
        (np.zeros((40, 50)), MASK, 15, "The mask has 40 x 60 values, the image 40 x 50"),
        (peak(0, 0), MASK.astype(int), 15, "The mask is int64"),
        (peak(0, 0), MASK, -1, "tolerance is -1; expected 0 or more"),
        (peak(0, 0), MASK, 1.5, "tolerance is 1.5; expected a whole number"),
    ],
)
def test_unusable_input(heatmap, mask, tolerance, sentence):
    with pytest.raises(ExplainerError, match=sentence):
        pointing_game(heatmap, mask, tolerance=tolerance)


def test_classes_count_alike():
    """Three cats of which all hit, one dog that misses: 0.5, though 3 of 4 hit."""
    by_label = {"cat": [1.0, 1.0, 1.0], "dog": [0.0, Reason.CONSTANT_MAP], "cow": []}
    assert class_mean(by_label) == 0.5
    assert math.isnan(class_mean({"cow": [Reason.EMPTY_MASK]}))
