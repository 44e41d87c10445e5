"""Reports as rows of a ledger: asked for at the console, made by a worker, kept under media."""

import logging
import os
import secrets
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from studyplatform.stimuli.services.leases import LeaseLostError
from studyplatform.studies.models import Study

from . import services
from .dataset import DatasetError
from .models import AnalysisRun

log = logging.getLogger(__name__)
# The slowest single step of a report stays far below this; progress renews it.
LEASE = timedelta(minutes=5)
EXPORT_SHARE = 0.2


def folder_of(run: AnalysisRun) -> Path:
    """Return where the run's data and report are kept."""
    return Path(settings.MEDIA_ROOT) / "reports" / f"{run.pk}"


def run_request(*, study: Study, source: str, user_id: int | None) -> AnalysisRun:
    """Return the run that will make this report: the one under way, else a new one, poked."""
    from .tasks import make_report

    waiting = [AnalysisRun.State.PENDING, AnalysisRun.State.RUNNING]
    run = AnalysisRun.objects.filter(study=study, source=source, state__in=waiting).first()
    if run is None:
        run = AnalysisRun.objects.create(study=study, source=source, requested_by_id=user_id)
    make_report.delay(run.pk)
    return run


def runs_due(now: datetime) -> list[int]:
    """Return the ids of runs nobody works on."""
    return list(AnalysisRun.objects.filter(_due(now)).order_by("pk").values_list("pk", flat=True))


def run_make(*, run_id: int) -> bool:
    """Make a report if nobody else does; return whether this call made it.

    The run ends as done or failed (with the reason); its files appear whole or not at all.
    """
    claim = secrets.token_hex(16)
    now = timezone.now()
    claimed = AnalysisRun.objects.filter(_due(now), pk=run_id).update(
        state=AnalysisRun.State.RUNNING,
        claim=claim,
        leased_until=now + LEASE,
        progress=0,
        step="Exporting the data",
    )
    if not claimed:
        return False
    run = AnalysisRun.objects.select_related("study").get(pk=run_id)
    try:
        sha256 = _make(run, claim)
    except LeaseLostError:
        log.warning("report %s was taken over by another worker", run_id)
        return False
    except (services.ExportError, DatasetError) as error:
        return _finish(run, claim, state=AnalysisRun.State.FAILED, error=str(error))
    except Exception:
        log.exception("report %s failed", run_id)
        reason = "The report could not be made; the reason is in the worker's log."
        _finish(run, claim, state=AnalysisRun.State.FAILED, error=reason)
        raise
    return _finish(
        run, claim, state=AnalysisRun.State.DONE, snapshot_sha256=sha256, progress=1, step=""
    )


def _due(now: datetime) -> Q:
    lost = Q(state=AnalysisRun.State.RUNNING, leased_until__lt=now)
    return Q(state=AnalysisRun.State.PENDING) | lost


def _make(run: AnalysisRun, claim: str) -> str:
    target = folder_of(run)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{run.pk}.", dir=target.parent))

    def report_step(share: float, words: str) -> None:
        _renew(run, claim, progress=EXPORT_SHARE + (1 - EXPORT_SHARE) * share, step=words)

    try:
        made = services.study_analyse(
            study=run.study, source=run.source, out_dir=draft, step=report_step
        )
        _renew(run, claim)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return made.sha256


def _renew(run: AnalysisRun, claim: str, **values: Any) -> None:
    mine = AnalysisRun.objects.filter(pk=run.pk, claim=claim)
    if not mine.update(leased_until=timezone.now() + LEASE, **values):
        raise LeaseLostError


def _finish(run: AnalysisRun, claim: str, **values: Any) -> bool:
    mine = AnalysisRun.objects.filter(pk=run.pk, claim=claim)
    return bool(mine.update(finished_at=timezone.now(), leased_until=None, **values))
