"""A small published study with answers."""

import pytest
from django.utils import timezone

from studyplatform.participation.models import Answer
from studyplatform.studies.models import Study, StudyVersion

from ..factories import make_answers, make_session, make_version


@pytest.fixture
def version(db: None) -> StudyVersion:
    return make_version()


@pytest.fixture
def study(version: StudyVersion) -> Study:
    """Two who completed (one in each of two conditions), one who is still at it, one bot."""
    first = make_session(version, 0, public_id="first0000000")
    make_answers(first, ["yes", "yes", "no", "no"])
    Answer.objects.create(
        session=first, item="afterwards", idempotency_key="after", page_served_at=timezone.now(),
        values={"useful": ["outcomes", "heatmaps"], "learned": "Nothing"},
    )  # fmt: skip
    second = make_session(version, 5, public_id="second000000")
    make_answers(second, ["no", "no", "yes", "yes"])
    make_session(version, 2, public_id="third0000000", status="in_progress", completed_at=None)
    bot = make_session(version, 1, public_id="bot000000000", source="bot")
    make_answers(bot, ["yes", "yes", "yes", "yes"])
    return version.study
