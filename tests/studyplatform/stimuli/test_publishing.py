"""What is checked is what is frozen, whoever else is at the draft (PostgreSQL runs this too)."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from django.db import connection, connections

from studyplatform.stimuli import services
from studyplatform.stimuli.models import Task
from studyplatform.stimuli.services import publishing
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import StudyError

from ..published import SMALL


@pytest.fixture
def draft(published_study: StudyVersion) -> StudyVersion:
    """The small study as it was before it was published: nothing blocks it."""
    StudyVersion.objects.update(published_at=None, sha256="", manifest={})
    Study.objects.update(state=Study.State.DRAFT)
    return StudyVersion.objects.get(pk=published_study.pk)


@pytest.fixture
def other_spec(spec_text: Callable[..., str]) -> str:
    return spec_text(**{**SMALL, "title": "Another title"})


def test_what_was_read_before_the_draft_was_replaced_is_not_published(
    draft: StudyVersion, other_spec: str
):
    """The page that publishes holds the version, and through it the stimuli, from before."""
    old = draft.stimulus_set
    fresh = StudyVersion.objects.get(pk=draft.pk)
    services.study_replace_draft(version=fresh, spec_text=other_spec)
    services.ledger_drain()
    frozen = services.version_publish(version=draft)
    assert frozen.spec.title == "Another title"
    assert frozen.stimulus_set.pk != old.pk
    assert len(frozen.manifest["tasks"]) == 4


def somebody_waits_for_us() -> bool:
    """Whether another connection waits for a lock that this one holds (PostgreSQL)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time anyway")
def test_a_draft_is_not_replaced_while_it_is_published(
    draft: StudyVersion, other_spec: str, monkeypatch: pytest.MonkeyPatch
):
    """Somebody replaces the draft just when its problems have been looked for."""
    refused: list[str] = []

    def replace() -> None:
        try:
            services.study_replace_draft(
                version=StudyVersion.objects.get(pk=draft.pk), spec_text=other_spec
            )
        except StudyError as error:
            refused.extend(error.problems)
        finally:
            connections.close_all()

    second = Thread(target=replace)
    problems = publishing.publish_problems

    def look_slowly(**options: Any) -> list[str]:
        found = problems(**options)
        second.start()
        while second.is_alive() and not somebody_waits_for_us():
            second.join(0.02)
        return found

    monkeypatch.setattr(publishing, "publish_problems", look_slowly)
    frozen = services.version_publish(version=draft)
    second.join()
    assert len(refused) == 1
    assert "is published and cannot change" in refused[0]
    assert len(frozen.manifest["tasks"]) == 4
    assert frozen.spec.title != "Another title"
    assert Task.objects.filter(stimulus_set__version=frozen).count() == 4
