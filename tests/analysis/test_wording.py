"""Sentences say what the numbers say, and no more."""

import pandas as pd
import pytest

from analysis import wording


def anova_row(p: float, term: str = "heatmap") -> pd.Series:
    return pd.Series(
        {
            "term": term,
            "symbol": "F",
            "statistic": 3.067,
            "df1": 2.0,
            "df2": 90.0,
            "p": p,
            "effect": "partial eta squared",
            "effect_size": 0.0638,
            "ci_low": 0.0,
            "ci_high": 0.1457,
            "omega_squared": 0.0413,
            "approximate": False,
        }
    )


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.051, "p = .051"),
        (0.0004, "p < .001"),
        (0.9999, "p > .999"),
        (float("nan"), "p undefined"),
    ],
)
def test_p_values(p, text):
    assert wording.p_value(p) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.064, ".064"), (-0.12, "−.120"), (1.0, "1.000"), (0.0, ".000"), (-0.0001, ".000")],
)
def test_numbers_that_cannot_exceed_one_lose_their_zero(value, text):
    assert wording.unit(value) == text


def test_the_papers_sentence():
    assert wording.effect(anova_row(0.0515), "heatmap", "accuracy", 0.05) == (
        "The main effect of heatmap on accuracy was not significant, F(2, 90) = 3.07, p = .051, "
        "ηp² = .064, 90% CI [.000, .146], ω² = .041."
    )


def test_a_large_p_is_never_called_equality():
    sentences = [
        wording.effect(anova_row(0.9, term), name, "accuracy", 0.05)
        for term, name in (("heatmap", "heatmap"), ("heatmap:scores", "heatmap × scores"))
    ]
    for sentence in sentences:
        assert "not significant" in sentence
        for claim in ("no difference", "no effect", "comparable", "same", "equal"):
            assert claim not in sentence
    assert "interaction of heatmap and scores" in sentences[1]
    assert "was significant" in wording.effect(anova_row(0.01), "heatmap", "accuracy", 0.05)


def test_a_small_shapiro_p_rejects_normality():
    # Paper 001 read W = .964, p < .01 as approximately normal.
    row = pd.Series({"symbol": "W", "statistic": 0.964, "p": 0.009})
    assert wording.normality(row, 0.05) == (
        "The Shapiro-Wilk test rejects normality of the residuals (W = .964, p = .009)."
    )
    assert "does not reject" in wording.normality(row.replace(0.009, 0.2), 0.05)


def test_disagreeing_post_hoc_tests_are_both_named():
    tukey, other = pd.Series({"p": 0.064}), pd.Series({"p": 0.023})
    sentence = wording.pair(tukey, other, ("LRP", "multi-scale"), 0.05)
    assert "significant by Games-Howell, not by Tukey" in sentence
    assert ".064" in sentence
    assert ".023" in sentence
    assert wording.pair(tukey, tukey, ("a", "b"), 0.05) is None
