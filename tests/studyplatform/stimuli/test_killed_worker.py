"""A real worker is killed in the middle of a heatmap, and the next one ends what it began."""

import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from studyplatform.operations import processes
from studyplatform.stimuli import media

from .. import published

KEPT = 3
# Deep enough that a heatmap takes seconds, and is killed in the middle of its predictions.
DEPTH = 4

# A process of its own, because this one is bound to the tests' database.
SET_UP = """
import pickle, sys, django
django.setup()
from django.core.management import call_command
from django.utils.module_loading import import_string
call_command("migrate", verbosity=0)
call_command("createcachetable")
for table, instances in pickle.load(open(sys.argv[1], "rb")):
    table._default_manager.bulk_create(instances, batch_size=100)
import_string("studyplatform.stimuli.tasks.drain").delay()
"""


@pytest.fixture
def installation(
    db: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _published_rows: published.Rows,
    _published_folder: Path,
) -> Path:
    """Database, broker and files under a folder of its own; a few slow heatmaps wait."""
    foreign = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "MEDIA_ROOT"}
    for name in foreign & os.environ.keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("VAR_DIR", str(tmp_path))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "studyplatform.settings")
    monkeypatch.setattr(settings, "MEDIA_ROOT", tmp_path / "media")
    shutil.copytree(
        _published_folder / "media", media.root(), ignore=shutil.ignore_patterns("heatmaps")
    )
    rows = tmp_path / "rows.pickle"
    rows.write_bytes(pickle.dumps(slow_and_waiting(_published_rows)))
    subprocess.run(
        [sys.executable, "-c", SET_UP, str(rows)], cwd=settings.BASE_DIR, check=True, timeout=120
    )
    return tmp_path


def slow_and_waiting(rows: published.Rows) -> published.Rows:
    """Return the small study's rows with a few multiscale heatmaps only, none rendered."""
    tables = {table.__name__: instances for table, instances in pickle.loads(pickle.dumps(rows))}
    slow = [row for row in tables["Heatmap"] if row.method == "multiscale"][:KEPT]
    for row in slow:
        row.parameters = {**row.parameters, "depth": DEPTH}
        row.state, row.claim, row.attempts, row.content_sha256 = "pending", "", 0, ""
        row.seconds = row.rendered_at = None
    kept = {row.pk for row in slow}
    needed = [row for row in tables["NeededHeatmap"] if row.heatmap_id in kept]
    for row in needed:
        row.overlay_sha256, row.strongest, row.weakest = "", None, None
    changed = {"Heatmap": slow, "NeededHeatmap": needed}
    return [(table, changed.get(table.__name__, tables[table.__name__])) for table, _ in rows]


def ask(folder: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement on the installation's database, as another program would."""
    with closing(sqlite3.connect(folder / "db.sqlite3", timeout=20)) as database, database:
        return database.execute(sql, values).fetchall()


def wait_for(condition: Callable[[], bool], worker: processes.Group, log: Path) -> None:
    limit = time.monotonic() + 240
    while not condition():
        if worker.ended() or time.monotonic() > limit:
            pytest.fail(f"the worker ended, or got nowhere: {log.read_text()[-3000:]}")
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="kills a process group")
def test_a_worker_killed_while_it_renders_costs_nothing_but_time(installation: Path):
    log = installation / "worker.log"
    count = "SELECT count(*) FROM stimuli_heatmap WHERE state = ?"

    def number(state: str) -> int:
        return int(ask(installation, count, state)[0][0])

    def composed() -> bool:
        sql = "SELECT count(*) FROM stimuli_neededheatmap WHERE overlay_sha256 = ''"
        return ask(installation, sql) == [(0,)]

    with processes.Group() as first:
        first.start("worker", processes.worker_command(concurrency=1), log)
        # The second row: the network is loaded by then, so it is the predictions that are cut off.
        wait_for(lambda: number("done") > 0 and number("leased") > 0, first, log)
        processes.with_children(first.running["worker"].pid, signal.SIGKILL)
        first.running["worker"].wait()
    [(killed, until)] = ask(
        installation, "SELECT id, leased_until FROM stimuli_heatmap WHERE state = 'leased'"
    )
    assert until is not None
    assert number("pending") > 0
    # Instead of waiting for the lease to run out.
    past = "UPDATE stimuli_heatmap SET leased_until = '2000-01-01 00:00:00' WHERE id = ?"
    ask(installation, past, killed)
    with processes.Group() as second:
        second.start("worker", processes.worker_command(concurrency=1), log)
        wait_for(lambda: number("done") == KEPT and composed(), second, log)

    rows = ask(installation, "SELECT id, key, content_sha256, attempts FROM stimuli_heatmap")
    assert {pk: attempts for pk, _, _, attempts in rows} == {
        pk: 2 if pk == killed else 1 for pk, *_ in rows
    }
    files = [path for path in (media.root() / "heatmaps").rglob("*") if path.is_file()]
    assert sorted(files) == sorted(media.heatmap_path(key, content) for _, key, content, _ in rows)
    assert all(media.file_sha256(media.heatmap_path(r[1], r[2])) == r[2] for r in rows)
    assert list(media.root().rglob(".draft-*")) == []
