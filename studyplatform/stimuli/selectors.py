"""What pages show: tasks with their examples, illustrations, and how far rendering is.

Nothing here tells the classifier's outcome on a new image: a TaskView holds its picture alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils import timezone

from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.selectors import Person, teams_for
from studyplatform.studies.spec import Figure, Meaning, Spec

from .models import (
    Example,
    Heatmap,
    Illustration,
    Image,
    Job,
    NeededHeatmap,
    Outcome,
    Prediction,
    StimulusSet,
    Task,
)

Box = tuple[float, float, float, float]
_RATE_WINDOW = timedelta(minutes=2)


@dataclass(frozen=True)
class Picture:
    """A file of `/i/` and its size in pixels."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class ScoreBar:
    """One bar of a score chart; `assigned` is score > threshold."""

    label: str
    score: float
    threshold: float
    assigned: bool
    is_question: bool


@dataclass(frozen=True)
class Exhibit:
    """An image with what the condition shows of it.

    `region` is a frame on the heatmap: x, y, width, height in fractions of the side.
    """

    picture: Picture
    heatmap: Picture | None
    scores: tuple[ScoreBar, ...] | None
    outcome: str
    label: str
    region: Box | None = None


@dataclass(frozen=True)
class TaskView:
    """A task as its page shows it: groups in the order TP, FP, FN, TN, empty ones left out."""

    number: int
    label: str
    new_image: Picture
    groups: tuple[tuple[str, tuple[Exhibit, ...]], ...]


@dataclass(frozen=True)
class RenderProgress:
    """How far the heatmaps of a stimulus set are.

    `done` counts those whose overlay is composed; `rendered` those only computed so far.
    `per_minute` is over the last two minutes; `seconds_left` is None while it is unknown.
    """

    total: int
    done: int
    rendered: int
    pending: int
    leased: int
    failed: int
    per_minute: float
    seconds_left: int | None

    @property
    def complete(self) -> bool:
        return self.done == self.total


def job_get_for(user: Person, job_id: int) -> Job:
    """Return a job of the person's teams; Job.DoesNotExist for any other."""
    return Job.objects.select_related("team", "study").get(pk=job_id, team__in=teams_for(user))


def job_latest(study: Study, kind: Job.Kind) -> Job | None:
    """Return the study's newest job of a kind."""
    return Job.objects.filter(study=study, kind=kind).order_by("-created_at", "-pk").first()


def has_stimuli(version: StudyVersion) -> bool:
    """Return whether tasks were chosen for a version."""
    return StimulusSet.objects.filter(version=version).exists()


def picture(image: Image) -> Picture:
    """Return the picture people see of an image."""
    return _picture(image.display_sha256, image.display_size)


def tasks_of(version: StudyVersion) -> list[Task]:
    """Return the version's tasks by number, with their image; one query."""
    return list(
        Task.objects.filter(stimulus_set__version=version)
        .select_related("image", "stimulus_set__classifier")
        .order_by("number")
    )


def task_exhibits(task: Task, levels: Mapping[str, str]) -> TaskView:
    """Return what a task shows in the condition with these levels, in at most six queries."""
    stimulus_set = task.stimulus_set
    examples = list(Example.objects.filter(task=task).select_related("image").order_by("position"))
    images = [example.image for example in examples]
    overlays = _overlays(stimulus_set, _heatmap_level(levels), task.label, images)
    charts = _charts(stimulus_set, task.label, images) if levels.get("scores") == "shown" else {}
    by_outcome: dict[str, list[Exhibit]] = {outcome: [] for outcome in Outcome.values}
    for example in examples:
        by_outcome[example.outcome].append(
            _exhibit(
                example.image,
                label=task.label,
                outcome=example.outcome,
                needed=overlays.get(example.image.sha256),
                scores=charts.get(example.image_id),
            )
        )
    return TaskView(
        number=task.number,
        label=task.label,
        new_image=picture(task.image),
        groups=tuple((outcome, tuple(found)) for outcome, found in by_outcome.items() if found),
    )


def illustration(
    version: StudyVersion,
    figure: Figure,
    levels: Mapping[str, str],
    region: Literal["strongest", "weakest"] | None = None,
) -> Exhibit:
    """Return a figure of the instructions or of screening, in the condition with these levels.

    Its heatmap and scores are there where the figure asks for them and the condition shows them;
    `region` frames the part of the heatmap that supports its label most or least.
    Raises Illustration.DoesNotExist before the stimuli are prepared.
    """
    found = Illustration.objects.select_related("image", "stimulus_set__classifier").get(
        stimulus_set__version=version, label=figure.label, outcome=figure.outcome
    )
    needed = scores = None
    level = _heatmap_level(levels)
    if level and (figure.heatmap or region):
        needed = _overlays(found.stimulus_set, level, figure.label, [found.image]).get(
            found.image.sha256
        )
    if figure.scores and levels.get("scores") == "shown":
        scores = _charts(found.stimulus_set, figure.label, [found.image]).get(found.image_id)
    return _exhibit(
        found.image,
        label=figure.label,
        outcome=figure.outcome,
        needed=needed,
        scores=scores,
        region=region,
    )


def heatmap_meaning(spec: Spec, levels: Mapping[str, str]) -> Meaning | None:
    """Return what red says in the condition with these levels; None where it shows no heatmap.

    What the spec says of the level, else what the method's values are. "support": the part speaks
    for the label. "influence": the label's score hangs on it, whichever way. "answer": the scores
    of all labels together hang on it, the method knows none of them. "edges": the picture has
    edges there, whatever the classifier.
    """
    from explainers import registry

    level = _heatmap_level(levels)
    if not level:
        return None
    if spec.heatmaps[level].meaning:
        return spec.heatmaps[level].meaning
    method = registry.method(spec.heatmaps[level].method)
    agnostic = method.class_agnostic and method.reads_network
    return "answer" if agnostic else method.shows


def render_progress(version: StudyVersion, *, now: datetime | None = None) -> RenderProgress:
    """Return how far the heatmaps of this version are; all zero before they are prepared."""
    now = now or timezone.now()
    state = "heatmap__state"
    needed = NeededHeatmap.objects.filter(stimulus_set__version=version)
    rendered = Q(**{state: Heatmap.State.DONE})
    recent = rendered & Q(heatmap__rendered_at__gt=now - _RATE_WINDOW)
    counts = needed.aggregate(
        total=Count("pk"),
        done=Count("pk", filter=rendered & ~Q(overlay_sha256="")),
        rendered=Count("pk", filter=rendered),
        pending=Count("pk", filter=Q(**{state: Heatmap.State.PENDING})),
        leased=Count("pk", filter=Q(**{state: Heatmap.State.LEASED})),
        failed=Count("pk", filter=Q(**{state: Heatmap.State.FAILED})),
        recent=Count("pk", filter=recent),
        since=Min("heatmap__rendered_at", filter=recent),
    )
    count, since = counts.pop("recent"), counts.pop("since")
    seconds = max((now - since).total_seconds(), 1.0) if since else 1.0
    per_minute = 60.0 * count / seconds if count else 0.0
    left = counts["pending"] + counts["leased"]
    unknown = left > 0 and not per_minute
    return RenderProgress(
        **counts,
        per_minute=per_minute,
        seconds_left=None if unknown else round(60 * left / per_minute) if left else 0,
    )


def anything_is_rendered() -> bool:
    """Return whether a worker is at work on a heatmap, of whichever study."""
    return Heatmap.objects.filter(
        state=Heatmap.State.LEASED, leased_until__gte=timezone.now()
    ).exists()


def failed_heatmaps(version: StudyVersion) -> list[Heatmap]:
    """Return the version's heatmaps that failed for good, with their reasons in `error`."""
    return list(
        Heatmap.objects.filter(needed_by__stimulus_set__version=version, state=Heatmap.State.FAILED)
        .select_related("image")
        .distinct()
        .order_by("pk")
    )


def _picture(sha256: str, size: int) -> Picture:
    return Picture(reverse("stimuli:picture", args=[sha256]), size, size)


def _heatmap_level(levels: Mapping[str, str]) -> str:
    level = levels.get("heatmap", "none")
    return "" if level == "none" else level


def _overlays(
    stimulus_set: StimulusSet, level: str, label: str, images: Sequence[Image]
) -> dict[str, NeededHeatmap]:
    """By the image's content: a ledger row may have been asked for by another image set first.

    Rows of a class-agnostic method have no label.
    """
    if not level:
        return {}
    needed = NeededHeatmap.objects.filter(
        stimulus_set=stimulus_set,
        level=level,
        heatmap__label__in=[label, ""],
        heatmap__image__sha256__in=[image.sha256 for image in images],
    ).select_related("heatmap__image")
    return {row.heatmap.image.sha256: row for row in needed}


def _charts(
    stimulus_set: StimulusSet, question: str, images: Sequence[Image]
) -> dict[int, tuple[ScoreBar, ...]]:
    predictions = Prediction.objects.filter(
        classifier_id=stimulus_set.classifier_id, image__in=images
    ).only("image_id", "scores")
    thresholds = stimulus_set.thresholds
    return {
        prediction.image_id: tuple(
            ScoreBar(
                label=label,
                score=prediction.scores[label],
                threshold=thresholds[label],
                assigned=prediction.scores[label] > thresholds[label],
                is_question=label == question,
            )
            for label in stimulus_set.classifier.labels
        )
        for prediction in predictions
    }


def _exhibit(
    image: Image,
    *,
    label: str,
    outcome: str,
    needed: NeededHeatmap | None,
    scores: tuple[ScoreBar, ...] | None,
    region: Literal["strongest", "weakest"] | None = None,
) -> Exhibit:
    heatmap = box = None
    if needed is not None and needed.overlay_sha256:
        heatmap = _picture(needed.overlay_sha256, image.display_size)
        frame = {"strongest": needed.strongest, "weakest": needed.weakest}.get(region or "")
        if frame:
            x, y, width, height = frame
            box = (x, y, width, height)
    return Exhibit(picture(image), heatmap, scores, outcome, label, box)
