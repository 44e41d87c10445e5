"""An export reads one state of the database while participants go on writing."""

import contextlib
import threading

import pytest
from django.db import connection

from studyplatform.results.snapshot import one_state
from studyplatform.studies.models import Team

pytestmark = pytest.mark.django_db(transaction=True)


def write_elsewhere() -> None:
    """Write from another connection, and fail the test where that has to wait."""
    failures: list[BaseException] = []

    def write() -> None:
        try:
            connection.ensure_connection()
            if connection.vendor == "sqlite":
                with connection.cursor() as cursor:
                    cursor.execute("PRAGMA busy_timeout = 1000")
            Team.objects.create(name="came meanwhile")
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert failures == []


@pytest.mark.parametrize(("inside", "seen"), [(one_state, 0), (contextlib.nullcontext, 1)])
def test_what_is_written_meanwhile_is_not_read(inside, seen: int) -> None:
    """The second case is the control: without it the row is seen."""
    with inside():
        assert Team.objects.count() == 0
        write_elsewhere()
        assert Team.objects.count() == seen
    assert Team.objects.count() == 1
