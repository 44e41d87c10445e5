"""Image sets: imported whole or not at all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from PIL import Image as PillowImage
from pydantic import TypeAdapter, ValidationError

from studyplatform.studies.spec.parts import Key

from .. import pictures
from ..models import Image, ImageSet
from . import errors

if TYPE_CHECKING:
    from explainers.demo import Scene
    from explainers.voc import Annotation

Progress = Callable[[int, int], None]
_SPLITS = ("train", "val")
_LONGEST_STEM = 200  # characters, as the database holds them


def silent(done: int, total: int) -> None:
    """A progress callback that shows nothing."""


@dataclass(frozen=True)
class ImportReport:
    """What an import brought; `duplicates` are (left out, the image of the same pixels kept)."""

    image_set: ImageSet
    images: int
    duplicates: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    name: str
    split: str
    labels: list[str]
    store: Callable[[], pictures.Stored]


def image_set_import_voc(
    *, name: str, folder: Path, size: int, progress: Progress = silent
) -> ImportReport:
    """Import a folder in PASCAL VOC layout (JPEGImages, Annotations, ImageSets/Main).

    Each image is cropped to its centred square and resized to `size` pixels, the network's input.
    It carries the label of every annotated object of which the square keeps at least a quarter of
    the box (ours: an object that was cut away is not there to be recognised). Raises StimuliError
    that lists every unusable file; then nothing is kept.
    """
    _check_name(name)
    if not 16 <= size <= 1024:
        raise errors.StimuliError(f"size is {size}; expected the network's input, 16 to 1024 px.")
    entries = list(_voc_entries(folder, size))
    if not entries:
        raise errors.StimuliError(f"{folder}/ImageSets/Main names no image.")
    labels = sorted({label for entry in entries for label in entry.labels})
    if not labels:
        raise errors.StimuliError(f"No annotation in {folder}/Annotations names an object.")
    return _import(name, size, labels, entries, progress)


def image_set_import_demo(
    *, name: str = "demo", count: int | None = None, progress: Progress = silent
) -> ImportReport:
    """Import the bundled scenes: all of them, or the first `count` of each split."""
    from explainers import demo

    _check_name(name)
    if count is not None and count < 1:
        raise errors.StimuliError(f"count is {count}; expected at least 1 scene per split.")
    entries = [
        _Entry(scene.name, split, list(scene.labels), _scene(scene))
        for split in _SPLITS
        for scene in demo.scenes(split, count)
    ]
    return _import(name, demo.SIZE, list(demo.LABELS), entries, progress)


def _scene(scene: "Scene") -> Callable[[], pictures.Stored]:
    def store() -> pictures.Stored:
        # The same geometry drawn larger: people see it sharp.
        large = replace(scene, size=pictures.DISPLAY_SIDE)
        return pictures.store_pixels(scene.image, display=PillowImage.fromarray(large.image))

    return store


def check_key(name: str) -> None:
    """Raise StimuliError for a name that no spec can refer to."""
    try:
        TypeAdapter(Key).validate_python(name)
    except ValidationError:
        raise errors.StimuliError(
            f"The name is {name!r}; expected up to 40 lowercase letters, digits, - and _, "
            "a letter first, as a spec names it."
        ) from None


def _check_name(name: str) -> None:
    check_key(name)
    found = ImageSet.objects.filter(name=name).first()
    if found:
        raise errors.StimuliError(
            f"There is already an image set {name!r} with {found.images.count()} images; "
            "choose another name."
        )


def _import(
    name: str, size: int, labels: list[str], entries: list[_Entry], progress: Progress
) -> ImportReport:
    stored: dict[str, tuple[_Entry, pictures.Stored]] = {}
    problems: list[str] = []
    duplicates: list[tuple[str, str]] = []
    for done, entry in enumerate(entries, start=1):
        try:
            one = entry.store()
        except pictures.PictureError as error:
            problems.append(f"{entry.name}: {error}.")
        else:
            if one.sha256 in stored:
                duplicates.append((entry.name, stored[one.sha256][0].name))
            else:
                stored[one.sha256] = (entry, one)
        progress(done, len(entries))
    if problems:
        raise errors.StimuliError(problems)
    # The files are there and named by content; the rows come all at once or not at all.
    with transaction.atomic():
        image_set = ImageSet.objects.create(name=name, labels=labels, size=size)
        Image.objects.bulk_create(
            (
                Image(
                    image_set=image_set,
                    name=entry.name,
                    split=entry.split,
                    labels=entry.labels,
                    sha256=one.sha256,
                    display_sha256=one.display_sha256,
                    display_size=one.display_size,
                )
                for entry, one in stored.values()
            ),
            batch_size=500,
        )
    return ImportReport(image_set, len(stored), duplicates)


def _voc_entries(folder: Path, size: int) -> Iterator[_Entry]:
    from explainers import ExplainerError, voc

    try:
        voc.check_layout(folder)
        there = [split for split in _SPLITS if split in voc.splits(folder)]
        if not there:
            raise errors.StimuliError(
                f"{folder}/ImageSets/Main has neither train.txt nor val.txt; expected at least one."
            )
        seen: set[str] = set()
        for split in there:
            for stem in voc.names(folder, split):
                _check_stem(stem, folder, seen)
                labels = _kept_labels(voc.annotation(folder, stem))
                yield _Entry(stem, split, labels, _file(voc.image_path(folder, stem), size))
    except ExplainerError as error:
        raise errors.StimuliError(str(error)) from None


def _check_stem(stem: str, folder: Path, seen: set[str]) -> None:
    if stem in seen:
        raise errors.StimuliError(f"{folder}/ImageSets/Main names {stem} in both lists.")
    seen.add(stem)
    if len(stem) > _LONGEST_STEM:
        raise errors.StimuliError(
            f"{folder}/ImageSets/Main names {stem!r}; expected at most {_LONGEST_STEM} characters."
        )


def _file(path: Path, size: int) -> Callable[[], pictures.Stored]:
    return lambda: pictures.store(pictures.read(path), size=size)


def _kept_labels(annotation: "Annotation") -> list[str]:
    """Return the labels of what the centred square keeps; of everything where no size is said."""
    square = None
    if annotation.size is not None:
        height, width = annotation.size
        side = min(height, width)
        top, left = (height - side) / 2, (width - side) / 2
        square = (top, left, top + side, left + side)
    return sorted({one.label for one in annotation.objects if one.is_visible(square)})
