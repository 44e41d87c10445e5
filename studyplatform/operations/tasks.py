"""The worker's sign of life.

Written by the worker's main process and not by a task: while all its children render, a task
would wait behind them, and a busy worker would look like a dead one.
"""

from typing import Any

from celery import bootsteps
from django.db import connections

from studyplatform.celery import app

from . import health


def sign_of_life() -> None:
    health.heartbeat_write()
    # A child forked later, in place of a lost one, must not inherit a connection.
    connections.close_all()


class SignOfLife(bootsteps.StartStopStep):
    requires = {"celery.worker.components:Timer", "celery.worker.components:Pool"}

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        self.timer: Any = None
        super().__init__(worker, **kwargs)

    def start(self, worker: Any) -> None:
        sign_of_life()
        self.timer = worker.timer.call_repeatedly(health.HEARTBEAT_EVERY, sign_of_life)

    def stop(self, worker: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


app.steps["worker"].add(SignOfLife)
