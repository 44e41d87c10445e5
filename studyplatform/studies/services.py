"""Everything that writes studies, their versions and their states.

Publishing is ordered by the room above (`stimuli.services.version_publish`): this room knows no
stimuli, it freezes what it is given.
"""

import hashlib
import json
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from .models import Condition, Study, StudyVersion, Team
from .spec import Spec, load


class StudyError(ValueError):
    """A study cannot be made, changed or published; `problems` holds one sentence per reason."""

    def __init__(self, problems: str | list[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else problems
        super().__init__("\n".join(self.problems))


class ConflictError(StudyError):
    """Somebody else has saved a draft since this change to it was begun."""


def team_get_or_create(*, name: str) -> Team:
    """Return the team of this name, made where there is none."""
    return Team.objects.get_or_create(name=name)[0]


@transaction.atomic
def study_create(*, team: Team, spec_text: str) -> StudyVersion:
    """Make a study from a spec's YAML text and return its first version, a draft.

    Raises SpecError for a faulty spec, StudyError where the address is taken.
    """
    spec = load(spec_text)
    check_slug_free(spec.slug)
    study = Study.objects.create(team=team, slug=spec.slug)
    return _version_create(study, 1, spec, spec_text)


def check_slug_free(slug: str) -> None:
    """Raise StudyError where a study has this address."""
    if Study.objects.filter(slug=slug).exists():
        raise StudyError(f"slug: there is already a study {slug!r}; choose another slug.")


@transaction.atomic
def version_amend(*, study: Study, spec_text: str) -> StudyVersion:
    """Return a new draft version of a published study, with the next number.

    Sessions that have begun stay with the version they began with. Raises StudyError where the
    study is closed, has a draft already, or where the spec has another slug.
    """
    spec = load(spec_text)
    locked = Study.objects.select_for_update().get(pk=study.pk)
    if locked.state == Study.State.CLOSED:
        raise StudyError(f"The study {locked.slug!r} is closed; a closed study is not amended.")
    if spec.slug != locked.slug:
        raise StudyError(f"slug: {spec.slug!r} is another study; expected {locked.slug!r}.")
    if draft := locked.versions.filter(published_at=None).first():
        raise StudyError(f"Version {draft.number} of {locked.slug!r} is still a draft.")
    last = locked.versions.aggregate(last=Max("number"))["last"] or 0
    return _version_create(locked, last + 1, spec, spec_text)


@transaction.atomic
def version_replace_spec(
    *, version: StudyVersion, spec_text: str, began_with: str = ""
) -> StudyVersion:
    """Give a draft another spec; its conditions are made anew. Published versions refuse.

    began_with: the `text_sha256` of the text this change was begun from; ConflictError where the
    draft holds another by now. Empty: whatever it holds is replaced.
    Stimuli follow from the spec: the room above orders this and makes them anew
    (`stimuli.services.study_replace_draft`, `draft_save`).
    """
    spec = load(spec_text)
    locked = _draft_locked(version)
    if began_with and began_with != text_sha256(locked.written):
        raise ConflictError("Somebody else has saved this draft since you began.")
    if spec.slug != locked.study.slug:
        raise StudyError(f"slug: {spec.slug!r} is another study; expected {locked.study.slug!r}.")
    locked.conditions.all().delete()
    locked.data = spec.model_dump(mode="json")
    locked.text = as_kept(spec_text)
    locked.save(update_fields=["data", "text"])
    _conditions_create(locked, spec)
    return StudyVersion.objects.get(pk=locked.pk)


@transaction.atomic
def version_freeze(*, version: StudyVersion, manifest: dict[str, Any]) -> StudyVersion:
    """Freeze a draft with the list of its stimuli; the study runs from then on.

    A study that was paused stays paused. Raises StudyError where the version is published.
    """
    locked = _draft_locked(version)
    locked.manifest = manifest
    locked.sha256 = version_sha256(locked.spec, manifest)
    locked.published_at = timezone.now()
    locked.save(update_fields=["manifest", "sha256", "published_at"])
    Study.objects.filter(pk=locked.study_id, state=Study.State.DRAFT).update(
        state=Study.State.RUNNING
    )
    locked.study.refresh_from_db()
    return locked


@transaction.atomic
def version_discard(*, version: StudyVersion) -> bool:
    """Delete a draft; return whether its study went with it, having no other version.

    Sessions begun with it must be gone, and stimuli go with it. Published versions refuse.
    """
    locked = _draft_locked(version)
    study = locked.study
    locked.conditions.all().delete()
    locked.delete()
    if study.versions.exists():
        return False
    study.delete()
    return True


def as_kept(spec_text: str) -> str:
    """Return a spec's text with the line breaks of its stored form: browsers send others."""
    return spec_text.replace("\r\n", "\n").replace("\r", "\n")


def text_sha256(text: str) -> str:
    """Return the hash by which a change says which text it was begun from."""
    return hashlib.sha256(as_kept(text).encode()).hexdigest()


def version_sha256(spec: Spec, manifest: dict[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of a spec together with its stimuli."""
    stimuli = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    text = f'{{"spec":{spec.canonical()},"stimuli":{stimuli}}}'
    return hashlib.sha256(text.encode()).hexdigest()


def study_pause(*, study: Study) -> Study:
    """Let nobody new in; those who are in go on."""
    return _move(study, {Study.State.RUNNING}, Study.State.PAUSED, "paused")


def study_resume(*, study: Study) -> Study:
    return _move(study, {Study.State.PAUSED}, Study.State.RUNNING, "resumed")


def study_close(*, study: Study) -> Study:
    """End a study for good."""
    return _move(study, {Study.State.RUNNING, Study.State.PAUSED}, Study.State.CLOSED, "closed")


def _version_create(study: Study, number: int, spec: Spec, spec_text: str) -> StudyVersion:
    version = StudyVersion.objects.create(
        study=study,
        number=number,
        data=spec.model_dump(mode="json"),
        text=as_kept(spec_text),
    )
    _conditions_create(version, spec)
    return version


def _conditions_create(version: StudyVersion, spec: Spec) -> None:
    Condition.objects.bulk_create(
        Condition(
            version=version,
            # Names in the URL of a preview and in data: heatmap-lrp_scores-shown.
            key="_".join(f"{factor}-{level}" for factor, level in levels.items()),
            position=position,
            levels=levels,
            target=spec.target(levels),
        )
        for position, levels in enumerate(spec.conditions(), start=1)
    )


def _draft_locked(version: StudyVersion) -> StudyVersion:
    locked = StudyVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
    if locked.published_at is not None:
        raise StudyError(
            f"Version {locked.number} of {locked.study.slug!r} is published and cannot change; "
            "amend the study instead."
        )
    return locked


def _move(study: Study, origins: set[Study.State], to: Study.State, verb: str) -> Study:
    moved = Study.objects.filter(pk=study.pk, state__in=origins).update(state=to)
    study.refresh_from_db()
    if not moved:
        raise StudyError(
            f"The study {study.slug!r} is {study.get_state_display().lower()} and cannot be {verb}."
        )
    return study
