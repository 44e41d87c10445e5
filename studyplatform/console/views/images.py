"""Image sets: the list, one set's pictures and labels, and the import of more."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from studyplatform.stimuli import materials
from studyplatform.stimuli.models import ImageSet, Job
from studyplatform.stimuli.selectors import picture
from studyplatform.stimuli.services import StimuliError, image_import_request
from studyplatform.studies.models import Team

from ..access import team_upload
from ..material_forms import ImportForm
from ..material_pages import jobs_context, page_of


@require_GET
@never_cache
@login_required
def image_index(request: HttpRequest) -> HttpResponse:
    context = {"image_sets": materials.image_sets_counted(request.user)}
    context |= jobs_context(request, Job.Kind.IMPORT)
    return render(request, "console/image_list.html", context)


@require_GET
@never_cache
@login_required
def image_detail(request: HttpRequest, image_set_id: int) -> HttpResponse:
    try:
        image_set = materials.image_set_get_for(request.user, image_set_id)
    except ImageSet.DoesNotExist as error:
        raise Http404("no such image set") from error
    label, split = request.GET.get("label", ""), request.GET.get("split", "")
    contents = materials.contents_of(image_set, label=label, split=split)
    page = page_of(contents.found, request.GET.get("page"))
    images = materials.images_of(list(page.object_list))
    context: dict[str, Any] = {
        "image_set": image_set,
        "contents": contents,
        "label": label,
        "split": split,
        "page": page,
        "images": [(image, picture(image)) for image in images],
    }
    return render(request, "console/image_set.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@team_upload
def image_import(request: HttpRequest, team: Team) -> HttpResponse:
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = ImportForm(*sent)
    if form.is_valid():
        try:
            job = image_import_request(team=team, user_id=request.user.pk, **form.cleaned_data)
        except StimuliError as error:
            form.add_error(None, error.problems)
        else:
            messages.success(request, f"{job.subject} is being imported.")
            return redirect("console:images")
    return render(request, "console/image_import.html", {"team": team, "form": form})
