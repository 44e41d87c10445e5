"""Stimuli chosen by hand: thresholds, new images, examples.

Every change is made under the draft's lock, checked against the rules of the automatic choice,
kept with who made it, and followed by the ledger of heatmaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from numpy.typing import NDArray

from studyplatform.studies.models import StudyVersion
from studyplatform.studies.spec import Spec

from .. import selection
from ..models import Example, HandChange, Illustration, Image, StimulusSet, Task
from .errors import StimuliError
from .linting import draft_lock, name_of
from .needed import needed_heatmaps_follow
from .preparation import images_of, need_of, table_of, thresholds_of


@dataclass(frozen=True)
class _Bench:
    """A draft's stimuli under lock, and all the images they can be chosen from."""

    spec: Spec
    stimulus_set: StimulusSet
    images: list[Image]
    table: selection.Table
    places: dict[int, int]

    def place(self, image_id: int) -> int:
        if image_id not in self.places:
            raise StimuliError("This image is none of those the study takes its stimuli from.")
        return self.places[image_id]

    def outcomes(self, label: str) -> NDArray[np.str_]:
        threshold = self.stimulus_set.thresholds[label]
        return selection.outcomes(self.table.truth[label], self.table.scores[label], threshold)

    def similarity(self, one: int, other: int) -> float:
        return float(self.table.embeddings[one] @ self.table.embeddings[other])

    def new_images(self) -> dict[int, Task]:
        return {task.image_id: task for task in self.stimulus_set.tasks.all()}


@transaction.atomic
def threshold_set(
    *, version: StudyVersion, label: str, threshold: float, user: User | None = None
) -> None:
    """Set a label's threshold by hand and choose its tasks, or its figures, anew.

    The other labels' tasks stay. Raises StimuliError for a published version, a label that neither
    tasks nor figures use, a threshold outside 0 to 1, and where it leaves too few images.
    """
    bench = _bench(version)
    if not 0 < threshold < 1:
        raise StimuliError(f"The threshold is {threshold:g}; expected a number between 0 and 1.")
    before = bench.stimulus_set.thresholds.get(label)
    _choose_label(bench, label, threshold)
    was = "" if before is None else f"; it was {before:.3f}"
    _record(
        bench,
        user,
        f"Threshold of {label} set to {threshold:.3f}{was}.",
        {"kind": "threshold", "label": label, "before": before, "after": threshold},
    )


@transaction.atomic
def label_choose_again(*, version: StudyVersion, label: str, user: User | None = None) -> None:
    """Choose a label's threshold and tasks, or figures, by the spec's rules again.

    The other labels' tasks stay. Raises StimuliError as `threshold_set`.
    """
    bench = _bench(version)
    _check_used(bench, label)
    try:
        found = thresholds_of(bench.spec, bench.stimulus_set.classifier, bench.table)
    except selection.TooFewImagesError as error:
        raise _too_few(error) from error
    _choose_label(bench, label, found[label])
    _record(
        bench,
        user,
        f"All of {label} chosen automatically again; its threshold is {found[label]:.3f}.",
        {"kind": "automatic", "label": label, "after": found[label]},
    )


@transaction.atomic
def new_image_swap(
    *,
    version: StudyVersion,
    number: int,
    image_id: int,
    instead_of: int,
    keep_examples: bool = False,
    user: User | None = None,
) -> None:
    """Give a task another new image of the same outcome; its examples are chosen anew.

    instead_of: the image the person saw there. keep_examples: they stay, their similarity is that
    to the new one. Raises StimuliError for a published version, another outcome, an image that is
    shown anywhere already, and where somebody has changed the task in the meantime.
    """
    bench = _bench(version)
    task = _task(bench, number)
    _check_unchanged(task.image_id, instead_of, image_id)
    place = bench.place(image_id)
    _check_outcome(bench, task.label, place, task.outcome)
    _check_shown_nowhere(bench, bench.images[place])
    before = bench.images[bench.place(task.image_id)] if task.image_id in bench.places else None
    task.image = bench.images[place]
    task.score = float(bench.table.scores[task.label][place])
    task.save(update_fields=["image", "score"])
    if keep_examples:
        for example in task.examples.all():
            example.similarity = bench.similarity(bench.place(example.image_id), place)
            example.save(update_fields=["similarity"])
    else:
        _choose_examples(bench, task, place)
    needed_heatmaps_follow(stimulus_set=bench.stimulus_set)
    kept = "its examples stayed" if keep_examples else "its examples were chosen anew"
    _record(
        bench,
        user,
        f"Task {number}: another new image; {kept}.",
        {
            "kind": "new image",
            "label": task.label,
            "task": number,
            "before": before.sha256 if before else None,
            "after": task.image.sha256,
        },
    )


@transaction.atomic
def example_swap(
    *,
    version: StudyVersion,
    number: int,
    position: int,
    image_id: int,
    instead_of: int,
    user: User | None = None,
) -> None:
    """Give a task another example of the same outcome. Raises StimuliError as `new_image_swap`."""
    bench = _bench(version)
    task = _task(bench, number)
    example = task.examples.select_related("image").filter(position=position).first()
    if example is None:
        raise StimuliError(f"Task {number} has no example {position}.")
    _check_unchanged(example.image_id, instead_of, image_id)
    place = bench.place(image_id)
    _check_outcome(bench, task.label, place, example.outcome)
    if (other := bench.new_images().get(image_id)) is not None:
        raise StimuliError(
            f"This image is the new image of task {other.number}; whoever sees it as an example "
            "knows the answer."
        )
    if task.examples.filter(image_id=image_id).exists():
        raise StimuliError(f"This image is an example of task {number} already.")
    before = example.image
    example.image = bench.images[place]
    example.similarity = bench.similarity(place, bench.place(task.image_id))
    example.save(update_fields=["image", "similarity"])
    needed_heatmaps_follow(stimulus_set=bench.stimulus_set)
    _record(
        bench,
        user,
        f"Task {number}: another image as example {position}, a {example.outcome}.",
        {
            "kind": "example",
            "label": task.label,
            "task": number,
            "position": position,
            "before": before.sha256,
            "after": example.image.sha256,
        },
    )


def _bench(version: StudyVersion) -> _Bench:
    locked = draft_lock(version=version)
    stimulus_set = (
        StimulusSet.objects.filter(version=locked)
        .select_related("version", "classifier", "image_set")
        .first()
    )
    if stimulus_set is None:
        raise StimuliError("The stimuli are not prepared: there are no tasks yet.")
    images = images_of(stimulus_set.image_set, locked.spec)
    return _Bench(
        spec=locked.spec,
        stimulus_set=stimulus_set,
        images=images,
        table=table_of(stimulus_set.classifier, images),
        places={image.pk: place for place, image in enumerate(images)},
    )


def _choose_label(bench: _Bench, label: str, threshold: float) -> None:
    """Choose what a label is used for, at this threshold; nothing is changed where it fails."""
    _check_used(bench, label)
    stimulus_set, table = bench.stimulus_set, bench.table
    thresholds = {**stimulus_set.thresholds, label: threshold}
    try:
        selection.check_threshold(
            label,
            table.truth[label],
            table.scores[label],
            threshold,
            need_of(bench.spec, label),
            bench.spec.tasks.margin,
        )
        if label in bench.spec.tasks.new_images:
            _replace_tasks(bench, label, thresholds)
        else:
            _replace_figures(bench, label, thresholds)
    except selection.TooFewImagesError as error:
        raise _too_few(error) from error
    stimulus_set.thresholds = thresholds
    stimulus_set.save(update_fields=["thresholds"])
    needed_heatmaps_follow(stimulus_set=stimulus_set)


def _replace_tasks(bench: _Bench, label: str, thresholds: dict[str, float]) -> None:
    """A task whose image is chosen again keeps its number; the rows stay, previews point to them.

    So no image ever has two rows of a label, not for an instant.
    """
    tasks = list(bench.stimulus_set.tasks.prefetch_related("examples").order_by("number"))
    others = [task for task in tasks if task.label != label]
    figures = bench.stimulus_set.illustrations.values_list("image_id", flat=True)
    shown = {one.image_id for task in others for one in task.examples.all()} | set(figures)
    kept: dict[str, list[int]] = {}
    for task in others:
        kept.setdefault(task.label, []).append(bench.place(task.image_id))
    chosen = {
        bench.images[one.image].pk: one
        for one in selection.choose_label_anew(
            bench.table,
            thresholds,
            bench.spec.tasks.new_images,
            bench.spec.tasks.examples,
            label=label,
            kept=kept,
            barred=[bench.places[image] for image in shown if image in bench.places],
            margin=bench.spec.tasks.margin,
            seed=bench.spec.seed,
        )
    }
    rows = [task for task in tasks if task.label == label]
    if len(rows) != len(chosen):
        raise StimuliError("The stimuli do not fit the spec; give the draft its spec again.")
    there = {task.image_id for task in rows}
    waiting = iter([one for image, one in chosen.items() if image not in there])
    for task in rows:
        one = chosen.get(task.image_id) or next(waiting)
        task.image, task.outcome, task.score = bench.images[one.image], one.outcome, one.score
        task.save(update_fields=["image", "outcome", "score"])
        _store_examples(bench, task, one.examples)


def _replace_figures(bench: _Bench, label: str, thresholds: dict[str, float]) -> None:
    new = {bench.place(task.image_id) for task in bench.stimulus_set.tasks.all()}
    examples = Example.objects.filter(task__stimulus_set=bench.stimulus_set)
    avoided = {
        bench.places[image]
        for image in examples.values_list("image_id", flat=True)
        if image in bench.places
    }
    for figure in bench.stimulus_set.illustrations.filter(label=label):
        place = selection.choose_illustration(
            bench.table,
            thresholds,
            label,
            figure.outcome,
            never=new,
            rather_not=avoided,
            seed=bench.spec.seed,
        )
        Illustration.objects.filter(pk=figure.pk).update(image=bench.images[place])


def _choose_examples(bench: _Bench, task: Task, place: int) -> None:
    taken = {bench.place(image) for image in bench.new_images()}
    try:
        chosen = selection.choose_examples(
            bench.table,
            task.label,
            place,
            bench.outcomes(task.label),
            bench.spec.tasks.examples,
            taken,
        )
    except selection.TooFewImagesError as error:
        raise _too_few(error) from error
    _store_examples(bench, task, chosen)


def _store_examples(bench: _Bench, task: Task, chosen: Sequence[selection.ChosenExample]) -> None:
    task.examples.all().delete()
    Example.objects.bulk_create(
        Example(
            task=task,
            image=bench.images[one.image],
            outcome=one.outcome,
            position=position,
            similarity=one.similarity,
        )
        for position, one in enumerate(chosen, start=1)
    )


def _task(bench: _Bench, number: int) -> Task:
    task = bench.stimulus_set.tasks.filter(number=number).first()
    if task is None:
        raise StimuliError(f"There is no task {number}.")
    return task


def _check_used(bench: _Bench, label: str) -> None:
    used = {*bench.spec.tasks.labels, *(figure.label for _, figure in bench.spec.figures())}
    if label not in used:
        raise StimuliError(
            f"Neither a task nor a figure uses the label {label!r}; these are used: "
            f"{', '.join(sorted(used))}."
        )


def _check_unchanged(there: int, seen: int, wanted: int) -> None:
    if there == wanted:
        raise StimuliError("This image is there already.")
    if there != seen:
        raise StimuliError("Somebody has changed this in the meantime; look at it again.")


def _check_outcome(bench: _Bench, label: str, place: int, outcome: str) -> None:
    found = str(bench.outcomes(label)[place])
    if found != outcome:
        raise StimuliError(
            f"This image is a {found} for {label!r}; expected a {outcome}, so that the number of "
            "each outcome stays."
        )


def _check_shown_nowhere(bench: _Bench, image: Image) -> None:
    """A new image is shown nowhere else: not as new, not as an example, not as a figure."""
    if (task := bench.new_images().get(image.pk)) is not None:
        raise StimuliError(f"This image is the new image of task {task.number} already.")
    shown = Example.objects.filter(task__stimulus_set=bench.stimulus_set, image=image)
    if numbers := sorted(set(shown.values_list("task__number", flat=True))):
        raise StimuliError(
            f"This image is an example in task {', '.join(map(str, numbers))}; whoever sees it "
            "there knows the answer."
        )
    if bench.stimulus_set.illustrations.filter(image=image).exists():
        raise StimuliError("This image is a figure of the instructions or the screening.")


def _too_few(error: selection.TooFewImagesError) -> StimuliError:
    return StimuliError(
        f"{error} Nothing was changed. Take another threshold, ask for fewer tasks or examples in "
        "the spec, or lower its tasks.margin."
    )


def _record(bench: _Bench, user: User | None, what: str, details: dict[str, Any]) -> None:
    HandChange.objects.create(
        stimulus_set=bench.stimulus_set,
        label=details["label"],
        task=details.get("task"),
        what=what,
        details=details,
        by=user,
        by_name=name_of(user),
    )
