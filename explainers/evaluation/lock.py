"""One process at a time in a folder."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from explainers.errors import ExplainerError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = ".lock"


class WriteError(ExplainerError):
    """A file cannot be written, for want of room or rights; the next one could not be either."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder and hold it; the system lets go of it however the process ends.

    The file itself stays: where it is removed, two processes can each hold one of that name.
    Raises ExplainerError where another holds the folder, WriteError where it cannot be made.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror}.") from None
    with file:
        try:
            _hold(file)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise ExplainerError(
                    f"Another evaluation is running in {folder}; wait for its end, or choose "
                    "another folder."
                ) from None
            raise WriteError(f"{path} cannot be locked: {error.strerror}.") from None
        yield


def _hold(file: IO[bytes]) -> None:
    """Lock the open file at once or raise OSError; closing it lets go."""
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
