"""What the pages say, what their buttons do, and how many queries they cost."""

import io
import zipfile

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from studyplatform.participation.services import problem_report
from studyplatform.results import runs
from studyplatform.results.models import AnalysisRun
from studyplatform.stimuli.models import Heatmap, NeededHeatmap, StimulusSet
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import version_amend

from ..factories import PRESET, make_answers, make_session, make_version

STUDY_QUERIES = 15
LIST_QUERIES = 3


def add_heatmaps(version: StudyVersion, states: list[str]) -> None:
    stimuli = StimulusSet.objects.get(version=version)
    task = stimuli.tasks.first()
    assert task is not None
    for i, state in enumerate(states):
        heatmap = Heatmap.objects.create(
            key=f"{version.pk}-{i}",
            classifier=stimuli.classifier,
            image=task.image,
            label="cat",
            method="lrp",
            state=state,
            content_sha256="0" * 64 if state == "done" else "",
            error="ValueError: the layer is unknown" if state == "failed" else "",
        )
        overlay = "0" * 64 if state == "done" else ""
        NeededHeatmap.objects.create(
            stimulus_set=stimuli, heatmap=heatmap, level="lrp", overlay_sha256=overlay
        )


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize("n", [1, 3])
def test_the_list_costs_the_same_however_many_studies(
    alice: Client, n: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for i in range(n):
        version = make_version(f"study-{i}")
        add_heatmaps(version, ["done", "pending"])
        make_session(version, i, cookie_sha256=f"{i}")
    with django_assert_num_queries(LIST_QUERIES):
        page = text(alice, "/console/")
    assert page.count("How does an image classifier decide?") == n
    assert page.count("1 of 2") == n
    assert page.count("1 of 96") == n


@pytest.mark.parametrize("n", [1, 3])
def test_a_studys_page_costs_the_same_however_much_there_is(
    study: Study, alice: Client, n: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    version = study.versions.get()
    add_heatmaps(version, ["failed"] * n)
    for i in range(n):
        session = make_session(version, i)
        make_answers(session, ["yes"] * 4)
        problem_report(session=session, text="A picture is missing.")
    with django_assert_num_queries(STUDY_QUERIES):
        page = text(alice, "/console/studies/demo/")
    assert f"<strong>{n}</strong> of 96 completed" in page


def test_reported_problems_are_at_the_top_of_the_page(study: Study, bob: Client) -> None:
    assert "Reported problems" not in text(bob, "/console/studies/demo/")
    version = study.versions.get()
    session = make_session(version, 0, item="task/2")
    for i in range(22):
        problem_report(session=session, text=f"Picture {i:02d} is <b>missing</b>.\nTruly.")
    make_answers(session, ["yes"] * 4)
    other = make_version("other")
    problem_report(session=make_session(other, 0), text="Elsewhere.")

    page = text(bob, "/console/studies/demo/")
    assert "Reported problems (22)" in page
    assert "Picture 21 is &lt;b&gt;missing&lt;/b&gt;.<br>Truly." in page
    assert page.count("Truly.") == 20
    assert page.index("Picture 21") < page.index("Picture 02") < page.index("2 older are")
    assert "Picture 01" not in page
    assert page.count(f"<code>{session.public_id}</code>") == 20
    assert "<td>task/2</td>" in page
    assert "Elsewhere" not in page
    assert page.index("Reported problems") < page.index("Heatmaps")


def test_a_problem_reported_on_a_page_reaches_the_console(
    study: Study, alice: Client, client: Client
) -> None:
    assert client.get("/s/demo/?PROLIFIC_PID=p1").status_code == 303
    reply = client.post("/s/demo/problem/", {"text": "The button does nothing."})
    assert reply.status_code == 303
    page = text(alice, "/console/studies/demo/")
    assert "The button does nothing." in page
    assert study.sessions.get().public_id in page


def test_a_page_is_blind_to_outcomes(study: Study, alice: Client) -> None:
    """The page is the same whether everybody was right or everybody was wrong."""
    session = make_session(study.versions.get(), 0)
    make_answers(session, ["yes", "yes", "no", "no"])
    csrf = (
        alice.get("/console/studies/demo/").content.decode().split('csrfmiddlewaretoken" value="')
    )
    right = [part.partition('"')[2] for part in csrf]
    session.answers.update(correct=False)
    csrf = (
        alice.get("/console/studies/demo/").content.decode().split('csrfmiddlewaretoken" value="')
    )
    wrong = [part.partition('"')[2] for part in csrf]
    assert right == wrong


def test_progress_is_polled_until_everything_is_rendered(study: Study, alice: Client) -> None:
    version = study.versions.get()
    add_heatmaps(version, ["done", "done", "pending", "leased"])
    page = text(alice, "/console/studies/demo/rendering/")
    assert 'max="4" value="2"' in page
    assert "every 2s" in page
    Heatmap.objects.update(state="done", content_sha256="0" * 64)
    NeededHeatmap.objects.update(overlay_sha256="0" * 64)
    response = alice.get("/console/studies/demo/rendering/")
    assert b"every 2s" not in response.content
    assert response["HX-Refresh"] == "true"


def test_failures_are_shown_with_their_reason_and_tried_again(
    study: Study, alice: Client, bob: Client
) -> None:
    add_heatmaps(study.versions.get(), ["done", "failed"])
    assert "the layer is unknown" in text(alice, "/console/studies/demo/")
    assert "Try them again" not in text(bob, "/console/studies/demo/")
    assert alice.post("/console/studies/demo/retry/").status_code == 302
    assert sorted(Heatmap.objects.values_list("state", flat=True)) == ["done", "pending"]


def test_a_study_is_paused_resumed_and_closed(study: Study, alice: Client) -> None:
    for verb, state in (("pause", "paused"), ("resume", "running"), ("close", "closed")):
        alice.post(f"/console/studies/demo/{verb}/")
        study.refresh_from_db()
        assert study.state == state
    page = alice.post("/console/studies/demo/resume/", follow=True).content.decode()
    assert "cannot be resumed" in page
    study.refresh_from_db()
    assert study.state == "closed"


def test_what_keeps_a_draft_from_being_published_is_said(alice: Client) -> None:
    make_version("draft", published=False)
    page = alice.post("/console/studies/draft/publish/", follow=True).content.decode()
    assert "examples" in page
    assert Study.objects.get(slug="draft").state == "draft"


def test_counts_are_those_of_one_source(study: Study, alice: Client) -> None:
    version = study.versions.get()
    make_session(version, 0)
    make_session(version, 0, status="in_progress", completed_at=None)
    make_session(version, 0, source="bot")
    make_session(version, None, status="declined")
    page = text(alice, "/console/studies/demo/counts/?source=real")
    assert "1</strong> of 96 completed, 1 on their way, 3 arrived in all" in page
    assert "1 declined consent" in page
    assert "1</strong> of 96 completed, 0 on" in text(
        alice, "/console/studies/demo/counts/?source=bot"
    )


def test_a_preview_opens_in_the_condition_asked_for(study: Study, alice: Client) -> None:
    response = alice.get("/console/studies/demo/preview/heatmap-lrp_scores-shown/")
    assert response["Location"].startswith("/s/demo/?source=preview&token=")
    alice.get(response["Location"])
    session = study.sessions.get()
    assert session.source == "preview"
    assert session.condition is not None
    assert session.condition.levels == {"heatmap": "lrp", "scores": "shown"}
    assert alice.get("/console/studies/demo/preview/no-such-condition/").status_code == 404
    # The demo is in English alone.
    address = "/console/studies/demo/preview/heatmap-lrp_scores-shown/"
    assert alice.get(f"{address}?lang=de").status_code == 404
    assert alice.get(f"{address}?lang=en")["Location"].endswith("&lang=en")


def test_the_export_is_downloaded_whole(study: Study, alice: Client) -> None:
    make_answers(make_session(study.versions.get(), 0), ["yes"] * 4)
    response = alice.get("/console/studies/demo/export/?source=real")
    assert response["Content-Disposition"].startswith('attachment; filename="demo-real-')
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as archive:
        assert archive.testzip() is None
        assert "demo/manifest.json" in archive.namelist()
        assert archive.read("demo/answers.csv").count(b"\n") == 5
    assert alice.get("/console/studies/demo/export/?source=robots").status_code == 302


def test_a_report_is_asked_for_once_made_and_shown_in_a_sandbox(
    study: Study, alice: Client, settings: object, tmp_path: object
) -> None:
    settings.MEDIA_ROOT = tmp_path
    version = study.versions.get()
    for condition in range(6):
        for answers in (["yes"] * 4, ["no"] * 4, ["yes", "yes", "no", "yes"]):
            make_answers(make_session(version, condition), answers)
    for _ in range(2):
        alice.post("/console/studies/demo/reports/", {"source": "real"})
    run = AnalysisRun.objects.get()
    assert "Waiting for a worker" in text(alice, "/console/studies/demo/report/")
    assert alice.get(f"/console/studies/demo/reports/{run.pk}/").status_code == 404
    assert runs.run_make(run_id=run.pk)
    assert not runs.run_make(run_id=run.pk), "made once"
    assert "Open the report" in text(alice, "/console/studies/demo/report/")
    response = alice.get(f"/console/studies/demo/reports/{run.pk}/")
    assert response["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert b"<html" in b"".join(response.streaming_content)


def test_pages_name_the_sites_own_policy(study: Study, alice: Client) -> None:
    response = alice.get("/console/studies/demo/")
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert b" style=" not in response.content
    assert b"<style" not in response.content
    assert response["Cache-Control"].find("no-store") >= 0


def test_an_amendment_leaves_the_counts_of_the_open_version_in_view(
    study: Study, alice: Client
) -> None:
    make_session(study.versions.get(), 0)
    version_amend(study=study, spec_text=PRESET.read_text())
    page = text(alice, "/console/studies/demo/")
    assert "Version 2 is a draft without tasks" in page
    assert "1</strong> of 96 completed" in page
    assert "Download (zip)" in page
