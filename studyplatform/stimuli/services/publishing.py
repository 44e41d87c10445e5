"""What stands between a draft and its publishing, and the list of stimuli that is frozen."""

from typing import Any

from django.db import transaction

from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import version_freeze

from ..lint import material_of
from ..models import StimulusSet
from .errors import StimuliError
from .linting import version_lint


def publish_problems(*, version: StudyVersion) -> list[str]:
    """Return what stands against publishing, one entry per finding; empty where nothing does.

    Errors, and warnings nobody gave a reason for, each with what to do about it.
    """
    return [one.sentence for one in version_lint(version=version).blocking]


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
    """Return the stimuli as plain data, every file by its content's hash, and what was judged."""
    return {
        **_listed(stimulus_set),
        "lint": [
            {
                "code": one.finding.code,
                "sentence": one.finding.sentence,
                "reason": one.reason.reason,
                "by": one.reason.by_name,
                "at": one.reason.at.isoformat(),
            }
            for one in version_lint(version=stimulus_set.version).explained
            if one.reason
        ],
    }


def manifest_of(*, version: StudyVersion) -> dict[str, Any]:
    """Return the stimuli as frozen, or as they are in a draft now; empty where there are none."""
    if version.published_at is not None:
        return dict(version.manifest)
    found = (
        StimulusSet.objects.filter(version=version)
        .select_related("version", "classifier", "image_set")
        .first()
    )
    return _listed(found) if found else {}


def _listed(stimulus_set: StimulusSet) -> dict[str, Any]:
    classifier = stimulus_set.classifier
    material = material_of(stimulus_set.version)
    needed = sorted(
        material.needed,
        key=lambda one: (one.level, one.heatmap.label, one.heatmap.image.sha256),
    )
    return {
        "classifier": {
            "name": classifier.name,
            "sha256": classifier.sha256,
            "labels": classifier.labels,
            "preprocess": classifier.preprocess,
        },
        "image_set": stimulus_set.image_set.name,
        "thresholds": stimulus_set.thresholds,
        "images": {image.sha256: image.display_sha256 for image in material.images},
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
            for task in material.tasks
        ],
        "illustrations": [
            {"label": one.label, "outcome": one.outcome, "image": one.image.sha256}
            for one in material.illustrations
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
                # Only where it is so, for the hashes of versions without.
                **(
                    {}
                    if one.heatmap.network_seed is None
                    else {"network_seed": one.heatmap.network_seed}
                ),
                "content": one.heatmap.content_sha256,
                "overlay": one.overlay_sha256,
            }
            for one in needed
        ],
        "by_hand": [
            {"what": one.what, "by": one.by_name, "at": one.at.isoformat(), **one.details}
            for one in stimulus_set.hand_changes.order_by("at", "pk")
        ],
    }
