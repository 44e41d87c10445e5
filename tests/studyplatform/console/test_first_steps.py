"""What a team that has nothing yet is shown the way to, and where participants are let in."""

import pytest
from django.test import Client

from studyplatform.studies.models import Study, StudyVersion

from ..factories import make_version
from .test_design import text_of


def test_a_team_without_studies_is_shown_the_way_to_one(alice: Client) -> None:
    page = text_of(alice.get("/console/"))
    for address in ("/console/images/", "/console/classifiers/", "/console/new/"):
        assert f'<li><a href="{address}">' in page


def test_a_team_with_studies_is_not(study: Study, alice: Client) -> None:
    assert "No studies yet" not in text_of(alice.get("/console/"))


def test_a_study_without_images_is_warned_of_before_it_is_begun(alice: Client) -> None:
    assert "Here are no images yet" in text_of(alice.get("/console/new/"))
    make_version()
    assert "A study needs images and a classifier" not in text_of(alice.get("/console/new/"))


def test_a_classifier_leads_to_a_study_with_it(study: Study, alice: Client) -> None:
    classifier = StudyVersion.objects.get().stimulus_set.classifier
    page = text_of(alice.get(f"/console/classifiers/{classifier.pk}/"))
    assert 'href="/console/new/?classifier=demo">Make a study with it' in page
    form = text_of(alice.get("/console/new/?classifier=demo"))
    assert form.count('value="demo" selected') == 1


@pytest.mark.parametrize("plain", [True, False])
def test_the_bare_address_is_given_where_it_lets_people_in(
    study: Study, alice: Client, plain: bool
) -> None:
    version = StudyVersion.objects.get()
    data = version.data
    data["recruitment"]["plain_links"] = plain
    StudyVersion.objects.update(data=data)
    page = text_of(alice.get("/console/studies/demo/"))
    assert "?PROLIFIC_PID={{%PROLIFIC_PID%}}" in page
    assert ('value="http://testserver/s/demo/"' in page) is plain
