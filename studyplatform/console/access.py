"""Who may see and change what: a study of another team does not exist for this person."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from studyplatform.participation.models import Session
from studyplatform.results.models import AnalysisRun
from studyplatform.studies.models import Membership, Study, Team
from studyplatform.studies.selectors import role_in, role_of, study_get_for

View = Callable[..., HttpResponseBase]
_MAY_CHANGE = frozenset({Membership.Role.OWNER, Membership.Role.RESEARCHER})


def study_view(view: View) -> View:
    """Turn view(request, study, ...) into one that takes the study's address.

    Asks to sign in first; 404 for studies of other teams.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        try:
            study = study_get_for(request.user, slug)
        except Study.DoesNotExist as error:
            raise Http404("no such study") from error
        return view(request, study, **kwargs)

    return never_cache(login_required(wrapped))


def study_change(view: View) -> View:
    """As study_view, for what only owners and researchers may do: 403 for other roles."""

    @wraps(view)
    def wrapped(request: HttpRequest, study: Study, **kwargs: Any) -> HttpResponseBase:
        if not may_change(request, study):
            raise PermissionDenied
        return view(request, study, **kwargs)

    return study_view(wrapped)


def may_change(request: HttpRequest, study: Study) -> bool:
    return role_of(request.user, study) in _MAY_CHANGE


def may_change_in(request: HttpRequest, team: Team) -> bool:
    return role_in(request.user, team) in _MAY_CHANGE


def may_see_report(request: HttpRequest, study: Study, run: AnalysisRun) -> bool:
    """Return whether this person may look at a report, or at how far it is.

    What participants answered is for those who run the study while it lasts: whoever codes
    answers or looks on must not learn the results before the last participant has finished.
    """
    early = run.source == Session.Source.REAL and study.state != Study.State.CLOSED
    return not early or may_change(request, study)
