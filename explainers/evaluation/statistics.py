"""From values per image to means with intervals, over images that can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from explainers.evaluation.columns import RANDOM
from explainers.evaluation.judging import Trace, Value, in_words
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

    cells: by column; values: by column the number of each image that counts, the mean over its
    targets. left_out: by column, how many values have no part in the means, by reason: one per
    image and target. images_left_out: of how many images these are, without those that only
    another method lacks. several: whether an image may have several targets.
    without_target: images of the group that have no target at all.
    """

    metric: Metric
    setting: str
    cells: dict[str, Cell]
    values: dict[str, dict[str, float]]
    left_out: dict[str, dict[Reason, int]]
    images_left_out: dict[str, dict[Reason, int]]
    several: bool
    without_target: int

    def ahead(self, column: str, other: str) -> tuple[int, int] | None:
        """On how many of how many images it is better than another column; None where the metric
        knows no better."""
        mine, its = self.values.get(column, {}), self.values.get(other, {})
        both = [(mine[image], its[image]) for image in mine if image in its]
        if self.metric.better is None or not both:
            return None
        sign = 1 if self.metric.better == "higher" else -1
        return sum(sign * one > sign * two for one, two in both), len(both)


class Results:
    """Everything that was evaluated, by metric and setting, column, image and target."""

    def __init__(self, plan: Plan, store: Store, failures: Sequence[Failure] = ()) -> None:
        self.plan, self.store, self.failures = plan, store, tuple(failures)
        self.rows: list[tuple[str, str, Value]] = []  # image, column, value
        self.traces: dict[tuple[bool, str], dict[str, dict[Key, Trace]]] = {}
        """By whether they are of the whole prediction and kind, by column, image and target."""
        self._cells: dict[tuple[str, str, str, tuple[Key, ...]], Cell] = {}
        for number, photograph in enumerate(plan.photographs):
            for column in plan.columns:
                if number < plan.count(column) and store.has(column.name, photograph.name):
                    self._read(column.name, photograph.name)
        self._outcomes: dict[tuple[str, str], dict[str, dict[Key, Outcome]]] = {}
        for image, name, value in self.rows:
            by_column = self._outcomes.setdefault((value.metric, value.setting), {})
            by_column.setdefault(name, {})[image, value.target] = value.outcome

    def _read(self, column: str, image: str) -> None:
        found = self.store.judgement(column, image)
        self.rows += [(image, column, value) for value in found.values]
        for one in found.traces:
            by_column = self.traces.setdefault((not one.target, one.kind), {})
            by_column.setdefault(column, {})[image, one.target] = one

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
        chosen = {
            one: {
                key: value
                for key in keys
                if key not in missing and not isinstance(value := known[one][key], Reason)
            }
            for one in columns
        }
        return Comparison(
            metric,
            setting,
            {one: self._cell(metric, setting, one, found) for one, found in chosen.items()},
            {one: by_image(found) for one, found in chosen.items()},
            {one: found.left_out for one, found in counted(by_column).items()},
            {one: _images(known[one], keys) for one in columns},
            metric.map_of == "target" and self.plan.target != "top",
            len(members - {image for image, _ in keys}),
        )

    def _cell(
        self, metric: Metric, setting: str, column: str, outcomes: Mapping[Key, float]
    ) -> Cell:
        """Made once for the same images: an interval takes long."""
        key = metric.name, setting, column, tuple(outcomes)
        if key not in self._cells:
            self._cells[key] = cell(outcomes, self.plan.seed)
        return self._cells[key]

    def settings_of(self, metric: Metric) -> list[str]:
        return [setting for name, setting in self._outcomes if name == metric.name]


def _each(by_column: Mapping[str, Sequence[Outcome]]) -> dict[str, Summary]:
    return {name: summary(outcomes) for name, outcomes in by_column.items()}


def _images(outcomes: Outcomes, keys: Iterable[Key]) -> dict[Reason, int]:
    """How many images have a value that is undefined for a reason."""
    found = {(image, outcomes[image, target]) for image, target in keys}
    return dict(Counter(one for _, one in found if isinstance(one, Reason)))


def by_image(outcomes: Outcomes) -> dict[str, float]:
    """Each image's mean over its targets; reasons have no part in it."""
    found: dict[str, list[float]] = {}
    for (image, _), value in outcomes.items():
        if not isinstance(value, Reason):
            found.setdefault(image, []).append(value)
    return {image: float(np.mean(values)) for image, values in found.items()}


def cell(outcomes: Outcomes, seed: int) -> Cell:
    """The mean over images, of each image's mean over targets, with its interval."""
    values = np.array([*by_image(outcomes).values()])
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
    """What has no part in the means, in a sentence per reason; none where nothing was left out.

    Counted in images; where images have several labels in labels, and the images these are of.
    """
    counts: dict[Reason, dict[str, list[str]]] = {}  # by reason and metric: methods, how often
    without = 0
    for one in comparisons:
        without = max(without, one.without_target)
        for reason, parts in _by_reason(one).items():
            found = counts.setdefault(reason, {}).setdefault(_title(one), [])
            found += [part for part in parts if part not in found]
    sentences = [f"{images(without)} without a label to explain."] if without else []
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
    own, of_images = comparison.left_out, comparison.images_left_out
    reasons = {one: None for counts in own.values() for one in counts}
    reasons.pop(Reason.OTHER_METHOD, None)
    found = {}
    for reason in reasons:
        numbers = {
            name: (counts[reason], of_images[name][reason])
            for name, counts in own.items()
            if reason in counts
        }
        if 1 < len(numbers) == len(own) and len(set(numbers.values())) == 1:
            numbers = {"all methods": numbers.popitem()[1]}
        found[reason] = [
            f"{name} {_counted(*counts, comparison.several)}" for name, counts in numbers.items()
        ]
    return found


def _counted(labels: int, of_images: int, several: bool) -> str:
    if not several:
        return images(of_images)
    return f"{labels} {'label' if labels == 1 else 'labels'} of {images(of_images)}"


def images(count: int) -> str:
    return f"{count} {'image' if count == 1 else 'images'}"


def ahead_of_random(results: Results, group: Group, comparisons: Iterable[Comparison]) -> list[str]:
    """Per metric, on how many images each method is better than a map of chance; none where no
    such map is compared.
    """
    chance = {one.name for one in results.plan.columns if one.method == RANDOM}
    random = next((one for one in group.columns if one in chance), None)
    if random is None:
        return []
    found = []
    for comparison in comparisons:
        counts = {
            name: comparison.ahead(name, random) for name in group.columns if name not in chance
        }
        parts = [f"{name} {one[0]} of {one[1]}" for name, one in counts.items() if one]
        if parts:
            found.append(f"{_title(comparison)}: {', '.join(parts)}")
    return found
