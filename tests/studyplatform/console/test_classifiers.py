"""The pages of classifiers: what they show to whom, and what is asked for with their forms."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from studyplatform.stimuli.models import ImageSet, Job, TrainedClassifier
from studyplatform.studies.models import Team
from studyplatform.studies.services import team_get_or_create

from ..factories import make_version
from ..stimuli.photographs import zipped
from .test_pages import text

LIST_QUERIES = 6


@pytest.fixture
def team(db: None) -> Team:
    return team_get_or_create(name="Alice's team")


@pytest.fixture
def images(team: Team) -> ImageSet:
    return ImageSet.objects.create(name="photos", team=team, labels=["cat", "horse"], size=8)


def make_classifier(name: str, team: Team | None, **values: Any) -> TrainedClassifier:
    given = {"path": "", "sha256": "ab" * 32, "labels": ["cat", "horse"], "preprocess": "signed"}
    return TrainedClassifier.objects.create(name=name, team=team, size=8, **given | values)


@pytest.fixture
def network(tmp_path: Path, media_root: Path) -> SimpleUploadedFile:
    content = zipped(tmp_path / "n.zip", {"config.json": b"{}"}).read_bytes()
    return SimpleUploadedFile("mine.keras", content)


@pytest.mark.parametrize("n", [1, 3])
def test_the_list_costs_the_same_however_many(
    alice: Client, team: Team, n: int, django_assert_num_queries: DjangoAssertNumQueries
):
    for i in range(n):
        stimuli = make_version(f"study-{i}").stimulus_set
        stimuli.classifier = make_classifier(f"own-{i}", team)
        stimuli.save()
        Job.objects.create(team=team, kind="train", subject=f"own-{i}")
    TrainedClassifier.objects.filter(team=None).delete()
    with django_assert_num_queries(LIST_QUERIES):
        page = text(alice, "/console/classifiers/")
    assert page.count("Used by <a") == n
    assert page.count("Waiting for a worker") == n


def test_average_precision_stands_by_label_and_split(alice: Client, team: Team):
    precision = {"train": {"cat": 0.91, "horse": 1.0}, "val": {"cat": 0.734}}
    found = make_classifier("own", team, average_precision=precision)
    page = text(alice, "/console/classifiers/")
    assert '<td class="number">0.91</td><td class="number">1.00</td>' in page
    assert '<td class="number">0.73</td><td class="number">–</td>' in page
    assert f'<abbr title="{"ab" * 32}">hash abababababab</abbr>' in page
    page = text(alice, f"/console/classifiers/{found.pk}/")
    assert '<td class="number">0.910</td><td class="number">0.734</td>' in page
    assert '<span class="faint">no image</span>' in page
    assert "ab" * 32 in page
    assert "-1 to 1 (MobileNet" in page


def test_how_it_was_made_is_told(alice: Client, team: Team, images: ImageSet):
    tuning = {"layers": 3, "epochs": 5, "learning_rate": 1e-05}
    origin = {"how": "trained", "backbone": "mine.keras", "tuning": tuning}
    found = make_classifier("own", team, origin=origin, image_set=images)
    page = text(alice, f"/console/classifiers/{found.pk}/")
    assert "a new last layer on mine.keras; then the last 3 layers with it, for 5 epochs" in page
    assert f'href="/console/images/{images.pk}/"' in page


def test_everybody_sees_shared_ones_and_nobody_those_of_other_teams(
    alice: Client, bob: Client, charlie: Client, team: Team
):
    own, shared = make_classifier("own", team), make_classifier("shared", None)
    for visitor, status in ((alice, 200), (bob, 200), (charlie, 404)):
        assert visitor.get(f"/console/classifiers/{own.pk}/").status_code == status
        assert visitor.get(f"/console/classifiers/{shared.pk}/").status_code == 200
        assert (">own<" in text(visitor, "/console/classifiers/")) == (status == 200)


def test_a_study_of_another_team_is_not_named(charlie: Client):
    stimuli = make_version("secret").stimulus_set
    page = text(charlie, f"/console/classifiers/{stimuli.classifier_id}/")
    assert "none of your studies" in page
    assert 'href="/console/studies/secret/"' not in page


def training(images: ImageSet, **values: Any) -> dict[str, Any]:
    return {"name": "mine", "images": images.pk, "start": "vgg16", "labels": ""} | values


def address(team: Team, what: str) -> str:
    return f"/console/teams/{team.pk}/classifiers/{what}/"


def test_training_is_asked_for(
    alice: Client, team: Team, images: ImageSet, network: SimpleUploadedFile
):
    form = training(images, start="file", file=network, preprocess="unit", labels="cat, horse")
    form |= {"tune": "on", "layers": "2", "epochs": "4", "learning_rate": "1e-4"}
    page = alice.post(address(team, "train"), form, follow=True).content.decode()
    assert "mine is being made." in page
    job = Job.objects.get()
    assert (job.team, job.kind, job.subject) == (team, "train", "mine")
    assert job.parameters == {
        "name": "mine",
        "image_set": images.pk,
        "labels": ["cat", "horse"],
        "tuning": {"layers": 2, "epochs": 4, "learning_rate": 1e-4},
        "upload": job.parameters["upload"],
        "source": "mine.keras",
        "preprocess": "unit",
    }


def test_vgg16_and_a_classifier_that_is_here(alice: Client, team: Team, images: ImageSet):
    alice.post(address(team, "train"), training(images))
    first = Job.objects.get()
    assert first.parameters["preprocess"] == "caffe"
    assert first.parameters["tuning"] is None
    found = make_classifier("own", None)
    form = training(images, name="second", start="classifier", classifier=found.pk)
    alice.post(address(team, "train"), form)
    assert Job.objects.get(subject="second").parameters["classifier"] == found.pk


def test_what_is_wrong_is_said(alice: Client, team: Team, images: ImageSet):
    def said(what: str, form: dict[str, Any]) -> str:
        return alice.post(address(team, what), form).content.decode()

    assert "Choose the backbone&#x27;s file." in said("train", training(images, start="file"))
    assert "Choose the classifier to" in said("train", training(images, start="classifier"))
    assert "carries &#x27;dog&#x27;" in said("train", training(images, labels="dog"))
    assert "greater than or equal to 1." in said("train", training(images, epochs="0"))
    assert "Give the labels" in said("register", {"name": "mine", "preprocess": "unit"})
    wrong = SimpleUploadedFile("mine.h5", b"h5")
    form = {"name": "mine", "preprocess": "unit", "labels": "cat", "file": wrong}
    assert "mine.h5 is no Keras file" in said("register", form)
    assert not Job.objects.exists()


def test_another_teams_images_and_classifiers_are_no_choice(
    alice: Client, team: Team, images: ImageSet
):
    other = team_get_or_create(name="Charlie's team")
    foreign = ImageSet.objects.create(name="foreign", team=other, labels=["cat"], size=8)
    network = make_classifier("foreign", other)
    page = text(alice, address(team, "train"))
    assert ">photos<" in page
    assert "foreign" not in page
    for form in (
        training(foreign),
        training(images, start="classifier", classifier=network.pk),
    ):
        page = alice.post(address(team, "train"), form).content.decode()
        assert "not one of the available choices" in page
    assert not Job.objects.exists()


def test_without_images_there_is_nothing_to_learn_from(alice: Client, team: Team):
    assert "No images to learn from" in text(alice, address(team, "train"))


def test_a_finished_network_is_taken_in(alice: Client, team: Team, network: SimpleUploadedFile):
    form = {"name": "mine", "file": network, "labels": "cat\r\n\r\nhorse", "preprocess": "unit"}
    alice.post(address(team, "register"), form)
    parameters = Job.objects.get().parameters
    assert parameters["labels"] == ["cat", "horse"]
    assert parameters["finished"]


@pytest.mark.parametrize("what", ["train", "register"])
def test_only_those_who_may_change_ask_for_one(
    bob: Client, charlie: Client, client: Client, team: Team, what: str
):
    for visitor, status in ((bob, 403), (charlie, 404), (client, 302)):
        assert visitor.get(address(team, what)).status_code == status
        assert visitor.post(address(team, what), {}).status_code == status
    assert "Train one" not in text(bob, "/console/classifiers/")
