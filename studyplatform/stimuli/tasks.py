"""Celery tasks: pokes. What there is to do stands in the ledger."""

from datetime import timedelta

from celery import shared_task

from .services import jobs, ledger, uploads

# Other tasks, such as a report somebody waits for, get their turn between two slices.
SLICE = timedelta(seconds=20)
# Pokes that waited longer are worth nothing, the sweep has sent others: so they never pile up.
_POKE_EXPIRES = 60
_SWEEP_POKE_EXPIRES = 20


@shared_task
def drain() -> int:
    """Render for a while, and poke again until the ledger is empty.

    Several at once share the rows; twice does nothing.
    """
    rendered = ledger.ledger_drain(at_most=SLICE)
    if ledger.ledger_has_work():
        drain.apply_async(expires=_POKE_EXPIRES)
    return rendered


@shared_task
def sweep() -> int:
    """Take back what lost workers held, and poke again while there is work."""
    requeued = ledger.ledger_sweep()
    if ledger.ledger_has_work():
        drain.apply_async(expires=_SWEEP_POKE_EXPIRES)
    return requeued


@shared_task
def do_job(job_id: int) -> None:
    """Do a job of the console; twice does nothing."""
    jobs.job_run(job_id=job_id)


@shared_task
def sweep_jobs() -> None:
    """Take up the jobs whose poke or whose worker was lost; remove what none needs any more."""
    uploads.uploads_sweep()
    for job_id in jobs.jobs_due():
        do_job.apply_async([job_id], expires=_SWEEP_POKE_EXPIRES)
