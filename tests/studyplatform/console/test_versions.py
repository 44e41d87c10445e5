"""Versions are listed, compared, amended, discarded; what stands against publishing is said."""

from typing import Any

import pytest
from django.test import Client

from studyplatform.stimuli.models import Job, StimulusSet
from studyplatform.stimuli.services import draft_amend, lint_reason_give, version_lint
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import text_sha256, version_amend

from ..factories import PRESET, make_version
from .conftest import person
from .test_design import TITLE, text_of
from .test_pages import add_heatmaps


@pytest.fixture
def draft(db: None) -> StudyVersion:
    return make_version("draft", published=False)


def test_versions_are_listed_compared_amended_and_discarded(
    study: Study, alice: Client, bob: Client
) -> None:
    address = "/console/studies/demo/versions/"
    page = text_of(alice.get(address))
    assert "For new participants" in page
    assert "Amend version 1" in page
    assert "Amend version 1" not in text_of(bob.get(address))
    assert bob.post("/console/studies/demo/amend/").status_code == 403
    assert "They are the same." in text_of(alice.get(f"{address}compare/"))

    assert alice.post("/console/studies/demo/amend/")["Location"].endswith("/demo/design/")
    second = StudyVersion.objects.get(number=2)
    assert second.text == StudyVersion.objects.get(number=1).text
    changed = second.text.replace(TITLE, "title: Amended")
    began = {"began_with": text_sha256(second.text), "action": "save"}
    alice.post("/console/studies/demo/design/", {"text": changed, **began})
    page = text_of(alice.get(f"{address}compare/?old=1&new=2"))
    assert '<ins><span class="hidden">new: </span>title: Amended</ins>' in page
    assert alice.get(f"{address}compare/?old=1&new=3").status_code == 404
    assert "Amend version" not in text_of(alice.get(address))

    assert bob.post("/console/studies/demo/discard/", {"number": "2"}).status_code == 403
    alice.post("/console/studies/demo/discard/", {"number": "3"})
    assert StudyVersion.objects.count() == 2
    alice.post("/console/studies/demo/discard/", {"number": "2"})
    assert list(StudyVersion.objects.values_list("number", flat=True)) == [1]
    page = text_of(alice.post("/console/studies/demo/discard/", {"number": "1"}, follow=True))
    assert "is published and cannot change" in page


def test_a_study_of_a_draft_alone_goes_with_it(draft: StudyVersion, alice: Client) -> None:
    assert "the whole study goes" in text_of(alice.get("/console/studies/draft/versions/"))
    answer = alice.post("/console/studies/draft/discard/", {"number": "1"})
    assert answer["Location"] == "/console/"
    assert not Study.objects.exists()


@pytest.mark.parametrize("n", [1, 3])
def test_the_list_of_versions_costs_the_same_however_many(
    study: Study, alice: Client, n: int, django_assert_max_num_queries: Any
) -> None:
    for number in range(2, n + 1):
        version_amend(study=study, spec_text=PRESET.read_text())
        StudyVersion.objects.filter(number=number).update(sha256="1", published_at="2030-01-01T00Z")
    with django_assert_max_num_queries(8):
        alice.get("/console/studies/demo/versions/")


def test_what_stands_against_publishing_is_said_at_the_button(
    draft: StudyVersion, alice: Client
) -> None:
    address = "/console/studies/draft/"
    page = text_of(alice.get(address))
    assert '<button class="primary" type="submit" disabled aria-describedby="obstacles">' in page
    assert page.count("Against publishing version 1:") == 1

    add_heatmaps(draft, ["done", "pending", "failed"])
    page = text_of(alice.get(address))
    assert "<li>1 of 3 heatmaps could not be rendered.</li>" in page
    assert "<li>1 of 3 heatmaps are not rendered yet.</li>" in page

    StimulusSet.objects.all().delete()
    page = text_of(alice.get(address))
    assert "<li>No tasks have been chosen for it yet.</li>" in page
    assert "Version 1 is a draft without tasks" in page
    assert 'href="/console/studies/draft/design/">Open the design' in page
    alice.post(f"{address}prepare/")
    assert "What follows from the design is being prepared." in text_of(alice.get(address))
    Job.objects.update(state="failed", error="tasks: too few.")
    assert "No tasks could be chosen from the design." in text_of(alice.get(address))


def test_a_draft_with_nothing_against_it_can_be_published(
    published_study: StudyVersion,
) -> None:
    """Control of the above: the button is there to press."""
    draft = draft_amend(study=published_study.study)
    ann = person("ann", "Small team", "owner")
    for one in version_lint(version=draft).warnings:
        assert "disabled" in text_of(ann.get("/console/studies/small/"))
        lint_reason_give(version=draft, digest=one.finding.digest, reason="It is a trial.")
    page = text_of(ann.get("/console/studies/small/"))
    assert '<button class="primary" type="submit">Publish version 2' in page
    assert "Against publishing" not in page
