"""`runlocal` starts everything, mends what falls over, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from studyplatform.operations import processes

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="looks for processes under /proc, which only Linux has"
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An installation of its own, under tmp_path, whatever this test run uses."""
    foreign = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "MEDIA_ROOT", "PLAIN_STATIC"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, "VAR_DIR": str(tmp_path)}


def pids_of(folder: Path, part: str = "") -> list[int]:
    """Return the processes that run on this folder and have `part` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"VAR_DIR={folder}\0" in (entry / "environ").read_text():
                command = (entry / "cmdline").read_text().replace("\0", " ")
                if part in command:
                    found.append(int(entry.name))
        except (OSError, UnicodeDecodeError):
            continue
    return sorted(found)


def wait(condition: Callable[[], bool], seconds: float = 60) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


@pytest.fixture
def port() -> int:
    return processes.free_port()


@pytest.fixture
def site(tmp_path: Path, environment: dict[str, str], port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "manage.py", "runlocal", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--renderers", "1"], cwd=settings.BASE_DIR, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()
    for pid in pids_of(tmp_path):
        os.kill(pid, signal.SIGKILL)


def test_it_runs_mends_itself_and_stops_whole(
    site: subprocess.Popen[str], port: int, tmp_path: Path, environment: dict[str, str]
) -> None:
    base = f"http://127.0.0.1:{port}"
    assert wait(lambda: processes.answers(f"{base}/readyz") or site.poll() is not None, 120)
    killed = min(pids_of(tmp_path, "celery"))
    os.kill(killed, signal.SIGKILL)
    assert wait(lambda: bool(pids_of(tmp_path, "celery")) and killed not in pids_of(tmp_path))
    assert processes.answers(f"{base}/healthz?PROLIFIC_PID=secret")

    second = subprocess.run(
        [sys.executable, "manage.py", "runlocal", "--port", str(processes.free_port())],
        cwd=settings.BASE_DIR, env=environment, text=True, capture_output=True,
    )  # fmt: skip
    assert second.returncode == 1
    assert "already runs" in second.stderr

    site.send_signal(signal.SIGTERM)
    output, _ = site.communicate(timeout=60)
    assert site.returncode == 0, output
    assert "The worker ended with exit code -9; it is started again." in output
    assert pids_of(tmp_path) == []
    assert processes.port_is_free(port)
    log = (tmp_path / "log" / "access.log").read_text()
    assert "GET /healthz" in log
    assert "secret" not in log


def test_a_taken_port_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "manage.py", "runlocal", "--port", str(port)],
            cwd=settings.BASE_DIR, env=environment, text=True, capture_output=True,
        )  # fmt: skip
    assert result.returncode == 1
    assert f"port {port} is taken by another program" in result.stderr
    assert pids_of(tmp_path) == []
