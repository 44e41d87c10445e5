"""`runlocal` starts everything, mends what falls over, and leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

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


def leaders(folder: Path, part: str) -> set[int]:
    """Return those of these processes that lead their process group: no children of a pool."""
    found = set()
    for pid in pids_of(folder, part):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == pid:
                found.add(pid)
    return found


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
    [killed] = leaders(tmp_path, "celery")
    os.kill(killed, signal.SIGKILL)
    assert wait(lambda: bool(leaders(tmp_path, "celery") - {killed}))
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


@pytest.mark.parametrize("command", ["runlocal", "demo"])
@pytest.mark.parametrize(
    "wrong", ["--port=-1", "--port=0", "--port=70000", "--port=http", "--workers=0"]
)
def test_a_wrong_argument_is_one(command: str, wrong: str) -> None:
    with pytest.raises(CommandError, match=f"argument {wrong.partition('=')[0]}: .* is no "):
        call_command(command, wrong)


def runs_into(problem: str, environment: dict[str, str], folder: Path) -> bool:
    """Return whether a command on this VAR_DIR ends with one sentence that says so."""
    result = subprocess.run(
        [sys.executable, "manage.py", "runlocal"], cwd=settings.BASE_DIR, text=True,
        env={**environment, "VAR_DIR": str(folder)}, capture_output=True,
    )  # fmt: skip
    told = f"Not configured: VAR_DIR is {folder}; expected a folder that can be written to"
    return result.returncode == 1 and result.stderr == f"{told}: {problem}.\n"


def test_a_var_dir_that_is_a_file_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "file").touch()
    assert runs_into("File exists", environment, tmp_path / "file")
    assert runs_into("Not a directory", environment, tmp_path / "file" / "var")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_var_dir_of_somebody_elses_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "theirs").mkdir(mode=0o555)
    assert runs_into("Permission denied", environment, tmp_path / "theirs")
    assert runs_into("Permission denied", environment, tmp_path / "theirs" / "var")


def test_ctrl_c_while_it_starts_is_no_error(tmp_path: Path, environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runlocal", "--port", str(processes.free_port())],
        cwd=settings.BASE_DIR, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        # As at a terminal, also where the tests run in the background.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    # From the lock on, the database is brought up to date, which takes seconds.
    assert wait(lambda: (tmp_path / "runlocal.lock").exists() or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert output.strip() in ("Stopped.", "Stopping ...")
    assert pids_of(tmp_path) == []
