"""Every page a participant can meet, to read and to print."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language_info
from django.views.decorators.http import require_GET

from studyplatform.participation.models import Session
from studyplatform.participation.selectors import version_to_enter
from studyplatform.stimuli.selectors import render_progress
from studyplatform.studies.models import Study

from ..access import study_view
from ..sheets import sheets_of


@require_GET
@study_view
def index(request: HttpRequest, study: Study) -> HttpResponse:
    version = version_to_enter(study, Session.Source.PREVIEW)
    context = {
        "study": study,
        "version": version,
        "conditions": version.conditions.order_by("position") if version else [],
        "languages": [(code, get_language_info(code)["name"]) for code in version.spec.languages]
        if version
        else [],
    }
    return render(request, "console/pages.html", context)


@require_GET
@study_view
def document(request: HttpRequest, study: Study, key: str) -> HttpResponse:
    """All pages of one condition, in one of the study's languages; its own if none is asked for."""
    version = version_to_enter(study, Session.Source.PREVIEW)
    condition = version.conditions.filter(key=key).first() if version else None
    if version is None or condition is None:
        raise Http404("no such condition")
    language = request.GET.get("lang", version.spec.language)
    if language not in version.spec.languages:
        raise Http404("the study is not in this language")
    progress = render_progress(version)
    context = {
        "study": study,
        "version": version,
        "spec": version.spec.in_language(language),
        "condition": condition,
        "orders": len(version.spec.block_orders()),
        "progress": progress,
        "missing": progress.total - progress.done,
        "sheets": sheets_of(version, condition, language),
    }
    return render(request, "console/pages_print.html", context)
