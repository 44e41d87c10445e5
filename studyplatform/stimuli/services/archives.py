"""The door for zip files: what one may hold is checked before anything of it is unpacked.

The limits leave room for PASCAL VOC 2012, the largest data set this is made for: 40,000 files of
2 GB. Photographs hardly shrink in a zip file: what grows a hundredfold is made to fill a disk.
"""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from .errors import StimuliError, listed
from .images import Progress, silent

MAX_ENTRIES = 50_000
MAX_TOTAL = 8 * 2**30  # bytes unpacked
MAX_SINGLE = 100 * 2**20
MAX_RATIO = 100
_SMALL = 2**20  # a list of names may shrink a lot, and does no harm
_MAX_TABLE = 16 * 2**20  # bytes of the table of contents: three times that of VOC 2012
_LONGEST_NAME = 300
_SPARE = 2**30  # bytes that stay free on the disk

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_JUNK = ("thumbs.db", "desktop.ini")


def archive_unpack(*, path: Path, folder: Path, name: str, progress: Progress = silent) -> None:
    """Unpack a zip file of images into an empty folder.

    What operating systems add (hidden files, __MACOSX) is left out. name: what people call the
    file, for sentences. Raises StimuliError, before anything is written, for a file that is no zip
    file, too many entries, too large ones, a suspicious ratio, paths that leave the folder, links,
    encrypted entries and archives inside the archive; and while it writes, for damaged entries.
    """
    with _opened(path, name) as archive:
        entries = [entry for entry in archive.infolist() if not _is_left_out(entry)]
        _check(entries, path.stat().st_size, name)
        _check_disk(sum(entry.file_size for entry in entries), folder)
        for done, entry in enumerate(entries, start=1):
            _write(archive, entry, folder, name)
            progress(done, len(entries))


@contextmanager
def _opened(path: Path, name: str) -> Iterator[zipfile.ZipFile]:
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(_Capped(file))  # type: ignore[arg-type]
        except _TableTooLongError:
            raise StimuliError(
                f"{name} lists far more files than {MAX_ENTRIES:,}, the most allowed."
            ) from None
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise StimuliError(f"{name} is no zip file, or damaged; expected a zip file.") from None
        with archive:
            yield archive


class _TableTooLongError(Exception):
    pass


class _Capped:
    """A file that refuses to be read in one go where that is the table of millions of entries.

    zipfile reads the table of contents at once, before anybody can ask how long it is.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size > _MAX_TABLE:
            raise _TableTooLongError
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _is_left_out(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    hidden = any(part == "__MACOSX" or (part[:1] == "." and part != "..") for part in parts)
    return entry.is_dir() or hidden or (bool(parts) and parts[-1].lower() in _JUNK)


def _check(entries: list[zipfile.ZipInfo], packed: int, name: str) -> None:
    if not entries:
        raise StimuliError(f"{name} is empty; expected photographs.")
    if len(entries) > MAX_ENTRIES:
        raise StimuliError(
            f"{name} holds {len(entries):,} files; expected at most {MAX_ENTRIES:,}."
        )
    total = sum(entry.file_size for entry in entries)
    if total > MAX_TOTAL:
        raise StimuliError(
            f"{name} would unpack to {_size(total)}; expected at most {_size(MAX_TOTAL)}."
        )
    if total > max(_SMALL, MAX_RATIO * packed):
        raise StimuliError(
            f"{name} would unpack to {total // packed} times its size; expected photographs, "
            f"which hardly shrink (at most {MAX_RATIO} times)."
        )
    if problems := [problem for entry in entries if (problem := _problem(entry))]:
        raise StimuliError(listed(problems))
    _check_distinct(entries, name)


def _problem(entry: zipfile.ZipInfo) -> str:
    """Return what speaks against an entry, in one sentence; "" for nothing."""
    shown = entry.filename if entry.filename.isprintable() else repr(entry.filename)
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
        return f"{shown[:200]}: its path leaves the folder; expected names within the archive."
    if not entry.filename.isprintable() or len(entry.filename) > _LONGEST_NAME:
        return f"{shown[:200]}: expected a printable name of at most {_LONGEST_NAME} characters."
    if kind and not stat.S_ISREG(kind):
        return f"{shown}: it is a link or a device; expected files and folders."
    if entry.flag_bits & 0x1:
        return f"{shown}: it is locked with a password; expected an open archive."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{shown}: it is packed in an unusual way; expected a plain zip file."
    if path.suffix.lower() in _ARCHIVES:
        return f"{shown}: it is an archive inside the archive; expected photographs."
    if entry.file_size > MAX_SINGLE:
        return (
            f"{shown}: it would unpack to {_size(entry.file_size)}; "
            f"expected at most {_size(MAX_SINGLE)} a file."
        )
    if entry.file_size > max(_SMALL, MAX_RATIO * entry.compress_size):
        return (
            f"{shown}: it would unpack to over {MAX_RATIO} times its size; expected a photograph."
        )
    return ""


def _check_distinct(entries: list[zipfile.ZipInfo], name: str) -> None:
    files: set[PurePosixPath] = set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path in files:
            raise StimuliError(f"{name} holds {path} twice.")
        files.add(path)
    for path in files:
        if both := files.intersection(path.parents):
            raise StimuliError(f"{name} holds {both.pop()} as a file and as a folder.")


def _check_disk(total: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < total + _SPARE:
        raise StimuliError(
            f"The server's disk has {_size(free)} left, which is too little to unpack "
            f"{_size(total)}; ask whoever runs it."
        )


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, name: str) -> None:
    target = folder.joinpath(*PurePosixPath(entry.filename).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Never more than the size the entry declares: zipfile stops there.
        with archive.open(entry) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, 2**20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise StimuliError(f"{name}: {entry.filename} in it is damaged.") from None


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
