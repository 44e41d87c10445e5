"""Photographs with labelled boxes in the layout of PASCAL VOC 2007-2012.

    for photograph in photographs("VOCdevkit/VOC2007", "val"):
        photograph.load((224, 224, 3)), photograph.boxes("horse", (224, 224, 3))

A data set is a folder with `JPEGImages/` (the photographs), `Annotations/` (an XML file for each)
and `ImageSets/Main/` (lists of names, one list per split).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError
from explainers.images import Shape, centred, load_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDERS = ("JPEGImages", "Annotations", "ImageSets/Main")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
VISIBLE = 0.25

Box = tuple[float, float, float, float]
"""(top, left, bottom, right) in pixels, the last two exclusive."""


@dataclass(frozen=True)
class Object:
    """One annotated object. box: None where the annotation has none."""

    label: str
    box: Box | None
    difficult: bool = False

    def is_visible(self, window: Box | None) -> bool:
        """Whether a window keeps at least a quarter of the box (ours).

        An object that was cut away is not there to be recognised. True without a box or window.
        """
        if self.box is None or window is None:
            return True
        kept = _area(_clipped(np.array([self.box]), window)[0])
        return bool(kept >= VISIBLE * _area(np.array(self.box)))


@dataclass(frozen=True)
class Annotation:
    """What an XML file says. size: the photograph's (height, width), None where it says none."""

    size: tuple[int, int] | None
    objects: tuple[Object, ...]


@dataclass(frozen=True)
class Photograph:
    """One photograph of a data set; size: (height, width) of the file, upright."""

    name: str
    path: Path
    size: tuple[int, int]
    objects: tuple[Object, ...]

    def load(self, shape: Shape) -> NDArray[np.uint8]:
        """The pixels `(H, W, C)` a network of that input shape sees; see `images.load_image`."""
        return load_image(self.path, shape)

    def labels(self, shape: Shape, *, difficult: bool = False) -> tuple[str, ...]:
        """What is to be seen in the part that the network sees, in alphabetical order.

        difficult: whether objects that the annotation marks as difficult count; VOC's own
        evaluation leaves them out.
        """
        window, _ = self._window(shape)
        return tuple(sorted({one.label for one in self._seen(window, difficult)}))

    def boxes(self, label: str, shape: Shape, *, difficult: bool = False) -> NDArray[np.float64]:
        """The label's boxes `(n, 4)` in the network's pixels: top, left, bottom, right.

        Cropped to the part that `load` cuts out; without objects of which less than a quarter is
        left, and without objects that have no box.
        """
        window, (height, width) = self._window(shape)
        top, left, bottom, right = window
        found = [
            one.box
            for one in self._seen(window, difficult)
            if one.label == label and one.box is not None
        ]
        inside = _clipped(np.array(found, np.float64).reshape(-1, 4), window)
        shift, extent = np.array([top, left] * 2), np.array([bottom - top, right - left] * 2)
        return (inside - shift) * np.array([height, width] * 2) / extent

    def _seen(self, window: Box, difficult: bool) -> list[Object]:
        return [
            one
            for one in self.objects
            if (difficult or not one.difficult) and one.is_visible(window)
        ]

    def _window(self, shape: Shape) -> tuple[Box, tuple[int, int]]:
        """The part of the photograph that `load` cuts out, and the size it gets."""
        height, width, _ = shape
        if height is None or width is None:
            return (0, 0, *self.size), self.size
        left, top, right, bottom = centred(self.size[::-1], width / height)
        return (top, left, bottom, right), (height, width)


def photographs(folder: str | Path, split: str) -> list[Photograph]:
    """The photographs that `ImageSets/Main/<split>.txt` names, in its order.

    Raises ExplainerError, before anything is loaded, for a folder of another layout, a list that
    is missing, empty or damaged, an annotation that cannot be read, and a photograph that is
    missing, no image, or of another size than its annotation says. A file that is damaged further
    in shows only when it is loaded.
    """
    root = Path(folder)
    found = names(root, split)
    if not found:
        raise ExplainerError(f"{root}/ImageSets/Main/{split}.txt names no image.")
    return [_photograph(root, name) for name in found]


def plain(folder: str | Path) -> list[Photograph] | None:
    """The pictures that lie in a folder, by name, without annotations; named with their ending.

    None for a folder that has a part of the layout, and where there is no such folder. Raises
    ExplainerError where it holds no picture, or a damaged one.
    """
    root = Path(folder)
    if not root.is_dir() or any((root / Path(part).parts[0]).is_dir() for part in FOLDERS):
        return None
    paths = sorted(path for path in root.iterdir() if path.suffix.lower() in ENDINGS)
    if not paths:
        raise ExplainerError(
            f"{root} holds no picture ({', '.join(ENDINGS)}) and no folder of PASCAL VOC layout "
            f"({', '.join(FOLDERS)})."
        )
    return [Photograph(path.name, path, _upright_size(path), ()) for path in paths]


def names(folder: str | Path, split: str) -> list[str]:
    """The names in `ImageSets/Main/<split>.txt`, in its order."""
    root = Path(folder)
    check_layout(root)
    path = root / "ImageSets" / "Main" / f"{split}.txt"
    if not path.is_file():
        there = ", ".join(splits(root)) or "none"
        raise ExplainerError(f"There is no list {path}; there are: {there}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ExplainerError(
            f"{path} is no UTF-8 text; expected one image's name a line."
        ) from None
    found: dict[str, None] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        name = line.split()[0]
        _check_name(name, path)
        if name in found:
            raise ExplainerError(f"{path} names {name} a second time.")
        found[name] = None
    return list(found)


def splits(folder: str | Path) -> tuple[str, ...]:
    """The lists of a data set, without those of single labels ("horse_train")."""
    lists = sorted(path.stem for path in (Path(folder) / "ImageSets" / "Main").glob("*.txt"))
    return tuple(name for name in lists if "_" not in name)


def check_layout(folder: str | Path) -> None:
    """Raise ExplainerError where a folder lacks a part of the layout."""
    root = Path(folder)
    for part in FOLDERS:
        if not (root / part).is_dir():
            raise ExplainerError(
                f"{root} has no folder {part}; expected PASCAL VOC layout ({', '.join(FOLDERS)})."
            )


def image_path(folder: str | Path, name: str) -> Path:
    """The photograph's file: the first ending that is there, .jpg where none is."""
    paths = [Path(folder) / "JPEGImages" / f"{name}{ending}" for ending in ENDINGS]
    return next((path for path in paths if path.is_file()), paths[0])


def annotation(folder: str | Path, name: str) -> Annotation:
    """What `Annotations/<name>.xml` says; objects without a name are left out.

    VOC counts pixels from 1 and includes both ends; `Box` counts from 0 and excludes the last.
    """
    path = Path(folder) / "Annotations" / f"{name}.xml"
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise ExplainerError(f"{path} is missing; expected an annotation per image.") from None
    except ElementTree.ParseError as error:
        raise ExplainerError(f"{path} is no XML: {error}.") from None
    except (ValueError, LookupError):  # an encoding of several bytes a sign; one nobody knows
        raise ExplainerError(
            f"{path} declares an encoding that cannot be read; expected UTF-8."
        ) from None
    except OSError as error:
        raise ExplainerError(f"{path} cannot be read: {error.strerror}.") from None
    objects = tuple(
        Object(label, _box(one, path), one.findtext("difficult", "").strip() == "1")
        for one in root.iter("object")
        if (label := one.findtext("name", "").strip())
    )
    return Annotation(_size(root), objects)


def _check_name(name: str, path: Path) -> None:
    if Path(name).name != name:
        raise ExplainerError(f"{path} names {name!r}; expected names without folders.")
    if not name.isprintable():
        raise ExplainerError(f"{path} names {name!r}; expected printable names.")


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    try:
        height, width = (float(root.findtext(f"size/{side}", "")) for side in ("height", "width"))
    except ValueError:
        return None
    # Some converters write 0 x 0 where they did not look.
    return (int(height), int(width)) if height >= 1 and width >= 1 else None


def _box(one: ElementTree.Element, path: Path) -> Box | None:
    if one.find("bndbox") is None:
        return None
    try:
        left, top, right, bottom = (
            float(one.findtext(f"bndbox/{side}", "")) for side in ("xmin", "ymin", "xmax", "ymax")
        )
    except ValueError:
        left = top = right = bottom = float("nan")
    if not np.isfinite([left, top, right, bottom]).all():
        raise ExplainerError(
            f"{path} has a bndbox without four numbers; expected xmin, ymin, xmax, ymax."
        )
    if right < left or bottom < top:
        raise ExplainerError(
            f"{path} has a bndbox from x {left:g} to {right:g} and y {top:g} to {bottom:g}; "
            "expected xmin <= xmax and ymin <= ymax."
        )
    return top - 1, left - 1, bottom, right


def _photograph(root: Path, name: str) -> Photograph:
    said = annotation(root, name)
    path = image_path(root, name)
    size = _upright_size(path)
    if said.size is not None and said.size != size:
        raise ExplainerError(
            f"{path} has {size[1]} x {size[0]} pixels upright, its annotation says "
            f"{said.size[1]} x {said.size[0]}; its boxes cannot be placed."
        )
    return Photograph(name, path, size, said.objects)


def _upright_size(path: Path) -> tuple[int, int]:
    """(height, width) as `load_image` sees it, from the file's head alone."""
    from PIL import ExifTags, Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            turned = opened.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
            return opened.size if turned else opened.size[::-1]
    except FileNotFoundError:
        raise ExplainerError(f"There is no image file {path}.") from None
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise ExplainerError(f"{path} cannot be read as an image: {error}.") from None


def _clipped(boxes: NDArray[np.float64], window: Sequence[float]) -> NDArray[np.float64]:
    top, left, bottom, right = window
    return np.clip(boxes, [top, left, top, left], [bottom, right, bottom, right])


def _area(box: NDArray[np.float64]) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))
