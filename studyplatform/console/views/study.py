"""The list of studies, a study's page and what its buttons do."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from studyplatform.participation.models import Session
from studyplatform.participation.services import entry_link
from studyplatform.results import selectors as results
from studyplatform.stimuli import selectors as stimuli
from studyplatform.stimuli import services as rendering
from studyplatform.stimuli.tasks import drain
from studyplatform.studies import selectors, services
from studyplatform.studies.models import Study, StudyVersion

from ..access import may_change, may_see_report, study_view
from ..overview import counts_of, next_step, readiness_of, source_to_show
from ..selectors import problems_of, study_list
from .common import back_to_study, panel_parameters, version_of

_FAILURES_SHOWN = 20


@require_GET
@never_cache
@login_required
def study_index(request: HttpRequest) -> HttpResponse:
    return render(request, "console/study_list.html", {"studies": study_list(request.user)})


@require_GET
@study_view
def study_detail(request: HttpRequest, study: Study) -> HttpResponse:
    version = version_of(study)
    opened = _opened(study, version)
    present = results.source_counts(study)
    source = source_to_show(request.GET.get("source", ""), present)
    counts = counts_of(opened or version, source)
    real = counts if source == "real" else counts_of(opened or version, "real")
    progress = stimuli.render_progress(version)
    run = results.latest_run(study)
    ready = readiness_of(version, progress)
    context = {
        "study": study,
        "version": version,
        "opened": opened,
        "spec": version.spec,
        "may_change": may_change(request, study.team),
        "ready": ready,
        "job": ready.job,
        "next_step": next_step(study, version, progress, ready, real),
        **_entry_addresses(request, study, opened or version),
        "conditions": version.conditions.order_by("position"),
        "problems": problems_of(study),
        "run": run,
        "may_see_report": run is None or may_see_report(request, study, run),
        "sources": sorted(set(present) | {"real", source}, key=_source_order),
        **_rendering_context(version, progress),
        "counts": counts,
    }
    return render(request, "console/study_detail.html", context)


@require_GET
@study_view
def preview(request: HttpRequest, study: Study, key: str) -> HttpResponse:
    """Go on to a new preview of the study in one condition, and one of its languages."""
    language = request.GET.get("lang", "")
    try:
        return redirect(entry_link(study, Session.Source.PREVIEW, condition=key, language=language))
    except ValueError as error:
        raise Http404(str(error)) from error


@require_GET
@study_view
def rendering_part(request: HttpRequest, study: Study) -> HttpResponse:
    """The rendering panel alone, asked for again and again while heatmaps are rendered."""
    version = version_of(study)
    progress = stimuli.render_progress(version)
    context = _rendering_context(version, progress)
    context |= {"study": study, "may_change": may_change(request, study.team)}
    response = render(request, "console/_rendering.html", context)
    if progress.complete:
        # What to do next has changed as well.
        response["HX-Refresh"] = "true"
    return response


@require_GET
@study_view
def counts_part(request: HttpRequest, study: Study) -> HttpResponse:
    version = version_of(study)
    source = source_to_show(request.GET.get("source", ""), {})
    counts = counts_of(_opened(study, version) or version, source)
    context = {"study": study, "counts": counts}
    return render(request, "console/_counts.html", context)


@require_POST
@study_view
def publish(request: HttpRequest, study: Study) -> HttpResponse:
    try:
        rendering.version_publish(version=version_of(study))
    except services.StudyError as error:
        return back_to_study(request, study, error=error.problems)
    return back_to_study(request, study, success="The study is published and open to participants.")


_MOVES = {
    "pause": (services.study_pause, "The study is paused: nobody new is let in."),
    "resume": (services.study_resume, "The study is open again."),
    "close": (services.study_close, "The study is closed."),
}


@require_POST
@study_view
def move(request: HttpRequest, study: Study, verb: str) -> HttpResponse:
    service, success = _MOVES[verb]
    try:
        service(study=study)
    except services.StudyError as error:
        return back_to_study(request, study, error=error.problems)
    return back_to_study(request, study, success=success)


@require_POST
@study_view
def retry(request: HttpRequest, study: Study) -> HttpResponse:
    n = rendering.heatmaps_retry(version=version_of(study))
    drain.delay()
    return back_to_study(
        request, study, success=f"{n} heatmaps are tried again.", anchor="rendering"
    )


def _opened(study: Study, latest: StudyVersion) -> StudyVersion | None:
    """Return the version participants get: the latest published one, None before there is one."""
    return latest if latest.published_at else selectors.version_published(study)


def _rendering_context(
    version: StudyVersion, progress: stimuli.RenderProgress
) -> dict[str, object]:
    failures = stimuli.failed_heatmaps(version)[:_FAILURES_SHOWN] if progress.failed else []
    return {
        "progress": progress,
        "failures": failures,
        "more_failures": max(progress.failed - len(failures), 0),
        # Somebody should be working, and nobody is.
        "idle": progress.pending > 0 and not progress.leased and not progress.per_minute,
    }


def _entry_addresses(request: HttpRequest, study: Study, version: StudyVersion) -> dict[str, str]:
    """Return the address as a panel expects it, and the bare one where that lets people in."""
    address = request.build_absolute_uri(reverse("participation:enter", args=[study.slug]))
    recruitment = version.spec.recruitment
    return {
        "entry_address": f"{address}?{panel_parameters(recruitment)}",
        "plain_address": address if recruitment.plain_links else "",
    }


def _source_order(source: str) -> int:
    return ["real", "pilot", "preview", "bot"].index(source)
