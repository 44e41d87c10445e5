"""What hangs on the database's locks and transactions, once more on PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent
# The database of this name need not exist: tests make and drop one called test_<name>.
DEFAULT = "postgresql://postgres@127.0.0.1:5432/explanation_studies"
PARTS = (
    "tests/studyplatform/identities",
    "tests/studyplatform/studies/test_fields.py",
    "tests/studyplatform/participation/test_assignment.py",
    "tests/studyplatform/participation/test_exactly_once.py",
    "tests/studyplatform/participation/test_entry.py",
    "tests/studyplatform/stimuli/test_ledger.py",
    "tests/studyplatform/stimuli/test_publishing.py",
    "tests/studyplatform/results",
    "tests/studyplatform/console/test_pages.py",
)


def test_locks_and_transactions_hold_on_postgresql() -> None:
    address = os.environ.get("TEST_DATABASE_URL", DEFAULT)
    try:
        psycopg.connect(address, dbname="postgres", connect_timeout=3).close()
    except psycopg.OperationalError as error:
        reason = f"no PostgreSQL at TEST_DATABASE_URL: {error}"
        if os.environ.get("REQUIRE_POSTGRESQL"):
            pytest.fail(reason)
        pytest.skip(reason)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--create-db", *PARTS],
        cwd=ROOT,
        env={**environment, "DATABASE_URL": address},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
