"""Who belongs to a team: every rule, and that nothing half-written stays."""

import pytest
from django.contrib.auth.models import User

from studyplatform.studies.models import Membership, Team
from studyplatform.studies.teams import (
    TeamError,
    member_add,
    member_change_role,
    member_invite,
    member_remove,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return Team.objects.create(name="Vision lab")


@pytest.fixture
def owner(team: Team) -> Membership:
    return Membership.objects.create(team=team, user=with_password("ada"), role="owner")


def with_password(name: str) -> User:
    return User.objects.create(username=name, password="some hash")


def test_somebody_new_gets_an_account_that_no_password_opens(team: Team) -> None:
    member = member_invite(team=team, name="ben", role="coder")
    assert (member.user.username, member.role) == ("ben", "coder")
    assert not member.user.has_usable_password()


@pytest.mark.parametrize("name", ["", "two words", "a/b", "x" * 151, "null\x00"])
def test_a_name_that_cannot_be_one_leaves_nothing(team: Team, name: str) -> None:
    with pytest.raises(TeamError, match="cannot be the name of an account"):
        member_invite(team=team, name=name, role="coder")
    assert not User.objects.exists()


def test_a_taken_name_is_not_taken_over(team: Team) -> None:
    """Otherwise the link for a new account would open somebody's own."""
    ben = with_password("ben")
    with pytest.raises(TeamError, match="There is an account 'ben' already"):
        member_invite(team=team, name="ben", role="coder")
    ben.refresh_from_db()
    assert ben.has_usable_password()
    assert not team.memberships.exists()


def test_who_has_an_account_is_added_by_its_exact_name(team: Team) -> None:
    with_password("ben")
    for name in ("Ben", "be", "benn", ""):
        with pytest.raises(TeamError, match="There is no open account"):
            member_add(team=team, name=name, role="viewer")
    assert member_add(team=team, name="ben", role="viewer").role == "viewer"


def test_closed_accounts_are_not_added(team: Team) -> None:
    User.objects.filter(pk=with_password("ben").pk).update(is_active=False)
    with pytest.raises(TeamError, match="no open account 'ben'"):
        member_add(team=team, name="ben", role="viewer")


def test_an_account_that_another_team_could_still_open_is_not_added(team: Team) -> None:
    member_invite(team=Team.objects.create(name="Elsewhere"), name="ben", role="coder")
    with pytest.raises(TeamError, match="Nobody has opened the account 'ben' yet"):
        member_add(team=team, name="ben", role="viewer")
    assert not team.memberships.exists()


def test_adding_twice_changes_no_role(team: Team, owner: Membership) -> None:
    with pytest.raises(TeamError, match="'ada' is in the team already, as owner"):
        member_add(team=team, name="ada", role="viewer")
    owner.refresh_from_db()
    assert owner.role == "owner"


def test_the_last_owner_stays_one(team: Team, owner: Membership) -> None:
    other = member_invite(team=team, name="ben", role="researcher")
    with pytest.raises(TeamError, match="'ada' is the only owner"):
        member_change_role(member=owner, role="viewer")
    with pytest.raises(TeamError, match="'ada' is the only owner"):
        member_remove(member=owner)
    assert member_change_role(member=owner, role="owner").role == "owner"

    member_change_role(member=other, role="owner")
    assert member_change_role(member=owner, role="viewer").role == "viewer"
    with pytest.raises(TeamError, match="'ben' is the only owner"):
        member_remove(member=other)


def test_an_owner_of_another_team_does_not_count(team: Team, owner: Membership) -> None:
    elsewhere = Team.objects.create(name="Elsewhere")
    Membership.objects.create(team=elsewhere, user=with_password("ben"), role="owner")
    with pytest.raises(TeamError, match="only owner"):
        member_remove(member=owner)


def test_who_goes_keeps_the_account_and_the_other_teams(team: Team, owner: Membership) -> None:
    elsewhere = Team.objects.create(name="Elsewhere")
    with_password("ben")
    here = member_add(team=team, name="ben", role="coder")
    member_add(team=elsewhere, name="ben", role="owner")
    member_remove(member=here)
    assert User.objects.get(username="ben").memberships.get().team == elsewhere
    with pytest.raises(TeamError, match="no longer in the team"):
        member_remove(member=here)


def test_an_account_that_was_never_opened_goes_with_its_place(team: Team) -> None:
    member_remove(member=member_invite(team=team, name="ben", role="coder"))
    assert not User.objects.filter(username="ben").exists()
