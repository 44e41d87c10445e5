"""The demo's account and addresses; accounts of others."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from studyplatform.operations import demo
from studyplatform.studies.models import Membership, Team

from ..participation.study import make_study

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folder(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path


def signs_in(client: Client, account: demo.Account) -> bool:
    form = {"login": account.name, "password": account.password}
    return client.post("/accounts/login/", form).status_code == 302


def test_the_account_is_made_once_and_its_password_kept_for_its_owner(
    client: Client, tmp_path: Path
) -> None:
    first = demo.account_ensure()
    assert demo.account_ensure() == first
    assert signs_in(client, first)
    assert Membership.objects.get().role == "owner"
    assert (tmp_path / "demo-password").stat().st_mode & 0o777 == 0o600


def test_a_lost_password_is_replaced(client: Client, tmp_path: Path) -> None:
    first = demo.account_ensure()
    (tmp_path / "demo-password").unlink()
    second = demo.account_ensure()
    assert second.password != first.password
    assert not signs_in(client, first)
    assert signs_in(client, second)


def test_a_member_is_added_with_a_password_printed_once(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("add_member", "ada", team="Lab")
    told, password = capsys.readouterr().out.splitlines()
    assert told == "ada is researcher in Lab."
    assert signs_in(client, demo.Account("ada", password.removeprefix("Password: ")))
    call_command("add_member", "ada", team="Lab", role="viewer")
    assert capsys.readouterr().out.splitlines() == ["ada is viewer in Lab."]
    assert Membership.objects.get().role == "viewer"


@pytest.mark.parametrize(
    ("name", "team", "problem"),
    [
        ("a b", "Lab", "'a b' is no name to sign in with"),
        ("", "Lab", "'' is no name to sign in with"),
        ("a" * 151, "Lab", "is no name to sign in with: .*at most 150 characters"),
        ("ada", "", "'' is no name of a team"),
        ("ada", "  ", "'  ' is no name of a team"),
        ("ada", "Lab\ud800", "is no name of a team"),
        ("ada", "L" * 121, "is no name of a team: .*at most 120 characters"),
    ],
)
def test_names_that_some_database_refuses_are_told(name: str, team: str, problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        call_command("add_member", name, team=team)
    assert not User.objects.exists()
    assert not Team.objects.exists()
    call_command("add_member", "a" * 150, team="L" * 120)
    assert Membership.objects.get().team.name == "L" * 120


def test_every_printed_address_opens(client: Client) -> None:
    version = make_study()
    lines = "\n".join(demo.addresses(version, ""))
    links = re.findall(r"^\s+(/s/\S+)$", lines, re.MULTILINE)
    assert len(links) == 7
    for link in links:
        client.cookies.clear()
        assert client.get(link, follow=True).status_code == 200
    levels = [
        session.condition.levels
        for session in version.study.sessions.order_by("pk")
        if session.condition
    ]
    assert levels == version.spec.conditions()
    assert [session.source for session in version.study.sessions.order_by("pk")][-1] == "real"
