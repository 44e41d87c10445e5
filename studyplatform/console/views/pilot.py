"""The pilot: a link for the first few, and what they measured."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from studyplatform.participation.models import Session
from studyplatform.participation.services import entry_link
from studyplatform.studies.models import Study
from studyplatform.studies.selectors import version_published

from ..access import may_change, study_view
from ..design import MAXIMUM_FEE, fee_read
from ..pilot import pilot_of
from .common import panel_parameters


@require_GET
@study_view
def pilot(request: HttpRequest, study: Study) -> HttpResponse:
    version = version_published(study)
    fee = request.GET.get("fee", "")[:20]
    link = ""
    if version and study.state == Study.State.RUNNING and may_change(request, study.team):
        link = request.build_absolute_uri(entry_link(study, Session.Source.PILOT))
    context = {
        "study": study,
        "version": version,
        "spec": version.spec if version else None,
        "link": link,
        "panel_link": f"{link}&{panel_parameters(version.spec.recruitment)}"
        if link and version
        else "",
        "pilot": pilot_of(version, fee=fee, now=timezone.now()) if version else None,
        "fee": fee,
        "fee_problem": f"Expected a percentage from 0 to {MAXIMUM_FEE}, such as 33.3."
        if fee_read(fee) is None
        else "",
        "may_change": may_change(request, study.team),
    }
    return render(request, "console/pilot.html", context)
