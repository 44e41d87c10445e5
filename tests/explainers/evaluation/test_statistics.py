import numpy as np
import pytest
from scipy.stats import bootstrap

from explainers.evaluation.statistics import Cell, cell, interval, left_out, marks
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


def test_an_image_that_failed_is_in_no_group(made):
    """Of image b there is nothing under the second method."""
    found = made({"one": {"dauc": [1, 2]}, "two": {"dauc": [3, 4]}}, metrics=["dauc"])
    (found.store.folder / "units" / "two" / "b.json").unlink()
    (group,) = found.results.groups()
    assert group.images == ("a",)


def test_what_was_left_out_in_words(made):
    values = {
        "one": {"dauc": [1, CONSTANT, CONSTANT], "pointing-game": [1, EMPTY]},
        "two": {"dauc": [2, 3, EMPTY], "pointing-game": [0, EMPTY]},
    }
    results = made(values, metrics=["dauc", "pointing-game"]).results
    (group,) = results.groups()
    comparisons = [results.compare(one, group) for one in (DAUC, POINTING)]
    assert left_out(comparisons) == [
        "1 images without a label to explain.",
        "Constant curve: DAUC: one 2.",
        "Empty mask: DAUC: two 1; Pointing game: all methods 1.",
    ]


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
