"""Who reaches which page: nobody sees or changes what belongs to another team."""

from pathlib import Path

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.test import Client

from studyplatform.results.models import AnalysisRun
from studyplatform.results.selectors import report_path
from studyplatform.studies.models import Study

from .conftest import person

PAGES = [
    "",
    "rendering/",
    "counts/",
    "report/",
    "export/?source=real",
    "reports/1/",
    "preview/heatmap-lrp_scores-shown/",
]
ACTIONS = ["publish/", "pause/", "resume/", "close/", "retry/", "reports/"]


@pytest.mark.parametrize("path", PAGES)
def test_another_teams_study_does_not_exist(study: Study, charlie: Client, path: str) -> None:
    assert charlie.get(f"/console/studies/demo/{path}").status_code == 404
    assert charlie.get(f"/console/studies/no-such-study/{path}").status_code == 404


@pytest.mark.parametrize("action", ACTIONS)
def test_another_teams_study_cannot_be_changed(study: Study, charlie: Client, action: str) -> None:
    assert charlie.post(f"/console/studies/demo/{action}").status_code == 404
    study.refresh_from_db()
    assert study.state == Study.State.RUNNING


@pytest.mark.parametrize("path", ["", *PAGES[:4]])
def test_the_own_teams_pages_open(study: Study, alice: Client, path: str) -> None:
    """The control of the two above: the addresses are right."""
    assert alice.get(f"/console/studies/demo/{path}").status_code == 200


@pytest.mark.parametrize("action", ACTIONS)
def test_a_viewer_may_look_and_change_nothing(study: Study, bob: Client, action: str) -> None:
    assert bob.get("/console/studies/demo/").status_code == 200
    assert bob.post(f"/console/studies/demo/{action}").status_code == 403
    assert bob.get("/console/studies/demo/export/?source=real").status_code == 403
    study.refresh_from_db()
    assert study.state == Study.State.RUNNING


@pytest.fixture
def coder(db: None) -> Client:
    return person("dora", "Alice's team", "coder")


def make_run(study: Study, source: str) -> AnalysisRun:
    """Return a finished report with its file."""
    run = AnalysisRun.objects.create(
        study=study, source=source, state="done", snapshot_sha256="0" * 64
    )
    path = report_path(run)
    path.parent.mkdir(parents=True)
    path.write_text("<html>Heatmaps helped.</html>")
    return run


def test_results_of_participants_are_for_those_who_run_the_study_while_it_lasts(
    study: Study, alice: Client, bob: Client, coder: Client, charlie: Client, media_root: Path
) -> None:
    address = "/console/studies/demo/"
    run = make_run(study, "real")
    for state in ("running", "paused"):
        Study.objects.update(state=state)
        for onlooker in (bob, coder):
            assert onlooker.get(f"{address}reports/{run.pk}/").status_code == 403
            assert onlooker.get(f"{address}report/").status_code == 403
            page = onlooker.get(address).content.decode()
            assert "Open the report" not in page
            assert "can be seen here once the study is closed" in page
        assert alice.get(f"{address}reports/{run.pk}/").status_code == 200
        assert "unblinds" in alice.get(address).content.decode()
        assert charlie.get(f"{address}reports/{run.pk}/").status_code == 404

    Study.objects.update(state="closed")
    for reader in (alice, bob, coder):
        assert reader.get(f"{address}reports/{run.pk}/").status_code == 200
        assert "Open the report" in reader.get(address).content.decode()
        assert "Make the report" not in bob.get(address).content.decode()


def test_a_report_on_simulated_participants_tells_nothing_too_early(
    study: Study, bob: Client, media_root: Path
) -> None:
    run = make_run(study, "bot")
    assert bob.get(f"/console/studies/demo/reports/{run.pk}/").status_code == 200
    assert bob.get("/console/studies/demo/report/").status_code == 200
    assert "Open the report" in bob.get("/console/studies/demo/").content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_visitors_are_asked_to_sign_in(study: Study, client: Client, path: str) -> None:
    response = client.get(f"/console/studies/demo/{path}")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=/console/studies/demo/")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_link_alone_changes_nothing(study: Study, alice: Client, action: str) -> None:
    assert alice.get(f"/console/studies/demo/{action}").status_code == 405


def test_a_researcher_signs_in_with_a_password(study: Study, alice: Client, client: Client) -> None:
    user = User.objects.get(username="alice")
    user.set_password("a long enough sentence")
    user.save()
    page = client.get("/accounts/login/?next=/console/studies/demo/").content.decode()
    assert 'name="next" value="/console/studies/demo/"' in page.replace("  ", " ")
    form = {
        "login": "alice",
        "password": "a long enough sentence",
        "next": "/console/studies/demo/",
    }
    wrong = client.post("/accounts/login/", form | {"password": "a guess"})
    assert wrong.status_code == 200
    assert b"not correct" in wrong.content
    assert client.post("/accounts/login/", form)["Location"] == "/console/studies/demo/"
    assert client.get("/console/studies/demo/").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "signup/",
        "password/reset/",
        "password/set/",
        "email/",
        "inactive/",
        "second-step/webauthn/",
        "second-step/trust/",
    ],
)
def test_of_allauth_there_are_the_pages_in_use_alone(
    alice: Client, client: Client, path: str
) -> None:
    for visitor in (client, alice):
        assert visitor.get(f"/accounts/{path}").status_code == 404
        assert visitor.post(f"/accounts/{path}", {"email": "a@example.org"}).status_code == 404


def test_one_signs_out(alice: Client, study: Study) -> None:
    assert alice.get("/accounts/logout/").status_code == 200
    assert alice.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert alice.get("/console/").status_code == 302


def test_a_closed_account_does_not_sign_in(alice: Client, client: Client) -> None:
    """allauth would send it to a page of its own that is not there."""
    account = User.objects.filter(username="alice")
    account.update(password=make_password("a long sentence"), is_active=False)
    form = {"login": "alice", "password": "a long sentence"}
    page = client.post("/accounts/login/", form, follow=True)
    assert b"This account is closed" in page.content
    assert client.get("/console/").status_code == 302
    account.update(is_active=True)
    assert client.post("/accounts/login/", form)["Location"] == "/console/"
