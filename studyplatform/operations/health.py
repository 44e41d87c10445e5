"""Whether this installation can do its work: database, migrations, disk, broker, worker."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

HEARTBEAT_KEY = "worker-heartbeat"
HEARTBEAT_EVERY = 10  # seconds
HEARTBEAT_LOST_AFTER = 60  # seconds
FREE_DISK = 200 * 2**20  # bytes


def heartbeat_write() -> None:
    """Leave the worker's sign of life."""
    cache.set(HEARTBEAT_KEY, time.time(), timeout=3600)


def heartbeat_age() -> float | None:
    """Return seconds since the last sign of life of any worker; None if there was none."""
    at = cache.get(HEARTBEAT_KEY)
    return None if at is None else max(time.time() - at, 0.0)


def problems() -> dict[str, str]:
    """Return check -> what is wrong, "" where nothing is; one sentence without secrets."""
    return {name: _sentence(check) for name, check in _CHECKS.items()}


def _sentence(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:
        # An exception's text may hold an address with a password.
        return f"failed with {type(error).__name__}"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(waiting)} migrations are not applied" if waiting else ""


def _disk() -> str:
    root = Path(settings.MEDIA_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=root) as file:
        file.write(b"ready")
    free = shutil.disk_usage(root).free
    return f"only {free // 2**20} MB are free" if free < FREE_DISK else ""


def _broker() -> str:
    from studyplatform.celery import app

    with app.connection_for_write(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
    return ""


def _worker() -> str:
    age = heartbeat_age()
    if age is None:
        return "no worker has given a sign of life"
    lost = age > HEARTBEAT_LOST_AFTER
    return f"the last sign of life of a worker is {age:.0f} s old" if lost else ""


_CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "disk": _disk,
    "broker": _broker,
    "worker": _worker,
}
