"""The page on which a spec is typed: what it shows around a text, and saving it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from studyplatform.participation.services import previews_discard
from studyplatform.stimuli import deciding, materials
from studyplatform.stimuli.deciding import Effect
from studyplatform.stimuli.models import Job
from studyplatform.stimuli.selectors import has_stimuli, job_latest
from studyplatform.stimuli.services import draft_discard, draft_save, material_problems
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import text_sha256
from studyplatform.studies.spec import Spec, SpecError, load
from studyplatform.studies.spec.lines import Located, located

from .design import Consequences, consequences_of
from .diffs import DiffLine, diff_lines


@dataclass(frozen=True)
class Typed:
    """A spec as somebody typed it, from which text they began, and what they look at beside it."""

    text: str
    began_with: str
    shown: str = ""
    fee: str = ""


@dataclass(frozen=True)
class Editor:
    """What the page shows around a typed text.

    faults: why it cannot be saved. hurdles: why no tasks can be chosen from it, though it can be
    saved. consequences: None while there are faults. effect: what saving makes anew, "none" where
    nothing was made yet.
    """

    typed: Typed
    faults: list[Located]
    hurdles: list[Located]
    consequences: Consequences | None
    effect: Effect


@dataclass(frozen=True)
class Conflict:
    """Somebody else's text, saved since this one was begun: `lines` lead from theirs to this."""

    lines: list[DiffLine]
    theirs_sha256: str


def typed_of(version: StudyVersion) -> Typed:
    return Typed(text=version.written, began_with=text_sha256(version.written))


def editor_of(version: StudyVersion, typed: Typed, refused: Sequence[str] = ()) -> Editor:
    """Return what the page shows; `refused` are reasons for which saving just failed."""
    spec, sentences = _read(version.study, typed.text)
    faults = located(typed.text, [*refused, *sentences])
    if spec is None:
        return Editor(typed, faults, [], None, "none")
    team = version.study.team
    classifier = materials.classifier_named(team, spec.stimuli.classifier)
    labels = classifier.labels if classifier else spec.tasks.labels
    prepared = has_stimuli(version)
    hurdles = [] if version.published_at else material_problems(team=team, spec=spec)
    return Editor(
        typed=typed,
        faults=faults,
        hurdles=located(typed.text, [*hurdles, *_failures(version, typed, hurdles)]),
        consequences=consequences_of(spec, labels, typed.shown, typed.fee),
        effect=deciding.effect_of(version.spec, spec) if prepared else "none",
    )


@transaction.atomic
def design_save(*, version: StudyVersion, typed: Typed, redo: bool, user_id: int | None) -> Effect:
    """Store a typed text in a draft and return what is made anew; previews of the draft end.

    Raises as `draft_save`, and then nothing has changed.
    """
    previews_discard(version=version)
    return draft_save(
        version=version,
        spec_text=typed.text,
        began_with=typed.began_with,
        redo=redo,
        user_id=user_id,
    )


@transaction.atomic
def design_discard(*, version: StudyVersion) -> bool:
    """Delete a draft with its previews; return whether its study went with it."""
    previews_discard(version=version)
    return draft_discard(version=version)


def conflict_of(version: StudyVersion, typed: Typed) -> Conflict:
    theirs = version.written
    return Conflict(diff_lines(theirs, typed.text), text_sha256(theirs))


def job_shown(version: StudyVersion) -> Job | None:
    """Return the job that prepares a draft, where it is under way or did not succeed."""
    if version.published_at:
        return None
    job = job_latest(version.study, Job.Kind.PREPARE)
    if job is None or job.state == Job.State.DONE or job.parameters.get("version") != version.pk:
        return None
    return job


def _read(study: Study, text: str) -> tuple[Spec | None, list[str]]:
    try:
        spec = load(text)
    except SpecError as error:
        return None, error.problems
    if spec.slug != study.slug:
        return spec, [f"slug: the address of this study is {study.slug!r}; it stays as it is."]
    return spec, []


def _failures(version: StudyVersion, typed: Typed, known: Sequence[str]) -> list[str]:
    """Return why the job failed on the stored text, where that is what is looked at."""
    job = job_shown(version)
    if job is None or job.state != Job.State.FAILED or typed.text != version.written:
        return []
    return [sentence for sentence in job.problems if sentence not in known]


def context_of(version: StudyVersion, editor: Editor, **more: Any) -> dict[str, Any]:
    """Return what the page's template needs."""
    job = job_shown(version)
    prepared = has_stimuli(version)
    return {
        "study": version.study,
        "version": version,
        "spec": version.spec,
        "editor": editor,
        "job": job,
        "may_prepare": not (prepared or job or version.published_at),
        **more,
    }
