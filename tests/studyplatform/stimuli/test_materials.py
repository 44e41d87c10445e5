"""Who sees which image sets and classifiers, and which of them a spec's name means."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction

from studyplatform.stimuli import materials
from studyplatform.stimuli.models import Image, ImageSet, TrainedClassifier
from studyplatform.studies.models import Membership, Team
from studyplatform.studies.services import team_get_or_create

from ..factories import make_version

pytestmark = pytest.mark.django_db


def images(name: str, team: Team | None) -> ImageSet:
    return ImageSet.objects.create(name=name, team=team, labels=["cat", "horse"], size=8)


def classifier(name: str, team: Team | None) -> TrainedClassifier:
    return TrainedClassifier.objects.create(
        name=name, team=team, path="", sha256="", labels=["cat"], preprocess="unit", size=8
    )


@pytest.fixture
def team() -> Team:
    return team_get_or_create(name="Alice's team")


@pytest.fixture
def other() -> Team:
    return team_get_or_create(name="Charlie's team")


@pytest.fixture
def alice(team: Team) -> User:
    user = User.objects.create(username="alice")
    Membership.objects.create(team=team, user=user, role="researcher")
    return user


def test_a_person_sees_their_teams_and_the_shared_ones(alice: User, team: Team, other: Team):
    for make, seen, get in (
        (images, materials.image_sets_for, materials.image_set_get_for),
        (classifier, materials.classifiers_for, materials.classifier_get_for),
    ):
        shared, own, foreign = make("shared", None), make("own", team), make("foreign", other)
        assert {one.name for one in seen(alice)} == {"shared", "own"}
        assert get(alice, own.pk) == own
        assert get(alice, shared.pk) == shared
        with pytest.raises(type(foreign).DoesNotExist):
            get(alice, foreign.pk)
        assert not seen(AnonymousUser())
        alice.is_active = False
        assert not seen(alice)
        alice.is_active = True


def test_a_specs_name_means_the_teams_own_before_the_shared_one(team: Team, other: Team):
    for make, named in (
        (images, materials.image_set_named),
        (classifier, materials.classifier_named),
    ):
        assert named(team, "photos") is None
        make("photos", other)
        assert named(team, "photos") is None, "never another team's"
        shared = make("photos", None)
        assert named(team, "photos") == shared
        own = make("photos", team)
        assert named(team, "photos") == own
        assert named(Team(name="not saved yet"), "photos") == shared


def test_a_team_trains_on_its_own_and_shared_images(team: Team, other: Team):
    for make, of in ((images, materials.image_sets_of), (classifier, materials.classifiers_of)):
        make("shared", None), make("own", team), make("foreign", other)
        assert [one.name for one in of(team)] == ["own", "shared"]


@pytest.mark.parametrize("make", [images, classifier])
def test_a_name_is_given_once_within_a_team_and_once_among_the_shared(make, team: Team):
    for owner in (team, None):
        make("photos", owner)
        with pytest.raises(IntegrityError), transaction.atomic():
            make("photos", owner)


def test_the_studies_that_use_it_are_the_persons_own(alice: User):
    ours, theirs = make_version("ours"), make_version("theirs", team="Charlie's team")
    shared = ours.stimulus_set.classifier
    theirs.stimulus_set.classifier = shared
    theirs.stimulus_set.save()
    found = materials.classifier_get_for(alice, shared.pk)
    assert [study.slug for study in materials.studies_using(found)] == ["ours"]


def test_what_a_set_holds_is_counted_by_label_and_split(team: Team):
    image_set = images("photos", team)
    for number, (split, labels) in enumerate(
        [("train", ["cat"]), ("train", ["cat", "horse"]), ("val", []), ("val", ["horse"])]
    ):
        Image.objects.create(
            image_set=image_set,
            name=str(number),
            split=split,
            labels=labels,
            sha256=f"{number:064}",
            display_sha256=f"{number:064}",
            display_size=8,
        )
    contents = materials.contents_of(image_set)
    assert (contents.images.train, contents.images.val, contents.images.total) == (2, 2, 4)
    assert [(one.label, one.train, one.val) for one in contents.labels] == [
        ("cat", 2, 0),
        ("horse", 1, 1),
    ]

    def found(**wanted: str) -> list[str]:
        ids = materials.contents_of(image_set, **wanted).found
        return [image.name for image in materials.images_of(ids)]

    assert found() == ["0", "1", "2", "3"]
    assert found(label="horse") == ["1", "3"]
    assert found(label="horse", split="val") == ["3"]
    assert found(label="ho") == []
