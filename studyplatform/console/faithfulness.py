"""What the page on faithfulness shows: means per level, then image by image, page by page."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from django.core.paginator import Page, Paginator

from studyplatform.stimuli.faithfulness import metrics, selectors
from studyplatform.stimuli.faithfulness.selectors import Coverage, Outcome, Outcomes, ShownMap
from studyplatform.stimuli.faithfulness.summary import Summary, summary_read
from studyplatform.stimuli.models import Job, StimulusSet
from studyplatform.stimuli.selectors import Picture

IMAGES_PER_PAGE = 20


@dataclass(frozen=True)
class Cell:
    """One metric of one map. better: than that of the random map; None where that says nothing."""

    value: float | None
    reason: str
    better: bool | None = None


@dataclass(frozen=True)
class Line:
    """A level's heatmap of an image, or the random map ("")."""

    level: str
    overlay: Picture | None
    problem: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Group:
    """An image, the label explained ("" for the whole prediction), and the maps of it."""

    image: str
    label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """Groups that the same metrics judge."""

    whole: bool
    metrics: tuple[metrics.Words, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Faithfulness:
    """Everything on the page; summary: of the newest job that came to its end."""

    coverage: Coverage
    job: Job | None
    measured: Job | None
    summary: Summary | None
    page: Page
    tables: tuple[Table, ...]

    @property
    def to_do(self) -> bool:
        """Whether measuring would bring anything; a job that did not end well has own buttons."""
        coverage = self.coverage
        return bool(
            coverage.rendered
            and (coverage.missing or coverage.unusable or self.summary is None)
            and (self.job is None or self.job.state == Job.State.DONE)
        )


def faithfulness_of(stimulus_set: StimulusSet, page: str | None) -> Faithfulness:
    """Return what the page shows, in as many queries however many heatmaps there are."""
    measured = selectors.latest_result(stimulus_set)
    shown = Paginator(selectors.places(stimulus_set), IMAGES_PER_PAGE).get_page(page)
    places = set(shown)
    maps = selectors.shown_maps(stimulus_set, [image for image, _ in places])
    return Faithfulness(
        selectors.coverage(stimulus_set),
        selectors.latest_job(stimulus_set),
        measured,
        summary_read(measured.result) if measured else None,
        shown,
        tuple(_tables(one for one in maps if one.place in places)),
    )


def _tables(maps: Iterable[ShownMap]) -> Iterable[Table]:
    measured = [one for one in maps if one.outcomes]
    for whole, chosen in groupby(measured, key=lambda one: not one.heatmap.label):
        members = list(chosen)
        there = {name for one in members for name in one.outcomes}
        label = "" if whole else members[0].heatmap.label
        names = [name for name in metrics.names(label, drawn=True) if name in there]
        groups = tuple(
            _group(list(group), names) for _, group in groupby(members, key=lambda one: one.place)
        )
        yield Table(whole, tuple(map(metrics.words, names)), groups)


def _group(maps: list[ShownMap], names: list[str]) -> Group:
    heatmap = maps[0].heatmap
    lines = [
        Line(one.level, one.overlay, one.problem, _cells(one.outcomes, one.random, names))
        for one in maps
    ]
    random = Line("", None, "", _cells(maps[0].random, {}, names))
    return Group(heatmap.image.name, heatmap.label, (*lines, random))


def _cells(outcomes: Outcomes, random: Outcomes, names: list[str]) -> tuple[Cell, ...]:
    return tuple(
        _cell(outcomes.get(name, ""), random.get(name), metrics.words(name).better)
        for name in names
    )


def _cell(outcome: Outcome, random: Outcome | None, better: str | None) -> Cell:
    if isinstance(outcome, str):
        return Cell(None, outcome)
    if not isinstance(random, float):
        return Cell(outcome, "")
    return Cell(outcome, "", metrics.is_ahead(better, outcome, random))
