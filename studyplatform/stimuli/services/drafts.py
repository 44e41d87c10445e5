"""Drafts as people work on them in the console.

Saving stores the spec at once; what has to be made anew from it is a job's work (`draft_prepare`),
since scoring images takes a network and its time.
"""

import hashlib
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from studyplatform.studies.models import Study, StudyVersion, Team
from studyplatform.studies.selectors import version_published
from studyplatform.studies.services import (
    StudyError,
    study_create,
    version_amend,
    version_discard,
    version_replace_spec,
)
from studyplatform.studies.spec import Spec

from .. import deciding
from ..deciding import Effect
from ..models import Job, StimulusSet
from .copies import reasons_copy, stimuli_copy
from .errors import StimuliError
from .jobs import Tick, job_cancel, job_request
from .preparation import materials_find, methods_check, needed_heatmaps_ensure, stimuli_prepare


class RedoNeededError(StudyError):
    """Saving would choose the tasks anew; nobody has agreed to that yet."""


@transaction.atomic
def draft_create(
    *,
    team: Team,
    spec_text: str,
    origin: StudyVersion | None = None,
    user_id: int | None = None,
) -> StudyVersion:
    """Make a study as a draft, and ask for its stimuli; returns its first version.

    origin: a version whose tasks, and swaps made by hand, are taken over where the spec allows.
    Raises SpecError for a faulty spec, StudyError where the address is taken.
    """
    version = study_create(team=team, spec_text=spec_text)
    _stimuli_begin(version, origin, user_id)
    return version


@transaction.atomic
def draft_amend(*, study: Study, user_id: int | None = None) -> StudyVersion:
    """Return a new draft that begins as the published version is, with its stimuli.

    Raises StudyError where nothing is published, the study is closed, or there is a draft already.
    """
    origin = version_published(study)
    if origin is None:
        raise StudyError(f"Nothing of {study.slug!r} is published yet; change its draft instead.")
    version = version_amend(study=study, spec_text=origin.written)
    _stimuli_begin(version, origin, user_id)
    reasons_copy(origin=origin, version=version)
    return version


@transaction.atomic
def draft_save(
    *,
    version: StudyVersion,
    spec_text: str,
    began_with: str = "",
    redo: bool = False,
    user_id: int | None = None,
) -> Effect:
    """Give a draft another spec and return what is made anew for it.

    Tasks and the swaps made by hand stay while the parts of the spec that decide about them stay.
    Raises SpecError; ConflictError where the draft was saved by somebody else since `began_with`;
    RedoNeededError where tasks would be chosen anew and `redo` does not agree to it; StudyError
    where it is published or sessions were begun with it.
    """
    before = StudyVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
    try:
        saved = version_replace_spec(version=before, spec_text=spec_text, began_with=began_with)
    except ProtectedError:
        raise StimuliError(
            "Somebody has just opened a preview of this draft; save again."
        ) from None
    effect = deciding.effect_of(before.spec, saved.spec)
    found = StimulusSet.objects.filter(version=saved).first()
    if found and effect == "tasks":
        if not redo:
            raise RedoNeededError("Saving this chooses the tasks and their examples anew.")
        found.delete()
    elif found and effect == "heatmaps":
        found.needed_heatmaps.all().delete()
    if not found or effect != "none":
        prepare_request(version=saved, user_id=user_id)
    return effect


@transaction.atomic
def draft_discard(*, version: StudyVersion) -> bool:
    """Delete a draft with its stimuli; return whether its study went with it.

    Raises StudyError where it is published or sessions were begun with it.
    """
    _cancel_others(version, {})
    try:
        return version_discard(version=version)
    except ProtectedError:
        raise StimuliError(f"Sessions were begun with {version}, so it stays.") from None


def material_problems(*, team: Team, spec: Spec) -> list[str]:
    """Return why no tasks can be chosen from what a spec names, as far as rows alone can tell."""
    try:
        materials_find(team=team, spec=spec)
    except StudyError as error:
        return error.problems
    return []


def prepare_request(*, version: StudyVersion, user_id: int | None = None) -> Job:
    """Return the job that makes what a draft's spec asks for; those of earlier specs end."""
    spec = version.spec
    decides = deciding.of_tasks(spec) + deciding.of_heatmaps(spec)
    parameters = {
        "version": version.pk,
        "spec": hashlib.sha256(decides.encode()).hexdigest(),
    }
    _cancel_others(version, parameters)
    return job_request(
        team=version.study.team,
        kind=Job.Kind.PREPARE,
        subject=f"{version.study.slug}, version {version.number}",
        parameters=parameters,
        study=version.study,
        user_id=user_id,
    )


def draft_prepare(job: Job, tick: Tick) -> dict[str, Any]:
    """Do the work of a PREPARE job: choose tasks where there are none, enter missing heatmaps."""
    from ..tasks import drain

    version = StudyVersion.objects.select_related("study__team").filter(
        pk=job.parameters["version"], published_at=None
    )
    draft = version.first()
    if draft is None:  # published or discarded since
        return {}
    stimulus_set = stimuli_prepare(
        version=draft, progress=lambda done, total: tick(done, total, "Scoring images")
    )
    _heatmaps_enter(draft, stimulus_set)
    drain.delay()
    return {
        "tasks": stimulus_set.tasks.count(),
        "heatmaps": stimulus_set.needed_heatmaps.count(),
    }


def _heatmaps_enter(draft: StudyVersion, stimulus_set: StimulusSet) -> None:
    """Enter the heatmaps where saving took others out, once their methods were tried."""
    if not draft.spec.heatmaps or stimulus_set.needed_heatmaps.exists():
        return
    image = stimulus_set.tasks.select_related("image").order_by("number")[0].image
    methods_check(spec=draft.spec, classifier=stimulus_set.classifier, image=image)
    with transaction.atomic():
        # The lock comes first: what was tried is what is entered.
        locked = StudyVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=draft.pk)
        current = StimulusSet.objects.filter(version=locked).first()
        same = deciding.effect_of(draft.spec, locked.spec) == "none"
        if current is None or not same or locked.published_at is not None:
            raise StimuliError("The study was changed while its heatmaps were entered.")
        needed_heatmaps_ensure(stimulus_set=current)


def _stimuli_begin(version: StudyVersion, origin: StudyVersion | None, user_id: int | None) -> None:
    """Take over the stimuli of another version as far as they fit; a job makes the rest."""
    found = StimulusSet.objects.filter(version=origin).first() if origin else None
    effect = deciding.effect_of(origin.spec, version.spec) if origin and found else "tasks"
    if origin and found and effect != "tasks" and _same_materials(version, origin, found):
        stimuli_copy(origin=found, version=version, with_heatmaps=effect == "none")
        if effect == "none":
            return
    prepare_request(version=version, user_id=user_id)


def _same_materials(version: StudyVersion, origin: StudyVersion, stimulus_set: StimulusSet) -> bool:
    """Whether the names in a spec mean what the stimuli were made from.

    Within a study they do. To another team, or later, a name can mean other images.
    """
    if version.study_id == origin.study_id:
        return True
    try:
        image_set, classifier = materials_find(team=version.study.team, spec=version.spec)
    except StudyError:
        return False
    return (image_set.pk, classifier.pk) == (
        stimulus_set.image_set_id,
        stimulus_set.classifier_id,
    )


def _cancel_others(version: StudyVersion, parameters: dict[str, Any]) -> None:
    open_jobs = Job.objects.filter(
        study=version.study,
        kind=Job.Kind.PREPARE,
        state__in=[Job.State.PENDING, Job.State.RUNNING],
    )
    for job in open_jobs:
        if job.parameters != parameters:
            job_cancel(job=job)
