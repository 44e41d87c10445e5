"""By hand, on the black box of 2 x 2 pixels of test_faithfulness, one class at a time."""

import numpy as np
import pytest

from explainers import ExplainerError
from explainers.metrics import Reason, Undefined, metric
from explainers.metrics.classwise import deletion, insertion
from explainers.metrics.curves import deletion_curve, insertion_curve
from explainers.metrics.faithfulness import dauc, iauc

IMAGE = np.array([[[200], [10]], [[60], [120]]], np.float32)
CONTRIBUTIONS = np.array([[[0.4, 0.2], [0.1, 0.1]], [[0.0, 0.1], [0.2, 0.6]]])
BEST_FIRST = np.array([[4.0, 3.0], [2.0, 1.0]])  # for class 0


@pytest.fixture
def linear(black_box):
    """Classes 0 and 1 sum the contributions of the pixels that are IMAGE's own; class 2 is .5."""

    def function(images):
        own = (images == IMAGE)[..., 0]
        scores = np.einsum("nhw,khw->nk", own, CONTRIBUTIONS)
        return np.concatenate([scores, np.full((len(images), 1), 0.5)], axis=1)

    return black_box(function, 3)


def test_a_perfect_map(linear):
    """Deletion, class 0: .8 .4 .2 .1 0, (.4 + .4 + .2 + .1) / 4 = .275.

    Insertion: 0 .4 .6 .7 .8, (.4 + .6 + .7 + .4) / 4 = .525.
    """
    assert deletion(deletion_curve(linear, IMAGE, BEST_FIRST, steps=4), 0) == pytest.approx(0.275)
    assert insertion(insertion_curve(linear, IMAGE, BEST_FIRST, steps=4), 0) == pytest.approx(0.525)


def test_the_reversed_map(linear):
    """Deletion: .8 .7 .6 .4 0, (.4 + .7 + .6 + .4) / 4 = .525; insertion 0 .1 .2 .4 .8, .275."""
    assert deletion(deletion_curve(linear, IMAGE, -BEST_FIRST, steps=4), 0) == pytest.approx(0.525)
    built = insertion_curve(linear, IMAGE, -BEST_FIRST, steps=4)
    assert insertion(built, 0) == pytest.approx(0.275)


def test_one_curve_serves_every_class(linear):
    """Class 1 along the map of class 0: deletion .9 .9 .8 .6 0: (.45 + .9 + .8 + .6) / 4 = .6875.

    Insertion 0 0 .1 .3 .9: (.1 + .3 + .45) / 4 = .2125.
    """
    assert deletion(deletion_curve(linear, IMAGE, BEST_FIRST, steps=4), 1) == pytest.approx(0.6875)
    built = insertion_curve(linear, IMAGE, BEST_FIRST, steps=4)
    assert insertion(built, np.int64(1)) == pytest.approx(0.2125)


def test_the_arrows_point_the_other_way_from_000_s(linear):
    """The better map: deletion falls where DAUC rises, insertion rises where IAUC falls."""
    best = CONTRIBUTIONS.sum(0)  # for both classes together
    assert metric("deletion").better == "lower" != metric("dauc").better
    assert metric("insertion").better == "higher" != metric("iauc").better
    good, bad = (deletion_curve(linear, IMAGE, heatmap, steps=4) for heatmap in (best, -best))
    assert deletion(good, 0) + deletion(good, 1) < deletion(bad, 0) + deletion(bad, 1)
    assert dauc(good) > dauc(bad)
    good, bad = (insertion_curve(linear, IMAGE, heatmap, steps=4) for heatmap in (best, -best))
    assert insertion(good, 0) + insertion(good, 1) > insertion(bad, 0) + insertion(bad, 1)
    assert iauc(good) < iauc(bad)


def test_a_class_that_never_changes(linear):
    for score, make in ((deletion, deletion_curve), (insertion, insertion_curve)):
        with pytest.raises(Undefined, match=r"The curve stays at 0.5") as caught:
            score(make(linear, IMAGE, BEST_FIRST, steps=4), 2)
        assert caught.value.reason is Reason.CONSTANT_CURVE


def test_a_class_that_scores_0_throughout(black_box):
    box = black_box(lambda images: np.zeros((len(images), 1)))
    with pytest.raises(Undefined, match="stays at 0 "):
        deletion(deletion_curve(box, IMAGE, BEST_FIRST, steps=4), 0)


def test_a_class_that_scores_0_on_the_image_but_not_along_the_curve(black_box):
    """0 .3 .3 .3 .3: (0 + .3 + .3 + .3 + .15) / 4 = .2625."""
    box = black_box(lambda images: np.where(images[:, :1, 0, 0] == 200, 0.0, 0.3))
    curve = deletion_curve(box, IMAGE, BEST_FIRST, steps=4)
    assert deletion(curve, 0) == pytest.approx(0.2625)


@pytest.mark.parametrize("target", [-1, 3, "cat", True, 1.0, None])
def test_an_unknown_class(linear, target):
    with pytest.raises(ExplainerError, match="index of one of 3 classes"):
        deletion(deletion_curve(linear, IMAGE, BEST_FIRST, steps=4), target)


def test_a_curve_of_the_other_kind(linear):
    with pytest.raises(ExplainerError, match="insertion is taken of a curve of kind insertion"):
        insertion(deletion_curve(linear, IMAGE, BEST_FIRST, steps=4), 0)
    with pytest.raises(ExplainerError, match="deletion is taken of a curve of kind deletion"):
        deletion(insertion_curve(linear, IMAGE, BEST_FIRST, steps=4), 0)
