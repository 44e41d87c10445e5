"""Pairwise comparisons against scipy, pingouin and the paper's means and SDs."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import NotComputableError
from analysis.posthoc import dunn, games_howell, kruskal_wallis, summarise, tukey_hsd

# Paper 001, section 6.3.3: saliency-feature ratio by heatmap, n about 31, 32, 31.
PAPER = {"lrp": (31, 0.840, 0.154), "multiscale": (32, 0.711, 0.218), "none": (31, 0.546, 0.284)}


def exactly(n: int, mean: float, sd: float, seed: int) -> np.ndarray:
    """n values with exactly this mean and standard deviation."""
    values = np.random.default_rng(seed).normal(size=n)
    return (values - values.mean()) / values.std(ddof=1) * sd + mean


@pytest.fixture
def paper():
    rows = [
        {"heatmap": level, "ratio": value}
        for seed, (level, (n, mean, sd)) in enumerate(PAPER.items())
        for value in exactly(n, mean, sd, seed)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(heatmap=pd.Categorical(frame["heatmap"], categories=list(PAPER)))


@pytest.fixture
def ranked():
    rng = np.random.default_rng(7)
    rows = [
        {"group": name, "value": int(value)}
        for shift, name in enumerate(["a", "b", "c", "d"])
        for value in rng.integers(1, 6, 12 + shift) + shift // 2
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(group=pd.Categorical(frame["group"]))


def test_paper_verdict_hangs_on_the_procedure(paper):
    # Printed: Tukey p = .06 for LRP against multi-scale, read as comparable although Levene had
    # rejected equal variances; Games-Howell falls on the other side of .05.
    summary = summarise(paper, "ratio", "heatmap")
    tukey = tukey_hsd(summary).iloc[0]
    other = games_howell(summary).iloc[0]
    assert (tukey["a"], tukey["b"]) == ("lrp", "multiscale")
    assert 0.060 <= tukey["p"] <= 0.070
    assert 0.022 <= other["p"] <= 0.024


@pytest.mark.parametrize(("test", "equal_var"), [(tukey_hsd, True), (games_howell, False)])
def test_same_p_and_intervals_as_scipy(paper, test, equal_var):
    groups = [g.to_numpy() for _, g in paper.groupby("heatmap", observed=True)["ratio"]]
    reference = stats.tukey_hsd(*groups, equal_var=equal_var)
    interval = reference.confidence_interval(0.95)
    found = test(summarise(paper, "ratio", "heatmap"))
    for (i, j), (_, row) in zip([(0, 1), (0, 2), (1, 2)], found.iterrows(), strict=True):
        assert row["p"] == pytest.approx(reference.pvalue[i, j], abs=1e-9)
        assert row["difference_low"] == pytest.approx(interval.low[i, j], abs=1e-6)
        assert row["difference_high"] == pytest.approx(interval.high[i, j], abs=1e-6)


def test_same_q_df_and_g_as_pingouin(paper):
    pingouin = pytest.importorskip("pingouin")
    reference = pingouin.pairwise_gameshowell(
        data=paper.assign(heatmap=paper["heatmap"].astype(str)), dv="ratio", between="heatmap"
    )
    found = games_howell(summarise(paper, "ratio", "heatmap"))
    assert found["df2"].to_numpy() == pytest.approx(reference["df"].to_numpy(), rel=1e-6)
    assert found["p"].to_numpy() == pytest.approx(reference["pval"].to_numpy(), abs=1e-6)
    assert found["effect_size"].to_numpy() == pytest.approx(
        reference["hedges"].to_numpy(), rel=1e-3
    )


def test_printed_kruskal_wallis_p_belongs_to_its_h():
    # Paper 001, section 6.2: H(5) = 3.178, p = .673.
    assert stats.chi2.sf(3.178, 5) == pytest.approx(0.673, abs=0.0005)


def test_kruskal_wallis_by_hand():
    # No ties: H = 12 / (n (n + 1)) sum(R^2 / n_i) - 3 (n + 1), ranks 1..6 in groups of two.
    frame = pd.DataFrame({"group": list("aabbcc"), "value": [1.0, 2, 3, 4, 5, 6]})
    frame["group"] = pd.Categorical(frame["group"])
    row = kruskal_wallis(frame, "value", "group").iloc[0]
    assert row["statistic"] == pytest.approx(12 / 42 * (9 / 2 + 49 / 2 + 121 / 2) - 21)
    assert row["df1"] == 2
    assert row["effect_size"] == pytest.approx(row["statistic"] / 5)


def test_dunn_by_hand_with_ties(ranked):
    ranks = stats.rankdata(ranked["value"])
    n = len(ranks)
    _, ties = np.unique(ranks, return_counts=True)
    variance = n * (n + 1) / 12 - (ties**3 - ties).sum() / (12 * (n - 1))
    means = pd.Series(ranks).groupby(ranked["group"].astype(str)).agg(["mean", "count"])
    found = dunn(ranked, "value", "group")
    unadjusted = []
    for _, row in found.iterrows():
        a, b = means.loc[row["a"]], means.loc[row["b"]]
        z = (a["mean"] - b["mean"]) / np.sqrt(variance * (1 / a["count"] + 1 / b["count"]))
        assert row["statistic"] == pytest.approx(z, abs=1e-9)
        unadjusted.append(2 * stats.norm.sf(abs(z)))
    assert found["p_unadjusted"].to_numpy() == pytest.approx(unadjusted)
    # Holm: the i-th smallest of m times (m - i), made monotone, at most 1.
    order = np.argsort(unadjusted)
    stepped = np.maximum.accumulate(np.sort(unadjusted) * np.arange(len(order), 0, -1))
    assert found["p"].to_numpy()[order] == pytest.approx(np.minimum(stepped, 1))


def test_degenerate_levels_are_refused_with_the_reason():
    one = pd.DataFrame({"n": [1, 8], "mean": [1.0, 2], "sd": [np.nan, 1]}, index=["a", "b"])
    assert len(tukey_hsd(one)) == 1
    with pytest.raises(NotComputableError, match="there is one in a"):
        games_howell(one)
    still = pd.DataFrame({"n": [4, 4], "mean": [1.0, 2], "sd": [0.0, 0]}, index=["a", "b"])
    with pytest.raises(NotComputableError, match="varies"):
        tukey_hsd(still)
    with pytest.raises(NotComputableError, match="Fewer than two"):
        tukey_hsd(still.head(1))


def test_constant_values_have_no_ranks(ranked):
    constant = ranked.assign(value=3)
    with pytest.raises(NotComputableError, match="same value"):
        kruskal_wallis(constant, "value", "group")
    with pytest.raises(NotComputableError, match="same value"):
        dunn(constant, "value", "group")
