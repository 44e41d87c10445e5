"""What was fixed before the data came: factors, significance level, preregistered hypotheses."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import AnalysisError

DEFAULT_FACTORS = {"heatmap": ("none", "lrp", "multiscale"), "scores": ("hidden", "shown")}
DEFAULT_CONFIDENCE = (
    *("extremely unconfident", "slightly unconfident"),
    *("slightly confident", "extremely confident"),
)
MAXIMUM_CONFIDENCE = 20
MAXIMUM_TASKS = 10_000
LARGEST_NUMBER = 1e100
"""Of what is measured: the sums of squares of larger numbers leave double precision."""

# Columns of an export that mean something of their own, and what is worked out beside them.
KNOWN_COLUMNS = frozenset(
    (
        *("source", "status", "screening_passed", "excluded", "exclusion_reason", "arrived_at"),
        *("consented_at", "completed_at", "n_tasks", "n_correct", "n_answers", "version_sha256"),
        *("task", "outcome", "assigned", "object_present", "predicted", "correct"),
        *("confidence", "cell", "accuracy", "saliency_ratio"),
    )
)
# Columns that stand beside the factors in tables of means.
TABLE_COLUMNS = frozenset(
    (
        *("participant_id", "factor", "level", "n", "mean", "sd", "ci_low", "ci_high"),
        *("median", "q1", "q3", "min", "max"),
    )
)


@dataclass(frozen=True)
class Hypothesis:
    """One preregistered question: does `factor` (None: any factor) matter for `outcome`?"""

    outcome: str
    factor: str | None = None
    text: str = ""


@dataclass(frozen=True)
class Plan:
    """The frozen part of an analysis, read from an export's `plan.json`.

    `plan.json` is one JSON object. Every key is optional, keys not listed here are ignored:

    - `title` (text), `study` (text, its short name), `version_sha256` (text): what is analysed;
    - `factors`: object of factor -> list of at least two levels, in the order to show them, the
      reference level first; each factor is a column of participants.csv, under a name that
      means nothing else (not in KNOWN_COLUMNS or TABLE_COLUMNS);
    - `participant`: the column that identifies a participant, `participant_id` by default;
    - `alpha`: significance level between 0 and 0.5, .05 by default;
    - `equivalence_bounds`: object of outcome -> positive number;
    - `preregistered`: list of hypotheses, each `{"outcome": ..., "factor": ..., "text": ...}` or
      the short form `"outcome"` or `"outcome:factor"`. Outcomes: `accuracy`, `confidence`,
      `saliency_ratio`. Whatever is not listed is reported as exploratory;
    - `confidence`: list of the words of the confidence scale, lowest first, from 2 to 20 of them;
      "" where a level has none; four as in the paper by default;
    - `n_tasks`: tasks per participant, a whole number from 1 to 10,000;
    - `labels`: object of factor or level -> the words to print for it;
    - `simulated`: true when the answers come from a model and not from people.
    """

    title: str = "Forward-simulation study"
    factors: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(DEFAULT_FACTORS))
    participant: str = "participant_id"
    alpha: float = 0.05
    equivalence_bounds: Mapping[str, float] = field(default_factory=dict)
    preregistered: tuple[Hypothesis, ...] = ()
    confidence: tuple[str, ...] = DEFAULT_CONFIDENCE
    n_tasks: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
    study: str = ""
    version_sha256: str = ""

    @classmethod
    def from_file(cls, path: Path) -> Plan:
        """Read and check `plan.json`; raises `AnalysisError` naming the key that is wrong."""
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        # No JSON, no UTF-8 and a number of thousands of digits are all ValueErrors.
        except (OSError, ValueError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            reason = "it is nested too deeply" if deep else str(error).partition(";")[0]
            raise AnalysisError(f"{path.name} cannot be read as JSON: {reason}.") from error
        return cls.from_dict(content, where=path.name)

    @classmethod
    def from_dict(cls, content: Any, where: str = "plan") -> Plan:
        """Check a plan given as a JSON object; see the class for its keys."""
        if not isinstance(content, dict):
            raise AnalysisError(f"{where} must hold a JSON object, not {_kind(content)}.")
        read = _Reader(content, where)
        return cls(
            title=read.text("title", "Forward-simulation study"),
            factors=read.factors(),
            participant=read.participant(),
            alpha=read.alpha(),
            equivalence_bounds=read.bounds(),
            preregistered=read.hypotheses(),
            confidence=read.confidence(),
            n_tasks=read.n_tasks(),
            labels=read.labels(),
            simulated=read.flag("simulated"),
            study=read.text("study", ""),
            version_sha256=read.text("version_sha256", ""),
        )

    def label(self, name: str) -> str:
        """The words to print for a factor, a level, or a term such as `heatmap:scores`."""
        if ":" in name:
            return " × ".join(self.label(part) for part in name.split(":"))
        return self.labels.get(name, name.replace("_", " "))

    @property
    def confidence_levels(self) -> tuple[int, ...]:
        """The values that a confidence can have: 1 for the lowest."""
        return tuple(range(1, len(self.confidence) + 1))

    def confidence_words(self, level: int) -> str:
        """The words for a level of confidence, its number where it has none."""
        return self.confidence[level - 1] or str(level)

    def is_preregistered(self, outcome: str, term: str | None = None) -> bool:
        """Whether a hypothesis about this outcome (and this factor, when given) was fixed."""
        return any(
            hypothesis.outcome == outcome
            and (term is None or hypothesis.factor is None or hypothesis.factor == term)
            for hypothesis in self.preregistered
        )


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    number = f"the number {reprlib.repr(value)}"  # cut where it has hundreds of digits
    return names.get(type(value), "nothing" if value is None else number)


class _Reader:
    """Takes one key at a time out of a plan; every complaint names the key."""

    def __init__(self, content: dict[str, Any], where: str) -> None:
        self.content = content
        self.where = where

    def wrong(self, key: str, expected: str, found: Any) -> AnalysisError:
        return AnalysisError(f"{self.where}: {key} must be {expected}, not {_kind(found)}.")

    def text(self, key: str, default: str) -> str:
        value = self.content.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(key, "text", value)
        return value.strip() or default

    def participant(self) -> str:
        value = self.text("participant", "participant_id")
        if value in KNOWN_COLUMNS | {"condition", "code", "group", *self.factors()}:
            raise AnalysisError(
                f"{self.where}: participant is {value!r}, a column with another meaning; expected "
                "the column that identifies a participant."
            )
        return value

    def flag(self, key: str) -> bool:
        value = self.content.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false", value)
        return value

    def alpha(self) -> float:
        value = self.content.get("alpha", 0.05)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 0.5:
            raise self.wrong("alpha", "a number between 0 and 0.5", value)
        return float(value)

    def confidence(self) -> tuple[str, ...]:
        value = self.content.get("confidence")
        if value is None:
            return DEFAULT_CONFIDENCE
        expected = f"a list of 2 to {MAXIMUM_CONFIDENCE} texts"
        if not isinstance(value, list) or not 2 <= len(value) <= MAXIMUM_CONFIDENCE:
            raise self.wrong("confidence", expected, value)
        for words in value:
            if not isinstance(words, str):
                raise self.wrong("confidence", expected, words)
        return tuple(words.strip() for words in value)

    def n_tasks(self) -> int | None:
        value = self.content.get("n_tasks")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAXIMUM_TASKS:
            raise self.wrong("n_tasks", f"a whole number from 1 to {MAXIMUM_TASKS}", value)
        return value

    def factors(self) -> dict[str, tuple[str, ...]]:
        value = self.content.get("factors")
        if value is None:
            return dict(DEFAULT_FACTORS)
        if not isinstance(value, dict) or not value:
            raise self.wrong("factors", "an object of factor -> list of levels", value)
        if len(value) > 3:
            raise AnalysisError(f"{self.where}: factors has {len(value)}; expected at most three.")
        factors = {}
        for name, levels in value.items():
            if name in KNOWN_COLUMNS | TABLE_COLUMNS:
                raise AnalysisError(
                    f"{self.where}: a factor is called {name!r}, a name with another meaning; "
                    "expected one of its own."
                )
            if not isinstance(levels, list) or any(isinstance(x, dict | list) for x in levels):
                raise self.wrong(f"factors.{name}", "a list of levels", levels)
            named = tuple(_level(level) for level in levels)
            if len(set(named)) < 2 or len(set(named)) != len(named):
                raise AnalysisError(
                    f"{self.where}: factors.{name} needs at least two different levels."
                )
            factors[str(name)] = named
        return factors

    def bounds(self) -> dict[str, float]:
        value = self.content.get("equivalence_bounds") or {}
        if not isinstance(value, dict):
            raise self.wrong("equivalence_bounds", "an object of outcome -> number", value)
        for name, bound in value.items():
            number = isinstance(bound, int | float) and not isinstance(bound, bool)
            if not (number and 0 < bound <= LARGEST_NUMBER):  # NaN fails too
                raise self.wrong(f"equivalence_bounds.{name}", "a positive number", bound)
        return {str(name): float(bound) for name, bound in value.items()}

    def hypotheses(self) -> tuple[Hypothesis, ...]:
        value = self.content.get("preregistered") or []
        if not isinstance(value, list):
            raise self.wrong("preregistered", "a list", value)
        return tuple(self._hypothesis(i, item) for i, item in enumerate(value))

    def _hypothesis(self, i: int, item: Any) -> Hypothesis:
        if isinstance(item, str):
            outcome, _, name = item.partition(":")
            return Hypothesis(outcome.strip(), name.strip() or None)
        if not (isinstance(item, dict) and isinstance(item.get("outcome"), str)):
            raise self.wrong(f"preregistered.{i}", "an outcome or an object with `outcome`", item)
        factor, text = item.get("factor"), item.get("text")
        for key, found in (("factor", factor), ("text", text)):
            if not isinstance(found, str | None):
                raise self.wrong(f"preregistered.{i}.{key}", "text", found)
        return Hypothesis(item["outcome"], factor, text or "")

    def labels(self) -> dict[str, str]:
        value = self.content.get("labels") or {}
        if not isinstance(value, dict):
            raise self.wrong("labels", "an object of name -> words", value)
        return {str(key): words for key, words in value.items() if isinstance(words, str)}


def _level(value: Any) -> str:
    # YAML and JSON writers turn levels such as yes and no into booleans.
    return str(value).lower() if isinstance(value, bool) else str(value)
