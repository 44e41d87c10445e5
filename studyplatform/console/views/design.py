"""A study's design: begun, typed with its faults at their lines, and saved."""

from dataclasses import replace

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from studyplatform.stimuli import materials
from studyplatform.stimuli.services import RedoNeededError, draft_create, prepare_request
from studyplatform.studies import selectors
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import ConflictError, StudyError, as_kept
from studyplatform.studies.spec import SpecError
from studyplatform.studies.spec.lines import Located, located, with_value

from ..access import ROLES, Right, may_change, study_view
from ..design_forms import DesignForm, NewStudyForm
from ..editor import (
    Typed,
    conflict_of,
    context_of,
    design_save,
    editor_of,
    typed_of,
)
from .common import version_of

_MADE = (
    "The study is a draft now. Change its design as you need it; the overview says what comes next."
)
_SAVED = {
    "none": "Saved. Tasks and heatmaps stay as they are.",
    "heatmaps": "Saved. The tasks stay; their heatmaps are asked for anew.",
    "tasks": "Saved. The tasks are chosen anew from it.",
}


@require_http_methods(["GET", "POST"])
@study_view
def design(request: HttpRequest, study: Study) -> HttpResponse:
    version = version_of(study)
    if request.method == "POST":
        return _posted(request, version)
    beside = {name: request.GET.get(name, "")[:100] for name in ("shown", "fee")}
    typed = replace(typed_of(version), **beside)
    return _page(request, version, typed)


@require_POST
@study_view
def design_part(request: HttpRequest, study: Study) -> HttpResponse:
    """What follows from the text as typed, alone; only its faults while there are some."""
    version = version_of(study)
    typed, refused = _typed(DesignForm(request.POST))
    editor = editor_of(version, typed, refused)
    context = {"editor": editor, "version": version, "study": study, "may_type": True}
    if editor.consequences:
        return render(request, "console/_design_beside.html", context)
    response = render(request, "console/_design_faults.html", context)
    # What followed from the last text that could be read stays in view.
    response["HX-Retarget"] = "#faults"
    return response


@require_POST
@study_view
def prepare(request: HttpRequest, study: Study) -> HttpResponse:
    version = version_of(study)
    if version.published_at is None:
        prepare_request(version=version, user_id=request.user.pk)
    return redirect("console:design", slug=study.slug)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def study_new(request: HttpRequest) -> HttpResponse:
    form = NewStudyForm(
        request.POST if request.method == "POST" else None,
        request.FILES if request.method == "POST" else None,
        initial={name: request.GET.get(name, "") for name in ("study", "images", "classifier")},
        teams=selectors.teams_with_role(request.user, ROLES[Right.CHANGE]),
        studies=selectors.studies_for(request.user),
        image_sets=materials.image_sets_for(request.user),
        classifiers=materials.classifiers_for(request.user),
    )
    faults: list[Located] = []
    if form.is_valid():
        version, faults = _begin(request, form)
        if version:
            messages.success(request, _MADE)
            return redirect("console:design", slug=version.study.slug)
    return render(request, "console/study_new.html", {"form": form, "faults": faults})


def _begin(request: HttpRequest, form: NewStudyForm) -> tuple[StudyVersion | None, list[Located]]:
    """Make the study; None and the faults of its text, or of the form, where it cannot be."""
    asked = form.cleaned_data
    origin = selectors.version_latest(asked["study"]) if asked["begin"] == form.STUDY else None
    text = origin.written if origin else form.text
    for path, value in (
        (("slug",), asked["slug"]),
        (("title",), asked["title"]),
        (("stimuli", "images"), asked["images"]),
        (("stimuli", "classifier"), asked["classifier"]),
    ):
        text = with_value(text, path, value) if value else text
    try:
        version = draft_create(
            team=asked["team"], spec_text=text, origin=origin, user_id=request.user.pk
        )
    except SpecError as error:
        return None, located(text, error.problems)
    except StudyError as error:
        for problem in error.problems:
            sentence = problem.removeprefix("slug: ")
            form.add_error("slug", sentence[0].upper() + sentence[1:])
        return None, []
    return version, []


def _posted(request: HttpRequest, version: StudyVersion) -> HttpResponse:
    form = DesignForm(request.POST)
    typed, refused = _typed(form)
    asked = form.cleaned_data
    saves = asked.get("action") == "save" or asked.get("over") or asked.get("redo")
    if refused or not saves:
        return _page(request, version, typed, refused)
    try:
        effect = design_save(
            version=version,
            typed=typed,
            redo=asked["redo"] == "yes",
            user_id=request.user.pk,
        )
    except SpecError:
        return _page(request, version, typed)  # which says what is wrong
    except ConflictError:
        now = version_of(version.study)
        return _page(request, now, typed, conflict=conflict_of(now, typed))
    except RedoNeededError:
        return _page(request, version, typed, redo=True)
    except StudyError as error:
        return _page(request, version, typed, error.problems)
    messages.success(request, _SAVED[effect])
    return redirect("console:design", slug=version.study.slug)


def _typed(form: DesignForm) -> tuple[Typed, list[str]]:
    """Return what a form holds, and why it cannot be stored."""
    refused = (
        [] if form.is_valid() else [str(one) for errors in form.errors.values() for one in errors]
    )
    asked = form.cleaned_data
    text = asked.get("text", as_kept(str(form.data.get("text", ""))))
    # Whoever puts their text in the place of another's has seen that one.
    began_with = asked.get("over") or asked.get("began_with", "")
    return Typed(text, began_with, asked.get("shown", ""), asked.get("fee", "")), refused


def _page(
    request: HttpRequest,
    version: StudyVersion,
    typed: Typed,
    refused: list[str] | None = None,
    **more: object,
) -> HttpResponse:
    editor = editor_of(version, typed, refused or [])
    context = context_of(version, editor, **more)
    changes = may_change(request, version.study.team)
    context |= {
        "may_change": changes,
        "may_type": changes and version.published_at is None,
        "is_stored": typed.text == version.written,
    }
    return render(request, "console/design.html", context)
