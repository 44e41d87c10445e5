"""From values per map to what a reader wants to know per level: made once, by the job.

Kept as the job's result, because intervals take seconds and need scipy, which no page should load.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

from ..models import StimulusSet
from . import metrics, selectors
from .selectors import ShownMap

PROBLEMS_SHOWN = 20
NO_RANDOM = "its random map has no value"


@dataclass(frozen=True)
class Mean:
    """Over so many images, with a 95 % bootstrap interval; None where there is none."""

    mean: float | None
    low: float | None
    high: float | None
    images: int


@dataclass(frozen=True)
class MetricSummary:
    """One metric over a level's maps.

    own: of the maps for which it exists, as it does for the random maps of the same images and
    labels; random: of these. ahead: of the `compared` maps, how many are better than their random
    maps. undefined: reason -> number of maps that are in neither mean.
    """

    metric: str
    own: Mean
    random: Mean
    ahead: int
    compared: int
    undefined: dict[str, int]

    @property
    def words(self) -> metrics.Words:
        return metrics.words(self.metric)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        return [*self.undefined.items()]


@dataclass(frozen=True)
class LevelSummary:
    """A level of the factor heatmap. whole: its maps explain the whole prediction, no label."""

    level: str
    method: str
    whole: bool
    maps: int
    metrics: tuple[MetricSummary, ...]


@dataclass(frozen=True)
class Summary:
    """All levels in the spec's order; problems: of the first maps that cannot be used."""

    recipe: str
    levels: tuple[LevelSummary, ...]
    problems: tuple[str, ...]
    more_problems: int

    @property
    def words(self) -> list[metrics.Words]:
        """What is to be said of the metrics, each once."""
        names = [one.metric for level in self.levels for one in level.metrics]
        return [metrics.words(name) for name in dict.fromkeys(names)]


def summary_make(stimulus_set: StimulusSet) -> dict[str, Any]:
    """Return the summary of what is measured, as a job's result holds it."""
    shown = [one for one in selectors.shown_maps(stimulus_set) if one.outcomes]
    by_level: dict[str, list[ShownMap]] = {}
    for level in stimulus_set.version.spec.heatmaps:
        maps = [one for one in shown if one.level == level]
        if maps:
            by_level[level] = maps
    problems = [
        f"{one.level}, {one.heatmap.label or 'whole prediction'}, image {one.heatmap.image.name}: "
        f"{one.problem}"
        for one in shown
        if one.problem
    ]
    return asdict(
        Summary(
            metrics.recipe(),
            tuple(_level(level, maps) for level, maps in by_level.items()),
            tuple(problems[:PROBLEMS_SHOWN]),
            max(len(problems) - PROBLEMS_SHOWN, 0),
        )
    )


def summary_read(result: Mapping[str, Any]) -> Summary | None:
    """Return a job's result; None where it was measured in another way than now."""
    if result.get("recipe") != metrics.recipe():
        return None
    levels = tuple(
        LevelSummary(**{**level, "metrics": tuple(_metric_read(one) for one in level["metrics"])})
        for level in result["levels"]
    )
    return Summary(
        result["recipe"], levels, tuple(result["problems"]), int(result["more_problems"])
    )


def _metric_read(one: Mapping[str, Any]) -> MetricSummary:
    return MetricSummary(**{**one, "own": Mean(**one["own"]), "random": Mean(**one["random"])})


def _level(level: str, maps: Sequence[ShownMap]) -> LevelSummary:
    first = maps[0].heatmap
    names = {name for one in maps for name in one.outcomes}
    ordered = [name for name in metrics.names(first.label, drawn=True) if name in names]
    return LevelSummary(
        level,
        first.method,
        not first.label,
        len(maps),
        tuple(_metric(name, [one for one in maps if name in one.outcomes]) for name in ordered),
    )


def _metric(name: str, maps: Sequence[ShownMap]) -> MetricSummary:
    own, random, reasons = {}, {}, Counter[str]()
    for one in maps:
        mine, chance = one.outcomes[name], one.random.get(name)
        if isinstance(mine, str):
            reasons[mine] += 1
        elif isinstance(chance, float):
            own[one.place], random[one.place] = mine, chance
        else:
            reasons[NO_RANDOM] += 1
    better = metrics.words(name).better
    ahead = [metrics.is_ahead(better, own[place], random[place]) for place in own]
    return MetricSummary(
        name,
        _mean(own),
        _mean(random),
        ahead.count(True),
        len(ahead) if better else 0,
        dict(reasons),
    )


def _mean(values: Mapping[tuple[str, str], float]) -> Mean:
    """Over images, of each image's mean over its labels."""
    from explainers.evaluation.statistics import cell

    found = cell(values, metrics.SEED)
    mean, low, high = (None if isnan(one) else one for one in (found.mean, found.low, found.high))
    return Mean(mean, low, high, found.n)
