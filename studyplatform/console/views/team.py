"""Teams: who is in them, as what, since when they were last here, and how owners change that."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from studyplatform.studies.models import Membership, Team
from studyplatform.studies.selectors import members_of
from studyplatform.studies.teams import (
    TeamError,
    member_add,
    member_change_role,
    member_invite,
    member_remove,
)

from ..access import Right, has_right, team_view
from ..accounts import welcome_address
from ..forms import MemberForm, RoleForm
from ..selectors import team_list


@require_GET
@never_cache
@login_required
def team_index(request: HttpRequest) -> HttpResponse:
    return render(request, "console/team_list.html", {"teams": team_list(request.user)})


@require_GET
@team_view
def team_detail(request: HttpRequest, team: Team) -> HttpResponse:
    may_manage = has_right(request, team, Right.MANAGE)
    context = {
        "team": team,
        "members": [
            {"member": member, "welcome": _welcome(request, member.user) if may_manage else ""}
            for member in members_of(team)
        ],
        "roles": Membership.Role.choices,
        "may_manage": may_manage,
    }
    return render(request, "console/team_detail.html", context)


@require_POST
@team_view
def add(request: HttpRequest, team: Team) -> HttpResponse:
    return _come_in(request, team, member_add, "{name} is now in the team.")


@require_POST
@team_view
def invite(request: HttpRequest, team: Team) -> HttpResponse:
    return _come_in(
        request, team, member_invite, "{name} has an account. Send them the link below."
    )


@require_POST
@team_view
def change_role(request: HttpRequest, team: Team, member_id: int) -> HttpResponse:
    member = _member(team, member_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _back(request, team, errors=_sentences(form))
    try:
        changed = member_change_role(member=member, role=form.cleaned_data["role"])
    except TeamError as error:
        return _back(request, team, errors=[str(error)])
    role = changed.get_role_display().lower()
    return _back(request, team, success=f"{member.user.username} is now {role}.")


@require_POST
@team_view
def remove(request: HttpRequest, team: Team, member_id: int) -> HttpResponse:
    member = _member(team, member_id)
    try:
        member_remove(member=member)
    except TeamError as error:
        return _back(request, team, errors=[str(error)])
    if member.user_id == request.user.pk:
        messages.success(request, f"You have left the team {team.name}.")
        return redirect("console:teams")
    return _back(request, team, success=f"{member.user.username} is no longer in the team.")


def _come_in(
    request: HttpRequest, team: Team, service: Callable[..., Membership], success: str
) -> HttpResponse:
    form = MemberForm(request.POST)
    if not form.is_valid():
        return _back(request, team, errors=_sentences(form))
    try:
        member = service(team=team, **form.cleaned_data)
    except TeamError as error:
        return _back(request, team, errors=[str(error)])
    return _back(request, team, success=success.format(name=member.user.username))


def _member(team: Team, member_id: int) -> Membership:
    member = members_of(team).filter(pk=member_id).first()
    if member is None:
        raise Http404("no such member")
    return member


def _welcome(request: HttpRequest, user: User) -> str:
    """Return the link that opens an account nobody has opened yet, "" for others."""
    if user.has_usable_password():
        return ""
    return request.build_absolute_uri(welcome_address(user))


def _sentences(form: Any) -> list[str]:
    return [str(sentence) for errors in form.errors.values() for sentence in errors]


def _back(
    request: HttpRequest, team: Team, *, success: str = "", errors: list[str] | None = None
) -> HttpResponse:
    for sentence in errors or []:
        messages.error(request, sentence)
    if success:
        messages.success(request, success)
    return redirect("console:team", team_id=team.pk)
