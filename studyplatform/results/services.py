"""Writes exports and reports."""

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from defusedcsv import csv
from django.utils import timezone

from studyplatform.studies.models import Study

from . import dictionary
from .columns import as_text
from .dataset import FAITHFULNESS, Dataset
from .snapshot import one_state

MANIFEST = "manifest.json"


class ExportError(Exception):
    """An export or report that could not be written; the message says why."""


@dataclass(frozen=True)
class Export:
    """A finished export: its folder, rows per data file, and the hash over all its files."""

    folder: Path
    rows: dict[str, int]
    sha256: str


def study_export(
    *,
    study: Study,
    source: str,
    out_dir: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Export:
    """Write the study's data to the folder `out_dir` and return what was written.

    The folder appears whole or not at all; an earlier export there is replaced, unless it holds a
    file that the export did not write; that and anything else is refused (ExportError).
    `progress(done, total)` counts sessions, once per file. Raises dataset.DatasetError for an
    unknown source or a study without published version.
    """
    with _whole_folder(out_dir) as folder, one_state():
        counter = _Counter(progress)
        dataset = Dataset(study, source, counter.tick)
        tables = dataset.tables()
        counter.total = dataset.sessions().count() * len(tables.keys() - {FAITHFULNESS})
        rows = {
            name: _write_csv(
                folder / name,
                [column.name for column in columns],
                ([as_text(column.get(row)) for column in columns] for row in found),
            )
            for name, (columns, found) in tables.items()
        }
        described = {name: columns for name, (columns, _) in tables.items()}
        _write_csv(folder / "data_dictionary.csv", dictionary.HEADER, dictionary.rows(described))
        _write_json(folder / "plan.json", dataset.plan())
        for version in dataset.versions.values():
            newest = version.pk == dataset.version.pk
            name = "spec.json" if newest else f"spec_v{version.number}.json"
            _write_json(folder / name, version.data)
        sha256 = _write_manifest(folder, dataset, rows)
    return Export(out_dir, rows, sha256)


def study_analyse(
    *,
    study: Study,
    source: str,
    out_dir: Path,
    codes: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    step: Callable[[float, str], None] | None = None,
) -> Export:
    """Export into `out_dir`/data and write the report into `out_dir`/report.

    `progress` is the export's; the report tells `step(share, words)` how far it is. Where no report
    can be made, ExportError says why; the data stay. Codes that cannot be read are told first.
    """
    from analysis import load, report
    from analysis.errors import AnalysisError

    if codes is not None:
        _check_path(codes)
        try:
            load.read_table(codes, {})
        except AnalysisError as error:
            raise ExportError(str(error)) from error
    export = study_export(study=study, source=source, out_dir=out_dir / "data", progress=progress)
    try:
        report.build(
            export.folder,
            out_dir / "report",
            codes=codes,
            source=None if source == "all" else source,
            progress=step,
        )
    except AnalysisError as error:
        raise ExportError(str(error)) from error
    return export


def study_archive(*, study: Study, source: str) -> IO[bytes]:
    """Return the export as an open zip file at its start; closing it removes it."""
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's response closes it
    try:
        with tempfile.TemporaryDirectory() as folder:
            export = study_export(study=study, source=source, out_dir=Path(folder) / "export")
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
                for path in sorted(export.folder.iterdir()):
                    packed.write(path, f"{study.slug}/{path.name}")
        archive.seek(0)
    except BaseException:
        archive.close()
        raise
    return archive


class _Counter:
    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self.progress = progress
        self.done = 0
        self.total = 0

    def tick(self) -> None:
        self.done += 1
        if self.progress:
            self.progress(self.done, self.total)


@contextmanager
def _whole_folder(out_dir: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of `out_dir` when all went well."""
    _check_path(out_dir)
    # Behind a link the folder itself is replaced, and the link goes on pointing at it.
    target = Path(os.path.realpath(out_dir))
    try:
        _check_replaceable(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".export.", dir=target.parent))
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror}") from error
    old = draft.with_name(draft.name + ".old")
    try:
        draft.chmod(0o755)
        yield draft
        # Again: files may have come while the data were read.
        _check_replaceable(target)
        if target.exists():
            os.replace(target, old)
        os.replace(draft, target)
    finally:
        if old.exists() and not target.exists():
            os.replace(old, target)
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _check_path(path: Path) -> None:
    if "\0" in str(path):
        raise ExportError(f"{str(path)!r} is no path; expected one without a NUL character")


def _check_replaceable(target: Path) -> None:
    """Raise ExportError unless `target` is new, an empty folder, or holds an export alone."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ExportError(f"{target} is no folder; expected a new folder or an earlier export")
    held = sorted(target.iterdir()) if target.exists() else []
    if not held:
        return
    written = _files_of_export(target)
    if not written:
        raise ExportError(
            f"{target} exists and is no earlier export; expected a new folder, an empty one or "
            "one written by export_study"
        )
    for path in held:
        if path.name not in written or not path.is_file():
            raise ExportError(
                f"{target} holds {path.name}, which the earlier export there did not write and a "
                "new one would delete; move it elsewhere, or choose another folder"
            )


def _files_of_export(folder: Path) -> set[str]:
    """Return the names of the files of the export in a folder; none where it holds no export.

    A manifest is ours when its checksum is that of the files it lists.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, ValueError, RecursionError):
        return set()
    sums = manifest.get("files_sha256") if isinstance(manifest, dict) else None
    if not isinstance(sums, dict) or manifest.get("sha256") != _sha256_of_sums(sums):
        return set()
    return {*sums, MANIFEST}


def _write_csv(path: Path, header: list[str], rows: Iterable[list[str]]) -> int:
    """Write a CSV file whose cells no spreadsheet takes for formulas; return its rows."""
    count = 0
    # A stored answer may hold half a surrogate pair, which UTF-8 cannot; it is written escaped.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_manifest(folder: Path, dataset: Dataset, rows: dict[str, int]) -> str:
    sums = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    sha256 = _sha256_of_sums(sums)
    versions = [
        {"number": version.number, "sha256": version.sha256}
        for version in dataset.versions.values()
    ]
    manifest = {
        "study": dataset.study.slug,
        "source": dataset.source,
        "exported_at": as_text(timezone.now()),
        "versions": versions,
        "rows": rows,
        "files_sha256": sums,
        "sha256": sha256,
    }
    _write_json(folder / MANIFEST, manifest)
    return sha256


def _sha256_of_sums(sums: dict[str, str]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    return hashlib.sha256(lines.encode(errors="replace")).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
