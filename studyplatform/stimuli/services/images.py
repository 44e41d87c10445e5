"""Image sets: imported whole or not at all."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
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

Progress = Callable[[int, int], None]
_SPLITS = ("train", "val")
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
_VISIBLE = 0.25
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
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        if not (folder / part).is_dir():
            raise errors.StimuliError(
                f"{folder} has no folder {part}; expected PASCAL VOC layout "
                "(JPEGImages, Annotations, ImageSets/Main)."
            )
    lists = {split: folder / "ImageSets" / "Main" / f"{split}.txt" for split in _SPLITS}
    if not any(path.is_file() for path in lists.values()):
        raise errors.StimuliError(
            f"{folder}/ImageSets/Main has neither train.txt nor val.txt; expected at least one."
        )
    seen: set[str] = set()
    for split, path in lists.items():
        for stem in _stems(path):
            if stem in seen:
                raise errors.StimuliError(f"{path} names {stem} a second time.")
            seen.add(stem)
            labels = _voc_labels(folder / "Annotations" / f"{stem}.xml")
            yield _Entry(stem, split, labels, _file(folder / "JPEGImages", stem, size))


def _stems(path: Path) -> Iterable[str]:
    if not path.is_file():
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise errors.StimuliError(
            f"{path} is no UTF-8 text; expected one image's name a line."
        ) from None
    for line in text.splitlines():
        if line.strip():
            stem = line.split()[0]
            if Path(stem).name != stem:
                raise errors.StimuliError(f"{path} names {stem!r}; expected names without folders.")
            if not stem.isprintable() or len(stem) > _LONGEST_STEM:
                raise errors.StimuliError(
                    f"{path} names {stem!r}; expected printable names of at most "
                    f"{_LONGEST_STEM} characters."
                )
            yield stem


def _file(folder: Path, stem: str, size: int) -> Callable[[], pictures.Stored]:
    def store() -> pictures.Stored:
        paths = [folder / f"{stem}{ending}" for ending in _ENDINGS]
        path = next((path for path in paths if path.is_file()), paths[0])
        return pictures.store(pictures.read(path), size=size)

    return store


def _voc_labels(path: Path) -> list[str]:
    try:
        tree = ElementTree.parse(path)
    except FileNotFoundError:
        raise errors.StimuliError(f"{path} is missing; expected an annotation per image.") from None
    except ElementTree.ParseError as error:
        raise errors.StimuliError(f"{path} is no XML: {error}.") from None
    except (ValueError, LookupError):  # an encoding of several bytes a sign; one nobody knows
        raise errors.StimuliError(
            f"{path} declares an encoding that cannot be read; expected UTF-8."
        ) from None
    square = _kept_square(tree.getroot())
    return sorted(
        {
            name
            for one in tree.iter("object")
            if (name := one.findtext("name", "").strip()) and _is_visible(one, square, path)
        }
    )


def _kept_square(annotation: ElementTree.Element) -> tuple[float, float, float, float] | None:
    """Return the centred square as xmin, ymin, xmax, ymax; None where no size is annotated."""
    try:
        width = float(annotation.findtext("size/width", ""))
        height = float(annotation.findtext("size/height", ""))
    except ValueError:
        return None
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _is_visible(
    one: ElementTree.Element, square: tuple[float, float, float, float] | None, path: Path
) -> bool:
    """Return whether the square keeps enough of an object's box; True where there is no box."""
    if square is None or one.find("bndbox") is None:
        return True
    try:
        box = [
            float(one.findtext(f"bndbox/{side}", "")) for side in ("xmin", "ymin", "xmax", "ymax")
        ]
    except ValueError:
        raise errors.StimuliError(
            f"{path} has a bndbox without four numbers; expected xmin, ymin, xmax, ymax."
        ) from None
    area = (box[2] - box[0]) * (box[3] - box[1])
    across = min(box[2], square[2]) - max(box[0], square[0])
    down = min(box[3], square[3]) - max(box[1], square[1])
    return area <= 0 or max(across, 0) * max(down, 0) >= _VISIBLE * area
