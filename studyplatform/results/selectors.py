"""What pages show of reports, and where sessions came from."""

from pathlib import Path

from django.db.models import Count

from studyplatform.participation.models import Session
from studyplatform.studies.models import Study

from . import runs
from .models import AnalysisRun


def source_counts(study: Study) -> dict[str, int]:
    """Return source -> number of sessions, for the sources that have any, real ones first."""
    found = dict(study.sessions.values_list("source").annotate(Count("pk")).order_by())
    return {source: found[source] for source in Session.Source.values if source in found}


def latest_run(study: Study) -> AnalysisRun | None:
    return AnalysisRun.objects.filter(study=study).first()


def finished_run(study: Study, run_id: int) -> AnalysisRun:
    """Return a finished run of this study; AnalysisRun.DoesNotExist for any other."""
    return AnalysisRun.objects.get(study=study, pk=run_id, state=AnalysisRun.State.DONE)


def report_path(run: AnalysisRun) -> Path:
    return runs.folder_of(run) / "report" / "report.html"
