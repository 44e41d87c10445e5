"""How faithful the heatmaps of a study are, and the job that measures it."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from studyplatform.stimuli.faithfulness.selectors import stimulus_set_of
from studyplatform.stimuli.services import StimuliError, faithfulness_request
from studyplatform.studies.models import Study

from ..access import may_change, study_view
from ..faithfulness import faithfulness_of
from .common import version_of


@require_GET
@study_view
def faithfulness(request: HttpRequest, study: Study) -> HttpResponse:
    version = version_of(study)
    stimulus_set = stimulus_set_of(version)
    found = faithfulness_of(stimulus_set, request.GET.get("page")) if stimulus_set else None
    context = {
        "study": study,
        "version": version,
        "spec": version.spec,
        "may_change": may_change(request, study.team),
        "steps": settings.FAITHFULNESS_STEPS,
        "found": found,
        "job": found.job if found else None,
    }
    return render(request, "console/faithfulness.html", context)


@require_POST
@study_view
def measure(request: HttpRequest, study: Study) -> HttpResponse:
    try:
        faithfulness_request(version=version_of(study), user_id=request.user.pk)
    except StimuliError as error:
        for sentence in error.problems:
            messages.error(request, sentence)
    return redirect("console:faithfulness", study.slug)
