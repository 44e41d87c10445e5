"""Image sets: imported whole or not at all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction
from PIL import Image as PillowImage
from pydantic import TypeAdapter, ValidationError

from studyplatform.studies.models import Team
from studyplatform.studies.spec.parts import Key

from .. import pictures
from ..models import Image, ImageSet, TrainedClassifier
from . import errors, layouts

if TYPE_CHECKING:
    from explainers.demo import Scene
    from explainers.voc import Annotation

Progress = Callable[[int, int], None]


def silent(done: int, total: int, step: str = "") -> None:
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


def image_set_import(
    *,
    name: str,
    folder: Path,
    size: int,
    team: Team | None = None,
    origin: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Import a PASCAL VOC tree or a folder per label, whichever the folder holds.

    origin: what the page shall say about where the images come from, and by which job.
    """
    kind, root = layouts.layout_of(folder)
    importing = image_set_import_voc if kind == "voc" else image_set_import_folders
    return importing(name=name, folder=root, size=size, team=team, origin=origin, progress=progress)


def image_set_import_voc(
    *,
    name: str,
    folder: Path,
    size: int,
    team: Team | None = None,
    origin: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Import a folder in PASCAL VOC layout (JPEGImages, Annotations, ImageSets/Main).

    Each image is cropped to its centred square and resized to `size` pixels, the network's input.
    It carries the label of every annotated object of which the square keeps at least a quarter of
    the box (ours: an object that was cut away is not there to be recognised). team: None shares
    the set with all. Raises StimuliError that lists the unusable files; then nothing is kept.
    """
    name_check(ImageSet, name, team)
    size_check(size)
    problems: list[str] = []
    entries = list(_voc_entries(folder, size, problems))
    if not entries and not problems:
        raise errors.StimuliError(f"{folder}/ImageSets/Main names no image.")
    labels = sorted({label for entry in entries for label in entry.labels})
    if not labels and not problems:
        raise errors.StimuliError(f"No annotation in {folder}/Annotations names an object.")
    values = {"labels": labels, "origin": {"layout": "voc", "split": "given", **(origin or {})}}
    image_set = ImageSet(team=team, name=name, size=size, **values)
    return _import(image_set, entries, progress, problems)


def image_set_import_folders(
    *,
    name: str,
    folder: Path,
    size: int,
    team: Team | None = None,
    origin: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Import a folder that holds a folder of images for each label, as `layouts` says.

    Cropping, sizes and errors are those of `image_set_import_voc`.
    """
    name_check(ImageSet, name, team)
    size_check(size)
    if not folder.is_dir():
        raise errors.StimuliError(f"There is no folder {folder}.")
    found = layouts.files_by_label(folder)
    entries = [
        _Entry(file.name, file.split, [file.label], _file(file.path, size)) for file in found.files
    ]
    split = "drawn" if found.drawn else "given"
    values = {
        "labels": found.labels,
        "origin": {"layout": "folders", "split": split, **(origin or {})},
    }
    image_set = ImageSet(team=team, name=name, size=size, **values)
    return _import(image_set, entries, progress, found.problems)


def image_set_import_demo(
    *, name: str = "demo", count: int | None = None, progress: Progress = silent
) -> ImportReport:
    """Import the bundled scenes: all of them, or the first `count` of each split."""
    from explainers import demo

    name_check(ImageSet, name, None)
    if count is not None and count < 1:
        raise errors.StimuliError(f"count is {count}; expected at least 1 scene per split.")
    entries = [
        _Entry(scene.name, split, list(scene.labels), _scene(scene))
        for split in layouts.SPLITS
        for scene in demo.scenes(split, count)
    ]
    labels, origin = list(demo.LABELS), {"layout": "demo", "split": "given"}
    image_set = ImageSet(name=name, labels=labels, size=demo.SIZE, origin=origin)
    return _import(image_set, entries, progress, [])


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


def name_check(kind: type[ImageSet | TrainedClassifier], name: str, team: Team | None) -> None:
    """Raise StimuliError for a name no spec can refer to, and for one that the team has given."""
    check_key(name)
    found = kind._default_manager.filter(name=name, team=team).first()
    if found is None:
        return
    what = f"a classifier {name!r}"
    if isinstance(found, ImageSet):
        what = f"an image set {name!r} with {found.images.count()} images"
    raise errors.StimuliError(f"There is already {what}; choose another name.")


def size_check(size: int) -> None:
    if not 16 <= size <= 1024:
        raise errors.StimuliError(f"size is {size}; expected the network's input, 16 to 1024 px.")


def _import(
    image_set: ImageSet, entries: list[_Entry], progress: Progress, problems: list[str]
) -> ImportReport:
    stored: dict[str, tuple[_Entry, pictures.Stored]] = {}
    duplicates: list[tuple[str, str]] = []
    for done, entry in enumerate(entries, start=1):
        try:
            one = entry.store()
        except pictures.PictureError as error:
            problems.append(f"{entry.name}: {error}.")
        else:
            if one.sha256 in stored:
                kept = stored[one.sha256][0]
                # The same picture in two labels' folders carries both.
                kept.labels[:] = sorted({*kept.labels, *entry.labels})
                duplicates.append((entry.name, kept.name))
            else:
                stored[one.sha256] = (entry, one)
        progress(done, len(entries))
    if problems:
        raise errors.StimuliError(errors.listed(problems))
    image_set.origin["left_out"] = len(duplicates)
    # The files are there and named by content; the rows come all at once or not at all.
    with transaction.atomic():
        image_set.save()
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


def _voc_entries(folder: Path, size: int, problems: list[str]) -> Iterator[_Entry]:
    from explainers import ExplainerError, voc

    try:
        voc.check_layout(folder)
        there = [split for split in layouts.SPLITS if split in voc.splits(folder)]
        lists = {split: voc.names(folder, split) for split in there}
    except ExplainerError as error:
        raise errors.StimuliError(str(error)) from None
    if not there:
        raise errors.StimuliError(
            f"{folder}/ImageSets/Main has neither train.txt nor val.txt; expected at least one."
        )
    seen: set[str] = set()
    for split, stems in lists.items():
        for stem in stems:
            _check_stem(stem, folder, seen)
            try:
                labels = _kept_labels(voc.annotation(folder, stem))
            except ExplainerError as error:
                problems.append(str(error))
                continue
            for label in labels:
                if problem := layouts.label_problem(label):
                    problems.append(f"{folder}/Annotations/{stem}.xml: {problem}")
            yield _Entry(stem, split, labels, _file(voc.image_path(folder, stem), size))


def _check_stem(stem: str, folder: Path, seen: set[str]) -> None:
    if stem in seen:
        raise errors.StimuliError(f"{folder}/ImageSets/Main names {stem} in both lists.")
    seen.add(stem)
    if len(stem) > layouts.LONGEST_NAME:
        raise errors.StimuliError(
            f"{folder}/ImageSets/Main names {stem!r}; "
            f"expected at most {layouts.LONGEST_NAME} characters."
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
