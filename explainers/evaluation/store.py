"""What of an evaluation is done, in its folder: one file per column and image, whole or not at all.

DIR/settings.json            what the numbers depend on
DIR/units/COLUMN/IMAGE.json  the values and curves of one column's map of one image
DIR/maps/COLUMN/IMAGE.npz    the map itself, where something else is made of it
DIR/.lock                    held by the process that writes
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from explainers.errors import ExplainerError
from explainers.evaluation import lock
from explainers.evaluation.judging import Judgement, Maps, Trace, Value
from explainers.evaluation.lock import WriteError, locked
from explainers.metrics import Reason

_GROWING = {"methods": "", "images": "image "}  # what may be added to, and how its parts are called
_UNFINISHED = ".new."  # how the names of files begin that are being written
_DAMAGED = (OSError, ValueError, LookupError, TypeError)
_DAMAGED_MAP = (*_DAMAGED, EOFError, BadZipFile, zlib.error, NotImplementedError)


class Store:
    """The folder of one evaluation.

    settings: what the numbers depend on; under "methods" by column and under "images" by image, so
    that a later run may add some, everything else as a whole.

    Raises ExplainerError where the folder holds something else, or numbers of other settings.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.settings = json.loads(json.dumps(settings, default=str))
        self._open = False
        self._readable: dict[tuple[str, str], bool] = {}
        self._check()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Make the folder, or add the columns and images that are new, and keep others out of it.

        May be entered again. Raises ExplainerError where another process is in the folder, or was
        there meanwhile with other settings.
        """
        if self._open:
            yield
            return
        with locked(self.folder):
            known = self._check()
            self._readable.clear()
            for path in self.folder.rglob(f"{_UNFINISHED}*"):  # of a process that was killed
                path.unlink(missing_ok=True)
            for group in _GROWING:
                known[group] = known.get(group, {}) | self.settings.get(group, {})
            path = self.folder / "settings.json"
            write(path, json.dumps(known, indent=1, ensure_ascii=False) + "\n")
            self._open = True
            try:
                yield
            finally:
                self._open = False

    def has(self, column: str, image: str) -> bool:
        """Whether the values of a column and image are there; a damaged file does not count."""
        key = column, image
        if key not in self._readable:
            try:
                self._readable[key] = bool(self._judgement(column, image))
            except _DAMAGED:
                self._readable[key] = False
        return self._readable[key]

    def units(self) -> set[tuple[str, str]]:
        """All (column, image) that have a file."""
        paths = (self.folder / "units").glob("*/*.json")
        return {(path.parent.name, path.stem) for path in paths}

    def judgement(self, column: str, image: str) -> Judgement:
        try:
            return self._judgement(column, image)
        except _DAMAGED as error:
            raise ExplainerError(f"{self._unit(column, image)} cannot be read: {error}.") from None

    def _judgement(self, column: str, image: str) -> Judgement:
        found = json.loads(self._unit(column, image).read_text(encoding="utf-8"))
        values = tuple(
            Value(target, metric, setting, Reason(reason) if reason else float(value))
            for target, metric, setting, value, reason in found["values"]
        )
        traces = tuple(
            Trace(target, kind, tuple(points), int(pixels))
            for target, kind, points, pixels in found["traces"]
        )
        return Judgement(values, traces)

    def put(self, column: str, image: str, judgement: Judgement) -> None:
        values = [
            (one.target, one.metric, one.setting, None, one.outcome.value)
            if isinstance(one.outcome, Reason)
            else (one.target, one.metric, one.setting, one.outcome, None)
            for one in judgement.values
        ]
        traces = [(one.target, one.kind, one.values, one.pixels) for one in judgement.traces]
        text = json.dumps({"values": values, "traces": traces}, ensure_ascii=False)
        write(self._unit(column, image), text)
        self._readable[column, image] = True

    def maps(self, column: str, image: str) -> Maps | None:
        """What was kept of a column's maps; None where nothing was, or is damaged."""
        try:
            with np.load(self._kept(column, image)) as arrays:
                return Maps(
                    arrays.get("prediction"),
                    _by_target(arrays, "target"),
                    _by_target(arrays, "colours"),
                )
        except _DAMAGED_MAP:
            return None

    def keep(self, column: str, image: str, maps: Maps) -> None:
        arrays = {f"target-{target}": one for target, one in maps.targets.items()}
        arrays |= {f"colours-{target}": one for target, one in maps.colours.items()}
        if maps.prediction is not None:
            arrays["prediction"] = maps.prediction
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write(self._kept(column, image), buffer.getvalue())

    def _unit(self, column: str, image: str) -> Path:
        return self.folder / "units" / column / f"{image}.json"

    def _kept(self, column: str, image: str) -> Path:
        return self.folder / "maps" / column / f"{image}.npz"

    def _check(self) -> dict[str, Any]:
        """The settings that the folder has, or else these; ExplainerError where they disagree."""
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise ExplainerError(f"{folder} is a file; expected a folder to write.")
        path = folder / "settings.json"
        if not path.is_file():
            if folder.is_dir() and not all(map(_is_own, folder.iterdir())):
                raise ExplainerError(
                    f"{folder} holds files but no evaluation; expected a new or empty folder."
                )
            return dict(self.settings)
        known = _read(path)
        for key in {**known, **self.settings}:
            if key not in _GROWING:
                _same(folder, key, known.get(key), self.settings.get(key))
        for group, called in _GROWING.items():
            there = known.get(group, {})
            for name, here in self.settings.get(group, {}).items():
                if name in there:
                    _same(folder, f"{called}{name}", there[name], here)
        return known


def write(path: Path, content: str | bytes) -> None:
    """A file, whole or not at all, even if the process is killed; its folder is made.

    Raises WriteError where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=_UNFINISHED, delete=False) as file:
            try:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)  # temporary files are private
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror}.") from None


def _is_own(path: Path) -> bool:
    """Whether the file says nothing: the lock, or what a killed process was writing."""
    return path.name == lock.NAME or path.name.startswith(_UNFINISHED)


def _read(path: Path) -> dict[str, Any]:
    """Settings; ExplainerError where the file holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExplainerError(f"{path} cannot be read: {error}.") from None
    groups = [found, *(found.get(one, {}) for one in _GROWING)] if isinstance(found, dict) else []
    if not groups or not all(isinstance(one, dict) for one in groups):
        raise ExplainerError(f"{path} holds no settings of an evaluation; choose another folder.")
    return found


def _same(folder: Path, key: str, known: Any, here: Any) -> None:
    if known == here:
        return
    if isinstance(known, dict) and isinstance(here, dict):
        differing = next(one for one in {**known, **here} if known.get(one) != here.get(one))
        return _same(folder, f"{key}, {differing}", known.get(differing), here.get(differing))
    raise ExplainerError(
        f"{folder} holds an evaluation with other settings ({key}: {_short(known)}, now "
        f"{_short(here)}); choose another folder."
    )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _by_target(arrays: Any, kind: str) -> dict[int, Any]:
    names = [name for name in arrays.files if name.startswith(f"{kind}-")]
    return {int(name.removeprefix(f"{kind}-")): arrays[name] for name in names}
