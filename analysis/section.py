"""What one question of the report hands to the page: words, tests, tables, figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from .errors import NotComputableError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The columns every frame of tests has, whatever the test; a test fills what it has.
TEST_COLUMNS = [
    "test",
    "term",
    "symbol",
    "statistic",
    "df1",
    "df2",
    "p",
    "effect",
    "effect_size",
    "ci_low",
    "ci_high",
]

# (heading, column) or (heading, (low, high)) for an interval.
Columns = Sequence[tuple[str, str | tuple[str, str]]]


@dataclass
class Table:
    """A frame with its caption; `columns` chooses and names what the page shows of it."""

    name: str
    caption: str
    frame: pd.DataFrame
    columns: Columns | None = None
    note: str = ""
    digits: int = 3


@dataclass
class Chart:
    """A drawn figure, the frame it was drawn from, and its description for who cannot see it."""

    name: str
    caption: str
    alt: str
    figure: Figure
    data: pd.DataFrame


@dataclass
class Section:
    """One question of the report.

    `tests` maps a test's name to a frame with `TEST_COLUMNS` (one row per term or pair); a test
    made once per factor is named `test.factor`;
    `not_computed` maps the name of a test that does not exist for these data to the reason.
    """

    key: str
    title: str
    intro: str = ""
    sentences: list[str] = field(default_factory=list)
    tests: dict[str, pd.DataFrame] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_computed: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def attempt(self, name: str, test: Callable[[], pd.DataFrame]) -> pd.DataFrame | None:
        """Run a test and keep its frame, or keep the reason why it does not exist."""
        try:
            self.tests[name] = test()
        except NotComputableError as reason:
            self.not_computed[name] = str(reason)
            return None
        return self.tests[name]


def tests_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A frame with `TEST_COLUMNS` first, then whatever else the rows hold."""
    frame = pd.DataFrame(rows)
    for column in TEST_COLUMNS:
        if column not in frame:
            frame[column] = None
    rest = [column for column in frame.columns if column not in TEST_COLUMNS]
    return frame[TEST_COLUMNS + rest]
