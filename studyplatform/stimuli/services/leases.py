"""Keeping a lease while something is worked on."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

from django.db import DatabaseError, InterfaceError, connections

logger = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """The lease ran out and another worker took over: what this one makes is discarded."""


@contextmanager
def lease_renewed(renew: Callable[[], None], *, name: str, every: timedelta) -> Iterator[Event]:
    """Call `renew` again and again while the block runs; yields what is set once it is lost.

    From a thread, because one step alone (loading a network, tracing it, a pass through a large
    one) can take longer than a lease. `renew` raises LeaseLostError; `every` is in real time.
    """
    ended, lost = Event(), Event()

    def keep() -> None:
        while not ended.wait(every.total_seconds()):
            try:
                renew()
            except LeaseLostError:
                lost.set()
                return
            except (DatabaseError, InterfaceError):
                # The lease outlasts some of these; the next turn has a connection of its own.
                logger.warning("%s: its lease is not renewed", name, exc_info=True)
            finally:
                connections.close_all()  # this thread's

    thread = Thread(target=keep, name=f"lease of {name}", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        ended.set()
        thread.join()
