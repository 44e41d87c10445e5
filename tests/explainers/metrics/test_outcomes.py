"""The rules by which images count."""

import math

import pytest

from explainers import ExplainerError
from explainers.metrics import Reason, Undefined
from explainers.metrics.gain import Gain, ccg, scg, scg_published
from explainers.metrics.outcomes import in_common, outcome, summary

CONSTANT, NEVER = Reason.CONSTANT_MAP, Reason.NOT_CLASSIFIED


def test_an_outcome_is_a_value_or_a_reason():
    def half(value):
        if value < 0:
            raise Undefined(CONSTANT, "below 0")
        return value / 2

    assert outcome(half, 3) == 1.5
    assert outcome(half, -1) is CONSTANT
    assert outcome(half, NEVER) is NEVER
    with pytest.raises(TypeError):  # a mistake is no reason
        outcome(half, "3")


def test_a_summary_counts_what_it_leaves_out():
    found = summary([1.0, CONSTANT, 4.0, NEVER, CONSTANT])
    assert found.values == (1.0, 4.0)
    assert found.mean == 2.5
    assert found.left_out == {CONSTANT: 2, NEVER: 1}
    assert math.isnan(summary([NEVER]).mean)
    assert summary([]).left_out == {}


def test_methods_are_compared_on_the_images_that_all_of_them_have():
    """Images 1 and 4 are common; each method's own reason is counted, else the other's."""
    found = in_common(
        {"a": [1.0, NEVER, 3.0, 5.0], "b": [2.0, 7.0, CONSTANT, 4.0]},
    )
    assert found["a"].values == (1.0, 5.0)
    assert found["b"].values == (2.0, 4.0)
    assert found["a"].left_out == {NEVER: 1, Reason.OTHER_METHOD: 1}
    assert found["b"].left_out == {CONSTANT: 1, Reason.OTHER_METHOD: 1}
    assert summary([1.0, NEVER, 3.0, 5.0]).values == (1.0, 3.0, 5.0)  # alone it has three
    assert in_common({}) == {}


def test_different_numbers_of_images_are_refused():
    with pytest.raises(ExplainerError, match=r"2 \(a\), 1 \(b\) images; expected the same"):
        in_common({"a": [1.0, 2.0], "b": [1.0]})


def gain(original, base, hybrid, accurate=None):
    area = None if accurate is None else 10
    return Gain(original, base, hybrid, 5, 100, None, accurate, area)


def test_the_rules_of_scg_and_ccg_over_images():
    """Three images; method b fails on the second (below the base) and never gets there.

    The third image's base scores as high as the image: left out for both alike.
    """
    gains = {
        "a": [gain(0.9, 0.1, 0.5, 0.5), gain(0.6, 0.2, 0.4, 0.6), gain(0.3, 0.3, 0.9)],
        "b": [gain(0.9, 0.1, 0.3, 0.7), gain(0.6, 0.2, 0.1), gain(0.3, 0.3, 0.1)],
    }

    def by(score):
        return {name: [outcome(score, one) for one in found] for name, found in gains.items()}

    simple, published, concise = by(scg), by(scg_published), in_common(by(ccg))
    assert summary(simple["a"]).mean == pytest.approx((0.5 + 0.5) / 2)
    assert summary(simple["b"]).mean == pytest.approx((0.25 - 0.25) / 2)
    assert summary(simple["b"]).left_out == {Reason.BASE_NOT_LOWER: 1}
    assert summary(published["b"]).mean == pytest.approx(0.25)
    assert summary(published["b"]).left_out == {Reason.BASE_NOT_LOWER: 1, Reason.HYBRID_LOWER: 1}
    assert concise["a"].values == (pytest.approx(0.5 * 10),)
    assert concise["b"].values == (pytest.approx(0.75 * 10),)
    assert concise["a"].left_out == {Reason.BASE_NOT_LOWER: 1, Reason.OTHER_METHOD: 1}
    assert concise["b"].left_out == {Reason.BASE_NOT_LOWER: 1, NEVER: 1}
