"""Celery tasks: pokes. What there is to do stands in the ledger."""

from celery import shared_task

from .services import ledger

# A sweep's poke is worth nothing once the next sweep has come.
_SWEEP_POKE_EXPIRES = 20


@shared_task
def drain() -> int:
    """Render until the ledger is empty. Several at once share the rows; twice does nothing."""
    return ledger.ledger_drain()


@shared_task
def sweep() -> int:
    """Take back what lost workers held, and poke again while there is work."""
    requeued = ledger.ledger_sweep()
    if ledger.ledger_has_work():
        drain.apply_async(expires=_SWEEP_POKE_EXPIRES)
    return requeued
