"""Long work: how far it is, ending it, trying it again."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from studyplatform.stimuli import selectors
from studyplatform.stimuli.models import Job
from studyplatform.stimuli.services import job_cancel, job_retry

from ..access import may_change, require
from .common import back_to_page


@require_GET
@never_cache
@login_required
def part(request: HttpRequest, job_id: int) -> HttpResponse:
    """A job's panel alone, asked for again and again while it is open."""
    return _panel(request, _job(request, job_id))


@require_POST
@login_required
def cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    job = _job(request, job_id)
    job_cancel(job=job)
    return back_to_page(request, reverse("console:studies"))


@require_POST
@login_required
def retry(request: HttpRequest, job_id: int) -> HttpResponse:
    job = _job(request, job_id)
    job_retry(job=job)
    return back_to_page(request, reverse("console:studies"))


def _panel(request: HttpRequest, job: Job) -> HttpResponse:
    context = {
        "job": job,
        "may_change": may_change(request, job.team),
        # Somebody types there: the end of a job must not take the page away.
        "page_stays": bool(request.GET.get("page_stays")),
    }
    response = render(request, "console/_job.html", context)
    if not job.is_open and request.GET.get("was_open"):
        # What the page offers has changed as well.
        response["HX-Refresh"] = "true"
    return response


def _job(request: HttpRequest, job_id: int) -> Job:
    try:
        job = selectors.job_get_for(request.user, job_id)
    except Job.DoesNotExist as error:
        raise Http404("no such job") from error
    require(request, job.team)
    return job
