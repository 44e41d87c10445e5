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
from .dataset import Dataset
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

    The folder appears whole or not at all; an earlier export there is replaced, anything else is
    refused (ExportError). `progress(done, total)` counts sessions, once per file. Raises
    dataset.DatasetError for an unknown source or a study without published version.
    """
    with _whole_folder(out_dir) as folder, one_state():
        counter = _Counter(progress)
        dataset = Dataset(study, source, counter.tick)
        tables = dataset.tables()
        counter.total = dataset.sessions().count() * len(tables)
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
    can be made, ExportError says why; the data stay.
    """
    from analysis import report
    from analysis.errors import AnalysisError

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
def _whole_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `target` that takes its place when all went well."""
    target = target.absolute()
    replace = target.exists()
    ours = target.is_dir() and (not any(target.iterdir()) or (target / MANIFEST).is_file())
    if replace and not ours:
        raise ExportError(
            f"{target} exists and is no earlier export; expected a new folder, an empty one or "
            "one written by export_study"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror}") from error
    old = draft.with_name(draft.name + ".old")
    try:
        draft.chmod(0o755)
        yield draft
        if replace:
            os.replace(target, old)
        os.replace(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _write_csv(path: Path, header: list[str], rows: Iterable[list[str]]) -> int:
    """Write a CSV file whose cells no spreadsheet takes for formulas; return its rows."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
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
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    sha256 = hashlib.sha256(lines.encode()).hexdigest()
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
