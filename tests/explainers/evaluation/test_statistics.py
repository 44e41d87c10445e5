import numpy as np
import pytest
from scipy.stats import bootstrap

from explainers.evaluation import statistics
from explainers.evaluation.statistics import (
    Cell,
    Results,
    ahead_of_random,
    cell,
    interval,
    left_out,
    marks,
)
from explainers.evaluation.store import Store
from explainers.metrics import Reason, metric

CONSTANT, EMPTY = Reason.CONSTANT_CURVE, Reason.EMPTY_MASK
DAUC, POINTING = metric("dauc"), metric("pointing-game")


def test_the_interval_is_scipys():
    values = np.random.default_rng(0).gamma(2.0, size=30)
    expected = bootstrap(
        (values,), np.mean, n_resamples=9999, method="BCa", rng=np.random.default_rng(5)
    ).confidence_interval
    assert interval(values, 5) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert interval(values, 5) == interval(values, 5) != interval(values, 6)
    assert expected.low < values.mean() < expected.high


def test_intervals_that_do_not_exist_or_have_no_width():
    assert np.isnan(interval(np.array([0.3]), 0)).all()
    assert interval(np.array([0.3, 0.3, 0.3]), 0) == (0.3, 0.3)
    low, high = interval(np.array([0.3, 0.3, 0.4]), 0)
    assert low < high


def test_a_mean_counts_images_not_targets():
    """Image a: mean of 1 and 3; image b: 5 (its other target has none). Mean of 2 and 5: 3.5."""
    outcomes = {("a", "cat"): 1.0, ("a", "dog"): 3.0, ("b", "cat"): 5.0, ("b", "dog"): EMPTY}
    found = cell(outcomes, 0)
    assert (found.mean, found.n) == (3.5, 2)
    assert (found.low, found.high) == interval(np.array([2.0, 5.0]), 0)
    nothing = cell({("a", "cat"): EMPTY}, 0)
    assert nothing.n == 0
    assert np.isnan(nothing.mean)


def test_marks():
    means = {"a": 0.3, "b": 0.1, "c": 0.2}
    assert marks(means, "lower", 3) == {"a": "", "b": "best", "c": "second"}
    assert marks(means, "higher", 3) == {"a": "best", "b": "", "c": "second"}
    assert marks(means, None, 3) == {"a": "", "b": "", "c": ""}


def test_marks_are_shared_by_what_is_printed_as_equal():
    means = {"a": 0.30001, "b": 0.29999, "c": 0.2, "d": 0.2, "e": float("nan"), "f": 0.1}
    expected = {"a": "best", "b": "best", "c": "second", "d": "second", "e": "", "f": ""}
    assert marks(means, "higher", 3) == expected
    assert marks(means, "higher", 5)["b"] == "second"  # the negative control: five decimals differ
    assert set(marks({"a": 0.2, "b": 0.2}, "higher", 3).values()) == {""}
    assert marks({"a": 0.2}, "higher", 3) == {"a": ""}


def test_means_are_over_the_images_that_all_methods_have(made):
    """By hand: only images a and d count, for both methods."""
    values = {"one": {"dauc": [1, CONSTANT, 3, 5]}, "two": {"dauc": [2, 4, EMPTY, 8]}}
    results = made(values, metrics=["dauc"]).results
    (group,) = results.groups()
    found = results.compare(DAUC, group)
    assert {name: (one.mean, one.n) for name, one in found.cells.items()} == {
        "one": (3.0, 2),
        "two": (5.0, 2),
    }
    assert found.left_out == {
        "one": {CONSTANT: 1, Reason.OTHER_METHOD: 1},
        "two": {EMPTY: 1, Reason.OTHER_METHOD: 1},
    }
    alone = results.compare(DAUC, group, together=False)
    assert [one.mean for one in alone.cells.values()] == [3.0, pytest.approx(14 / 3)]
    assert alone.left_out == {"one": {CONSTANT: 1}, "two": {EMPTY: 1}}


def test_a_method_on_fewer_images_makes_two_groups(made):
    values = {"one": {"dauc": [1, 2, 3]}, "two": {"dauc": [4, 5, 6]}, "slow": {"dauc": [7, 8]}}
    results = made(values, metrics=["dauc"], limits={"slow": 2}).results
    shared, full = results.groups()
    assert (shared.columns, shared.images) == (("one", "two", "slow"), ("a", "b"))
    assert (full.columns, full.images) == (("one", "two"), ("a", "b", "c"))
    means = [one.mean for one in results.compare(DAUC, shared).cells.values()]
    assert means == [1.5, 4.5, 7.5]
    assert [one.mean for one in results.compare(DAUC, full).cells.values()] == [2.0, 5.0]


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"values": [["", "dauc"]]}'])
def test_an_image_that_failed_or_whose_file_is_damaged_is_in_no_group(made, content):
    """Of image b there is nothing that can be read under the second method."""
    found = made({"one": {"dauc": [1, 2]}, "two": {"dauc": [3, 4]}}, metrics=["dauc"])
    path = found.store.folder / "units" / "two" / "b.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    results = Results(found.plan, Store(found.store.folder, {}))
    (group,) = results.groups()
    assert group.images == ("a",)
    assert [one.mean for one in results.compare(DAUC, group).cells.values()] == [1.0, 3.0]
    (whole,) = found.results.groups()  # the control: it was there before
    assert whole.images == ("a", "b")


def test_what_was_left_out_in_words(made):
    values = {
        "one": {"dauc": [1, CONSTANT, CONSTANT], "pointing-game": [1, EMPTY]},
        "two": {"dauc": [2, 3, EMPTY], "pointing-game": [0, EMPTY]},
    }
    results = made(values, metrics=["dauc", "pointing-game"]).results
    (group,) = results.groups()
    comparisons = [results.compare(one, group) for one in (DAUC, POINTING)]
    assert left_out(comparisons) == [
        "1 image without a label to explain.",
        "Constant curve: DAUC: one 2 images.",
        "Not in the picture: DAUC: two 1 image; Pointing game: all methods 1 image.",
    ]


def test_labels_and_their_images_are_told_apart(made):
    """Undefined are two labels of image a, one of c; b has one of two labels left under both."""
    values = {
        "one": {"deletion": [(CONSTANT, CONSTANT), (1, 0.5), (CONSTANT,)]},
        "two": {"deletion": [(2, 3), (CONSTANT, 0.25), (4,)]},
    }
    found = made(values, metrics=["deletion"], labels=("cat", "dog"), target="predicted").results
    (group,) = found.groups()
    comparison = found.compare(metric("deletion"), group)
    assert comparison.cells["one"].n == 1
    assert comparison.values == {"one": {"b": 0.5}, "two": {"b": 0.25}}
    assert left_out([comparison]) == [
        "Constant curve: Deletion: one 3 labels of 2 images, two 1 label of 1 image."
    ]


def test_on_how_many_images_a_method_is_better_than_another(made):
    """By hand: higher is better in DAUC, lower in deletion; equal is not better."""
    mine, chance = [0.3, 0.3, 0.2, 0.1, CONSTANT], [0.2] * 5
    values = {
        "rise": {"dauc": mine, "deletion": mine},
        "random": {"dauc": chance, "deletion": chance},
    }
    results = made(values, metrics=["dauc", "deletion"]).results
    (group,) = results.groups()
    higher, lower = (results.compare(metric(name), group) for name in ("dauc", "deletion"))
    assert higher.ahead("rise", "random") == (2, 4)
    assert lower.ahead("rise", "random") == (1, 4)
    assert lower.ahead("random", "rise") == (2, 4)
    assert higher.ahead("rise", "lime") is None
    assert ahead_of_random(results, group, [higher, lower]) == [
        "DAUC: rise 2 of 4",
        "Deletion: rise 1 of 4",
    ]
    assert ahead_of_random(results, results.alone("rise"), [higher]) == []


def test_an_interval_is_worked_out_once(made, monkeypatch):
    made_for = []
    monkeypatch.setattr(
        statistics, "interval", lambda values, seed: made_for.append(tuple(values)) or (0.0, 1.0)
    )
    values = {"one": {"dauc": [1, 2, CONSTANT]}, "two": {"dauc": [3, 4, 5]}}
    results = made(values, metrics=["dauc"]).results
    (group,) = results.groups()
    for _ in range(2):
        results.compare(DAUC, group)
        results.compare(DAUC, results.alone("one"))
    assert made_for == [(1, 2), (3, 4)]
    results.compare(DAUC, results.alone("two"))  # the control: of one more image
    assert made_for[2:] == [(3, 4, 5)]


def test_where_nothing_was_left_out(made):
    results = made({"one": {"dauc": [1, 2]}, "two": {"dauc": [2, 3]}}, metrics=["dauc"]).results
    (group,) = results.groups()
    assert left_out([results.compare(DAUC, group)]) == []


def test_a_cell_without_images(made):
    results = made({"one": {"dauc": [CONSTANT]}}, metrics=["dauc"]).results
    (group,) = results.groups()
    found = results.compare(DAUC, group).cells["one"]
    assert isinstance(found, Cell)
    assert found.n == 0
