"""A page turn: one submitted form, stored exactly once, and the step to the next page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from django.db import transaction
from django.utils import timezone

from studyplatform.stimuli.models import Task
from studyplatform.studies.models import Study

from .. import selectors, tokens
from ..items import EXIT, Item, Stage, screening_items
from ..models import Answer, Event, Reward, Session
from .assignment import session_assign


class Reply(Enum):
    """What became of a submitted form."""

    TAKEN = "stored, the position moved on"
    REPEATED = "the same form had been stored before"
    CLOSED = "this page had been answered already; nothing was stored"
    TRY_AGAIN = "stored; the spec gives another try"
    NOT_OPEN = "the study takes no new participants now; nothing was stored"


@dataclass(frozen=True)
class Submission:
    """A checked form: which page it answers, its idempotency key, and the answers.

    `values` is question key -> answer; empty for pages that only need a step on.
    """

    item: Item
    attempt: int
    key: str
    served_at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)
    client: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """The reply, the session after it, and a new cookie where it was rotated."""

    reply: Reply
    session: Session
    cookie: str = ""


def page_submit(*, session: Session, submission: Submission, cookie: str = "") -> Turn:
    """Store a submitted form and move on, in one transaction with the session locked.

    The same idempotency key again, or a page that was answered before, changes nothing.
    """
    with transaction.atomic():
        session = _locked(session)
        if selectors.answer_with_key(session, submission.key):
            return Turn(Reply.REPEATED, session, _heir(session, cookie, submission.key))
        if (session.item, session.attempt) != (submission.item.key, submission.attempt):
            return Turn(Reply.CLOSED, session)
        now = timezone.now()
        session.last_seen_at = now
        reply = _STEPS[submission.item.stage](session, submission, now)
        if reply is Reply.NOT_OPEN:
            return Turn(reply, session)
        rotated = ""
        if session.consented_at == now:
            # Whoever knew the cookie before consent does not know the one after it.
            rotated = tokens.cookie_next(cookie, submission.key)
            session.cookie_sha256 = tokens.cookie_hash(rotated)
        session.save()
        if submission.client:
            Event.objects.create(
                session=session,
                kind="page_left",
                item=submission.item.key,
                data={"attempt": submission.attempt, **submission.client},
            )
    return Turn(reply, session, rotated)


def session_recover(*, public_id: str, cookie: str, key: str) -> tuple[Session, str] | None:
    """Return the session and cookie of somebody whose reply to consent got lost on the way.

    They post the same form again with the cookie it replaced; nobody else can.
    """
    session = selectors.sessions_whole().filter(public_id=public_id).first()
    heir = _heir(session, cookie, key) if session else ""
    return (session, heir) if session and heir else None


def _heir(session: Session, cookie: str, key: str) -> str:
    """Return the cookie that replaced `cookie` when this key was posted, or "" if none did."""
    heir = tokens.cookie_next(cookie, key) if cookie else ""
    return heir if heir and tokens.cookie_hash(heir) == session.cookie_sha256 else ""


def _locked(session: Session) -> Session:
    """Return the session as it is now, locked on PostgreSQL; its relations are known already."""
    locked = Session.objects.select_for_update().get(pk=session.pk)
    locked.study, locked.version = session.study, session.version
    if locked.condition_id is not None and locked.condition_id == session.condition_id:
        locked.condition = session.condition
    return locked


def _move_on(session: Session, item: Item) -> Reply:
    session.item = selectors.way_of(session).after(item).key
    session.attempt = 1
    return Reply.TAKEN


def _leave(session: Session, status: Session.Status) -> Reply:
    session.status = status
    session.item = EXIT.key
    session.attempt = 1
    return Reply.TAKEN


def _step(session: Session, submission: Submission, now: datetime) -> Reply:
    return _move_on(session, submission.item)


def _information(session: Session, submission: Submission, now: datetime) -> Reply:
    recruitment = selectors.material(session.version).spec.recruitment
    width = submission.client.get("screen_width")
    too_small = width is not None and width < recruitment.minimum_screen_width
    phone = submission.client.get("mobile", False) and not recruitment.allow_phones
    if too_small or phone:
        return _leave(session, Session.Status.DEVICE)
    return _move_on(session, submission.item)


def _consent(session: Session, submission: Submission, now: datetime) -> Reply:
    if submission.values["consent"] == "no":
        _answer(session, submission)
        return _leave(session, Session.Status.DECLINED)
    study = session.study
    if session.source != Session.Source.PREVIEW and study.state != Study.State.RUNNING:
        return Reply.NOT_OPEN
    if not session_assign(session=session, now=now):
        return _leave(session, Session.Status.FULL)
    _answer(session, submission)
    session.status = Session.Status.ACTIVE
    session.consented_at = now
    return _move_on(session, submission.item)


def _screening(session: Session, submission: Submission, now: datetime) -> Reply:
    screening = selectors.material(session.version).spec.screening
    asked = screening_items(selectors.material(session.version).spec, selectors.levels_of(session))
    _answer(session, submission)
    passed = all(submission.values.get(item.key) == item.answer for item in asked)
    if not passed and screening.on_failure != "flag" and session.attempt < screening.tries:
        session.attempt += 1
        return Reply.TRY_AGAIN
    session.screening_passed = passed
    if not passed and screening.on_failure == "screen_out":
        return _leave(session, Session.Status.SCREENED_OUT)
    return _finish_or_move_on(session, submission, now)


def _task(session: Session, submission: Submission, now: datetime) -> Reply:
    task = selectors.task_of(session, submission.item.number)
    key = selectors.material(session.version).spec.prediction.key
    predicted = submission.values.get(key)
    _answer(
        session,
        submission,
        task=task,
        correct=None if predicted is None else (predicted == "yes") == task.assigned,
    )
    return _finish_or_move_on(session, submission, now)


def _afterwards(session: Session, submission: Submission, now: datetime) -> Reply:
    _answer(session, submission)
    return _finish_or_move_on(session, submission, now)


def _finish_or_move_on(session: Session, submission: Submission, now: datetime) -> Reply:
    if selectors.way_of(session).completes(submission.item):
        session.status = Session.Status.COMPLETED
        session.completed_at = now
        _reward(session)
    return _move_on(session, submission.item)


def _answer(
    session: Session,
    submission: Submission,
    *,
    task: Task | None = None,
    correct: bool | None = None,
) -> None:
    Answer.objects.create(
        session=session,
        item=submission.item.key,
        attempt=submission.attempt,
        task=task,
        values=dict(submission.values),
        correct=correct,
        idempotency_key=submission.key,
        page_served_at=submission.served_at,
    )


def _reward(session: Session) -> None:
    pay = selectors.material(session.version).spec.pay
    n_correct = Answer.objects.filter(session=session, task__isnull=False, correct=True).count()
    Reward.objects.create(
        session=session,
        currency=pay.currency,
        base=pay.base,
        bonus=pay.bonus(n_correct),
        n_correct=n_correct,
    )


_STEPS: dict[Stage, Callable[[Session, Submission, datetime], Reply]] = {
    Stage.INFORMATION: _information,
    Stage.CONSENT: _consent,
    Stage.INSTRUCTIONS: _step,
    Stage.SCREENING: _screening,
    Stage.TASK: _task,
    Stage.AFTERWARDS: _afterwards,
    Stage.FEEDBACK: _step,
}
