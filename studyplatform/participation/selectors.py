"""Everything that reads: sessions by their cookie, what a version holds, counts of sessions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from studyplatform.stimuli.models import StimulusSet, Task
from studyplatform.studies.models import Condition, Study, StudyVersion
from studyplatform.studies.spec import Spec, from_data

from .items import Way, way
from .models import Answer, Event, Session
from .tokens import cookie_hash

# Whoever was seen within this time may still finish, so the slot is theirs.
ACTIVE_WINDOW = timedelta(minutes=60)
BALANCED = frozenset({Session.Source.REAL, Session.Source.PILOT})


@dataclass(frozen=True)
class Material:
    """What pages need of a version: its spec in one language, the labels its classifier knows."""

    spec: Spec
    labels: tuple[str, ...]


def material(version: StudyVersion, language: str = "") -> Material:
    """Return a version's material in a language (its own for ""); read once where published."""
    if version.published_at is None:
        return _material(version.pk, language)
    return _frozen_material(version.pk, version.sha256, language)


def material_of(session: Session) -> Material:
    """Return what a session's pages need, in the language of the session."""
    return material(session.version, session.language)


@lru_cache(maxsize=64)
def _frozen_material(version_id: int, sha256: str, language: str) -> Material:
    return _material(version_id, language)


def _material(version_id: int, language: str) -> Material:
    data = StudyVersion.objects.values_list("data", flat=True).get(pk=version_id)
    labels = StimulusSet.objects.filter(version=version_id).values_list(
        "classifier__labels", flat=True
    )
    return Material(from_data(data).in_language(language), tuple(labels.first() or ()))


def version_to_enter(study: Study, source: str) -> StudyVersion | None:
    """Return the version a new session belongs to: the latest published one.

    A preview shows the latest version that has stimuli, published or not.
    """
    versions = study.versions.order_by("-number")
    if source == Session.Source.PREVIEW:
        return versions.filter(stimulus_set__isnull=False).first()
    return versions.filter(published_at__isnull=False).first()


def session_of_cookie(study_slug: str, cookie: str) -> Session | None:
    """Return the session a cookie opens, in this study only; None for any other cookie."""
    if not cookie:
        return None
    return (
        sessions_whole().filter(study__slug=study_slug, cookie_sha256=cookie_hash(cookie)).first()
    )


def sessions_whole() -> QuerySet[Session]:
    """Return sessions with study, version and condition, without the version's large columns."""
    return Session.objects.select_related("study", "version", "condition").defer(
        "version__data", "version__text", "version__manifest"
    )


def way_of(session: Session) -> Way:
    levels = session.condition.levels if session.consented_at and session.condition else None
    return way(material(session.version).spec, levels, len(session.task_order))


def levels_of(session: Session) -> dict[str, str]:
    return dict(session.condition.levels) if session.condition else {}


def task_of(session: Session, number: int) -> Task:
    """Return the task shown as the `number`th (from 1) in this session."""
    return Task.objects.select_related("image", "stimulus_set__classifier").get(
        stimulus_set__version=session.version_id, number=session.task_order[number - 1]
    )


def first_served_at(session: Session, item_key: str, attempt: int) -> datetime | None:
    """Return when the server first showed a page; None before."""
    return (
        Event.objects.filter(
            session=session, item=item_key, kind="page_served", data__attempt=attempt
        )
        .order_by("at")
        .values_list("at", flat=True)
        .first()
    )


def answer_with_key(session: Session, key: str) -> Answer | None:
    return Answer.objects.filter(session=session, idempotency_key=key).first()


def task_answers(session: Session) -> list[Answer]:
    """Return a session's answers to tasks, in the order shown, with task and image."""
    found = Answer.objects.filter(session=session, task__isnull=False).select_related("task__image")
    return sorted(found, key=lambda answer: int(answer.item.rpartition("/")[2]))


def holding_a_slot(version: StudyVersion, source: str, now: datetime) -> QuerySet[Session]:
    """Return the sessions that count for balancing: completed, or seen within ACTIVE_WINDOW."""
    recent = Q(status=Session.Status.ACTIVE, last_seen_at__gte=now - ACTIVE_WINDOW)
    return Session.objects.filter(
        Q(status=Session.Status.COMPLETED) | recent,
        version=version,
        source=source,
        excluded=False,
        condition__isnull=False,
    )


def is_full(version: StudyVersion, source: str, *, now: datetime | None = None) -> bool:
    """Return whether every condition has its target of participants, finished or on their way."""
    if source not in BALANCED:
        return False
    held = dict(
        holding_a_slot(version, source, now or timezone.now())
        .values_list("condition")
        .annotate(Count("pk"))
        .order_by()
    )
    conditions = Condition.objects.filter(version=version)
    return all(held.get(condition.pk, 0) >= condition.target for condition in conditions)


def session_counts(version: StudyVersion, source: str) -> dict[str, dict[str, int]]:
    """Return condition key -> status -> sessions; those without a condition under ""."""
    counts: dict[str, dict[str, int]] = {
        key: {}
        for key in Condition.objects.filter(version=version)
        .order_by("position")
        .values_list("key", flat=True)
    }
    rows = (
        Session.objects.filter(version=version, source=source)
        .values_list("condition__key", "status")
        .annotate(Count("pk"))
        .order_by()
    )
    for key, status, n in rows:
        counts.setdefault(key or "", {})[status] = n
    return counts
