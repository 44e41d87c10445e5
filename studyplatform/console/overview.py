"""What a study's page shows: where it stands, what to do next, how many participants are where.

Blind to outcomes: nothing here tells how well anybody predicted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from studyplatform.participation.models import Session
from studyplatform.participation.selectors import session_counts
from studyplatform.stimuli.models import Job
from studyplatform.stimuli.selectors import RenderProgress, has_stimuli
from studyplatform.stimuli.services import publish_problems
from studyplatform.studies.models import Condition, Study, StudyVersion

from .editor import job_shown

_Status = Session.Status
_UNDER_WAY = (_Status.ARRIVED, _Status.ACTIVE)
_ENDED = (_Status.SCREENED_OUT, _Status.DEVICE, _Status.FULL, _Status.DECLINED, _Status.WITHDRAWN)


@dataclass(frozen=True)
class Cell:
    """A condition and its sessions."""

    condition: Condition
    active: int
    completed: int
    ended: int

    @property
    def missing(self) -> int:
        return max(self.condition.target - self.completed, 0)


@dataclass(frozen=True)
class Counts:
    """Sessions of one source; `before` are those without a condition, status -> number."""

    source: str
    cells: tuple[Cell, ...]
    before: dict[str, int]

    @property
    def arrived(self) -> int:
        inside = sum(cell.active + cell.completed + cell.ended for cell in self.cells)
        return inside + sum(self.before.values())

    @property
    def active(self) -> int:
        return sum(cell.active for cell in self.cells)

    @property
    def completed(self) -> int:
        return sum(cell.completed for cell in self.cells)

    @property
    def target(self) -> int:
        return sum(cell.condition.target for cell in self.cells)


def counts_of(version: StudyVersion, source: str) -> Counts:
    """Return the counts of a version's sessions of one source, in three queries."""
    found = session_counts(version, source)

    def of(key: str, statuses: tuple[str, ...]) -> int:
        return sum(found.get(key, {}).get(status, 0) for status in statuses)

    cells = tuple(
        Cell(
            condition,
            of(condition.key, _UNDER_WAY),
            of(condition.key, (_Status.COMPLETED,)),
            of(condition.key, _ENDED),
        )
        for condition in version.conditions.order_by("position")
    )
    before = found.get("", {})
    return Counts(source, cells, {_Status(status).label: n for status, n in before.items()})


def source_to_show(asked: str, present: Mapping[str, int]) -> str:
    """Return the source to show: the one asked for, else real ones, else whichever there are."""
    if asked in Session.Source.values:
        return asked
    preferred = [Session.Source.REAL, Session.Source.BOT, Session.Source.PILOT]
    return next((source for source in preferred if source in present), Session.Source.REAL)


@dataclass(frozen=True)
class NextStep:
    """One sentence on where the study stands, one on what to do, and the page to do it on."""

    stands: str
    todo: str
    page: str = ""


@dataclass(frozen=True)
class Readiness:
    """What a draft has: tasks, the job that chooses them, and what stands against publishing."""

    prepared: bool
    job: Job | None = None
    obstacles: tuple[str, ...] = ()


def readiness_of(version: StudyVersion, progress: RenderProgress) -> Readiness:
    """Return what a draft has and lacks; the lint is run once all heatmaps are rendered."""
    if version.published_at is not None:
        return Readiness(prepared=True)
    job = job_shown(version)
    if not has_stimuli(version):
        return Readiness(False, job, ("No tasks have been chosen for it yet.",))
    obstacles = []
    if progress.failed:
        obstacles.append(f"{progress.failed} of {progress.total} heatmaps could not be rendered.")
    if left := progress.total - progress.done - progress.failed:
        obstacles.append(f"{left} of {progress.total} heatmaps are not rendered yet.")
    if job and job.is_open:
        obstacles.append("What was saved last is still being prepared.")
    return Readiness(True, job, tuple(obstacles or publish_problems(version=version)))


def next_step(
    study: Study,
    version: StudyVersion,
    progress: RenderProgress,
    ready: Readiness,
    real: Counts,
) -> NextStep:
    """Return where the study stands and what the researcher does next."""
    state = Study.State
    if study.state == state.CLOSED:
        return NextStep(
            "The study is closed; nobody can take part any more.",
            "Download the data and make the report below.",
        )
    if version.published_at is None:
        return _before_publishing(version, progress, ready)
    if study.state == state.PAUSED:
        return NextStep(
            "The study is paused: those inside go on, nobody new is let in.",
            "Resume it when you are ready, or close it for good.",
        )
    if real.completed >= real.target:
        return NextStep(
            f"All {real.target} places are filled.",
            "Close the study, then download the data and make the report.",
        )
    if real.arrived == 0:
        return NextStep(
            "The study is open, and nobody has come yet.",
            "Try it once in each condition with the preview links, let the first few in by the "
            "pilot's link if you like, then give the entry address to participants.",
        )
    return NextStep(
        f"{real.completed} of {real.target} participants have completed, "
        f"{real.active} are on their way.",
        "Nothing to do now: the counts below update themselves.",
    )


def _before_publishing(
    version: StudyVersion, progress: RenderProgress, ready: Readiness
) -> NextStep:
    if ready.job and ready.job.is_open:
        return NextStep(
            "What follows from the design is being prepared.",
            "Nothing to do now: the bar below shows how far it is.",
        )
    if not ready.prepared:
        return _before_tasks(version, ready)
    if progress.failed:
        return NextStep(
            f"{progress.failed} of {progress.total} heatmaps could not be rendered.",
            "Look at the reasons below, mend what is wrong, and try those again.",
        )
    if not progress.complete:
        return NextStep(
            "Not all heatmaps are rendered yet.",
            "The bar below shows how far it is. Meanwhile see what else the check beside the tasks "
            "finds, and swap what you do not like.",
        )
    if ready.obstacles:
        return NextStep(
            "All heatmaps are rendered; the study is still a draft.",
            "Mend what stands against publishing it.",
        )
    return NextStep(
        "All heatmaps are rendered; the study is still a draft.",
        "Look at it in each condition with the preview links, then publish it.",
    )


def _before_tasks(version: StudyVersion, ready: Readiness) -> NextStep:
    if ready.job:
        return NextStep(
            "No tasks could be chosen from the design.",
            "The page of the design says at which lines it fails.",
            page="design",
        )
    return NextStep(
        f"Version {version.number} is a draft without tasks.",
        "Look its design over, then let them be chosen there.",
        page="design",
    )
