"""Who sees which study: Alice and Bob share a team, Charlie is of another."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, User

from studyplatform.studies import selectors, services
from studyplatform.studies.models import Membership, Study, StudyVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(spec_text: Callable[..., str]) -> StudyVersion:
    team = services.team_get_or_create(name="Alice's team")
    return services.study_create(team=team, spec_text=spec_text())


def member(name: str, team: str, role: str = "researcher") -> User:
    user = User.objects.create_user(name)
    Membership.objects.create(user=user, team=services.team_get_or_create(name=team), role=role)
    return user


def test_a_study_is_there_for_its_team_only(draft: StudyVersion):
    alice, bob = member("alice", "Alice's team"), member("bob", "Alice's team", "viewer")
    charlie = member("charlie", "Charlie's team", "owner")
    for insider in (alice, bob):
        assert selectors.study_get_for(insider, "demo") == draft.study
        assert list(selectors.studies_for(insider)) == [draft.study]
    for outsider in (charlie, AnonymousUser(), User.objects.create_user("nobody")):
        with pytest.raises(Study.DoesNotExist):
            selectors.study_get_for(outsider, "demo")
        assert not selectors.studies_for(outsider).exists()
    assert selectors.role_of(alice, draft.study) == "researcher"
    assert selectors.role_of(charlie, draft.study) == ""
    assert selectors.role_of(AnonymousUser(), draft.study) == ""


def test_who_has_left_sees_nothing(draft: StudyVersion):
    alice = member("alice", "Alice's team")
    alice.is_active = False
    assert not selectors.studies_for(alice).exists()


def test_participants_find_no_drafts(draft: StudyVersion):
    with pytest.raises(Study.DoesNotExist):
        selectors.study_get_by_slug("demo")
    services.version_freeze(version=draft, manifest={})
    assert selectors.study_get_by_slug("demo") == draft.study


def test_newcomers_begin_with_the_newest_published_version(
    draft: StudyVersion, spec_text: Callable[..., str]
):
    study = draft.study
    assert selectors.version_published(study) is None
    services.version_freeze(version=draft, manifest={})
    second = services.version_amend(study=study, spec_text=spec_text())
    assert selectors.version_published(study) == draft
    assert selectors.version_latest(study) == second
    services.version_freeze(version=second, manifest={})
    assert selectors.version_published(study) == second
