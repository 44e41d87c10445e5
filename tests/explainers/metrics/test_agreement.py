import numpy as np
import pytest

from explainers import ExplainerError
from explainers.metrics import Reason, Undefined
from explainers.metrics.agreement import agreements, intersection
from explainers.metrics.gain import ccg, gains
from explainers.metrics.outcomes import outcome

ROWS = np.zeros((4, 4), bool)
ROWS[:2] = True
COLUMNS = ROWS.T.copy()
CORNER = np.zeros((4, 4), bool)
CORNER[3, 3] = True


def test_the_intersection_by_hand():
    """The upper half and the left half have the upper left quarter in common."""
    found = intersection(ROWS, COLUMNS)
    assert found.tolist() == [[True, True, False, False]] * 2 + [[False] * 4] * 2
    assert (intersection(ROWS) == ROWS).all()
    assert (intersection(ROWS, ROWS, ROWS) == ROWS).all()


def test_nothing_in_common_is_undefined():
    with pytest.raises(Undefined, match="The 2 masks have no pixel in common") as caught:
        intersection(ROWS, CORNER)
    assert caught.value.reason is Reason.EMPTY_INTERSECTION
    with pytest.raises(Undefined):
        intersection(ROWS, COLUMNS, CORNER)
    assert intersection(ROWS, COLUMNS).sum() == 4  # the control: without the corner there is


def test_three_methods_make_the_papers_pairs_and_the_triple():
    masks = {"occ": ROWS, "grad": COLUMNS, "c-mwp": CORNER | ROWS}
    found = agreements(masks)
    assert list(found) == ["occ+grad", "occ+c-mwp", "grad+c-mwp", "occ+grad+c-mwp"]
    assert (found["occ+c-mwp"] == ROWS).all()
    assert (found["occ+grad+c-mwp"] == (ROWS & COLUMNS)).all()
    assert list(agreements({"occ": ROWS, "grad": COLUMNS})) == ["occ+grad"]
    assert agreements({"occ": ROWS}) == {}


def test_what_has_no_mask_is_counted():
    masks = {"occ": ROWS, "grad": CORNER, "c-mwp": Reason.CONSTANT_MAP}
    assert agreements(masks, [("occ", "grad"), ("occ", "c-mwp")]) == {
        "occ+grad": Reason.EMPTY_INTERSECTION,
        "occ+c-mwp": Reason.CONSTANT_MAP,
    }


def test_from_masks_to_scores(black_box):
    """Only the upper left quarter carries the score: 4 of 16 pixels bring back all, CCG 4."""
    score = black_box(lambda x: x[:, :2, :2].mean((1, 2, 3))[:, None] / 255)
    image = np.full((4, 4, 1), 255, np.float32)
    masks = agreements({"a": ROWS, "b": COLUMNS, "c": CORNER})
    found = {
        name: outcome(ccg, gain)
        for name, gain in gains(score, image, 0, masks, base="zeros").items()
    }
    assert found == {
        "a+b": pytest.approx(4),
        "a+c": Reason.EMPTY_INTERSECTION,
        "b+c": Reason.EMPTY_INTERSECTION,
        "a+b+c": Reason.EMPTY_INTERSECTION,
    }
    alone = gains(score, image, 0, {"a": ROWS}, base="zeros")["a"]
    assert ccg(alone) == pytest.approx(2)  # twice the area, half the conciseness


@pytest.mark.parametrize(
    ("masks", "sentence"),
    [
        ((), "no mask to intersect"),
        ((ROWS, np.ones((4, 3), bool)), "4 x 3 values, the image 4 x 4 pixels"),
        ((ROWS, np.ones((4, 4))), "The mask is float64"),
    ],
)
def test_unusable_masks(masks, sentence):
    with pytest.raises(ExplainerError, match=sentence):
        intersection(*masks)


def test_an_unknown_method_is_named():
    with pytest.raises(ExplainerError, match="no mask of 'rise'; there are occ, grad"):
        agreements({"occ": ROWS, "grad": COLUMNS}, [("occ", "rise")])
