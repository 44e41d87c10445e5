"""Importing images as a job: from an uploaded zip file, or from a folder on the server."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from studyplatform.studies.models import Team
from studyplatform.studies.services import StudyError

from .. import media
from ..models import ImageSet, Job
from . import uploads
from .archives import MAX_ENTRIES, archive_unpack
from .errors import StimuliError
from .images import image_set_import, name_check, size_check
from .jobs import Tick, job_request
from .layouts import folder_check


def server_folders() -> list[str]:
    """Return the names of the folders that the administrator offers for import."""
    root = Path(settings.IMPORT_ROOT) if settings.IMPORT_ROOT else None
    if root is None or not root.is_dir():
        return []
    folders = (path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(path.name for path in folders if not path.name.startswith("."))


def image_import_request(
    *,
    team: Team,
    name: str,
    size: int,
    file: UploadedFile | None = None,
    folder: str = "",
    user_id: int | None = None,
) -> Job:
    """Ask for an import, from a zip file or from a folder of `server_folders`.

    Raises StimuliError for a name that is taken or asked for already, and for no or two sources.
    """
    name_check(ImageSet, name, team)
    size_check(size)
    check_not_asked(team, Job.Kind.IMPORT, name)
    if (file is None) == (not folder):
        raise StimuliError("Choose a zip file, or a folder on the server: one of the two.")
    parameters: dict[str, Any] = {"name": name, "size": size}
    if file is not None:
        parameters |= {"upload": uploads.upload_keep(file=file), "source": file.name or "upload"}
    elif folder in server_folders():
        parameters |= {"folder": folder, "source": folder}
    else:
        raise StimuliError(f"There is no folder {folder!r} to import from.")
    return job_request(
        team=team, kind=Job.Kind.IMPORT, subject=name, parameters=parameters, user_id=user_id
    )


def check_not_asked(team: Team, kind: Job.Kind, name: str) -> None:
    """Raise StimuliError where an open job will make something of this name."""
    waiting = [Job.State.PENDING, Job.State.RUNNING]
    if Job.objects.filter(team=team, kind=kind, subject=name, state__in=waiting).exists():
        raise StimuliError(f"{name!r} is being made already; wait for it, or choose another name.")


def image_import(job: Job, tick: Tick) -> dict[str, Any]:
    """Do an import job. Pictures are kept by their content: what was stored is not stored again."""
    made = ImageSet.objects.filter(team=job.team, origin__job=job.pk).first()
    if made is None:
        try:
            with _source(job, tick) as folder:
                made = _import(job, tick, folder)
        except StudyError:
            uploads.upload_discard(job=job)  # sent once more it would be refused once more
            raise
    uploads.upload_discard(job=job)
    return {"image_set": made.pk}


def _import(job: Job, tick: Tick, folder: Path) -> ImageSet:
    wanted = job.parameters
    try:
        report = image_set_import(
            name=wanted["name"],
            folder=folder,
            size=wanted["size"],
            team=job.team,
            origin={"source": wanted["source"], "job": job.pk},
            progress=lambda done, total: tick(done, total, "Reading the images"),
        )
    except StudyError as error:
        raise StimuliError(
            [without_path(sentence, folder, wanted["source"]) for sentence in error.problems]
        ) from error
    return report.image_set


def without_path(sentence: str, path: Path, shown: str) -> str:
    """Return a sentence with the name people know instead of a place on the server."""
    return sentence.replace(f"{path}/", "").replace(str(path), shown)


@contextmanager
def _source(job: Job, tick: Tick) -> Iterator[Path]:
    """Yield the folder to import, with nothing in it that leads elsewhere."""
    wanted = job.parameters
    if "folder" in wanted:
        if wanted["folder"] not in server_folders():
            raise StimuliError(f"There is no folder {wanted['folder']!r} to import from any more.")
        folder = Path(settings.IMPORT_ROOT) / wanted["folder"]
        folder_check(folder, at_most=MAX_ENTRIES)
        yield folder
        return
    archive = uploads.upload_find(wanted["upload"])
    place = media.work_path(job.pk)
    shutil.rmtree(place, ignore_errors=True)  # what a lost worker left
    place.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=place) as unpacked:
        archive_unpack(
            path=archive,
            folder=Path(unpacked),
            name=wanted["source"],
            progress=lambda done, total: tick(done, total, "Unpacking"),
        )
        yield Path(unpacked)
