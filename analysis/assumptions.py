"""Do the residuals look normal, are the variances alike? Tests of what an ANOVA assumes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .errors import NotComputableError
from .section import tests_frame


def shapiro_wilk(values: pd.Series | np.ndarray, of: str = "residuals") -> pd.DataFrame:
    """Shapiro-Wilk test of normality (scipy); a small p *rejects* normality.

    Returns a one-row frame of tests with statistic W and n.
    """
    from scipy import stats

    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 3:
        raise NotComputableError(
            f"Shapiro-Wilk needs at least three {of}; there are {len(numbers)}."
        )
    if np.ptp(numbers) < 1e-12:
        raise NotComputableError(f"All {of} are equal, so there is no distribution to test.")
    w, p = stats.shapiro(numbers)
    return tests_frame(
        [
            {
                "test": "Shapiro-Wilk",
                "term": of,
                "symbol": "W",
                "statistic": float(w),
                "p": float(p),
                "n": len(numbers),
            }
        ]
    )


def levene(data: pd.DataFrame, outcome: str, factors: Sequence[str]) -> pd.DataFrame:
    """Levene's test of equal variances over all cells, centred at the median (Brown-Forsythe).

    Returns a one-row frame of tests with F(cells - 1, n - cells).
    """
    from scipy import stats

    groups = [
        (cell, group[outcome].to_numpy(dtype=float))
        for cell, group in data.groupby(list(factors), observed=True)
    ]
    if len(groups) < 2:
        raise NotComputableError("Levene's test compares cells; only one has participants.")
    single = [" × ".join(map(str, cell)) for cell, values in groups if len(values) < 2]
    if single:
        raise NotComputableError(
            f"Levene's test needs two participants in each cell; there is one in "
            f"{', '.join(single)}."
        )
    if all(np.ptp(np.abs(values - np.median(values))) < 1e-12 for _, values in groups):
        raise NotComputableError("No cell varies around its median, so no variances to compare.")
    f, p = stats.levene(*(values for _, values in groups), center="median")
    n = sum(len(values) for _, values in groups)
    return tests_frame(
        [
            {
                "test": "Levene (median)",
                "term": " × ".join(factors),
                "symbol": "F",
                "statistic": float(f),
                "df1": len(groups) - 1,
                "df2": n - len(groups),
                "p": float(p),
            }
        ]
    )
