"""Everything that reads studies. What a person may not see does not exist for them."""

from collections.abc import Collection

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet

from .models import Membership, Study, StudyVersion, Team

Person = User | AnonymousUser


def studies_for(user: Person) -> QuerySet[Study]:
    """Return the studies of the teams this person belongs to, newest first."""
    if not user.is_authenticated or not user.is_active:
        return Study.objects.none()
    return (
        Study.objects.filter(team__memberships__user=user)
        .select_related("team")
        .order_by("-created_at", "-pk")
    )


def study_get_for(user: Person, slug: str) -> Study:
    """Return the study of this address; Study.DoesNotExist also where the person may not see it."""
    return studies_for(user).get(slug=slug)


def role_of(user: Person, study: Study) -> str:
    """Return the person's role in the study's team, or "" for none."""
    return role_in(user, study.team)


def role_in(user: Person, team: Team) -> str:
    """Return the person's role in a team, or "" for none."""
    if not user.is_authenticated:
        return ""
    found = Membership.objects.filter(team=team, user=user).first()
    return found.role if found else ""


def teams_for(user: Person) -> QuerySet[Team]:
    """Return the teams this person belongs to, by name."""
    if not user.is_authenticated or not user.is_active:
        return Team.objects.none()
    return Team.objects.filter(memberships__user=user).order_by("name")


def members_of(team: Team) -> QuerySet[Membership]:
    """Return the team's members with their accounts, by name."""
    return Membership.objects.filter(team=team).select_related("user").order_by("user__username")


def teams_with_role(user: Person, roles: Collection[str]) -> list[Team]:
    """Return the teams in which the person has one of these roles, by name."""
    if not user.is_authenticated or not user.is_active:
        return []
    mine = Membership.objects.filter(user=user, role__in=roles).select_related("team")
    return [one.team for one in mine.order_by("team__name")]


def study_get_by_slug(slug: str) -> Study:
    """Return the study of this address, for participants; Study.DoesNotExist for drafts too."""
    return Study.objects.exclude(state=Study.State.DRAFT).get(slug=slug)


def version_published(study: Study) -> StudyVersion | None:
    """Return the version that new sessions begin with: the published one of highest number."""
    return (
        study.versions.exclude(published_at=None)
        .select_related("study")
        .order_by("-number")
        .first()
    )


def version_latest(study: Study) -> StudyVersion | None:
    """Return the version of highest number, draft or published."""
    return study.versions.select_related("study").order_by("-number").first()


def versions_of(study: Study) -> QuerySet[StudyVersion]:
    """Return the study's versions, newest first, without their large columns."""
    return study.versions.defer("data", "text", "manifest").order_by("-number")


def version_get(study: Study, number: int) -> StudyVersion:
    """Return the version of this number."""
    return study.versions.select_related("study").get(number=number)
