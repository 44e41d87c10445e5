"""What stands between a draft and its publishing, and the list of stimuli that is frozen."""

from collections import Counter
from pathlib import Path
from typing import Any

from django.db import transaction

from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import version_freeze

from .. import media
from ..models import Heatmap, Image, NeededHeatmap, Prediction, StimulusSet, Task
from .errors import StimuliError
from .preparation import shown_heatmaps


def publish_problems(*, version: StudyVersion) -> list[str]:
    """Return what is missing for publishing, one sentence each; empty where nothing is."""
    stimulus_set = (
        StimulusSet.objects.filter(version=version)
        .select_related("version", "classifier", "image_set")
        .first()
    )
    if stimulus_set is None:
        return ["The stimuli are not prepared: there are no tasks yet."]
    tasks = _tasks(stimulus_set)
    images = _shown_images(stimulus_set, tasks)
    return [
        *_task_problems(version, tasks),
        *_illustration_problems(version, stimulus_set),
        *_region_problems(version, stimulus_set),
        *_score_problems(stimulus_set, images),
        *_heatmap_problems(stimulus_set),
        *_file_problems(stimulus_set, images),
    ]


@transaction.atomic
def version_publish(*, version: StudyVersion) -> StudyVersion:
    """Freeze a version with the list of its stimuli; its study runs from then on.

    Raises StimuliError with every reason against it.
    """
    # The lock comes first, and all is read anew under it: what was checked is what is frozen,
    # though another replaces the draft at this moment.
    locked = StudyVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
    if locked.published_at is not None:
        raise StimuliError(f"Version {locked.number} is published already.")
    if problems := publish_problems(version=locked):
        raise StimuliError(problems)
    return version_freeze(version=locked, manifest=manifest(locked.stimulus_set))


def manifest(stimulus_set: StimulusSet) -> dict[str, Any]:
    """Return the stimuli as plain data, every file by its content's hash."""
    classifier = stimulus_set.classifier
    tasks = _tasks(stimulus_set)
    needed = stimulus_set.needed_heatmaps.select_related("heatmap__image").order_by(
        "level", "heatmap__label", "heatmap__image__sha256"
    )
    images = _shown_images(stimulus_set, tasks)
    return {
        "classifier": {
            "name": classifier.name,
            "sha256": classifier.sha256,
            "labels": classifier.labels,
            "preprocess": classifier.preprocess,
        },
        "image_set": stimulus_set.image_set.name,
        "thresholds": stimulus_set.thresholds,
        "images": {image.sha256: image.display_sha256 for image in images},
        "tasks": [
            {
                "number": task.number,
                "label": task.label,
                "image": task.image.sha256,
                "outcome": task.outcome,
                "score": task.score,
                "examples": [
                    {"image": example.image.sha256, "outcome": example.outcome}
                    for example in task.examples.all()
                ],
            }
            for task in tasks
        ],
        "illustrations": [
            {"label": one.label, "outcome": one.outcome, "image": one.image.sha256}
            for one in stimulus_set.illustrations.select_related("image").order_by(
                "label", "outcome"
            )
        ],
        "heatmaps": [
            {
                "level": one.level,
                "label": one.heatmap.label,
                "image": one.heatmap.image.sha256,
                "method": one.heatmap.method,
                # Whoever entered the row first chose its batch size.
                "parameters": {
                    key: value
                    for key, value in one.heatmap.parameters.items()
                    if key != "batch_size"
                },
                "content": one.heatmap.content_sha256,
                "overlay": one.overlay_sha256,
            }
            for one in needed
        ],
    }


def _tasks(stimulus_set: StimulusSet) -> list[Task]:
    return list(
        stimulus_set.tasks.select_related("image")
        .prefetch_related("examples__image")
        .order_by("number")
    )


def _shown_images(stimulus_set: StimulusSet, tasks: list[Task]) -> list[Image]:
    shown = {task.image_id: task.image for task in tasks}
    shown |= {one.image_id: one.image for task in tasks for one in task.examples.all()}
    for one in stimulus_set.illustrations.select_related("image"):
        shown[one.image_id] = one.image
    return sorted(shown.values(), key=lambda image: image.sha256)


def _task_problems(version: StudyVersion, tasks: list[Task]) -> list[str]:
    spec = version.spec
    problems = []
    found = Counter((task.label, task.outcome) for task in tasks)
    for label, counts in spec.tasks.new_images.items():
        for outcome, count in counts.items():
            if found[label, outcome] != count:
                problems.append(
                    f"There are {found[label, outcome]} {outcome} tasks for {label!r}; "
                    f"the spec asks for {count}."
                )
    wanted = {outcome: count for outcome, count in spec.tasks.examples.items() if count}
    for task in tasks:
        if dict(Counter(example.outcome for example in task.examples.all())) != wanted:
            problems.append(f"Task {task.number} has not the examples the spec asks for.")
    return problems


def _illustration_problems(version: StudyVersion, stimulus_set: StimulusSet) -> list[str]:
    found = set(stimulus_set.illustrations.values_list("label", "outcome"))
    return [
        f"{path}: there is no {figure.outcome} image of {figure.label!r} chosen for it."
        for path, figure in version.spec.figures()
        if (figure.label, figure.outcome) not in found
    ]


def _region_problems(version: StudyVersion, stimulus_set: StimulusSet) -> list[str]:
    """Screening items on a heatmap that is red all over would have no right answer."""
    shown = {
        (one.label, one.outcome): one.image.sha256
        for one in stimulus_set.illustrations.select_related("image")
    }
    rows = stimulus_set.needed_heatmaps.exclude(overlay_sha256="").filter(strongest__isnull=True)
    unclear = set(rows.values_list("level", "heatmap__label", "heatmap__image__sha256"))
    return [
        f"screening.items.{item.key}: the {level} heatmap of the {item.figure.outcome} image of "
        f"{item.figure.label!r} has no part that is clearly weaker than its strongest; choose "
        "another figure, or set stimuli.thresholds so that another image is chosen."
        for item in version.spec.screening.items
        if item.region
        for level in version.spec.heatmaps
        for label in (item.figure.label, "")  # "": of a class-agnostic method
        if (level, label, shown.get((item.figure.label, item.figure.outcome))) in unclear
    ]


def _score_problems(stimulus_set: StimulusSet, images: list[Image]) -> list[str]:
    problems = [
        f"The label {label!r} has no threshold."
        for label in stimulus_set.classifier.labels
        if label not in stimulus_set.thresholds
    ]
    scored = Prediction.objects.filter(
        classifier=stimulus_set.classifier, image__in=[image.pk for image in images]
    ).count()
    if scored != len(images):
        problems.append(f"{len(images) - scored} of {len(images)} images have no scores.")
    return problems


def _heatmap_problems(stimulus_set: StimulusSet) -> list[str]:
    wanted = {(level, image.sha256, label) for level, image, label in shown_heatmaps(stimulus_set)}
    rows = list(stimulus_set.needed_heatmaps.select_related("heatmap__image"))
    entered = {(row.level, row.heatmap.image.sha256, row.heatmap.label) for row in rows}
    problems = []
    if missing := len(wanted - entered):
        problems.append(f"{missing} of {len(wanted)} heatmaps are not in the ledger.")
    failed = sum(row.heatmap.state == Heatmap.State.FAILED for row in rows)
    if failed:
        problems.append(f"{failed} of {len(rows)} heatmaps failed; see why and retry them.")
    waiting = sum(
        not row.overlay_sha256 and row.heatmap.state != Heatmap.State.FAILED for row in rows
    )
    if waiting:
        problems.append(f"{waiting} of {len(rows)} heatmaps are not rendered yet.")
    return problems


def _file_problems(stimulus_set: StimulusSet, images: list[Image]) -> list[str]:
    paths: list[Path] = [media.display_path(image.display_sha256) for image in images]
    paths += [
        media.display_path(sha256)
        for sha256 in NeededHeatmap.objects.filter(stimulus_set=stimulus_set)
        .exclude(overlay_sha256="")
        .values_list("overlay_sha256", flat=True)
    ]
    missing = sum(not path.is_file() for path in paths)
    return [f"{missing} of {len(paths)} picture files are missing on disk."] if missing else []
