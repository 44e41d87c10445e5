"""The pages of teams: what owners do there, what others see, and how a new account is opened."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from studyplatform.studies.models import Membership, Team
from studyplatform.studies.services import team_get_or_create
from studyplatform.studies.teams import member_invite

from .conftest import person

TEAM_QUERIES = 5
LIST_QUERIES = 3
PASSWORD = "a long enough sentence"


@pytest.fixture
def ada(db: None) -> Client:
    return person("ada", "Vision lab", "owner")


@pytest.fixture
def team(ada: Client) -> Team:
    return Team.objects.get(name="Vision lab")


def text(client: Client, address: str) -> str:
    response = client.get(address, follow=True)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def do(client: Client, team: Team, action: str, **data: str) -> str:
    """Press a button of the team's page and return what the page says then."""
    response = client.post(f"/console/teams/{team.pk}/{action}/", data, follow=True)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def member(name: str) -> Membership:
    return Membership.objects.get(user__username=name)


def test_an_owner_makes_an_account_whose_link_opens_it_once(
    ada: Client, team: Team, client: Client
) -> None:
    page = do(ada, team, "invite", name="ben", role="coder")
    assert "ben has an account. Send them the link below." in page
    link = re.search(r'value="http://testserver(/accounts/welcome/[^"]+)"', page)
    assert link
    # The address with the secret in it is left at once: no page is shown there.
    form = client.get(link[1])
    assert form.headers["Location"].endswith("/set-password/")
    page = text(client, form.headers["Location"])
    assert "Welcome, ben" in page
    weak = {"new_password1": "12345", "new_password2": "12345"}
    assert b"too short" in client.post(form.headers["Location"], weak).content
    good = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    assert client.post(form.headers["Location"], good).headers["Location"] == "/accounts/login/"
    signed_in = client.post("/accounts/login/", {"login": "ben", "password": PASSWORD})
    assert signed_in.headers["Location"] == "/console/"

    assert "This link opens nothing any more" in text(Client(), link[1])
    assert "/accounts/welcome/" not in text(ada, f"/console/teams/{team.pk}/")
    assert (member("ben").team, member("ben").role) == (team, "coder")


def test_a_link_of_somebody_elses_making_opens_nothing(ada: Client, client: Client) -> None:
    assert "opens nothing any more" in text(client, "/accounts/welcome/MQ/abc123-0123456789abcdef/")


def test_only_owners_see_the_link_of_an_account_that_waits(ada: Client, team: Team) -> None:
    member_invite(team=team, name="ben", role="coder")
    address = f"/console/teams/{team.pk}/"
    assert "/accounts/welcome/" in text(ada, address)
    for role in ("researcher", "coder", "viewer"):
        page = text(person(role, team.name, role), address)
        assert "/accounts/welcome/" not in page
        assert "ben" in page
        assert "<button" not in page.partition("<main")[2]


def test_an_owner_adds_somebody_who_has_an_account(ada: Client, team: Team) -> None:
    person("ben", "Elsewhere", "owner")
    page = do(ada, team, "add", name="ben", role="viewer")
    assert "ben is now in the team." in page
    assert "Elsewhere" not in page
    page = do(ada, team, "add", name="ben", role="owner")
    assert "&#x27;ben&#x27; is in the team already, as viewer." in page


@pytest.mark.parametrize(
    ("action", "data", "sentence"),
    [
        ("add", {"name": "nobody", "role": "viewer"}, "There is no open account"),
        ("add", {"name": "", "role": "viewer"}, "Give the name of the account."),
        ("invite", {"name": "two words", "role": "viewer"}, "cannot be the name of an account"),
        ("invite", {"name": "ada", "role": "viewer"}, "There is an account"),
        ("invite", {"name": "ben", "role": "king"}, "There is no role king"),
        ("invite", {"name": "ben"}, "Choose a role."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    ada: Client, team: Team, action: str, data: dict[str, str], sentence: str
) -> None:
    assert sentence in do(ada, team, action, **data)
    assert team.memberships.count() == 1
    assert User.objects.count() == 1


def test_an_owner_changes_roles_and_takes_people_out(ada: Client, team: Team) -> None:
    ben = person("ben", "Vision lab", "viewer")
    pk = member("ben").pk
    assert "ben is now researcher." in do(ada, team, f"{pk}/role", role="researcher")
    assert member("ben").role == "researcher"
    assert "There is no role king" in do(ada, team, f"{pk}/role", role="king")
    assert "ben is no longer in the team." in do(ada, team, f"{pk}/remove")
    assert ben.get(f"/console/teams/{team.pk}/").status_code == 404
    assert ada.post(f"/console/teams/{team.pk}/{pk}/role/", {"role": "viewer"}).status_code == 404


def test_the_last_owner_stays_and_another_may_leave(ada: Client, team: Team) -> None:
    pk = member("ada").pk
    assert "is the only owner of the team" in do(ada, team, f"{pk}/remove")
    assert "is the only owner of the team" in do(ada, team, f"{pk}/role", role="viewer")
    person("ben", "Vision lab", "owner")
    assert "You have left the team Vision lab." in do(ada, team, f"{pk}/remove")
    assert ada.get(f"/console/teams/{team.pk}/").status_code == 404


def test_a_member_of_another_team_is_not_reached_by_this_teams_address(
    ada: Client, team: Team
) -> None:
    person("ben", "Elsewhere", "owner")
    elsewhere = member("ben")
    for action in ("role", "remove"):
        address = f"/console/teams/{team.pk}/{elsewhere.pk}/{action}/"
        assert ada.post(address, {"role": "viewer"}).status_code == 404
    assert member("ben").role == "owner"


@pytest.mark.parametrize("n", [1, 3])
def test_the_pages_cost_the_same_however_many_people_and_teams(
    ada: Client, team: Team, n: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for i in range(n):
        member_invite(team=team, name=f"new-{i}", role="coder")
        other = team_get_or_create(name=f"Team {i}")
        Membership.objects.create(team=other, user=User.objects.get(username="ada"), role="viewer")
    with django_assert_num_queries(TEAM_QUERIES):
        page = text(ada, f"/console/teams/{team.pk}/")
    assert page.count("/accounts/welcome/") == n
    with django_assert_num_queries(LIST_QUERIES):
        page = text(ada, "/console/teams/")
    assert page.count("<td>viewer</td>") == n
    assert f'<td>owner</td><td class="number">{n + 1}</td>' in page
