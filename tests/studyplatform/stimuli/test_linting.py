"""Reasons for warnings: kept with who and when, bound to what was found, frozen when published."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from studyplatform.stimuli import services
from studyplatform.stimuli.models import Image, LintReason
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import StudyError

from .chosen import make_draft, with_spec
from .test_lint import look_alike

pytestmark = pytest.mark.django_db
WHY = "They are two photographs of the same cat, a year apart."


@pytest.fixture
def alike(media_root: Path) -> StudyVersion:
    """A draft with one warning: an example looks like the new image of task 1."""
    version = make_draft()
    look_alike(version.stimulus_set, 2)
    return StudyVersion.objects.get(pk=version.pk)


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("alice")


def digest(version: StudyVersion) -> str:
    [judged] = services.version_lint(version=version).judged
    return judged.finding.digest


def give(version: StudyVersion, user: User | None = None, reason: str = WHY) -> LintReason:
    return services.lint_reason_give(
        version=version, digest=digest(version), reason=reason, user=user
    )


def test_a_warning_blocks_until_somebody_gives_a_reason(alike: StudyVersion, user: User) -> None:
    with pytest.raises(StudyError, match="looks nearly the same") as caught:
        services.version_publish(version=alike)
    assert "a reason is kept" in str(caught.value)
    reason = give(alike, user)
    assert (reason.reason, reason.by, reason.by_name) == (WHY, user, "alice")
    report = services.version_lint(version=alike)
    assert [one.reason for one in report.explained] == [reason]
    assert report.blocking == []
    [frozen] = services.version_publish(version=alike).manifest["lint"]
    assert frozen["code"] == "near-duplicate"
    assert frozen["sentence"] == reason.sentence
    assert (frozen["reason"], frozen["by"]) == (WHY, "alice")
    assert frozen["at"].startswith(f"{reason.at:%Y-%m-%d}")


def test_a_reason_lapses_when_what_it_explains_is_another(alike: StudyVersion) -> None:
    give(alike)
    example = alike.stimulus_set.tasks.get(number=1).examples.select_related("image").first()
    assert example is not None
    look_alike(alike.stimulus_set, 4)
    assert services.version_lint(version=alike).warnings, "more bits differ"
    look_alike(alike.stimulus_set, 2)
    assert not services.version_lint(version=alike).warnings, "the same finding as before"
    Image.objects.filter(pk=example.image_id).update(sha256="f" * 64)
    assert [one.finding.code for one in services.version_lint(version=alike).warnings] == [
        "near-duplicate"
    ], "it reads the same, and is about another image"


def test_a_reason_is_replaced_and_taken_back(alike: StudyVersion) -> None:
    give(alike)
    give(alike, reason="  A better one. ")
    assert LintReason.objects.get().reason == "A better one."
    services.lint_reason_withdraw(version=alike, digest=digest(alike))
    assert services.version_lint(version=alike).warnings
    assert not LintReason.objects.exists()


@pytest.mark.parametrize(
    ("reason", "sentence"), [("  ", "The reason is empty"), ("x" * 1001, "has 1,001 characters")]
)
def test_a_reason_is_a_reason(alike: StudyVersion, reason: str, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        give(alike, reason=reason)
    assert not LintReason.objects.exists()


def test_errors_are_mended_and_not_explained(alike: StudyVersion) -> None:
    version = with_spec(alike, pay={"base": "1.00"})
    [error] = services.version_lint(version=version).errors
    with pytest.raises(StudyError, match="it has to be mended"):
        services.lint_reason_give(version=version, digest=error.finding.digest, reason=WHY)
    # One that was a warning when the reason was given.
    open_links = with_spec(version, recruitment={"plain_links": True})
    services.lint_reasons_give(version=open_links, code="pay-too-low", reason=WHY)
    closed = with_spec(open_links, recruitment={"plain_links": False})
    assert [one.finding.code for one in services.version_lint(version=closed).errors] == [
        "pay-too-low"
    ]


def test_a_warning_that_is_gone_takes_no_reason(alike: StudyVersion) -> None:
    old = digest(alike)
    look_alike(alike.stimulus_set, 20)
    with pytest.raises(StudyError, match="is gone"):
        services.lint_reason_give(version=alike, digest=old, reason=WHY)


def test_one_reason_for_all_of_a_code(alike: StudyVersion) -> None:
    with pytest.raises(StudyError, match="these do: near-duplicate"):
        services.lint_reasons_give(version=alike, code="pay-too-low", reason=WHY)
    [given] = services.lint_reasons_give(version=alike, code="near-duplicate", reason=WHY)
    assert (given.by, given.by_name) == (None, "command line")


def test_a_published_version_takes_no_reason(alike: StudyVersion) -> None:
    old = digest(alike)
    give(alike)
    frozen = services.version_publish(version=alike)
    for change in (
        lambda: services.lint_reason_give(version=frozen, digest=old, reason="Another."),
        lambda: services.lint_reasons_give(version=frozen, code="near-duplicate", reason="No."),
        lambda: services.lint_reason_withdraw(version=frozen, digest=old),
    ):
        with pytest.raises(StudyError, match="published already"):
            change()
    assert LintReason.objects.get().reason == WHY


def test_who_gave_a_reason_is_known_when_the_account_is_gone(
    alike: StudyVersion, user: User
) -> None:
    give(alike, user)
    user.delete()
    [judged] = services.version_lint(version=alike).explained
    assert judged.reason is not None
    assert judged.reason.by_name == "alice"
