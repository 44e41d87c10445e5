"""Where files lie under MEDIA_ROOT, and how one gets there whole or not at all.

images/<aa>/<sha>.png       the pixels the network sees; <sha> is of the pixels
display/<aa>/<sha>.webp     what people see (pictures and overlays); <sha> is of the file
heatmaps/<aa>/<key>-<sha>.npy  raw heatmaps; <key> is the ledger row's, <sha> is of the file
classifiers/<sha>.keras     networks; <sha> is of the file
uploads/<token>.<ending>    what somebody sent, until the job that wanted it has ended
work/<job>/                 what a job keeps for the case that it is interrupted
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings


def root() -> Path:
    return Path(settings.MEDIA_ROOT)


def image_path(sha256: str) -> Path:
    return root() / "images" / sha256[:2] / f"{sha256}.png"


def display_path(sha256: str) -> Path:
    return root() / "display" / sha256[:2] / f"{sha256}.webp"


def heatmap_path(key: str, sha256: str) -> Path:
    return root() / "heatmaps" / key[:2] / f"{key}-{sha256}.npy"


def heatmap_files(key: str) -> list[Path]:
    """Return every file of a ledger row: the published one, and what lost workers left."""
    return sorted((root() / "heatmaps" / key[:2]).glob(f"{key}-*.npy"))


def classifier_path(sha256: str) -> Path:
    return root() / "classifiers" / f"{sha256}.keras"


def upload_path(token: str) -> Path:
    return root() / "uploads" / token


def work_path(job_id: int) -> Path:
    return root() / "work" / str(job_id)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """Yield a temporary file beside `target`; it is gone afterwards unless moved by then.

    Beside it, because `os.replace` is atomic within one file system only.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".draft-", suffix=target.suffix)
    os.close(handle)
    path = Path(name)
    path.chmod(0o644)  # mkstemp's 0600 would keep a web server of another user from reading it
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until the file's content is on the disk, so that a rename never outruns it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_once(target: Path, content: bytes) -> None:
    """Write a content-named file unless it is there already."""
    if target.exists():
        return
    with draft(target) as path:
        path.write_bytes(content)
        flush_to_disk(path)
        os.replace(path, target)


def discard_old_drafts(folder: Path, age: timedelta) -> None:
    """Remove what processes killed while writing left behind; a living one takes far less long."""
    limit = time.time() - age.total_seconds()
    for path in folder.glob(".draft-*"):
        try:
            if path.stat().st_mtime < limit:
                path.unlink()
        except FileNotFoundError:
            continue
