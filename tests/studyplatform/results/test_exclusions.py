"""Exclusion rules frozen with the study reach the data; without them nobody is left out."""

from datetime import timedelta

import pytest

from studyplatform.participation.models import Session
from studyplatform.results.dataset import Dataset
from studyplatform.studies.models import StudyVersion

from ..factories import make_session


@pytest.fixture
def people(version: StudyVersion) -> None:
    make_session(version, 0, public_id="fine00000000")
    make_session(version, 1, public_id="failed000000", screening_passed=False)
    quick = make_session(version, 2, public_id="quick0000000")
    quick.completed_at = quick.consented_at + timedelta(minutes=4, seconds=59)
    quick.save()
    make_session(
        version, 3, public_id="byhand000000", excluded=True, exclusion_reason="asked to be left out"
    )
    make_session(
        version, 4, public_id="gone00000000", status=Session.Status.ACTIVE, completed_at=None,
        screening_passed=False,
    )  # fmt: skip


def reasons(version: StudyVersion, rules: list[dict[str, object]]) -> dict[str, str]:
    version.data["exclusions"] = rules
    StudyVersion.objects.filter(pk=version.pk).update(data=version.data)
    found = Dataset(version.study, "real").participants()
    return {row.session.public_id: row.exclusion for row in found if row.exclusion is not None}


@pytest.mark.usefixtures("people")
def test_rules_of_the_spec_exclude_with_their_reason(version: StudyVersion) -> None:
    failed = {"key": "screening", "rule": "screening_failed"}
    quick = {"key": "quick", "rule": "faster_than_minutes", "value": 5}
    by_hand = {"byhand000000": "asked to be left out"}
    assert reasons(version, []) == by_hand
    assert reasons(version, [failed]) == by_hand | {"failed000000": "rule screening"}
    assert reasons(version, [quick]) == by_hand | {"quick0000000": "rule quick"}
    assert reasons(version, [{**failed, "applies": False}]) == by_hand


@pytest.mark.usefixtures("people")
def test_five_minutes_to_the_second_are_enough(version: StudyVersion) -> None:
    rule = {"key": "quick", "rule": "faster_than_minutes", "value": 4 + 59 / 60}
    assert "quick0000000" not in reasons(version, [rule])
