"""Celery tasks of this room: pokes, each of which calls one service."""

from django.utils import timezone

from studyplatform.celery import app

from . import runs


@app.task
def make_report(run_id: int) -> None:
    runs.run_make(run_id=run_id)


@app.task
def sweep_reports() -> None:
    """Take up the reports whose poke or whose worker was lost."""
    for run_id in runs.runs_due(timezone.now()):
        make_report.delay(run_id)
