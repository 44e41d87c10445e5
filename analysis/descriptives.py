"""Means, spreads and intervals, per group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def describe(data: pd.DataFrame, outcome: str, by: Sequence[str] = ()) -> pd.DataFrame:
    """Describe `outcome` in every combination of levels of `by` that occurs in `data`.

    Returns one row per group, in the order of the (categorical) levels, with the columns of `by`
    and n, mean, sd (n - 1), ci_low and ci_high (95 % interval of the mean, Student's t; empty for
    a single value), median, q1, q3, min, max.
    """
    if not by:
        return pd.DataFrame([_summary(data[outcome])])
    rows = []
    for levels, group in data.groupby(list(by), observed=True, sort=True):
        rows.append({**dict(zip(by, levels, strict=True)), **_summary(group[outcome])})
    return pd.DataFrame(rows, columns=[*by, *_summary(pd.Series([0.0]))])


def _summary(values: pd.Series) -> dict[str, float]:
    values = values.dropna()
    n = len(values)
    if n == 0:
        return {"n": 0} | dict.fromkeys(_STATISTICS, np.nan)
    mean = float(values.mean())
    sd = float(values.std(ddof=1)) if n > 1 else np.nan
    half = _t_quantile(n - 1) * sd / np.sqrt(n) if n > 1 else np.nan
    q1, median, q3 = (float(q) for q in values.quantile([0.25, 0.5, 0.75]))
    numbers = (mean, sd, mean - half, mean + half, median, q1, q3)
    return {
        "n": n,
        **dict(zip(_STATISTICS, (*numbers, float(values.min()), float(values.max())), strict=True)),
    }


_STATISTICS = ("mean", "sd", "ci_low", "ci_high", "median", "q1", "q3", "min", "max")


def _t_quantile(df: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, df))


def clustered_proportion(
    hits: pd.Series, participants: pd.Series, level: float = 0.95
) -> dict[str, float]:
    """A share of answers with an interval that knows that answers come in participants.

    The interval takes the participant as the sampling unit (linearised ratio estimator with a
    small-sample factor G / (G - 1); Cochran, Sampling Techniques, 3rd ed., ch. 6 and 9) and is
    cut to [0, 1]. It is empty with fewer than two participants or when all answers agree: the
    spread between participants says nothing then.
    """
    from scipy import stats

    keep = hits.notna()
    values, groups = hits[keep].astype(float), participants[keep]
    n, clusters = len(values), groups.nunique()
    if n == 0:
        return {"n": 0, "participants": 0, "mean": np.nan, "ci_low": np.nan, "ci_high": np.nan}
    mean = float(values.mean())
    sums = (values - mean).groupby(groups).sum()
    variance = float((sums**2).sum()) / n**2
    low = high = np.nan
    if clusters > 1 and variance > 0:
        factor = clusters / (clusters - 1)
        half = float(stats.t.ppf((1 + level) / 2, clusters - 1)) * np.sqrt(factor * variance)
        low, high = max(0.0, mean - half), min(1.0, mean + half)
    return {"n": n, "participants": clusters, "mean": mean, "ci_low": low, "ci_high": high}
