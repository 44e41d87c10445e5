"""The site's own processes: which command starts each, and how to start and stop several."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

STOP_AFTER = 20  # seconds of grace for a process that was asked to stop
# Without the query string: a panel id in it is a credential.
ACCESS_LOG = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(M)sms'


_ENVIRONMENT = {
    # Asked to stop, a worker ends what it renders instead of finishing the queue first; the
    # ledger gives the row to the next one.
    "REMAP_SIGTERM": "SIGQUIT",
    # One thread per rendering child: several of them share the cores already.
    "DJANGO_SETTINGS_MODULE": "studyplatform.settings",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


class ProcessError(Exception):
    """A process that did not come up; the message says which and why."""


def gunicorn_command(
    port: int, *, workers: int, threads: int = 4, access_log: str = ""
) -> list[str]:
    """Return the command of the web server; `access_log` is a file, - for standard output."""
    command = [sys.executable, "-m", "gunicorn", "studyplatform.wsgi:application"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
    command += ["--worker-class", "gthread", "--threads", str(threads), "--keep-alive", "15"]
    # Long enough for an export; short enough to notice a stuck process.
    command += ["--timeout", "120", "--graceful-timeout", "10", "--no-control-socket"]
    command += ["--log-level", "warning"]
    if access_log:
        command += ["--access-logfile", access_log, "--access-logformat", ACCESS_LOG]
    return command


def worker_command(*, concurrency: int) -> list[str]:
    """Return the command of the one Celery worker, with the clock that sends the sweeps.

    Prefork: a heatmap method that crashes takes a child with it, not the worker; TensorFlow is
    first touched in the children.
    """
    command = [sys.executable, "-m", "celery", "-A", "studyplatform", "worker", "--beat"]
    command += ["--pool", "prefork", "--concurrency", str(concurrency), "--loglevel", "WARNING"]
    # One worker has nobody to gossip with, and the file broker pays for every message.
    return [*command, "--without-gossip", "--without-mingle", "--without-heartbeat"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(address: str, timeout: float = 5) -> bool:
    """Return whether `address` answers with 200."""
    try:
        with urllib.request.urlopen(address, timeout=timeout) as response:
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):  # the latter: who answers speaks no HTTP
        return False


class Group:
    """Processes that live and end together. A context manager: at its end none is left."""

    def __init__(self, say: Callable[[str], None] = lambda text: None) -> None:
        self.say = say
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self,
        name: str,
        command: list[str],
        log: Path | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Start a process in a process group of its own, its output going to `log`, if given.

        `before` runs in the new process before the command does.
        """
        output = log.open("ab") if log else None
        try:
            # Its own group, so that Ctrl-C reaches this process alone, which stops the others.
            self.running[name] = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
                preexec_fn=before,
                env={**_ENVIRONMENT, **os.environ},
            )
        finally:
            if output:
                output.close()

    def ended(self) -> dict[str, int]:
        """Return name -> exit code of the processes that have ended by themselves."""
        codes = {name: process.poll() for name, process in self.running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def forget(self, name: str) -> None:
        """Let go of a process that has ended, killing the children it left."""
        process = self.running.pop(name)
        with_children(process.pid, signal.SIGKILL)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until `ready()`; ProcessError when a process ends first or time runs out."""
        limit = time.monotonic() + seconds
        while not ready():
            if ended := self.ended():
                name, code = next(iter(ended.items()))
                raise ProcessError(f"the {name} ended with exit code {code} instead of starting")
            if time.monotonic() > limit:
                raise ProcessError(f"{what} is not ready after {seconds:.0f} seconds")
            time.sleep(0.2)

    def stop(self) -> None:
        """Ask every process to stop, wait, and kill what stays, children and all."""
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        limit = time.monotonic() + STOP_AFTER
        for name, process in self.running.items():
            try:
                process.wait(max(limit - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                self.say(f"The {name} does not stop by itself; it is killed.")
            with_children(process.pid, signal.SIGKILL)
            process.wait()
        self.running.clear()

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def with_children(group: int, number: signal.Signals) -> None:
    """Send a signal to what is left of a process group."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


@contextmanager
def web_server(*, workers: int = 2, log: Path | None = None) -> Iterator[str]:
    """Run the web server alone on a free port and yield its address."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with Group() as group:
        group.start("web server", gunicorn_command(port, workers=workers), log)
        group.wait_until(lambda: answers(f"{base}/healthz"), seconds=60, what="the web server")
        yield base
