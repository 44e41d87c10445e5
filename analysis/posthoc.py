"""Which levels differ? Pairwise comparisons after an omnibus test."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd

from .errors import NotComputableError
from .section import tests_frame


def summarise(data: pd.DataFrame, outcome: str, factor: str) -> pd.DataFrame:
    """n, mean and sd of `outcome` in each level of `factor` that occurs, in level order."""
    groups = data.groupby(factor, observed=True)[outcome]
    return groups.agg(n="count", mean="mean", sd="std").query("n > 0")


def tukey_hsd(summary: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Tukey-Kramer comparisons of all pairs of levels, from n, mean and sd per level.

    Assumes equal variances: the pooled variance of the levels. `summary` has one row per level
    (index: its name) with n, mean, sd. Returns one row per pair with q, df, p (adjusted), the
    mean difference with its simultaneous (1 - alpha) interval, and Hedges' g.
    """
    _need_levels(summary)
    n, sd = summary["n"].to_numpy(float), summary["sd"].fillna(0.0).to_numpy(float)
    df = float(n.sum() - len(n))
    if df < 1:
        raise NotComputableError("Tukey's test needs a level with at least two participants.")
    pooled = float(((n - 1) * sd**2).sum() / df)
    if pooled <= 0:
        raise NotComputableError("Nothing varies within the levels, so Tukey's q does not exist.")
    pairs = [
        (i, j, pooled * (1 / n[i] + 1 / n[j]) / 2, df) for i, j in combinations(range(len(n)), 2)
    ]
    return _studentised_range("Tukey HSD", summary, pairs, alpha)


def games_howell(summary: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Games-Howell comparisons of all pairs of levels, from n, mean and sd per level.

    Assumes no equal variances: each pair has its own standard error and Welch degrees of freedom
    (Games and Howell 1976). Arguments and result as in `tukey_hsd`.
    """
    _need_levels(summary)
    alone = [str(level) for level in summary.index[summary["n"] < 2]]
    if alone:
        raise NotComputableError(
            f"Games-Howell needs two participants in each level; there is one in "
            f"{', '.join(alone)}."
        )
    n, variance = summary["n"].to_numpy(float), summary["sd"].to_numpy(float) ** 2
    pairs = []
    for i, j in combinations(range(len(n)), 2):
        a, b = variance[i] / n[i], variance[j] / n[j]
        if a + b <= 0:
            names = f"{summary.index[i]} and {summary.index[j]}"
            raise NotComputableError(f"Nothing varies within {names}, so q does not exist.")
        df = (a + b) ** 2 / (a**2 / (n[i] - 1) + b**2 / (n[j] - 1))
        pairs.append((i, j, (a + b) / 2, float(df)))
    return _studentised_range("Games-Howell", summary, pairs, alpha)


def _need_levels(summary: pd.DataFrame) -> None:
    if len(summary) < 2:
        raise NotComputableError("Fewer than two levels have participants.")


def _studentised_range(
    test: str,
    summary: pd.DataFrame,
    pairs: list[tuple[int, int, float, float]],
    alpha: float,
) -> pd.DataFrame:
    """Rows for pairs of (i, j, squared standard error of q, degrees of freedom)."""
    from scipy import stats

    k = len(summary)
    rows = []
    for i, j, squared_error, df in pairs:
        first, second = summary.iloc[i], summary.iloc[j]
        difference = float(first["mean"] - second["mean"])
        error = float(np.sqrt(squared_error))
        half = critical_q(alpha, k, df) * error
        rows.append(
            {
                "test": test,
                "term": f"{summary.index[i]} - {summary.index[j]}",
                "symbol": "q",
                "statistic": abs(difference) / error,
                "df1": k,
                "df2": df,
                "p": min(1.0, float(stats.studentized_range.sf(abs(difference) / error, k, df))),
                "effect": "Hedges' g",
                "effect_size": hedges_g(first, second),
                "a": str(summary.index[i]),
                "b": str(summary.index[j]),
                "difference": difference,
                "difference_low": difference - half,
                "difference_high": difference + half,
            }
        )
    return tests_frame(rows)


@lru_cache(maxsize=256)
def critical_q(alpha: float, k: int, df: float) -> float:
    """The studentised range of k means that is exceeded with probability alpha.

    Solved between two t quantiles that enclose it, a single pair's and Bonferroni's, which takes
    a third of the slow evaluations that scipy's own quantile takes.
    """
    from scipy import optimize, stats

    low, high = (
        float(np.sqrt(2) * stats.t.isf(alpha / 2 / pairs, df)) for pairs in (1, k * (k - 1) / 2)
    )
    if k == 2:
        return low

    def excess(q: float) -> float:
        return float(stats.studentized_range.sf(q, k, df)) - alpha

    return float(optimize.brentq(excess, low, high, xtol=1e-7))


def hedges_g(first: pd.Series, second: pd.Series) -> float:
    """Mean difference in SDs of two groups (rows with n, mean, sd), corrected for small samples."""
    df = float(first["n"] + second["n"] - 2)
    if df < 1:
        return np.nan
    squares = sum(
        (group["n"] - 1) * group["sd"] ** 2 for group in (first, second) if group["n"] > 1
    )
    if squares <= 0:
        return np.nan
    d = (first["mean"] - second["mean"]) / np.sqrt(squares / df)
    return float(d * (1 - 3 / (4 * df - 1)))


def dunn(data: pd.DataFrame, outcome: str, group: str) -> pd.DataFrame:
    """Dunn's two-sided test of all pairs of groups after Kruskal-Wallis, Holm-adjusted.

    Returns one row per pair with z (sign: first minus second mean rank), `p_unadjusted`, and p
    after Holm (scikit-posthocs; Dunn 1964, with correction for ties).
    """
    import scikit_posthocs
    from scipy import stats

    frame = data[[outcome, group]].dropna()
    frame = frame.assign(**{group: frame[group].astype(str)})
    levels = [str(x) for x in data[group].cat.categories if (frame[group] == str(x)).any()]
    if len(levels) < 2:
        raise NotComputableError("Fewer than two groups have participants.")
    if frame[outcome].nunique() < 2:
        raise NotComputableError("All participants have the same value, so there are no ranks.")
    raw = scikit_posthocs.posthoc_dunn(frame, val_col=outcome, group_col=group)
    holm = scikit_posthocs.posthoc_dunn(frame, val_col=outcome, group_col=group, p_adjust="holm")
    ranks = frame[outcome].rank().groupby(frame[group]).mean()
    rows = []
    for a, b in combinations(levels, 2):
        unadjusted = float(raw.loc[a, b])
        z = float(stats.norm.isf(unadjusted / 2)) * float(np.sign(ranks[a] - ranks[b]))
        rows.append(
            {
                "test": "Dunn, Holm",
                "term": f"{a} - {b}",
                "symbol": "z",
                "statistic": z,
                "p": float(holm.loc[a, b]),
                "a": a,
                "b": b,
                "p_unadjusted": unadjusted,
                "effect": "r = z / √n",
                "effect_size": z / float(np.sqrt((frame[group].isin([a, b])).sum())),
            }
        )
    return tests_frame(rows)


def kruskal_wallis(data: pd.DataFrame, outcome: str, group: str) -> pd.DataFrame:
    """Kruskal-Wallis test of `outcome` over the levels of `group` (scipy), with epsilon squared.

    Epsilon squared = H / (n - 1) (Tomczak and Tomczak 2014).
    """
    from scipy import stats

    frame = data[[outcome, group]].dropna()
    groups = [values.to_numpy() for _, values in frame.groupby(group, observed=True)[outcome]]
    if len(groups) < 2:
        raise NotComputableError(
            "Kruskal-Wallis compares groups; fewer than two have participants."
        )
    if frame[outcome].nunique() < 2:
        value = frame[outcome].iloc[0]
        raise NotComputableError(f"All participants have the same value ({value:g}).")
    h, p = stats.kruskal(*groups)
    return tests_frame(
        [
            {
                "test": "Kruskal-Wallis",
                "term": group,
                "symbol": "H",
                "statistic": float(h),
                "df1": len(groups) - 1,
                "p": float(p),
                "effect": "epsilon squared",
                "effect_size": float(h) / (len(frame) - 1),
                "n": len(frame),
            }
        ]
    )
