"""The participant's pages: parse, call one service or selector, render."""

import functools
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.http import require_GET, require_http_methods

from studyplatform.stimuli.selectors import render_progress
from studyplatform.studies.models import Study
from studyplatform.studies.selectors import version_latest
from studyplatform.studies.spec import Recruitment

from . import items, languages, notices, pages, selectors, services, tokens
from .items import Item, Stage
from .models import Session
from .notices import Notice
from .services import Reply, Submission
from .throttle import entry_allowed

COOKIE_AGE = 60 * 24 * 3600  # seconds; longer than a study keeps anybody
View = Callable[..., HttpResponse]


def private(view: View) -> View:
    """Keep a page out of every cache and index: it is one participant's alone."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
        return response

    return wrapped


@private
@require_GET
def enter(request: HttpRequest, slug: str) -> HttpResponse:
    """Take the panel's parameters, open or find the session, go on to a clean address."""
    study = get_object_or_404(Study, slug=slug)
    try:
        source, condition = _signed_source(request, study)
    except tokens.ExpiredError:
        return _notice(request, notices.LINK_EXPIRED, n=tokens.ENTRY_LINK_AGE.days)
    except tokens.TokenError:
        return _notice(request, notices.LINK_CHANGED)
    version = selectors.version_to_enter(study, source)
    if version is None:
        return _preparing(request, study) or _not_open(request, study.state)
    spec = selectors.material(version).spec
    language = languages.choose(spec, request)
    with translation.override(language):
        try:
            arrival = services.arrival_read(spec.recruitment, request.GET)
        except services.EntryError as error:
            return _notice(request, error.notice, name=error.name)
        cookie = request.COOKIES.get(tokens.COOKIE, "")
        if arrival is None:
            reply = _without_parameters(request, slug, source, spec.recruitment)
            if reply is not None:
                return reply
        if source == Session.Source.REAL and not entry_allowed(request):
            return _notice(request, notices.TOO_MANY)
        try:
            session, cookie = services.session_enter(
                study=study,
                version=version,
                source=source,
                condition_key=condition,
                arrival=arrival,
                language=language,
                cookie=cookie,
                on_phone=_on_phone(request),
            )
        except services.NotOpenError as error:
            return _not_open(request, error.state)
        except services.OtherSourceError as error:
            return _other_link(request, error.source)
    response = _to_position(session)
    _set_cookie(response, slug, cookie)
    return response


def _without_parameters(
    request: HttpRequest, slug: str, source: str, recruitment: Recruitment
) -> HttpResponse | None:
    """Reply to a link that says nothing of who comes; None where it opens a new session."""
    known = selectors.session_of_cookie(slug, request.COOKIES.get(tokens.COOKIE, ""))
    if known and _goes_on(known.source, source):
        return _to_position(known)
    # Previews apart: researchers look at their study as often as they like.
    if known and Session.Source.PREVIEW not in {known.source, source}:
        services.arrival_refuse(session=known, source=source)
        return _other_link(request, known.source, known)
    if source == Session.Source.REAL and not recruitment.plain_links:
        return _notice(request, notices.NOT_FROM_PANEL, name=recruitment.person_parameter)
    return None


@private
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, slug: str, key: str) -> HttpResponse:
    """Show the page a participant is on, or take what they submitted on it."""
    cookie = request.COOKIES.get(tokens.COOKIE, "")
    session = selectors.session_of_cookie(slug, cookie)
    if not items.is_item_key(key):
        raise Http404("no such page")
    if session is None:
        return _unknown_browser(request, slug, cookie)
    with translation.override(selectors.material_of(session).spec.language):
        if request.method == "POST":
            return _take(request, session, key, cookie)
        return _show(request, session, key)


@private
@require_http_methods(["GET", "POST"])
def problem(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a participant's report that something is wrong, and thank them for it."""
    session = selectors.session_of_cookie(slug, request.COOKIES.get(tokens.COOKIE, ""))
    if session is None:
        return _unknown_browser(request, slug, "")
    with translation.override(selectors.material_of(session).spec.language):
        if request.method == "POST":
            if not request.POST.get("text", "").strip():
                return _notice(request, notices.NOTHING_SENT, session)
            services.problem_report(session=session, text=request.POST["text"])
            return _see_other(reverse("participation:problem", args=[slug]))
        return _notice(request, notices.PROBLEM_SENT, session)


def _show(request: HttpRequest, session: Session, key: str) -> HttpResponse:
    way = selectors.way_of(session)
    item = way.find(key)
    if item is None or (item.key != session.item and not way.open_to_look_back(item, session.item)):
        return _to_position(session)
    served_at = services.page_serve(session=session, item_key=item.key)
    if item.stage is Stage.EXIT and session.exit_code_shown_at is None:
        Session.objects.filter(pk=session.pk).update(exit_code_shown_at=timezone.now())
    token = tokens.PageToken(session.public_id, item.key, session.attempt, served_at)
    return _render(request, session, item, token, pages.form_of(session, item))


def _take(request: HttpRequest, session: Session, key: str, cookie: str) -> HttpResponse:
    idempotency_key = request.POST.get("key", "")
    try:
        token = tokens.page_read(request.POST.get("token", ""))
        if not tokens.is_idempotency_key(idempotency_key):
            raise tokens.TokenError("the form has no key")
    except tokens.TokenError:
        return _notice(request, notices.FORM_CHANGED, session)
    way = selectors.way_of(session)
    item = way.find(key)
    if (
        item is None
        or token.session != session.public_id
        or token.item != key
        or (key != session.item and not way.precedes(item, session.item))
    ):
        return _notice(request, notices.OTHER_PAGE, session)
    form, values = None, {}
    if (item.key, token.attempt) == (session.item, session.attempt):
        if item.stage is Stage.CONSENT and request.POST.get("decision") == "decline":
            values = {"consent": "no"}
        elif (form := pages.form_of(session, item, request.POST)) is not None:
            if not form.is_valid():
                return _render(request, session, item, token, form, HTTPStatus.UNPROCESSABLE_ENTITY)
            values = form.answers
    questions = form.fields if form is not None else ()
    turn = services.page_submit(
        session=session,
        submission=Submission(
            item=item,
            attempt=token.attempt,
            key=idempotency_key,
            served_at=token.served_at,
            values=values,
            client=services.client_read(request.POST.get("client", ""), questions),
        ),
        cookie=cookie,
    )
    return _reply(request, turn, item)


def _reply(request: HttpRequest, turn: services.Turn, item: Item) -> HttpResponse:
    session = turn.session
    if turn.reply is Reply.NOT_OPEN:
        return _not_open(request, session.study.state)
    if turn.reply is Reply.TRY_AGAIN:
        messages.warning(request, str(notices.NOT_ALL_RIGHT))
    if turn.reply is Reply.CLOSED and item.asks:
        messages.info(request, str(notices.ANSWERED_ALREADY))
    way = selectors.way_of(session)
    if turn.reply is Reply.CLOSED and way.open_to_look_back(item, session.item):
        response = _see_other(pages.address(session, way.after(item).key))
    else:
        response = _to_position(session)
    if turn.cookie:
        _set_cookie(response, session.study.slug, turn.cookie)
    return response


def _render(
    request: HttpRequest,
    session: Session,
    item: Item,
    token: tokens.PageToken,
    form: Any,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    context = pages.page_context(session, item, token, form)
    return _in_language(render(request, pages.template_of(item), context, status=status))


def _signed_source(request: HttpRequest, study: Study) -> tuple[str, str]:
    """Return the source and condition of a signed link; real participants carry none."""
    if "token" not in request.GET and "source" not in request.GET:
        return Session.Source.REAL, ""
    slug, source, condition = tokens.entry_read(request.GET.get("token", ""))
    if slug != study.slug or source != request.GET.get("source"):
        raise tokens.TokenError("the link's token is another's")
    return source, condition


def _goes_on(began: str, source: str) -> bool:
    """Return whether a browser whose session is of source `began` goes on by this link.

    The plain address leads back into a preview, but a preview's link begins a new one.
    """
    if Session.Source.PREVIEW in {began, source}:
        return source == Session.Source.REAL
    return began == source


def _on_phone(request: HttpRequest) -> bool:
    """Return whether the browser says it is a phone's; what it does not say is no phone."""
    if request.headers.get("Sec-CH-UA-Mobile") == "?1":
        return True
    agent = request.headers.get("User-Agent", "")
    return "iPhone" in agent or ("Android" in agent and "Mobile" in agent)


def _unknown_browser(request: HttpRequest, slug: str, cookie: str) -> HttpResponse:
    get_object_or_404(Study, slug=slug)
    if request.method == "POST" and cookie:
        try:
            token = tokens.page_read(request.POST.get("token", ""))
        except tokens.TokenError:
            token = None
        found = token and services.session_recover(
            public_id=token.session, cookie=cookie, key=request.POST.get("key", "")
        )
        if found and found[0].study.slug == slug:
            response = _to_position(found[0])
            _set_cookie(response, slug, found[1])
            return response
    return _notice(request, notices.UNKNOWN_BROWSER)


def _preparing(request: HttpRequest, study: Study) -> HttpResponse | None:
    """Return a page that waits for the heatmaps and then goes on; None where none are asked for."""
    version = version_latest(study)
    progress = render_progress(version) if version else None
    if progress is None or not progress.total:
        return None
    context = {"progress": progress, "percent": 100 * progress.done // progress.total}
    response = render(request, "participation/preparing.html", context)
    # Works without a script; the panel's parameters stay in the address.
    response["Refresh"] = "5"
    return response


def _not_open(request: HttpRequest, state: str) -> HttpResponse:
    told = {Study.State.PAUSED: notices.PAUSED, Study.State.CLOSED: notices.CLOSED}
    return _notice(request, told.get(Study.State(state), notices.NOT_BEGUN))


def _other_link(request: HttpRequest, source: str, session: Session | None = None) -> HttpResponse:
    """Say that this person began by a link of another kind, with a way on where the browser can."""
    is_real = source == Session.Source.REAL
    return _notice(request, notices.BEGUN_ALREADY if is_real else notices.TRIED_BEFORE, session)


def _notice(
    request: HttpRequest, notice: Notice, session: Session | None = None, **values: Any
) -> HttpResponse:
    context = {
        "title": notice.title,
        "text": notice.filled(**values),
        "onward": pages.address(session, session.item) if session else "",
    }
    return _in_language(
        render(request, "participation/message.html", context, status=notice.status)
    )


def _in_language(response: HttpResponse) -> HttpResponse:
    """Name the language in use: the study's, which need not be the browser's."""
    response["Content-Language"] = translation.get_language() or settings.LANGUAGE_CODE
    return response


def _to_position(session: Session) -> HttpResponse:
    return _see_other(pages.address(session, session.item))


def _see_other(address: str) -> HttpResponse:
    response = redirect(address)
    assert isinstance(response, HttpResponseRedirect)
    response.status_code = HTTPStatus.SEE_OTHER
    return response


def _set_cookie(response: HttpResponse, slug: str, cookie: str) -> None:
    response.set_cookie(
        tokens.COOKIE,
        cookie,
        max_age=COOKIE_AGE,
        path=reverse("participation:enter", args=[slug]),
        secure=settings.PRODUCTION,
        httponly=True,
        samesite="Lax",
    )
