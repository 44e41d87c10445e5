"""The ladder of roles: every address of the console, asked for by everybody, as RULES says.

A page that is added without a rule, or that does not keep to its rule, fails here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse

from studyplatform.console import access
from studyplatform.console.access import ROLES, RULES, Right, Rule
from studyplatform.console.urls import urlpatterns
from studyplatform.stimuli.models import ImageSet, Job, TrainedClassifier
from studyplatform.studies.models import Membership, Study, Team

from ..participation.study import make_study
from .conftest import person
from .test_access import make_run

NAMES = [pattern.name or "" for pattern in urlpatterns if isinstance(pattern, URLPattern)]
INSIDE = list(Membership.Role.values)
STRANGER, VISITOR = "stranger", "visitor"


def test_every_page_has_a_rule_and_every_rule_a_page() -> None:
    assert set(NAMES) == set(RULES)
    assert len(NAMES) == len(urlpatterns) == len(set(NAMES))


def test_the_ladder_has_no_gaps() -> None:
    """Whoever stands higher may do all that somebody lower may."""
    assert ROLES[Right.MANAGE] < ROLES[Right.CHANGE] < ROLES[Right.SEE] == set(INSIDE)


# What an address names, made where a test asks for it.
SAMPLES: dict[str, Callable[[Study], object]] = {
    "slug": lambda study: study.slug,
    "key": lambda study: study.versions.get().conditions.first().key,
    "verb": lambda study: "pause",
    "run_id": lambda study: make_run(study, "bot").pk,
    "job_id": lambda study: (
        Job.objects.create(
            team=study.team, kind="import", subject="photographs", state="running"
        ).pk
    ),
    "number": lambda study: 1,
    "team_id": lambda study: study.team_id,
    "image_set_id": lambda study: (
        ImageSet.objects.create(team=study.team, name="own", labels=["cat"], size=8).pk
    ),
    "classifier_id": lambda study: (
        TrainedClassifier.objects.create(
            team=study.team, name="own", path="", sha256="", labels=["cat"], preprocess="", size=8
        ).pk
    ),
    "member_id": lambda study: study.team.memberships.get(user__username="viewer").pk,
}


# Pages that show the study's own, which the study of a few rows does not have.
WHOLE = {"pages-print"}


@pytest.fixture
def people(study: Study) -> dict[str, Client]:
    """One person of each role, one of another team, one who has not signed in."""
    clients = {role: person(role, study.team.name, role) for role in INSIDE}
    return clients | {STRANGER: person(STRANGER, "Elsewhere", "owner"), VISITOR: Client()}


def address(name: str, study: Study) -> str:
    pattern = next(pattern for pattern in urlpatterns if pattern.name == name)
    kwargs = {}
    for key in pattern.pattern.regex.groupindex:
        assert key in SAMPLES, f"say in SAMPLES how to make a {key}, so that {name} can be tried"
        kwargs[key] = SAMPLES[key](study)
    return reverse(f"console:{name}", kwargs=kwargs)


def asked(client: Client, path: str, method: str) -> int:
    """Return the status of the answer; nothing that it changed stays."""
    with transaction.atomic():
        status = getattr(client, method)(path).status_code
        transaction.set_rollback(True)
    return int(status)


@pytest.mark.parametrize("name", NAMES)
def test_everybody_may_what_the_rule_says_and_no_more(
    study: Study, people: dict[str, Client], media_root: Path, name: str
) -> None:
    path = address(name, make_study().study if name in WHOLE else study)
    for method, right in (("get", RULES[name].look), ("post", RULES[name].send)):
        if right is None:
            owner = asked(people["owner"], path, method)
            assert owner == 405, f"{method} {path} by its owner gave {owner}; RULES has none"
            continue
        for who, client in people.items():
            status = asked(client, path, method)
            told = f"{method} {path} by a {who} gave {status}"
            if who == VISITOR:
                assert status == 302, told
            elif right is Right.SIGN_IN:
                assert status < 400, told
            elif who == STRANGER:
                assert status == 404, told
            elif who in ROLES[right]:
                assert status not in {403, 404, 405}, told
            else:
                assert status == 403, told


@pytest.fixture
def a_rule(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Rule], None]:
    return lambda name, rule: monkeypatch.setitem(access.RULES, name, rule)


def test_the_table_is_what_decides(
    study: Study, people: dict[str, Client], a_rule: Callable[[str, Rule], None]
) -> None:
    """Negative control: another line in the table, another answer."""
    path = address("study", study)
    assert people["viewer"].get(path).status_code == 200
    a_rule("study", Rule(look=Right.MANAGE))
    assert people["viewer"].get(path).status_code == 403
    assert people["owner"].get(path).status_code == 200


def test_a_page_that_was_forgotten_is_changed_by_those_who_change_studies(
    study: Study, people: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(access.RULES, "publish")
    assert asked(people["viewer"], address("publish", study), "post") == 403


def test_a_role_is_asked_for_once_per_request(
    study: Study, people: dict[str, Client], django_assert_num_queries: Any
) -> None:
    request: HttpRequest = RequestFactory().get("/")
    request.user = Membership.objects.get(role="viewer").user
    other = Team.objects.get(name="Elsewhere")
    with django_assert_num_queries(2):
        for _ in range(2):
            assert access.has_right(request, study.team, Right.SEE)
            assert not access.has_right(request, study.team, Right.CHANGE)
            assert not access.has_right(request, other, Right.SEE)
