"""What the pages show on which tasks are chosen by hand.

As many queries however many tasks and images there are: scores are read for all images of the
split at once, embeddings only of those that can be chosen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studyplatform.studies.models import StudyVersion
from studyplatform.studies.spec import Outcome, Spec

from . import selection
from .models import Example, HandChange, Illustration, Image, Prediction, StimulusSet, Task
from .selection import Need
from .selectors import Picture, picture
from .services.preparation import need_of

PER_PAGE = 12


@dataclass(frozen=True)
class OutcomeCount:
    """How many images of an outcome there are, and how many the spec needs."""

    outcome: str
    found: int
    needed: int

    @property
    def lacking(self) -> bool:
        return self.found < self.needed


@dataclass(frozen=True)
class LabelChoice:
    """A label's threshold, and what each threshold would give.

    curve: (threshold, F1, whether enough images of each outcome remain), from 0 to `top`.
    """

    label: str
    tasks: int
    threshold: float
    f1: float
    counts: tuple[OutcomeCount, ...]
    curve: tuple[tuple[float, float, bool], ...]
    top: float

    @property
    def best(self) -> tuple[float, float]:
        """Threshold and F1 of the curve's highest point."""
        threshold, f1, _ = max(self.curve, key=lambda point: point[1])
        return threshold, f1


@dataclass(frozen=True)
class Choosable:
    """An image with what decides about its choice."""

    image: Image
    picture: Picture
    score: float | None
    distance: float | None
    similarity: float | None = None
    shown_in: tuple[int, ...] = ()


@dataclass(frozen=True)
class ChosenPlace:
    """A place of a task: its new image (position 0) or an example."""

    position: int
    outcome: str
    chosen: Choosable


@dataclass(frozen=True)
class TaskChoice:
    """A task with everything that was chosen for it."""

    task: Task
    threshold: float | None
    new: ChosenPlace
    groups: tuple[tuple[str, tuple[ChosenPlace, ...]], ...]

    @property
    def places(self) -> dict[int, ChosenPlace]:
        return {0: self.new} | {one.position: one for _, group in self.groups for one in group}


@dataclass(frozen=True)
class Candidates:
    """One page of the images that can take a place, most similar to the new image first."""

    found: tuple[Choosable, ...]
    page: int
    pages: int
    total: int

    @property
    def before(self) -> int | None:
        return self.page - 1 if self.page > 1 else None

    @property
    def after(self) -> int | None:
        return self.page + 1 if self.page < self.pages else None


@dataclass(frozen=True)
class _Scored:
    """Scores and truth of every image stimuli can be chosen from, one row each."""

    ids: list[int]
    labels: list[list[str]]
    scores: list[Mapping[str, float]]

    def truth(self, label: str) -> NDArray[np.bool_]:
        return np.array([label in labels for labels in self.labels], dtype=bool)

    def score(self, label: str) -> NDArray[np.float64]:
        return np.array([scores[label] for scores in self.scores], dtype=np.float64)


def stimulus_set_of(version: StudyVersion) -> StimulusSet | None:
    """Return a version's stimuli, None before they are prepared."""
    return (
        StimulusSet.objects.filter(version=version)
        .select_related("classifier", "image_set")
        .first()
    )


def label_choices(stimulus_set: StimulusSet, spec: Spec) -> list[LabelChoice]:
    """Return every label that tasks or figures use and that has a threshold, in one query."""
    scored = _scored(stimulus_set, spec)
    figures = {figure.label: None for _, figure in spec.figures()}
    return [
        _label_choice(stimulus_set.thresholds[label], scored, spec, label)
        for label in [*spec.tasks.labels, *figures]
        if label in stimulus_set.thresholds
    ]


def label_choice(
    stimulus_set: StimulusSet, spec: Spec, label: str, threshold: float
) -> LabelChoice:
    """Return what a threshold would give for a label, in one query."""
    return _label_choice(threshold, _scored(stimulus_set, spec), spec, label)


def task_choices(stimulus_set: StimulusSet) -> list[TaskChoice]:
    """Return the tasks by number, without their examples, in one query."""
    tasks = stimulus_set.tasks.select_related("image").order_by("number")
    return [_task_choice(task, stimulus_set.thresholds.get(task.label)) for task in tasks]


def task_choice(stimulus_set: StimulusSet, number: int) -> TaskChoice:
    """Return a task with its examples, in three queries. Task.DoesNotExist for no such number."""
    task = stimulus_set.tasks.select_related("image").get(number=number)
    examples = list(task.examples.select_related("image").order_by("position"))
    predictions = Prediction.objects.filter(
        classifier=stimulus_set.classifier_id, image__in=[one.image_id for one in examples]
    )
    scores = dict(predictions.values_list("image_id", "scores"))
    return _task_choice(task, stimulus_set.thresholds.get(task.label), examples, scores)


def candidates(
    stimulus_set: StimulusSet, spec: Spec, choice: TaskChoice, position: int, page: int
) -> Candidates:
    """Return the images of the same outcome that can take a place, in at most six queries.

    For the new image (position 0) those that are shown nowhere; for an example those that are no
    new image and not among the task's examples. A page beyond the last is the last.
    """
    task = choice.task
    if choice.threshold is None:  # an error of its own; without it there are no outcomes
        return Candidates((), page=1, pages=1, total=0)
    scored = _scored(stimulus_set, spec)
    score = scored.score(task.label)
    found = selection.outcomes(scored.truth(task.label), score, choice.threshold)
    used = _shown_in(stimulus_set)
    barred = set(stimulus_set.tasks.values_list("image_id", flat=True))
    if position == 0:
        figures = Illustration.objects.filter(stimulus_set=stimulus_set)
        barred |= set(used) | set(figures.values_list("image_id", flat=True))
    else:
        barred |= {one.chosen.image.pk for one in choice.places.values()}
    pool = [
        row
        for row in np.flatnonzero(found == choice.places[position].outcome)
        if scored.ids[row] not in barred
    ]
    cosines = _cosines(stimulus_set, task.image_id, [scored.ids[row] for row in pool])
    ranked = sorted(pool, key=lambda row: (-cosines[scored.ids[row]], scored.ids[row]))
    pages = max(math.ceil(len(ranked) / PER_PAGE), 1)
    page = min(max(page, 1), pages)
    part = ranked[(page - 1) * PER_PAGE : page * PER_PAGE]
    images = Image.objects.in_bulk([scored.ids[row] for row in part])
    return Candidates(
        found=tuple(
            _choosable(
                images[scored.ids[row]],
                float(score[row]),
                choice.threshold,
                similarity=cosines[scored.ids[row]],
                shown_in=used.get(scored.ids[row], ()),
            )
            for row in part
        ),
        page=page,
        pages=pages,
        total=len(ranked),
    )


def hand_changes(stimulus_set: StimulusSet) -> list[HandChange]:
    """Return what was changed by hand, newest first."""
    return list(stimulus_set.hand_changes.all())


def _scored(stimulus_set: StimulusSet, spec: Spec) -> _Scored:
    rows = Prediction.objects.filter(
        classifier=stimulus_set.classifier_id, image__image_set=stimulus_set.image_set_id
    )
    if spec.stimuli.split != "all":
        rows = rows.filter(image__split=spec.stimuli.split)
    found = list(rows.order_by("image_id").values_list("image_id", "image__labels", "scores"))
    return _Scored([one[0] for one in found], [one[1] for one in found], [one[2] for one in found])


def _label_choice(threshold: float, scored: _Scored, spec: Spec, label: str) -> LabelChoice:
    truth, scores, need = scored.truth(label), scored.score(label), need_of(spec, label)
    found = selection.outcomes(truth, scores, threshold)
    counts = {outcome: int((found == outcome).sum()) for outcome in selection.OUTCOMES}
    divisor = 2 * counts["TP"] + counts["FP"] + counts["FN"]
    highest = max([threshold, *scores])
    # A twentieth beyond the highest score: thresholds above it leave nothing to choose from.
    top = min(math.ceil(20 * highest + 1e-9) / 20, 1.0)
    return LabelChoice(
        label=label,
        tasks=sum(spec.tasks.new_images.get(label, {}).values()),
        threshold=threshold,
        f1=2 * counts["TP"] / divisor if divisor else 0.0,
        counts=tuple(_count(counts, need, outcome) for outcome in selection.OUTCOMES),
        curve=tuple(selection.f1_curve(truth, scores, need, spec.tasks.margin, top)),
        top=top,
    )


def _count(counts: Mapping[Outcome, int], need: Need, outcome: Outcome) -> OutcomeCount:
    return OutcomeCount(outcome, counts[outcome], need.total(outcome))


def _task_choice(
    task: Task,
    threshold: float | None,
    examples: Sequence[Example] = (),
    scores: Mapping[int, Mapping[str, float]] | None = None,
) -> TaskChoice:
    groups: dict[str, list[ChosenPlace]] = {outcome: [] for outcome in selection.OUTCOMES}
    for one in examples:
        score = (scores or {}).get(one.image_id, {}).get(task.label)
        chosen = _choosable(one.image, score, threshold, similarity=one.similarity)
        groups[one.outcome].append(ChosenPlace(one.position, one.outcome, chosen))
    return TaskChoice(
        task=task,
        threshold=threshold,
        new=ChosenPlace(0, task.outcome, _choosable(task.image, task.score, threshold)),
        groups=tuple((outcome, tuple(group)) for outcome, group in groups.items() if group),
    )


def _choosable(
    image: Image,
    score: float | None,
    threshold: float | None,
    *,
    similarity: float | None = None,
    shown_in: tuple[int, ...] = (),
) -> Choosable:
    known = score is not None and threshold is not None
    distance = abs(score - threshold) if known else None  # type: ignore[operator]
    return Choosable(image, picture(image), score, distance, similarity, shown_in)


def _shown_in(stimulus_set: StimulusSet) -> dict[int, tuple[int, ...]]:
    """Return image -> numbers of the tasks it is an example in."""
    pairs = Example.objects.filter(task__stimulus_set=stimulus_set).values_list(
        "image_id", "task__number"
    )
    found: dict[int, tuple[int, ...]] = {}
    for image, number in pairs.order_by("task__number"):
        found[image] = (*found.get(image, ()), number)
    return found


def _cosines(stimulus_set: StimulusSet, image: int, others: Sequence[int]) -> dict[int, float]:
    """Return image -> cosine to the new image, of those that have an embedding."""
    rows = Prediction.objects.filter(
        classifier=stimulus_set.classifier_id, image__in=[image, *others]
    )
    vectors = {
        pk: np.frombuffer(raw, "<f4") for pk, raw in rows.values_list("image_id", "embedding")
    }
    return {pk: float(vectors[pk] @ vectors[image]) for pk in others}
