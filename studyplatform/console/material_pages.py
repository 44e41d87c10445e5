"""What the pages of images and classifiers share: who may add to them, and the jobs under way."""

from typing import Any

from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.http import HttpRequest

from studyplatform.stimuli import materials
from studyplatform.stimuli.models import Job
from studyplatform.studies.models import Team

from .access import ROLES, Right

PER_PAGE = 48


def changing_teams(request: HttpRequest) -> list[Team]:
    """Return the teams in which this person may import and train, in one query."""
    assert isinstance(request.user, User)
    roles = ROLES[Right.CHANGE]
    mine = Team.objects.filter(memberships__user=request.user, memberships__role__in=roles)
    return list(mine.order_by("name"))


def jobs_context(request: HttpRequest, kind: Job.Kind) -> dict[str, Any]:
    """Return `teams` to add to, and `jobs` as (job, whether this person may cancel it)."""
    teams = changing_teams(request)
    mine = {team.pk for team in teams}
    jobs = [(job, job.team_id in mine) for job in materials.jobs_shown(request.user, kind)]
    return {"teams": teams, "jobs": jobs}


def page_of(ids: list[int], number: str | None) -> Page:
    return Paginator(ids, PER_PAGE).get_page(number)
