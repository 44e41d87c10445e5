"""What leaves the console: exports and reports."""

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from studyplatform.results import runs
from studyplatform.results import selectors as results
from studyplatform.results import services as exports
from studyplatform.results.dataset import DatasetError
from studyplatform.results.models import AnalysisRun
from studyplatform.studies.models import Study

from ..access import may_see_report, study_view
from ..forms import SourceForm
from .common import back_to_study

# The report is a page of its own making: nothing in it may run, and it reaches nothing of ours.
REPORT_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@require_GET
@study_view
def report_part(request: HttpRequest, study: Study) -> HttpResponse:
    run = results.latest_run(study)
    if run is not None and not may_see_report(request, study, run):
        raise PermissionDenied
    return render(request, "console/_report.html", {"study": study, "run": run})


@require_GET
@study_view
def report(request: HttpRequest, study: Study, run_id: int) -> HttpResponseBase:
    try:
        run = results.finished_run(study, run_id)
        if not may_see_report(request, study, run):
            raise PermissionDenied
        path = results.report_path(run)
        response = FileResponse(path.open("rb"), content_type="text/html; charset=utf-8")
    except (AnalysisRun.DoesNotExist, FileNotFoundError) as error:
        raise Http404("no such report") from error
    # Set here, so that the site's own policy is not put in its place.
    response["Content-Security-Policy"] = REPORT_POLICY
    return response


@require_GET
@study_view
def export(request: HttpRequest, study: Study) -> HttpResponseBase:
    form = SourceForm(request.GET)
    if not form.is_valid():
        return back_to_study(request, study, error=["Choose whose data to download."])
    source = form.cleaned_data["source"]
    try:
        archive = exports.study_archive(study=study, source=source)
    except DatasetError as error:
        return back_to_study(request, study, error=[f"Nothing was exported: {error}."])
    name = f"{study.slug}-{source}-{timezone.now():%Y%m%dT%H%M%SZ}.zip"
    return FileResponse(archive, as_attachment=True, filename=name)


@require_POST
@study_view
def report_request(request: HttpRequest, study: Study) -> HttpResponse:
    form = SourceForm(request.POST)
    if not form.is_valid():
        return back_to_study(request, study, error=["Choose whose data the report is about."])
    source = form.cleaned_data["source"]
    runs.run_request(study=study, source=source, user_id=request.user.pk)
    return back_to_study(request, study, anchor="report")
