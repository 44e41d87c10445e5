"""The page where tasks are chosen by hand, with the lint beside it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studyplatform.stimuli import choices, selectors, services
from studyplatform.stimuli.models import StimulusSet, Task
from studyplatform.stimuli.tasks import drain
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import StudyError

from ..access import may_change, study_view
from ..curves import f1_chart
from ..task_forms import LabelForm, ReasonForm, SwapForm, ThresholdForm
from .common import back_to_page, version_of


@require_GET
@study_view
def tasks(request: HttpRequest, study: Study) -> HttpResponse:
    version = version_of(study)
    stimulus_set = choices.stimulus_set_of(version)
    context = _context(request, study, version)
    if stimulus_set is not None:
        context |= {
            "stimulus_set": stimulus_set,
            "labels": [
                (choice, f1_chart(choice))
                for choice in choices.label_choices(stimulus_set, version.spec)
            ],
            "tasks": choices.task_choices(stimulus_set),
            "changes": choices.hand_changes(stimulus_set),
        }
    return render(request, "console/task_list.html", context)


@require_GET
@study_view
def task(request: HttpRequest, study: Study, number: int) -> HttpResponse:
    version = version_of(study)
    stimulus_set = _stimulus_set(version)
    try:
        choice = choices.task_choice(stimulus_set, number)
    except Task.DoesNotExist as error:
        raise Http404("no such task") from error
    context = _context(request, study, version)
    place = choice.places.get(_number(request.GET.get("place"), -1))
    if context["may_edit"] and place is not None:
        context |= {
            "place": place,
            "candidates": choices.candidates(
                stimulus_set,
                version.spec,
                choice,
                place.position,
                _number(request.GET.get("page"), 1),
            ),
        }
    numbers = [number + step for step in (-1, 1) if 1 <= number + step <= version.spec.tasks.total]
    context |= {"choice": choice, "neighbours": numbers}
    return render(request, "console/task_detail.html", context)


@require_POST
@study_view
def swap(request: HttpRequest, study: Study, number: int) -> HttpResponse:
    form = SwapForm(request.POST)
    address = reverse("console:task", args=[study.slug, number])
    if not form.is_valid():
        _say_errors(request, form)
        return redirect(address)
    version, given = version_of(study), form.cleaned_data
    image = {"image_id": given["image"], "instead_of": given["instead_of"]}
    try:
        if given["place"]:
            services.example_swap(
                version=version,
                number=number,
                position=given["place"],
                user=_user(request),
                **image,
            )
        else:
            services.new_image_swap(
                version=version,
                number=number,
                keep_examples=given["keep_examples"],
                user=_user(request),
                **image,
            )
    except StudyError as error:
        _say(request, error)
        return redirect(f"{address}?place={given['place']}#candidates")
    drain.delay()
    messages.success(request, "The image is swapped.")
    return redirect(f"{address}#place-{given['place']}")


@require_http_methods(["GET", "POST"])
@study_view
def threshold(request: HttpRequest, study: Study) -> HttpResponse:
    """What a threshold would give, and the button that sets it."""
    form = ThresholdForm(request.POST if request.method == "POST" else request.GET)
    address = reverse("console:tasks", args=[study.slug])
    if not form.is_valid():
        _say_errors(request, form)
        return redirect(address)
    version, given = version_of(study), form.cleaned_data
    if request.method == "GET":
        return _threshold_page(request, study, version, given["label"], given["threshold"])
    try:
        services.threshold_set(version=version, user=_user(request), **given)
    except StudyError as error:
        _say(request, error)
        return redirect(address)
    drain.delay()
    messages.success(request, f"The threshold of {given['label']} is {given['threshold']:g} now.")
    return redirect(address)


@require_POST
@study_view
def again(request: HttpRequest, study: Study) -> HttpResponse:
    form = LabelForm(request.POST)
    if not form.is_valid():
        _say_errors(request, form)
        return redirect("console:tasks", study.slug)
    label = form.cleaned_data["label"]
    try:
        services.label_choose_again(version=version_of(study), label=label, user=_user(request))
    except StudyError as error:
        _say(request, error)
    else:
        drain.delay()
        messages.success(request, f"All of {label} is chosen automatically again.")
    return redirect("console:tasks", study.slug)


@require_GET
@study_view
def lint(request: HttpRequest, study: Study) -> HttpResponse:
    """The lint alone; with `waiting`, only how many heatmaps are still to be rendered."""
    version = version_of(study)
    if "waiting" not in request.GET:
        return render(request, "console/_lint.html", _context(request, study, version))
    waiting = _waiting(version)
    context = {"study": study, "waiting": waiting}
    response = render(request, "console/_lint_waiting.html", context)
    if not waiting:
        response["HX-Trigger"] = "lint-changed"
    return response


@require_POST
@study_view
def lint_reason(request: HttpRequest, study: Study) -> HttpResponse:
    form = ReasonForm(request.POST)
    if not form.is_valid():
        _say_errors(request, form)
        return _back(request, study)
    try:
        services.lint_reason_give(
            version=version_of(study), user=_user(request), **form.cleaned_data
        )
    except StudyError as error:
        _say(request, error)
    else:
        messages.success(request, "The reason is kept with your name.")
    return _back(request, study)


@require_POST
@study_view
def lint_withdraw(request: HttpRequest, study: Study) -> HttpResponse:
    try:
        services.lint_reason_withdraw(
            version=version_of(study), digest=request.POST.get("digest", "")
        )
    except StudyError as error:
        _say(request, error)
    return _back(request, study)


def _context(request: HttpRequest, study: Study, version: StudyVersion) -> dict[str, Any]:
    """Return what every page with the lint beside it needs."""
    return {
        "study": study,
        "version": version,
        "spec": version.spec,
        "may_edit": may_change(request, study.team) and version.published_at is None,
        "report": services.version_lint(version=version),
        "waiting": _waiting(version),
    }


def _waiting(version: StudyVersion) -> int:
    """Return how many heatmaps are still to be rendered and laid over their pictures."""
    progress = selectors.render_progress(version)
    return progress.total - progress.done - progress.failed


def _threshold_page(
    request: HttpRequest, study: Study, version: StudyVersion, label: str, threshold: float
) -> HttpResponse:
    stimulus_set = _stimulus_set(version)
    used = {*version.spec.tasks.labels, *(figure.label for _, figure in version.spec.figures())}
    if label not in used or not 0 < threshold < 1:
        messages.error(request, f"Give a threshold between 0 and 1 for one of: {', '.join(used)}.")
        return redirect("console:tasks", study.slug)
    choice = choices.label_choice(stimulus_set, version.spec, label, threshold)
    context = {
        "study": study,
        "version": version,
        "spec": version.spec,
        "choice": choice,
        "chart": f1_chart(choice),
        "before": stimulus_set.thresholds.get(label),
        "lacking": [count for count in choice.counts if count.lacking],
    }
    return render(request, "console/task_threshold.html", context)


def _stimulus_set(version: StudyVersion) -> StimulusSet:
    stimulus_set = choices.stimulus_set_of(version)
    if stimulus_set is None:
        raise Http404("there are no tasks yet")
    return stimulus_set


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default


def _user(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _say(request: HttpRequest, error: StudyError) -> None:
    for sentence in error.problems:
        messages.error(request, sentence)


def _say_errors(request: HttpRequest, form: Form) -> None:
    for sentences in form.errors.values():
        for sentence in sentences:
            messages.error(request, str(sentence))


def _back(request: HttpRequest, study: Study) -> HttpResponse:
    return back_to_page(request, reverse("console:tasks", args=[study.slug]))
