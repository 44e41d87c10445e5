"""Sentences made from numbers, saying no more than the test shows.

Three rules hold everywhere: a large p is "not significant" and never a sign of equality (that
takes an equivalence test); a Shapiro-Wilk p below alpha rejects normality; every sentence carries
its statistic, degrees of freedom, p and effect size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

CAUTION = (
    "A result that is not significant does not show that conditions are alike: that would take an "
    "equivalence test with bounds fixed beforehand."
)


def p_value(p: float | None) -> str:
    """`p = .051`, `p < .001`, without a leading zero."""
    if p is None or not np.isfinite(p):
        return "p undefined"
    if p < 0.001:
        return "p < .001"
    return "p > .999" if p > 0.999 else f"p = {unit(p)}"


def unit(value: float, digits: int = 3) -> str:
    """A number that cannot exceed 1, without its leading zero: `.064`, `−.12`, `1.000`."""
    text = f"{value:.{digits}f}"
    if text.startswith("-0."):
        return "−" + text[2:] if float(text) else text[2:]
    return text[1:] if text.startswith("0.") else text


def degrees(row: pd.Series | dict[str, Any]) -> str:
    """`(2, 90)`, `(5)`, or nothing."""
    parts = [row.get("df1"), row.get("df2")]
    shown = [f"{part:.1f}".removesuffix(".0") for part in parts if _number(part)]
    return f"({', '.join(shown)})" if shown else ""


def statistic(row: pd.Series | dict[str, Any]) -> str:
    """`F(2, 90) = 3.07, p = .051, ηp² = .064, 90% CI [.000, .146], ω² = .041`."""
    words = [f"{row['symbol']}{degrees(row)} = {row['statistic']:.2f}", p_value(row["p"])]
    if row["symbol"] == "W":
        words[0] = f"W = {unit(row['statistic'])}"
    if row.get("effect") == "partial eta squared" and _number(row.get("effect_size")):
        about = "≈" if row.get("approximate") else "="
        words.append(f"ηp² {about} {unit(row['effect_size'])}")
        words.append(f"90% CI [{unit(row['ci_low'])}, {unit(row['ci_high'])}]")
        words.append(f"ω² {about} {unit(row['omega_squared'])}")
    elif row.get("effect") == "epsilon squared":
        words.append(f"ε² = {unit(row['effect_size'])}")
    return ", ".join(words)


def _number(value: Any) -> bool:
    return value is not None and not isinstance(value, str) and bool(np.isfinite(value))


def normality(row: pd.Series, alpha: float) -> str:
    """What a Shapiro-Wilk test says about normality of the residuals."""
    numbers = f"({statistic(row)})"
    if row["p"] < alpha:
        return f"The Shapiro-Wilk test rejects normality of the residuals {numbers}."
    return (
        f"The Shapiro-Wilk test does not reject normality of the residuals {numbers}, which is not "
        "evidence that they are normal."
    )


def equal_variances(row: pd.Series, alpha: float) -> str:
    """What Levene's test says about the variances of the cells."""
    numbers = f"({statistic(row)})"
    if row["p"] < alpha:
        return f"Levene's test rejects equal variances of the cells {numbers}."
    return (
        f"Levene's test does not reject equal variances of the cells {numbers}, which is not "
        "evidence that they are equal."
    )


def effect(row: pd.Series, name: str, outcome: str, alpha: float) -> str:
    """One term of an ANOVA; `name` as printed, such as `heatmap` or `heatmap × scores`."""
    what = f"main effect of {name}"
    if ":" in row["term"]:
        what = f"interaction of {name.replace(' × ', ' and ')}"
    if row["p"] < alpha:
        return f"The {what} on {outcome} was significant, {statistic(row)}."
    return f"The {what} on {outcome} was not significant, {statistic(row)}."


def pair(tukey: pd.Series, other: pd.Series, levels: tuple[str, str], alpha: float) -> str | None:
    """A sentence where Tukey and Games-Howell fall on different sides of alpha; else None."""
    if (tukey["p"] < alpha) == (other["p"] < alpha):
        return None
    significant, not_significant = (
        ("Tukey", "Games-Howell") if tukey["p"] < alpha else ("Games-Howell", "Tukey")
    )
    return (
        f"The post-hoc tests disagree on {levels[0]} against {levels[1]}: significant by "
        f"{significant}, not by {not_significant} (Tukey {p_value(tukey['p'])}, Games-Howell "
        f"{p_value(other['p'])}); Games-Howell is the one that does not assume equal variances."
    )


def pairs(frame: pd.DataFrame, factor: str, procedure: str, label: Any, alpha: float) -> str:
    """Which pairs of a factor's levels differ significantly by one procedure."""
    hits = [
        f"{label(row['a'])} against {label(row['b'])} (difference {signed(row['difference'])}, "
        f"{p_value(row['p'])})"
        for _, row in frame.iterrows()
        if row["p"] < alpha
    ]
    if hits:
        return f"Levels of {label(factor)} that differ significantly by {procedure}: " + (
            f"{'; '.join(hits)}."
        )
    return f"No two levels of {label(factor)} differ significantly by {procedure}."


def signed(value: float) -> str:
    """Three decimals with a real minus sign."""
    return f"{value:.3f}".replace("-", "−")


def means(description: pd.DataFrame, factor: str, label: Any) -> str:
    """`0.562 for LRP (SD 0.148, n = 32); ...`, one part per level."""
    parts = [
        f"{row['mean']:.3f} for {label(row[factor])} "
        + (f"(SD {row['sd']:.3f}, n = {row['n']})" if _number(row["sd"]) else f"(n = {row['n']})")
        for _, row in description.iterrows()
    ]
    return "; ".join(parts)
