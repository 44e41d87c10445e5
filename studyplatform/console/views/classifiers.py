"""Classifiers: the list, one of them, training a new one and taking in a finished one."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from studyplatform.stimuli import materials
from studyplatform.stimuli.models import Job, TrainedClassifier
from studyplatform.stimuli.services import (
    PREPROCESSINGS,
    StimuliError,
    classifier_registration_request,
    classifier_training_request,
)
from studyplatform.studies.models import Team

from ..access import team_upload
from ..material_forms import RegisterForm, TrainForm
from ..material_pages import jobs_context


@require_GET
@never_cache
@login_required
def classifier_index(request: HttpRequest) -> HttpResponse:
    found = [_shown(classifier) for classifier in materials.classifiers_for(request.user)]
    context = {"classifiers": found, **jobs_context(request, Job.Kind.TRAIN)}
    return render(request, "console/classifier_list.html", context)


@require_GET
@never_cache
@login_required
def classifier_detail(request: HttpRequest, classifier_id: int) -> HttpResponse:
    try:
        classifier = materials.classifier_get_for(request.user, classifier_id)
    except TrainedClassifier.DoesNotExist as error:
        raise Http404("no such classifier") from error
    return render(request, "console/classifier.html", _shown(classifier))


@require_http_methods(["GET", "HEAD", "POST"])
@team_upload
def train(request: HttpRequest, team: Team) -> HttpResponse:
    form = TrainForm(*_sent(request), team=team)
    return _ask(request, team, form, classifier_training_request, "console/classifier_train.html")


@require_http_methods(["GET", "HEAD", "POST"])
@team_upload
def register(request: HttpRequest, team: Team) -> HttpResponse:
    form = RegisterForm(*_sent(request), team=team)
    service, template = classifier_registration_request, "console/classifier_register.html"
    return _ask(request, team, form, service, template)


def _sent(request: HttpRequest) -> tuple[Any, ...]:
    return (request.POST, request.FILES) if request.method == "POST" else ()


def _ask(
    request: HttpRequest,
    team: Team,
    form: TrainForm | RegisterForm,
    service: Callable[..., Job],
    template: str,
) -> HttpResponse:
    if form.is_valid():
        try:
            job = service(team=team, user_id=request.user.pk, **form.request())
        except StimuliError as error:
            form.add_error(None, error.problems)
        else:
            messages.success(request, f"{job.subject} is being made.")
            return redirect("console:classifiers")
    return render(request, template, {"team": team, "form": form})


def _shown(classifier: TrainedClassifier) -> dict[str, Any]:
    return {
        "classifier": classifier,
        "precision": materials.precision_rows(classifier),
        "studies": materials.studies_using(classifier),
        "preprocess": PREPROCESSINGS.get(classifier.preprocess, classifier.preprocess),
    }
