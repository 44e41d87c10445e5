"""The site on one machine: a web server and one Celery worker, started, watched and stopped."""

import ctypes
import fcntl
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from . import processes
from .processes import Group, ProcessError

READY_AFTER = 120  # seconds
RESTARTS = 5
RESTART_WINDOW = 60  # seconds
TICK_EVERY = 2.0  # seconds


def prepare() -> None:
    """Bring database, cache table and static files up to date. Run again it changes nothing."""
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    connections.close_all()


class LocalSite:
    """Runs the site until it is told to stop.

    A process that ends by itself is started again, a few times; then everything stops.
    """

    def __init__(
        self, *, port: int, workers: int, renderers: int, say: Callable[[str], None]
    ) -> None:
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.say = say
        self.stopping = threading.Event()
        self.logs = Path(settings.VAR_DIR) / "log"
        self.commands = {
            "web server": processes.gunicorn_command(
                port, workers=workers, access_log=str(self.logs / "access.log")
            ),
            "worker": processes.worker_command(concurrency=renderers),
        }
        self._restarts: deque[float] = deque(maxlen=RESTARTS)

    def run(
        self,
        *,
        before: Callable[[], None] = lambda: None,
        ready: Callable[[], None] = lambda: None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Bring the database up to date, call `before`, start everything, call `ready` once it
        answers, and `tick` every two seconds.

        Returns after SIGINT or SIGTERM, with nothing left running; ProcessError where it cannot
        run: the port is taken, another one runs on the same files, a process keeps ending.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProcessError(f"{self.logs} cannot be made: {error.strerror}") from error
        with _only_one(), Group(self.say) as group:
            if not processes.port_is_free(self.port):
                raise ProcessError(
                    f"port {self.port} is taken by another program; choose another with --port"
                )
            prepare()
            before()
            handlers = {number: signal.signal(number, self._stop) for number in _STOP}
            try:
                for name in self.commands:
                    self._start(group, name)
                self._wait(group)
                if not self.stopping.is_set():
                    ready()
                while not self.stopping.wait(TICK_EVERY):
                    self._watch(group)
                    tick()
                    connections.close_all()
            finally:
                self.say("Stopping ...")
                group.stop()
                for number, handler in handlers.items():
                    signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping.set()

    def _start(self, group: Group, name: str) -> None:
        log = self.logs / f"{name.replace(' ', '-')}.log"
        group.start(name, self.commands[name], log, before=_end_with_parent)

    def _wait(self, group: Group) -> None:
        try:
            group.wait_until(
                lambda: self.stopping.is_set() or processes.answers(f"{self.base}/readyz"),
                seconds=READY_AFTER,
                what="the site",
            )
        except ProcessError as error:
            raise ProcessError(f"{error}; see {self.logs}") from error

    def _watch(self, group: Group) -> None:
        for name, code in group.ended().items():
            now = time.monotonic()
            if len(self._restarts) == RESTARTS and now - self._restarts[0] < RESTART_WINDOW:
                raise ProcessError(f"the {name} keeps ending (exit code {code}); see {self.logs}")
            self._restarts.append(now)
            self.say(f"The {name} ended with exit code {code}; it is started again.")
            group.forget(name)
            self._start(group, name)


_STOP = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold a lock on this installation's files, so that no two sets of workers run on them."""
    with (Path(settings.VAR_DIR) / "runlocal.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ProcessError(
                f"the site already runs on {settings.VAR_DIR}; stop it first (Ctrl-C there)"
            ) from error
        yield


def _end_with_parent() -> None:
    """On Linux, let the kernel stop this process when its parent is killed."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def default_renderers() -> int:
    """Return how many heatmaps to render at a time: one per core this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1
