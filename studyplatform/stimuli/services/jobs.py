"""Long work as rows of a ledger: asked for in the console, done by a worker, cancelled by anybody.

What each kind of job does stands in `stimuli.work`; a kind's work must bear being done again from
the start after a crash, and keeps what is costly (files named by content, scores, heatmaps).
"""

import logging
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from studyplatform.studies.models import Study, Team
from studyplatform.studies.services import StudyError
from studyplatform.studies.spec import SpecError

from ..models import Job
from .leases import LeaseLostError, lease_renewed

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Tick = Callable[..., None]
Work = Callable[[Job, Tick], dict[str, Any]]
"""Does a job's work, calling tick(done, total, step="") on the way; returns the job's result."""

LEASE = timedelta(seconds=60)
RENEW_AFTER = timedelta(seconds=15)
MAX_ATTEMPTS = 3
_WRITE_AFTER = 0.5  # seconds between two notes of progress
_OPEN = (Job.State.PENDING, Job.State.RUNNING)


class JobCancelledError(Exception):
    """Somebody asked for the job to end."""


def job_request(
    *,
    team: Team,
    kind: Job.Kind,
    subject: str,
    parameters: dict[str, Any] | None = None,
    study: Study | None = None,
    user_id: int | None = None,
) -> Job:
    """Return the job that will do this: the same one if it is open, else a new one, poked."""
    same = Job.objects.filter(
        team=team, kind=kind, study=study, parameters=parameters or {}, state__in=_OPEN
    )
    job = same.filter(cancel_asked=False).first() or Job.objects.create(
        team=team,
        kind=kind,
        study=study,
        subject=subject,
        parameters=parameters or {},
        requested_by_id=user_id,
    )
    _poke(job.pk)
    return job


def job_cancel(*, job: Job) -> None:
    """End a job: at once where it waits, at its next step where it runs."""
    mine = Job.objects.filter(pk=job.pk)
    waiting = mine.filter(state=Job.State.PENDING)
    if not waiting.update(state=Job.State.CANCELLED, finished_at=timezone.now()):
        mine.filter(state=Job.State.RUNNING).update(cancel_asked=True)


def job_retry(*, job: Job) -> None:
    """Let a job that failed or was cancelled wait again, with all attempts."""
    ended = Job.objects.filter(pk=job.pk, state__in=[Job.State.FAILED, Job.State.CANCELLED])
    if ended.update(
        state=Job.State.PENDING, attempts=0, cancel_asked=False, error="", finished_at=None
    ):
        _poke(job.pk)


def jobs_due(*, clock: Clock = timezone.now) -> list[int]:
    """Return the ids of jobs nobody works on; those whose workers were always lost have failed."""
    lost = Job.objects.filter(_due(clock()), state=Job.State.RUNNING, attempts__gte=MAX_ATTEMPTS)
    lost.update(
        state=Job.State.FAILED,
        claim="",
        leased_until=None,
        finished_at=clock(),
        error=f"The worker was lost {MAX_ATTEMPTS} times while it did this.",
    )
    return list(Job.objects.filter(_due(clock())).order_by("pk").values_list("pk", flat=True))


def job_run(
    *,
    job_id: int,
    work: Work | None = None,
    clock: Clock = timezone.now,
    renew_every: timedelta = RENEW_AFTER,
) -> bool:
    """Do a job if nobody else does; return whether this call brought it to an end.

    It ends as done with what the work returned, as failed with the reason, or as cancelled. A job
    whose lease went to another worker is left to that one. work: that of the job's kind.
    """
    from .. import work as kinds

    claim = secrets.token_hex(16)
    claimed = Job.objects.filter(_due(clock()), pk=job_id).update(
        state=Job.State.RUNNING,
        claim=claim,
        leased_until=clock() + LEASE,
        attempts=F("attempts") + 1,
        started_at=clock(),
        done=0,
        total=0,
        step="",
        error="",
    )
    job = Job.objects.select_related("team", "study").filter(pk=job_id, claim=claim).first()
    if not claimed or job is None:
        return False

    def renew() -> None:
        if not _mine(job).update(leased_until=clock() + LEASE):
            raise LeaseLostError(str(job))

    try:
        with lease_renewed(renew, name=f"job {job.pk}", every=renew_every):
            result = (work or kinds.of(job))(job, _tick(job))
    except LeaseLostError:
        logger.warning("Job %s went to another worker", job.pk)
        return False
    except JobCancelledError:
        return _end(job, clock, state=Job.State.CANCELLED)
    except Exception as error:
        if not (sentences := _problems(error)):
            logger.exception("Job %s failed", job.pk)
            sentences = [f"{type(error).__name__}: {error}"]
        return _end(job, clock, state=Job.State.FAILED, error="\n".join(sentences))
    except BaseException:
        # Stopped by hand: no fault of the job.
        _mine(job).update(
            state=Job.State.PENDING, claim="", leased_until=None, attempts=F("attempts") - 1
        )
        raise
    return _end(job, clock, state=Job.State.DONE, result=result)


def _due(now: datetime) -> Q:
    lost = Q(state=Job.State.RUNNING, leased_until__lt=now)
    return Q(state=Job.State.PENDING) | lost


def _mine(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, claim=job.claim, state=Job.State.RUNNING)


def _tick(job: Job) -> Tick:
    """Note progress now and then; raises where the job is cancelled or went to another worker."""
    last = 0.0

    def tick(done: int, total: int, step: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _WRITE_AFTER and done < total:
            return
        last = now
        if not _mine(job).update(done=done, total=total, step=step[:120]):
            raise LeaseLostError(str(job))
        if Job.objects.filter(pk=job.pk, cancel_asked=True).exists():
            raise JobCancelledError(str(job))

    return tick


def _problems(error: Exception) -> list[str]:
    """Return the sentences of an error made for people; nothing for any other."""
    from explainers import ExplainerError

    if isinstance(error, StudyError | SpecError):
        return error.problems
    return [str(error)] if isinstance(error, ExplainerError) else []


def _end(job: Job, clock: Clock, **values: Any) -> bool:
    ended = _mine(job).update(
        claim="", leased_until=None, cancel_asked=False, finished_at=clock(), **values
    )
    return bool(ended)


def _poke(job_id: int) -> None:
    from ..tasks import do_job

    # A worker must not look for the row before it is there.
    transaction.on_commit(lambda: do_job.delay(job_id))
