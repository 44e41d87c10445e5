"""Factorial analysis of variance between subjects, with effect sizes and their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from .errors import NotComputableError
from .section import tests_frame

Robust = Literal["hc0", "hc3"]


@dataclass
class Model:
    """A fitted cell-means model: ordinary least squares with sum-to-zero coding.

    `factors` are those with at least two levels in the data; `notes` says what was left out.
    """

    fit: Any
    factors: list[str]
    cells: pd.Series
    interaction: bool
    notes: list[str] = field(default_factory=list)

    @property
    def n(self) -> int:
        return int(self.fit.nobs)


def fit_model(data: pd.DataFrame, outcome: str, factors: Sequence[str]) -> Model:
    """Fit `outcome ~ factor x factor` to one row per participant.

    A factor with a single level in the data is left out. If a cell has no participants the
    interaction is not estimable, so main effects only are fitted; both are noted in the model.
    Raises `NotComputableError` when nothing is left to estimate or nothing varies.
    """
    import statsmodels.formula.api as smf

    frame = data[[outcome, *factors]].dropna()
    notes: list[str] = []
    kept = [factor for factor in factors if frame[factor].nunique() > 1]
    for factor in factors:
        if factor not in kept:
            levels = ", ".join(map(str, frame[factor].unique())) or "none"
            notes.append(f"{factor} was left out: only one level has participants ({levels}).")
    if not kept:
        raise NotComputableError("No factor has participants in at least two of its levels.")
    cells = frame.groupby(kept, observed=True).size()
    full = int(np.prod([frame[factor].nunique() for factor in kept]))
    interaction = len(cells) == full
    if not interaction:
        notes.append(
            f"{full - len(cells)} of {full} cells have no participants: the interaction cannot be "
            "estimated, so main effects only were fitted."
        )
    _check_enough(frame, outcome, len(cells) if interaction else 1 + _main_parameters(frame, kept))
    # Neutral names: columns of anybody's file may hold blanks or operators.
    names = {outcome: "y"} | {factor: f"f{i}" for i, factor in enumerate(kept)}
    renamed = frame[[outcome, *kept]].rename(columns=names)
    for i in range(len(kept)):
        renamed[f"f{i}"] = renamed[f"f{i}"].astype(str)
    # Sum coding: with treatment coding Type III tests of main effects are silently wrong.
    terms = (f"C(f{i}, Sum)" for i in range(len(kept)))
    design = smf.ols("y ~ " + (" * " if interaction else " + ").join(terms), renamed)
    if np.linalg.matrix_rank(design.exog) < design.exog.shape[1]:
        raise NotComputableError("Too many cells are empty to separate the factors' effects.")
    fit = design.fit()
    if fit.ssr <= 1e-12 * max(1.0, float((renamed["y"] ** 2).sum())):
        raise NotComputableError("Nothing varies within the cells, so F has no denominator.")
    return Model(fit, kept, cells, interaction, notes)


def _main_parameters(frame: pd.DataFrame, factors: Sequence[str]) -> int:
    return sum(frame[factor].nunique() - 1 for factor in factors)


def _check_enough(frame: pd.DataFrame, outcome: str, parameters: int) -> None:
    if len(frame) <= parameters:
        raise NotComputableError(
            f"{len(frame)} participants for {parameters} estimated means leave no degrees of "
            "freedom for the error."
        )
    values = frame[outcome].to_numpy(dtype=float)
    if np.ptp(values) < 1e-12:
        raise NotComputableError(f"All participants have the same value ({values[0]:.3g}).")


def anova_table(
    model: Model, *, typ: Literal[2, 3] = 3, robust: Robust | None = None
) -> pd.DataFrame:
    """The F tests of a fitted model, one row per term, with effect sizes.

    `typ` 3 tests unweighted marginal means, 2 each main effect without the interaction. With
    `robust` the covariance is heteroscedasticity-consistent (HC3: MacKinnon and White 1985;
    HC0: White 1980); partial eta squared is then derived from F and marked `approximate`.

    Columns beyond the common ones: `omega_squared`, `ci_level` (.90), `approximate`.
    """
    from statsmodels.stats.anova import anova_lm

    if robust:
        _refuse_full_leverage(model, robust)
    options = {"robust": robust} if robust else {}
    table = anova_lm(model.fit, typ=typ, **options)
    df2 = float(model.fit.df_resid)
    rows = []
    for term, row in table.iterrows():
        if term in ("Intercept", "Residual"):
            continue
        f, df1 = float(row["F"]), float(row["df"])
        low, high = eta_squared_interval(f, df1, df2)
        rows.append(
            {
                "test": f"ANOVA, Type {'I' * typ}" + (f", {robust.upper()}" if robust else ""),
                "term": _named(str(term), model.factors),
                "symbol": "F",
                "statistic": f,
                "df1": df1,
                "df2": df2,
                "p": float(row["PR(>F)"]),
                "effect": "partial eta squared",
                "effect_size": partial_eta_squared(f, df1, df2),
                "ci_low": low,
                "ci_high": high,
                "ci_level": 0.9,
                "omega_squared": partial_omega_squared(f, df1, model.n),
                "approximate": robust is not None,
            }
        )
    return tests_frame(rows)


def _refuse_full_leverage(model: Model, robust: Robust) -> None:
    """A participant alone in a cell has residual 0 and leverage 1.

    HC3 divides by 1 - leverage; HC0 takes the cell's variance for 0.
    """
    if float(model.fit.get_influence().hat_matrix_diag.max()) > 1 - 1e-8:
        alone = [
            " × ".join(cell) if isinstance(cell, tuple) else str(cell)
            for cell, n in model.cells.items()
            if n == 1
        ]
        raise NotComputableError(
            f"{robust.upper()} needs two participants in each cell; there is one in "
            f"{', '.join(alone) or 'a cell'}."
        )


def _named(term: str, factors: Sequence[str]) -> str:
    for i, factor in enumerate(factors):
        term = term.replace(f"C(f{i}, Sum)", factor)
    return term


def partial_eta_squared(f: float, df1: float, df2: float) -> float:
    """Share of variance a term explains beside the other terms, from its F."""
    return f * df1 / (f * df1 + df2)


def partial_omega_squared(f: float, df1: float, n: int) -> float:
    """Less biased than partial eta squared (Olejnik and Algina 2003); negative is reported as 0."""
    return max(0.0, df1 * (f - 1) / (df1 * (f - 1) + n))


def eta_squared_interval(
    f: float, df1: float, df2: float, level: float = 0.90
) -> tuple[float, float]:
    """Interval of partial eta squared by inverting the noncentral F (Steiger 2004).

    90 % is the convention: it excludes 0 exactly when the F test is significant at .05.
    """
    tail = (1 - level) / 2
    bounds = (_noncentrality(f, df1, df2, 1 - tail), _noncentrality(f, df1, df2, tail))
    low, high = (nc / (nc + df1 + df2 + 1) for nc in bounds)
    return low, high


def _noncentrality(f: float, df1: float, df2: float, probability: float) -> float:
    """The noncentrality at which F(df1, df2) falls below `f` with this probability, or 0."""
    from scipy import optimize, special

    def excess(nc: float) -> float:
        return float(special.ncfdtr(df1, df2, nc, f)) - probability

    if not np.isfinite(f) or excess(0.0) <= 0:
        return 0.0 if np.isfinite(f) else np.nan
    high = max(1.0, f * df1)
    while excess(high) > 0:
        high *= 2
        if high > 1e7:
            return np.nan
    return float(optimize.brentq(excess, 0.0, high))
