"""A study is begun from a preset, a file or another study; or refused, and nothing is left."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from studyplatform.stimuli.models import ImageSet, Job, StimulusSet, TrainedClassifier
from studyplatform.studies.models import Study, StudyVersion, Team
from studyplatform.studies.spec import load

from ..factories import PRESET, make_version
from .test_design import text_of


def begin(client: Client, **fields: Any) -> Any:
    team = Team.objects.get(name="Alice's team")
    return client.post(
        "/console/new/",
        {"begin": "preset", "preset": PRESET.name, "team": team.pk, "slug": "mine", **fields},
    )


def test_a_study_is_begun_from_a_preset(study: Study, alice: Client) -> None:
    assert "forward_simulation: Forward simulation of an image classifier" in text_of(
        alice.get("/console/new/")
    )
    answer = begin(alice, title="What: a title", images="demo", classifier="demo")
    assert answer["Location"] == "/console/studies/mine/design/"
    version = StudyVersion.objects.get(study__slug="mine")
    assert version.spec.title == "What: a title"
    assert version.text.startswith("# Forward simulation")
    assert version.study.state == "draft"
    assert not StimulusSet.objects.filter(version=version).exists()
    assert Job.objects.get().study == version.study


def test_a_study_is_begun_from_a_file(study: Study, alice: Client) -> None:
    text = PRESET.read_text().replace("title: How", "title: Why")
    file = SimpleUploadedFile("mine.yaml", ("\ufeff" + text).encode())
    assert begin(alice, begin="file", file=file).status_code == 302
    assert StudyVersion.objects.get(study__slug="mine").spec.title.startswith("Why")


def test_a_study_is_begun_as_a_duplicate_with_its_tasks(alice: Client) -> None:
    make_version("first")
    version = StudyVersion.objects.get()
    text = version.text.replace("images: demo", "images: first")
    text = text.replace("classifier: demo", "classifier: first")
    StudyVersion.objects.update(text=text, data=load(text).model_dump(mode="json"))
    ImageSet.objects.update(labels=["boat", "car", "cat", "horse"])
    TrainedClassifier.objects.update(labels=["boat", "car", "cat", "horse"])
    assert 'value="first" selected' in text_of(alice.get("/console/new/?study=first"))
    assert begin(alice, begin="study", study="first").status_code == 302
    assert StimulusSet.objects.get(version__study__slug="mine").tasks.count() == 4
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"slug": "Mine"}, "Use small letters"),
        ({"slug": "demo"}, "There is already a study"),
        ({"begin": "file"}, "Choose the file."),
        ({"begin": "study"}, "Choose the study."),
        ({"begin": ""}, "Choose what the study begins with."),
        ({"begin": "file", "file": SimpleUploadedFile("x.yaml", b"\xff\xfe")}, "no UTF-8 text"),
        ({"begin": "file", "file": SimpleUploadedFile("x.yaml", b"a: [1")}, "this is no YAML"),
        ({"begin": "file", "file": SimpleUploadedFile("x.yaml", b"seed: 1\n")}, "factors: missing"),
        ({"images": "no-such"}, "There is no no-such; choose one of the list."),
        ({"team": "999"}, "Choose one of your teams."),
        ({"team": ""}, "Choose the team"),
    ],
)  # fmt: skip
def test_what_cannot_be_begun_is_said_and_leaves_nothing(
    study: Study, alice: Client, fields: dict[str, Any], told: str
) -> None:
    for value in fields.values():
        if isinstance(value, SimpleUploadedFile):
            value.seek(0)
    assert told in text_of(begin(alice, **fields))
    assert Study.objects.count() == 1


def test_studies_are_begun_in_teams_where_one_may_and_from_what_one_sees(
    study: Study, bob: Client, charlie: Client
) -> None:
    assert "You may make studies in no team" in text_of(bob.get("/console/new/"))
    assert "You may make studies in no team" in text_of(begin(bob))
    assert "Choose one of your teams." in text_of(begin(charlie))
    team = Team.objects.get(name="Charlie's team")
    page = text_of(begin(charlie, team=team.pk, begin="study", study="demo"))
    assert "Choose one of the studies." in page
    assert "demo (Alice" not in page
    assert Study.objects.count() == 1
