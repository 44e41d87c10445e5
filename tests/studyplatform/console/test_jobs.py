"""A job's panel: how far it is, for its team alone; its buttons, for those who may change."""

import pytest
from django.test import Client

from studyplatform.stimuli.models import Job
from studyplatform.studies.models import Study


@pytest.fixture
def job(study: Study) -> Job:
    return Job.objects.create(
        team=study.team, kind="import", subject="photographs", state="running", done=3, total=12
    )


def test_the_panel_says_how_far_it_is_and_asks_again(alice: Client, job: Job):
    page = alice.get(f"/console/jobs/{job.pk}/").content.decode()
    assert 'max="12" value="3"' in page
    assert f'hx-get="/console/jobs/{job.pk}/?was_open=1"' in page


def test_once_it_is_over_the_page_is_loaded_anew_and_asks_no_more(alice: Client, job: Job):
    Job.objects.filter(pk=job.pk).update(state="failed", error="a.jpg: it is no picture.")
    answer = alice.get(f"/console/jobs/{job.pk}/?was_open=1")
    assert answer.headers["HX-Refresh"] == "true"
    page = answer.content.decode()
    assert "a.jpg: it is no picture." in page
    assert "hx-get" not in page
    assert "HX-Refresh" not in alice.get(f"/console/jobs/{job.pk}/").headers


def test_cancelling_and_going_back(alice: Client, job: Job):
    answer = alice.post(
        f"/console/jobs/{job.pk}/cancel/", headers={"referer": "http://testserver/console/x/"}
    )
    assert answer.headers["location"] == "http://testserver/console/x/"
    job.refresh_from_db()
    assert job.cancel_asked


def test_it_leads_back_to_no_other_site(alice: Client, job: Job):
    answer = alice.post(
        f"/console/jobs/{job.pk}/cancel/", headers={"referer": "https://elsewhere.example/"}
    )
    assert answer.headers["location"] == "/console/"


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_viewer_looks_on(bob: Client, job: Job, verb: str):
    page = bob.get(f"/console/jobs/{job.pk}/")
    assert page.status_code == 200
    assert "<button" not in page.content.decode()
    assert bob.post(f"/console/jobs/{job.pk}/{verb}/").status_code == 403
    job.refresh_from_db()
    assert (job.state, job.cancel_asked) == ("running", False)


@pytest.mark.parametrize("verb", ["", "cancel/", "retry/"])
def test_for_another_team_there_is_no_such_job(charlie: Client, job: Job, verb: str):
    address = f"/console/jobs/{job.pk}/{verb}"
    answer = charlie.post(address) if verb else charlie.get(address)
    assert answer.status_code == 404
    job.refresh_from_db()
    assert (job.state, job.cancel_asked) == ("running", False)
