"""From values per image to means with intervals, over images that can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explainers.evaluation.judging import Value, in_words
from explainers.evaluation.plan import Plan
from explainers.evaluation.run import Failure
from explainers.evaluation.store import Store
from explainers.metrics import Metric, Reason
from explainers.metrics.outcomes import Outcome, Summary, in_common, summary

CONFIDENCE, RESAMPLES = 0.95, 9999

Key = tuple[str, str]
"""An image and a target ("" for the whole prediction)."""

Outcomes = Mapping[Key, Outcome]


@dataclass(frozen=True)
class Cell:
    """The mean of a metric over n images, and its interval; NaN where there is none."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Group:
    """Columns with the images that all of them were to be judged on, in order."""

    name: str
    columns: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """One metric under one setting over a group's columns.

    cells: by column. left_out: by column, how many images (or images times targets) have no part
    in the means, by reason. without_target: images of the group that have no target at all.
    """

    metric: Metric
    setting: str
    cells: dict[str, Cell]
    left_out: dict[str, dict[Reason, int]]
    without_target: int


class Results:
    """Everything that was evaluated, by metric and setting, column, image and target."""

    def __init__(self, plan: Plan, store: Store, failures: Sequence[Failure] = ()) -> None:
        self.plan, self.store, self.failures = plan, store, tuple(failures)
        self.rows: list[tuple[str, str, Value]] = []  # image, column, value
        for number, photograph in enumerate(plan.photographs):
            for column in plan.columns:
                if number < plan.count(column) and store.has(column.name, photograph.name):
                    found = store.judgement(column.name, photograph.name).values
                    self.rows += [(photograph.name, column.name, value) for value in found]
        self._outcomes: dict[tuple[str, str], dict[str, dict[Key, Outcome]]] = {}
        for image, name, value in self.rows:
            by_column = self._outcomes.setdefault((value.metric, value.setting), {})
            by_column.setdefault(name, {})[image, value.target] = value.outcome

    def groups(self, kinds: Iterable[str] = ("method", "thresholded")) -> list[Group]:
        """All columns of some kinds on the images they share; where some were to be judged on
        fewer images than others, the others also on all of theirs.
        """
        chosen = [one for one in self.plan.columns if one.kind in kinds]
        counts = {one.name: self.plan.count(one) for one in chosen}
        if not counts:
            return []
        found = [self._group("", tuple(counts), min(counts.values()))]
        most = max(counts.values())
        if min(counts.values()) < most:
            full = tuple(name for name, count in counts.items() if count == most)
            found.append(self._group("full", full, most))
        return found

    def alone(self, column: str) -> Group:
        """One column with the images it was judged on."""
        return self._group("", (column,), self.plan.count(self.plan.column(column)))

    def _group(self, name: str, columns: tuple[str, ...], count: int) -> Group:
        """Without the images that failed under one of the columns."""
        images = (one.name for one in self.plan.photographs[:count])
        done = (one for one in images if all(self.store.has(column, one) for column in columns))
        return Group(name, columns, tuple(done))

    def compare(
        self, metric: Metric, group: Group, setting: str = "", *, together: bool = True
    ) -> Comparison:
        """Over the images (and targets) for which every column of the group has a value; if not
        `together`, each column over those for which it has one itself.
        """
        known = self._outcomes.get((metric.name, setting), {})
        members, columns = set(group.images), [one for one in group.columns if one in known]
        keys = sorted({key for one in columns for key in known[one] if key[0] in members})
        by_column = {one: [known[one][key] for key in keys] for one in columns}
        counted = in_common if together else _each
        missing = {
            key
            for key in keys
            if together and any(isinstance(known[one][key], Reason) for one in columns)
        }
        return Comparison(
            metric,
            setting,
            {
                one: cell(
                    {key: known[one][key] for key in keys if key not in missing}, self.plan.seed
                )
                for one in columns
            },
            {one: found.left_out for one, found in counted(by_column).items()},
            len(members - {image for image, _ in keys}),
        )

    def settings_of(self, metric: Metric) -> list[str]:
        return [setting for name, setting in self._outcomes if name == metric.name]


def _each(by_column: Mapping[str, Sequence[Outcome]]) -> dict[str, Summary]:
    return {name: summary(outcomes) for name, outcomes in by_column.items()}


def cell(outcomes: Outcomes, seed: int) -> Cell:
    """The mean over images, of each image's mean over targets, with its interval.

    Reasons have no part in it.
    """
    by_image: dict[str, list[float]] = {}
    for (image, _), value in outcomes.items():
        if not isinstance(value, Reason):
            by_image.setdefault(image, []).append(value)
    values = np.array([np.mean(one) for one in by_image.values()])
    if not len(values):
        return Cell(np.nan, np.nan, np.nan, 0)
    return Cell(float(values.mean()), *interval(values, seed), len(values))


def interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % bootstrap interval (BCa) of the mean of one value per image.

    NaN for fewer than two images; where all values are the same, that value.
    """
    from scipy.stats import bootstrap

    if len(values) < 2:
        return np.nan, np.nan
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return float(values.mean()), float(values.mean())
    found = bootstrap(
        (values,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=999,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def marks(means: Mapping[str, float], better: str | None, decimals: int) -> dict[str, str]:
    """Which means are "best" and "second" (others ""), as they are printed: equals share a mark.

    None where neither direction is better, and where all are equal.
    """
    shown = {name: round(mean, decimals) for name, mean in means.items() if not np.isnan(mean)}
    ranking = sorted(set(shown.values()), reverse=better == "higher")
    if better is None or len(ranking) < 2:
        return dict.fromkeys(means, "")
    places = dict(zip(ranking, ("best", "second"), strict=False))
    return {name: places.get(shown[name], "") if name in shown else "" for name in means}


def left_out(comparisons: Iterable[Comparison]) -> list[str]:
    """What has no part in the means, in a sentence per reason; none where nothing was left out."""
    counts: dict[Reason, dict[str, list[str]]] = {}  # by reason and metric: methods, how often
    without = 0
    for one in comparisons:
        without = max(without, one.without_target)
        for reason, parts in _by_reason(one).items():
            found = counts.setdefault(reason, {}).setdefault(_title(one), [])
            found += [part for part in parts if part not in found]
    sentences = [f"{without} images without a label to explain."] if without else []
    for reason, by_metric in counts.items():
        by_text: dict[str, list[str]] = {}
        for title, parts in by_metric.items():
            by_text.setdefault(", ".join(parts), []).append(title)
        where = (f"{', '.join(titles)}: {text}" for text, titles in by_text.items())
        sentences.append(f"{reason.capitalize()}: {'; '.join(where)}.")
    return sentences


def _title(comparison: Comparison) -> str:
    label, setting = comparison.metric.label, comparison.setting
    return f"{label} ({in_words(setting)})" if setting else label


def _by_reason(comparison: Comparison) -> dict[Reason, list[str]]:
    """The methods with how often each reason was theirs; as one where it was the same for all."""
    own = comparison.left_out
    reasons = {one: None for counts in own.values() for one in counts}
    reasons.pop(Reason.OTHER_METHOD, None)
    found = {}
    for reason in reasons:
        numbers = {name: counts.get(reason, 0) for name, counts in own.items()}
        if len(numbers) > 1 and len(set(numbers.values())) == 1:
            found[reason] = [f"all methods {numbers.popitem()[1]}"]
        else:
            found[reason] = [f"{name} {count}" for name, count in numbers.items() if count]
    return found
