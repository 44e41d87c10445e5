"""What several pages need: the version they are about, and the way back to the study's page."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from studyplatform.studies import selectors
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.spec import Recruitment


def version_of(study: Study) -> StudyVersion:
    version = selectors.version_latest(study)
    if version is None:
        raise Http404("the study has no version")
    return version


def panel_parameters(recruitment: Recruitment) -> str:
    """Return the end of an address as a panel expects it: its names, each with its mark.

    The panel puts its values in place of {{%PROLIFIC_PID%}} and so on: nothing is quoted.
    """
    names = (
        recruitment.person_parameter,
        recruitment.study_parameter,
        recruitment.submission_parameter,
    )
    return "&".join(f"{name}={{{{%{name}%}}}}" for name in names)


def back_to_study(
    request: HttpRequest,
    study: Study,
    *,
    success: str = "",
    error: list[str] | None = None,
    anchor: str = "",
) -> HttpResponse:
    for sentence in error or []:
        messages.error(request, sentence)
    if success:
        messages.success(request, success)
    address = reverse("console:study", args=[study.slug])
    return redirect(f"{address}#{anchor}" if anchor else address)


def back_to_page(request: HttpRequest, otherwise: str) -> HttpResponse:
    """Return to the page whose button it was; to `otherwise` where the browser does not say."""
    address = request.headers.get("referer", "")
    ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(address if ours else otherwise)
