"""Who may see and change what. A study or team of others does not exist for this person.

RULES is the ladder of roles in one table: for each page, which right it takes to look at it and
which to send it something; ROLES says who has a right. A test walks all addresses against it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from studyplatform.participation.models import Session
from studyplatform.results.models import AnalysisRun
from studyplatform.studies.models import Membership, Study, Team
from studyplatform.studies.selectors import role_in, study_get_for, teams_for

View = Callable[..., HttpResponseBase]
_Role = Membership.Role


class Right(Enum):
    """What a person may do in a team."""

    SIGN_IN = "have an account, whatever the teams"
    SEE = "look at the team's studies and who is in it"
    CHANGE = "make and change studies, run them, take data out"
    MANAGE = "say who is in the team, and as what"


ROLES: dict[Right, frozenset[str]] = {
    Right.SEE: frozenset(_Role.values),
    Right.CHANGE: frozenset({_Role.OWNER, _Role.RESEARCHER}),
    Right.MANAGE: frozenset({_Role.OWNER}),
}


@dataclass(frozen=True)
class Rule:
    """The right it takes to look at a page, and to send it something; None where one cannot."""

    look: Right | None = None
    send: Right | None = None


_TO_SEE = Rule(look=Right.SEE)
_TO_TAKE = Rule(look=Right.CHANGE)
_TO_CHANGE = Rule(send=Right.CHANGE)
_TO_MANAGE = Rule(send=Right.MANAGE)
# Pages without a line here are seen by the team and changed by those who change studies.
_DEFAULT = Rule(look=Right.SEE, send=Right.CHANGE)

RULES: dict[str, Rule] = {
    "studies": Rule(look=Right.SIGN_IN),
    # In which team a study is made, its form says: it offers those in which one may.
    "study-new": Rule(look=Right.SIGN_IN, send=Right.SIGN_IN),
    "study": _TO_SEE,
    "design": _DEFAULT,
    "design-part": _TO_CHANGE,
    "prepare": _TO_CHANGE,
    "versions": _TO_SEE,
    "versions-compare": _TO_SEE,
    "amend": _TO_CHANGE,
    "discard": _TO_CHANGE,
    "preview": _TO_SEE,
    "pages": _TO_SEE,
    "pages-print": _TO_SEE,
    "pilot": _TO_SEE,
    "tasks": _TO_SEE,
    "task": _TO_SEE,
    "task-swap": _TO_CHANGE,
    # Looking is trying a threshold that one could set.
    "task-threshold": Rule(look=Right.CHANGE, send=Right.CHANGE),
    "tasks-again": _TO_CHANGE,
    "lint": _TO_SEE,
    "lint-reason": _TO_CHANGE,
    "lint-withdraw": _TO_CHANGE,
    "rendering": _TO_SEE,
    "counts": _TO_SEE,
    "faithfulness": _TO_SEE,
    "faithfulness-measure": _TO_CHANGE,
    "export": _TO_TAKE,
    "publish": _TO_CHANGE,
    "retry": _TO_CHANGE,
    "move": _TO_CHANGE,
    # Reports on participants only once the study is closed, but for those who run it.
    "report-part": _TO_SEE,
    "report": _TO_SEE,
    "report-request": _TO_CHANGE,
    "job": _TO_SEE,
    "job-cancel": _TO_CHANGE,
    "job-retry": _TO_CHANGE,
    # Those shared with all are seen by everybody who can sign in.
    "images": Rule(look=Right.SIGN_IN),
    "image-set": _TO_SEE,
    "image-import": Rule(look=Right.CHANGE, send=Right.CHANGE),
    "classifiers": Rule(look=Right.SIGN_IN),
    "classifier": _TO_SEE,
    "classifier-train": Rule(look=Right.CHANGE, send=Right.CHANGE),
    "classifier-register": Rule(look=Right.CHANGE, send=Right.CHANGE),
    "teams": Rule(look=Right.SIGN_IN),
    "team": _TO_SEE,
    "member-add": _TO_MANAGE,
    "member-invite": _TO_MANAGE,
    "member-role": _TO_MANAGE,
    "member-remove": _TO_MANAGE,
}


def study_view(view: View) -> View:
    """Turn view(request, study, ...) into one that takes the study's address.

    Asks to sign in first; 404 for studies of other teams, 403 where RULES refuses the role.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        try:
            study = study_get_for(request.user, slug)
        except Study.DoesNotExist as error:
            raise Http404("no such study") from error
        require(request, study.team)
        return view(request, study, **kwargs)

    return never_cache(login_required(wrapped))


def team_view(view: View) -> View:
    """As study_view, for pages of a team: view(request, team, ...), its address with its number."""

    @wraps(view)
    def wrapped(request: HttpRequest, team_id: int, **kwargs: Any) -> HttpResponseBase:
        team = teams_for(request.user).filter(pk=team_id).first()
        if team is None:
            raise Http404("no such team")
        require(request, team)
        return view(request, team, **kwargs)

    return never_cache(login_required(wrapped))


def team_upload(view: View) -> View:
    """As team_view, for pages that take large files.

    Who sends is asked before the file is read: the check of the form's token, which has to read
    the whole request, comes after it and not before.
    """
    guarded = team_view(csrf_protect(view))

    @wraps(view)
    def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            return guarded(request, **kwargs)
        except (Http404, PermissionDenied):
            # Django's pages for these look for the token too, and would read the file for it.
            request.__dict__["csrf_processing_done"] = True
            raise

    return csrf_exempt(wrapped)


def require(request: HttpRequest, team: Team) -> None:
    """Raise PermissionDenied unless RULES lets the person's role in the team do this here."""
    match = request.resolver_match
    rule = RULES.get(match.url_name or "", _DEFAULT) if match else _DEFAULT
    right = rule.look if request.method in {"GET", "HEAD"} else rule.send
    if right is None or not has_right(request, team, right):
        raise PermissionDenied


def has_right(request: HttpRequest, team: Team, right: Right) -> bool:
    """Return whether the person's role in the team has this right; asked once per request."""
    known: dict[int, str] = request.__dict__.setdefault("_roles", {})
    if team.pk not in known:
        known[team.pk] = role_in(request.user, team)
    return right is Right.SIGN_IN or known[team.pk] in ROLES[right]


def may_change(request: HttpRequest, team: Team) -> bool:
    return has_right(request, team, Right.CHANGE)


def may_see_report(request: HttpRequest, study: Study, run: AnalysisRun) -> bool:
    """Return whether this person may look at a report, or at how far it is.

    What participants answered is for those who run the study while it lasts: whoever codes
    answers or looks on must not learn the results before the last participant has finished.
    """
    early = run.source == Session.Source.REAL and study.state != Study.State.CLOSED
    return not early or may_change(request, study.team)
