"""The stimuli of one version given to another: what was chosen by hand stays chosen."""

from typing import Any, TypeVar

from django.db import models

from studyplatform.studies.models import StudyVersion

from ..models import (
    Example,
    HandChange,
    Illustration,
    LintReason,
    NeededHeatmap,
    StimulusSet,
    Task,
)

Row = TypeVar("Row", bound=models.Model)


def stimuli_copy(*, origin: StimulusSet, version: StudyVersion, with_heatmaps: bool) -> StimulusSet:
    """Give a version that has no stimuli those of another; the ledger's rows are shared.

    Without its heatmaps where the version shows others; they are entered by the job that prepares.
    """
    made = _clone(origin, version_id=version.pk)
    made.save()
    tasks = list(origin.tasks.order_by("number"))
    clones = {task.pk: _clone(task, stimulus_set_id=made.pk) for task in tasks}
    Task.objects.bulk_create(clones.values())
    examples = Example.objects.filter(task__in=clones).order_by("pk")
    Example.objects.bulk_create(
        [_clone(one, task_id=clones[one.task_id].pk) for one in examples], batch_size=500
    )
    Illustration.objects.bulk_create(
        [_clone(one, stimulus_set_id=made.pk) for one in origin.illustrations.order_by("pk")]
    )
    if with_heatmaps:
        needed = origin.needed_heatmaps.order_by("pk")
        NeededHeatmap.objects.bulk_create(
            [_clone(one, stimulus_set_id=made.pk) for one in needed], batch_size=500
        )
    _with_their_times(list(origin.hand_changes.order_by("pk")), stimulus_set_id=made.pk)
    return made


def reasons_copy(*, origin: StudyVersion, version: StudyVersion) -> None:
    """Give a version the reasons for which warnings of another stand; they hold for the same ones.

    A reason belongs to what was found then: it lapses where the finding is another.
    """
    _with_their_times(list(origin.lint_reasons.order_by("pk")), version_id=version.pk)


def _with_their_times(rows: list[HandChange] | list[LintReason], **changes: Any) -> None:
    for row in rows:
        made = _clone(row, **changes)
        made.save()
        # Saving puts the present time; it was then that somebody did it.
        type(row)._default_manager.filter(pk=made.pk).update(at=row.at)


def _clone(row: Row, **changes: Any) -> Row:
    """Return an unsaved row with the same values but for these."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    values = {field.attname: getattr(row, field.attname) for field in fields}
    return type(row)(**(values | changes))
