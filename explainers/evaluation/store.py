"""What of an evaluation is done, in its folder: one file per column and image, whole or not at all.

DIR/settings.json            what the numbers depend on
DIR/units/COLUMN/IMAGE.json  the values and curves of one column's map of one image
DIR/maps/COLUMN/IMAGE.npz    the map itself, where something else is made of it
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from explainers.errors import ExplainerError
from explainers.evaluation.judging import Judgement, Maps, Trace, Value
from explainers.metrics import Reason

METHODS = "methods"


class Store:
    """The folder of one evaluation.

    settings: what the numbers depend on; under "methods" by column, so that a later run may add
    some, everything else as a whole.

    Raises ExplainerError where the folder holds something else, or numbers of other settings.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.settings = json.loads(json.dumps(settings, default=str))
        self._check()

    def open(self) -> None:
        """Make the folder, or add to what it holds the columns that are new."""
        path = self.folder / "settings.json"
        known = _read(path) if path.is_file() else self.settings
        known[METHODS] = known[METHODS] | self.settings[METHODS]
        write(path, json.dumps(known, indent=1, ensure_ascii=False) + "\n")

    def has(self, column: str, image: str) -> bool:
        return self._unit(column, image).is_file()

    def judgement(self, column: str, image: str) -> Judgement:
        found = _read(self._unit(column, image))
        values = tuple(
            Value(target, metric, setting, Reason(reason) if reason else value)
            for target, metric, setting, value, reason in found["values"]
        )
        traces = tuple(
            Trace(target, kind, tuple(points)) for target, kind, points in found["traces"]
        )
        return Judgement(values, traces)

    def put(self, column: str, image: str, judgement: Judgement) -> None:
        values = [
            (one.target, one.metric, one.setting, None, one.outcome.value)
            if isinstance(one.outcome, Reason)
            else (one.target, one.metric, one.setting, one.outcome, None)
            for one in judgement.values
        ]
        traces = [(one.target, one.kind, one.values) for one in judgement.traces]
        text = json.dumps({"values": values, "traces": traces}, ensure_ascii=False)
        write(self._unit(column, image), text)

    def maps(self, column: str, image: str) -> Maps | None:
        """What was kept of a column's maps; None where nothing was."""
        path = self._kept(column, image)
        if not path.is_file():
            return None
        with np.load(path) as arrays:
            return Maps(
                arrays.get("prediction"),
                _by_target(arrays, "target"),
                _by_target(arrays, "colours"),
            )

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

    def _check(self) -> None:
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise ExplainerError(f"{folder} is a file; expected a folder to write.")
        path = folder / "settings.json"
        if not path.is_file():
            if folder.is_dir() and any(folder.iterdir()):
                raise ExplainerError(
                    f"{folder} holds files but no evaluation; expected a new or empty folder."
                )
            return
        known = _read(path)
        for key in {**known, **self.settings}:
            if key != METHODS:
                _same(folder, key, known.get(key), self.settings.get(key))
        for name, here in self.settings[METHODS].items():
            if name in known.get(METHODS, {}):
                _same(folder, name, known[METHODS][name], here)


def write(path: Path, content: str | bytes) -> None:
    """A file, whole or not at all, even if the process is killed; its folder is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new.", delete=False) as file:
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
        raise ExplainerError(f"{path} cannot be written: {error.strerror}.") from None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExplainerError(f"{path} cannot be read: {error}.") from None


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
