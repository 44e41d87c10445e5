"""Alice and Bob of one team, Charlie of another; each team with a study."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from studyplatform.studies.models import Membership, Study
from studyplatform.studies.services import team_get_or_create

from ..factories import make_version


def person(name: str, team: str, role: str) -> Client:
    user = User.objects.create(username=name, password="a hash that no password has")
    Membership.objects.create(team=team_get_or_create(name=team), user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def study(db: None) -> Study:
    return make_version().study


@pytest.fixture
def alice(db: None) -> Client:
    """A researcher of the study's team."""
    return person("alice", "Alice's team", "researcher")


@pytest.fixture
def bob(db: None) -> Client:
    """A viewer of the study's team."""
    return person("bob", "Alice's team", "viewer")


@pytest.fixture
def charlie(db: None) -> Client:
    """The owner of another team."""
    return person("charlie", "Charlie's team", "owner")
