"""Arrival: from an address with a panel's parameters to a session and its cookie."""

import re
import secrets
from dataclasses import dataclass

from django.db import transaction
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from studyplatform.identities import services as vault
from studyplatform.identities.models import Identity
from studyplatform.studies.models import Condition, Study, StudyVersion
from studyplatform.studies.spec import Recruitment

from .. import notices, selectors, tokens
from ..items import EXIT, INFORMATION
from ..languages import PARAMETER
from ..models import Event, Session
from ..notices import Notice

_PANEL_ID = re.compile(r"[A-Za-z0-9._@+-]{1,100}")
_REOPENED = frozenset({Session.Status.DEVICE, Session.Status.FULL})


class EntryError(ValueError):
    """Parameters that cannot be a participant's; `notice` says why, of the parameter `name`."""

    def __init__(self, notice: Notice, name: str) -> None:
        self.notice, self.name = notice, name
        super().__init__(notice.filled(name=name))


class OtherSourceError(Exception):
    """A known person came by a link of another source; `source` is that of their session."""

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__(f"this person has a session of source {source!r}")


class NotOpenError(Exception):
    """The study takes no new participants now; `state` says why."""

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(f"the study is not open: {state}")


@dataclass(frozen=True)
class Arrival:
    """Who came, as the panel names them. Lives for one request and goes into the vault only."""

    person: str
    submission: str = ""
    panel_study: str = ""


def arrival_read(recruitment: Recruitment, query: QueryDict) -> Arrival | None:
    """Return who arrives by these parameters, None for a plain link; EntryError says what is wrong.

    The message never repeats a value: it could be somebody's id.
    """
    names = {
        "person": recruitment.person_parameter,
        "submission": recruitment.submission_parameter,
        "panel_study": recruitment.study_parameter,
    }
    given = {field: name for field, name in names.items() if name in query}
    if not given:
        return None
    for name in given.values():
        values = set(query.getlist(name))
        if len(values) > 1:
            raise EntryError(notices.GIVEN_TWICE, name)
        if not _PANEL_ID.fullmatch(values.pop()):
            raise EntryError(notices.NOT_USABLE, name)
    if "person" not in given:
        raise EntryError(notices.NO_PERSON, names["person"])
    return Arrival(**{field: str(query[name]) for field, name in given.items()})


def entry_link(study: Study, source: str, condition: str | None = None, language: str = "") -> str:
    """Return the signed address that lets a preview, pilot or bot in, marked as such.

    A preview may name the key of the condition to look at, and every link a language of the study;
    without one the browser chooses. Raises ValueError for real participants, who need no such link,
    and for a condition or a language that the study does not have.
    """
    if source not in set(Session.Source.values) - {Session.Source.REAL}:
        raise ValueError(f"no entry link for source {source!r}; expected preview, pilot or bot")
    version = selectors.version_to_enter(study, source) if condition or language else None
    if language and (version is None or language not in selectors.material(version).spec.languages):
        raise ValueError(f"study {study.slug!r} is not in the language {language!r}")
    if condition is not None:
        if source != Session.Source.PREVIEW:
            raise ValueError("only a preview may choose its condition; others are assigned one")
        if not Condition.objects.filter(version=version, key=condition).exists():
            raise ValueError(f"study {study.slug!r} has no condition {condition!r}")
    token = tokens.entry_sign(study_slug=study.slug, source=source, condition=condition or "")
    address = reverse("participation:enter", args=[study.slug])
    query = {"source": source, "token": token}
    if language:
        query[PARAMETER] = language
    return f"{address}?{urlencode(query)}"


def session_enter(
    *,
    study: Study,
    version: StudyVersion,
    source: str,
    condition_key: str = "",
    arrival: Arrival | None = None,
    language: str = "",
    cookie: str = "",
    on_phone: bool = False,
) -> tuple[Session, str]:
    """Return the session of whoever arrives and the cookie that opens it.

    A known person goes on where they were, whatever the study's state; the cookie is a new one
    unless they already hold the right one. Anyone else gets a new session; NotOpenError where the
    study takes none. OtherSourceError where the person's session is of another source: who took
    part in a pilot is no fresh participant, and would be counted among the pilots unnoticed.

    A new session is in `language`, one the study has; a known person stays with the one they began
    in, so that nobody's answers are to texts in two.
    """
    with transaction.atomic():
        identity = _identity(study, arrival) if source != Session.Source.PREVIEW else None
        session = None
        if identity is not None:
            # Locked, so that a page submitted at this moment in another tab is not undone.
            found = selectors.sessions_whole().select_for_update(of=("self",))
            session = found.filter(identity=identity).first()
        if session is None:
            _require_open(study, source)
            session, cookie = _session_new(study, version, source, condition_key, identity)
            session.language = language
            _place(session, on_phone)
            session.save()
            Event.objects.create(session=session, kind="entered", data={"returned": False})
            return session, cookie
        if session.source == source:
            return session, _return(session, cookie, on_phone)
        arrival_refuse(session=session, source=source)
    # Raised when the refusal is on record: inside, it would be rolled back.
    raise OtherSourceError(session.source)


def arrival_refuse(*, session: Session, source: str) -> None:
    """Keep on record that a known person came by a link of another source and was not let in."""
    Event.objects.create(session=session, kind="refused", data={"source": source})


def _return(session: Session, cookie: str, on_phone: bool) -> str:
    """Let a known person go on, and return the cookie that opens their session now."""
    changed = ["last_seen_at"]
    session.last_seen_at = timezone.now()
    if tokens.cookie_hash(cookie) != session.cookie_sha256:
        cookie = tokens.cookie_new()
        session.cookie_sha256 = tokens.cookie_hash(cookie)
        changed.append("cookie_sha256")
    if session.status in _REOPENED:
        # They were turned away for their device or for want of room: look again.
        _place(session, on_phone)
        changed += ["status", "item"]
    session.save(update_fields=changed)
    Event.objects.create(session=session, kind="entered", data={"returned": True})
    return cookie


def _identity(study: Study, arrival: Arrival | None) -> Identity | None:
    if arrival is None:
        return None
    identity = vault.identity_open(study_slug=study.slug, person=arrival.person)
    if arrival.submission:
        vault.submission_keep(
            identity=identity, submission=arrival.submission, panel_study=arrival.panel_study
        )
    # Two tabs of the same person arriving at once must end in one session.
    return Identity.objects.select_for_update().get(pk=identity.pk)


def _require_open(study: Study, source: str) -> None:
    if source != Session.Source.PREVIEW and study.state != Study.State.RUNNING:
        raise NotOpenError(study.state)


def _session_new(
    study: Study,
    version: StudyVersion,
    source: str,
    condition_key: str,
    identity: Identity | None,
) -> tuple[Session, str]:
    """Return a session that is not saved yet, and its cookie."""
    cookie = tokens.cookie_new()
    condition = None
    if condition_key:
        condition = Condition.objects.get(version=version, key=condition_key)
    session = Session(
        study=study,
        version=version,
        identity=identity,
        source=source,
        condition=condition,
        cookie_sha256=tokens.cookie_hash(cookie),
        seed=secrets.randbits(62),
        last_seen_at=timezone.now(),
    )
    return session, cookie


def _place(session: Session, on_phone: bool) -> None:
    """Put an arriving session on the information page, or on the exit that fits."""
    recruitment = selectors.material(session.version).spec.recruitment
    session.status = Session.Status.ARRIVED
    if on_phone and not recruitment.allow_phones:
        session.status = Session.Status.DEVICE
    elif selectors.is_full(session.version, session.source):
        session.status = Session.Status.FULL
    session.item = INFORMATION.key if session.status == Session.Status.ARRIVED else EXIT.key
