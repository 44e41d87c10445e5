"""A study's versions: which there are, how two differ, and drafts begun and discarded."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from studyplatform.stimuli.changes import manifest_changes
from studyplatform.stimuli.services import draft_amend, manifest_of
from studyplatform.studies import selectors
from studyplatform.studies.models import Study
from studyplatform.studies.services import StudyError

from ..access import may_change, study_view
from ..diffs import diff_lines
from ..editor import design_discard
from .common import version_of


@require_GET
@study_view
def version_index(request: HttpRequest, study: Study) -> HttpResponse:
    versions = list(selectors.versions_of(study))
    latest = version_of(study)
    is_draft = latest.published_at is None
    context = {
        "study": study,
        "spec": latest.spec,
        "versions": versions,
        "draft": latest if is_draft else None,
        "opened": next((one for one in versions if one.published_at), None),
        "may_change": may_change(request, study.team),
        "may_amend": not is_draft and study.state != Study.State.CLOSED,
    }
    return render(request, "console/versions.html", context)


@require_GET
@study_view
def version_compare(request: HttpRequest, study: Study) -> HttpResponse:
    """Two versions beside each other; the newest and the one before it where none are named."""
    versions = list(selectors.versions_of(study))
    numbers = [one.number for one in versions]
    new = _number(request, "new", numbers, numbers[0] if numbers else 0)
    before = [number for number in numbers if number < new]
    old = _number(request, "old", numbers, before[0] if before else new)
    earlier, later = (selectors.version_get(study, number) for number in (old, new))
    context = {
        "study": study,
        "spec": later.spec,
        "versions": versions,
        "old": earlier,
        "new": later,
        "old_name": f"Version {old}",
        "new_name": f"Version {new}",
        "lines": diff_lines(earlier.written, later.written),
        "stimuli_changes": manifest_changes(
            manifest_of(version=earlier), manifest_of(version=later)
        ),
    }
    return render(request, "console/versions_compare.html", context)


@require_POST
@study_view
def amend(request: HttpRequest, study: Study) -> HttpResponse:
    try:
        version = draft_amend(study=study, user_id=request.user.pk)
    except StudyError as error:
        for sentence in error.problems:
            messages.error(request, sentence)
        return redirect("console:versions", slug=study.slug)
    messages.success(
        request,
        f"Version {version.number} is a draft now, as the published one is. Participants go on "
        "with the published one until you publish this.",
    )
    return redirect("console:design", slug=study.slug)


@require_POST
@study_view
def discard(request: HttpRequest, study: Study) -> HttpResponse:
    """Discard the draft whose number is sent, so that nobody discards one they have not seen."""
    version = version_of(study)
    if request.POST.get("number") != str(version.number):
        messages.error(request, "Nothing was discarded: the study has another draft by now.")
        return redirect("console:versions", slug=study.slug)
    try:
        gone = design_discard(version=version)
    except StudyError as error:
        for sentence in error.problems:
            messages.error(request, sentence)
        return redirect("console:versions", slug=study.slug)
    if gone:
        messages.success(
            request, f"The draft of {study.slug} was discarded, and the study with it."
        )
        return redirect("console:studies")
    messages.success(request, f"The draft of version {version.number} was discarded.")
    return redirect("console:versions", slug=study.slug)


def _number(request: HttpRequest, name: str, numbers: list[int], otherwise: int) -> int:
    text = request.GET.get(name, "")
    number = int(text) if text.isdecimal() and len(text) < 10 else otherwise
    if text and number not in numbers:
        raise Http404("no such version")
    return number
