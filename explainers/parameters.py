"""Checks of hyper-parameters: each returns the value or raises one clear ExplainerError."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from explainers.errors import ExplainerError


def whole(name: str, value: Any, *, minimum: int, maximum: int | None = None) -> int:
    """A whole number of at least `minimum`, and at most `maximum` where there is one."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ExplainerError(f"{name} is {value!r}; expected a whole number.")
    if maximum is not None and not minimum <= value <= maximum:
        raise ExplainerError(f"{name} is {value}; expected {minimum} to {maximum}.")
    if value < minimum:
        raise ExplainerError(f"{name} is {value}; expected {minimum} or more.")
    return int(value)


def fraction(name: str, value: Any) -> float:
    """A number from 0 to 1."""
    return within(name, value, 0, 1)


def within(name: str, value: Any, low: float, high: float) -> float:
    """A number from `low` to `high`, both included."""
    if not is_number(value) or not low <= value <= high:  # NaN fails too
        raise ExplainerError(f"{name} is {value!r}; expected a number from {low} to {high}.")
    return float(value)


def between(name: str, value: Any, low: float, high: float) -> float:
    """A number strictly between two others."""
    if not is_number(value):
        raise ExplainerError(f"{name} is {value!r}; expected a number between {low} and {high}.")
    if not low < value < high:  # NaN fails too
        raise ExplainerError(
            f"{name} is {value}; expected between {low} and {high}, both excluded."
        )
    return float(value)


def at_least(name: str, value: Any, low: float) -> float:
    """A finite number from `low` up."""
    if not is_number(value) or not low <= value <= sys.float_info.max:  # NaN fails too
        raise ExplainerError(f"{name} is {value!r}; expected a number of {low} or more.")
    return float(value)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """One of several names."""
    if not isinstance(value, str) or value not in choices:
        raise ExplainerError(f"{name} is {value!r}; expected one of {', '.join(choices)}.")
    return value


def flag(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, (bool, np.bool_)):
        raise ExplainerError(f"{name} is {value!r}; expected true or false.")
    return bool(value)
