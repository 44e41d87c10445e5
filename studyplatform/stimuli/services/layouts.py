"""What a folder of photographs is: a PASCAL VOC tree, or a folder per label; and what lies in it.

A folder per label: `cat/1.jpg`, `horse/2.jpg`, with `train/` and `val/` on top where somebody has
divided them. An image in two labels' folders carries both.
"""

import os
import random
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .errors import StimuliError, listed

SPLITS = ("train", "val")
SPLIT_SEED = 0
LONGEST_NAME = 200  # characters of an image's name, as the database holds them
LONGEST_LABEL = 80
_VOC_PARTS = ("JPEGImages", "Annotations", "ImageSets")
_DEEPEST = 3  # folders around a VOC tree: archive / VOCdevkit / VOC2007
_JUNK = ("thumbs.db", "desktop.ini")

Kind = Literal["voc", "folders"]


@dataclass(frozen=True)
class Found:
    """One file in a label's folder; name: its path below the folder that was imported."""

    name: str
    split: str
    label: str
    path: Path


@dataclass(frozen=True)
class Sorted:
    """The files of a folder per label. drawn: whether the split was drawn here."""

    files: list[Found]
    labels: list[str]
    drawn: bool
    problems: list[str]


def layout_of(folder: Path) -> tuple[Kind, Path]:
    """Return what a folder is, and where in it that begins: folders around it are skipped.

    Raises StimuliError for two VOC trees, and for a folder without images in folders.
    """
    trees: set[Path] = set()
    for depth in range(_DEEPEST + 1):
        for part in _VOC_PARTS:
            found = folder.glob("/".join(["*"] * depth + [part]))
            trees.update(path.parent for path in found if path.is_dir())
    if len(trees) > 1:
        names = ", ".join(sorted(str(tree.relative_to(folder)) for tree in trees))
        raise StimuliError(f"There are several data sets ({names}); import one at a time.")
    if trees:
        return "voc", trees.pop()
    return "folders", _without_wrappers(folder)


def folder_check(folder: Path, *, at_most: int) -> None:
    """Raise StimuliError for a folder of too many files, and for links, which may lead anywhere."""
    count = 0
    problems: list[str] = []
    for where, folders, files in os.walk(folder):
        count += len(files)
        if count > at_most:
            raise StimuliError(f"The folder holds over {at_most:,} files, the most allowed.")
        for name in [*folders, *files]:
            mode = os.lstat(os.path.join(where, name)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                shown = (Path(where) / name).relative_to(folder)
                problems.append(f"{shown}: it is a link or a device; expected files and folders.")
    if problems:
        raise StimuliError(listed(problems))


def files_by_label(root: Path) -> Sorted:
    """Return the files of a folder per label, with what is wrong about their places and names.

    Without train/ and val/ half of each label's files are drawn for validation, by a fixed seed,
    as PASCAL VOC halves its images. Raises StimuliError where there are no two labels.
    """
    tops = _visible(root)
    divided = _are_splits(tops)
    stray = [one for one in tops if divided and not one.is_dir() and not _is_document(one)]
    problems = [f"{one.name}: it lies in no label's folder." for one in stray]
    files: list[Found] = []
    labels: set[str] = set()
    parts = [(one.name, one) for one in tops if one.is_dir()] if divided else [("train", root)]
    for split, top in parts:
        for place in _visible(top):
            shown = str(place.relative_to(root))
            if not place.is_dir():
                if not _is_document(place):
                    problems.append(f"{shown}: it lies in no label's folder.")
                continue
            label = place.name.strip()
            if problem := label_problem(label):
                problems.append(f"{shown}: {problem}")
                continue
            labels.add(label)
            found, wrong = _files(place, root, split, label)
            files += found
            problems += wrong
    if len(labels) < 2:
        there = f"only the folder {labels.pop()!r}" if labels else "no folder of images"
        raise StimuliError([*problems, f"There is {there}; expected a folder for each label."])
    if labels == set(SPLITS):
        raise StimuliError("train and val hold images; expected a folder for each label in them.")
    if not divided:
        files = _drawn(files)
    return Sorted(files, sorted(labels), not divided, problems)


def label_problem(label: str) -> str:
    """Return what is wrong with a label; "" for nothing."""
    if label and len(label) <= LONGEST_LABEL and label.isprintable():
        return ""
    return f"{label[:100]!r} is no label; expected 1 to {LONGEST_LABEL} printable characters."


def _files(place: Path, root: Path, split: str, label: str) -> tuple[list[Found], list[str]]:
    files, problems = [], []
    for path in _visible(place):
        name = str(path.relative_to(root))
        if path.is_dir():
            problems.append(f"{name}: it is a folder in a label's folder; expected images.")
        elif len(name) > LONGEST_NAME or not name.isprintable():
            problems.append(
                f"{name[:100]!r}: expected a printable name of at most {LONGEST_NAME} characters."
            )
        else:
            files.append(Found(name, split, label, path))
    if not files and not problems:
        problems.append(f"{place.relative_to(root)}: the folder is empty; expected images.")
    return files, problems


def _drawn(files: Iterable[Found]) -> list[Found]:
    by_label: dict[str, list[Found]] = {}
    for file in files:
        by_label.setdefault(file.label, []).append(file)
    drawn: list[Found] = []
    for label, members in sorted(by_label.items()):
        order = sorted(members, key=lambda one: one.name)
        # A generator of each label's own: another label's images change nothing here.
        random.Random(f"{SPLIT_SEED} {label}").shuffle(order)
        first = len(order) - len(order) // 2
        drawn += [
            replace(one, split="val" if k >= first else "train") for k, one in enumerate(order)
        ]
    return sorted(drawn, key=lambda one: (one.split, one.name))


def _without_wrappers(folder: Path) -> Path:
    """Return where the labels' folders begin: zip programs often put one folder around all."""
    inside = [path for path in _visible(folder) if path.is_dir() or not _is_document(path)]
    if not inside:
        raise StimuliError("There are no images; expected a folder for each label.")
    alone = inside[0] if len(inside) == 1 and inside[0].is_dir() else None
    if alone and not _are_splits(inside) and any(path.is_dir() for path in _visible(alone)):
        return _without_wrappers(alone)
    return folder


def _are_splits(places: list[Path]) -> bool:
    folders = [place for place in places if place.is_dir()]
    # A label may be called train as well (it is one of VOC's): then its folder holds images.
    return bool(folders) and all(
        place.name in SPLITS and any(path.is_dir() for path in _visible(place)) for place in folders
    )


def _visible(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and path.name != "__MACOSX"
        and path.name.lower() not in _JUNK
    )


def _is_document(path: Path) -> bool:
    """Whether a file beside the labels' folders is there for people: a licence, a description."""
    return path.suffix.lower() in ("", ".txt", ".md", ".pdf", ".csv", ".json", ".html")
