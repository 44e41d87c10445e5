"""What somebody sent: kept until the job that wanted it has ended, and no longer.

A job that was cancelled, or broken off by a fault that is not the upload's, may be gone on with:
its upload and what it has done so far stay for a day.
"""

import secrets
import shutil
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

from django.core.files.move import file_move_safe
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from .. import media
from ..models import Job
from .errors import StimuliError

KEPT = timedelta(days=1)
ENDINGS = (".zip", ".keras")


def upload_keep(*, file: UploadedFile) -> str:
    """Keep an uploaded zip or Keras file for a job, and return the token that stands for it.

    Raises StimuliError, and keeps nothing, for another kind of file.
    """
    name = file.name or "The file"
    ending = Path(name).suffix.lower()
    if ending not in ENDINGS:
        raise StimuliError(f"{name} ends in {ending or 'nothing'}; expected .zip or .keras.")
    if not zipfile.is_zipfile(file):  # a .keras file is one as well
        kind = "Keras file" if ending == ".keras" else "zip file"
        raise StimuliError(f"{name} is no {kind}, whatever its name says; it may be damaged.")
    token = f"{secrets.token_hex(16)}{ending}"
    target = media.upload_path(token)
    target.parent.mkdir(parents=True, exist_ok=True)
    file.seek(0)
    if hasattr(file, "temporary_file_path"):
        file_move_safe(file.temporary_file_path(), str(target))
        target.chmod(0o600)
    else:
        target.write_bytes(file.read())
    return token


def upload_find(token: str) -> Path:
    """Return where an upload lies; StimuliError where it is no longer kept."""
    path = media.upload_path(token)
    if not path.is_file():
        raise StimuliError("What was uploaded is no longer kept; upload it once more.")
    return path


def upload_discard(*, job: Job) -> None:
    """Remove a job's upload and what it kept for going on."""
    if token := job.parameters.get("upload"):
        media.upload_path(token).unlink(missing_ok=True)
    shutil.rmtree(media.work_path(job.pk), ignore_errors=True)


def uploads_sweep(*, now: datetime | None = None) -> int:
    """Remove the uploads and half-done work of no open job that are over a day old."""
    limit = ((now or timezone.now()) - KEPT).timestamp()
    waiting = Job.objects.filter(state__in=[Job.State.PENDING, Job.State.RUNNING])
    wanted = set()
    for job_id, parameters in waiting.values_list("pk", "parameters"):
        wanted |= {str(job_id), parameters.get("upload", "")}
    removed = 0
    for folder in ("uploads", "work"):
        for path in (media.root() / folder).glob("*"):
            if path.name in wanted or path.stat().st_mtime > limit:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            removed += 1
    return removed
