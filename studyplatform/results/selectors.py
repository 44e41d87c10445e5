"""What pages show of reports, and how many participants are where."""

from dataclasses import dataclass
from pathlib import Path

from django.db.models import Count

from studyplatform.participation.models import Session
from studyplatform.studies.models import Study, StudyVersion

from . import runs
from .models import AnalysisRun


@dataclass(frozen=True)
class CellCounts:
    """How many sessions of a condition stand where; `target` is that of the spec."""

    condition: str
    levels: dict[str, str]
    target: int
    active: int
    completed: int
    lost: int


@dataclass(frozen=True)
class Counts:
    """Sessions of one source: per condition, and those that ended before they were assigned."""

    cells: list[CellCounts]
    before: dict[str, int]
    arrived: int
    completed: int

    @property
    def target(self) -> int:
        return sum(cell.target for cell in self.cells)


def cell_counts(version: StudyVersion, source: str) -> Counts:
    """Count the sessions of a version per condition and status, in two queries.

    Nothing here tells how well anybody predicted.
    """
    found = (
        Session.objects.filter(version=version, source=source)
        .values_list("condition_id", "status")
        .annotate(n=Count("pk"))
        .order_by()
    )
    numbers = {(condition, status): n for condition, status, n in found}
    status = Session.Status
    ended = [status.DECLINED, status.SCREENED_OUT, status.DEVICE, status.FULL, status.WITHDRAWN]
    cells = [
        CellCounts(
            condition.key,
            condition.levels,
            condition.target,
            numbers.get((condition.pk, status.ARRIVED), 0)
            + numbers.get((condition.pk, status.ACTIVE), 0),
            numbers.get((condition.pk, status.COMPLETED), 0),
            sum(numbers.get((condition.pk, end), 0) for end in ended),
        )
        for condition in version.conditions.order_by("position")
    ]
    before = {
        str(choice.label): numbers[None, choice] for choice in status if (None, choice) in numbers
    }
    completed = sum(n for (_, end), n in numbers.items() if end == status.COMPLETED)
    return Counts(cells, before, sum(numbers.values()), completed)


def source_counts(study: Study) -> dict[str, int]:
    """Return source -> number of sessions, for the sources that have any."""
    found = study.sessions.values_list("source").annotate(n=Count("pk")).order_by()
    return dict(found)


def latest_run(study: Study) -> AnalysisRun | None:
    return AnalysisRun.objects.filter(study=study).first()


def run_of(study: Study, run_id: int) -> AnalysisRun:
    """Return a finished run of this study; AnalysisRun.DoesNotExist for any other."""
    return AnalysisRun.objects.get(study=study, pk=run_id, state=AnalysisRun.State.DONE)


def report_path(run: AnalysisRun) -> Path:
    return runs.folder_of(run) / "report" / "report.html"
