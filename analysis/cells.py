"""What the text in a column of a CSV file means: truth values, numbers, levels of a factor."""

from __future__ import annotations

import numpy as np
import pandas as pd


def truth(column: pd.Series, where: str, notes: list[str]) -> pd.Series:
    """Truth values as 1, 0 and NaN; anything but true/false, yes/no, 1/0 is NaN and noted."""
    words = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "yes": 1.0, "no": 0.0}
    words |= {"1.0": 1.0, "0.0": 0.0}
    lower = column.str.lower()
    values = lower.map(words).astype(float)
    odd = values.isna() & ~lower.isin(["", "nan", "na", "none"])
    if odd.any():
        notes.append(f"{where} has {rows(int(odd.sum()))} that are neither true nor false.")
    return values


def categorical(column: pd.Series, levels: tuple[str, ...]) -> pd.Categorical:
    """The column with its levels in order; what is no level is missing."""
    known = column.astype(object).where(column.isin(levels), None)
    return pd.Categorical(known, categories=list(levels), ordered=True)


def numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").replace([np.inf, -np.inf], np.nan).astype(float)


def levels_in_order(column: pd.Series) -> tuple[str, ...]:
    """Levels sorted as numbers where all are, else as words."""
    levels = sorted(set(column))
    numbers = pd.to_numeric(pd.Series(levels, dtype=str), errors="coerce")
    if len(levels) and numbers.notna().all():
        return tuple(levels[i] for i in np.argsort(numbers.to_numpy(), kind="stable"))
    return tuple(levels)


def rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"
