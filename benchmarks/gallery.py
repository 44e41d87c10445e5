r"""Draw the pictures of docs/explainers: every method on the same images.

    python -m benchmarks.gallery pages                    one picture per method: a demo scene
    python -m benchmarks.gallery pages --methods lrp,rise
    python -m benchmarks.gallery photographs              all methods on three photographs

`photographs` needs ../shared/data and, on two cores, some twenty minutes, most of them for H2O.
Maps are kept under --maps, so what is there is not computed again (--again does).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.networks import DATA, MOBILENET, ROOT
from benchmarks.photographs import VOC, photograph_classifier
from explainers import Classifier, available, create, demo, parameters, voc
from explainers.classifier import CLASS_AGNOSTIC
from explainers.registry import method
from explainers.render import above, colour_overlays, overlay, thresholded

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.progress import Progress

    Picture = NDArray[np.uint8]

SCENE = 301  # of the demo's "val": a dog, a cat, a ball of yarn
SCENE_LABELS = ("dog", "cat")
PHOTOGRAPHS = (("005529", "person"), ("005477", "aeroplane"), ("006723", "car"))

SETTINGS = {"h2o": {"colours": "adaptive"}}
"""Other than the defaults: half of the predictions, and a picture one cannot tell from the full."""

# The original is drawn in the first column; the page is 8 columns wide.
COLUMNS, CELL, GAP, CAPTION = 8, 150, 4, 20
INK, PAPER = (32, 32, 32), (255, 255, 255)


def main(arguments: Sequence[str] | None = None) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = _options(arguments)
    options.maps.mkdir(parents=True, exist_ok=True)
    if options.what == "photographs" and not (VOC.is_dir() and MOBILENET.is_file()):
        print(f"error: voc-mini and {MOBILENET.name} are not in {DATA}.", file=sys.stderr)
        return 2
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        store = Store(options.maps, options.again, progress)
        if options.what == "pages":
            draw_pages(store, options.methods, options.out or ROOT / "docs/images/explainers")
        else:
            path = options.out or ROOT / "docs/images/methods.jpg"
            draw_photographs(store, options.methods, path)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gallery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=["pages", "photographs"])
    parser.add_argument(
        "--methods", default=list(available()), type=_methods, metavar="A,B", help="default: all"
    )
    parser.add_argument("--maps", type=Path, default=ROOT / "var" / "gallery", metavar="DIR")
    parser.add_argument("--again", action="store_true", help="compute maps that are there anew")
    parser.add_argument("--out", type=Path, metavar="PATH", help="a folder; a file for photographs")
    return parser.parse_args(arguments)


def _methods(text: str) -> list[str]:
    found = [name.strip() for name in text.split(",")]
    for name in found:
        if name not in available():
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(available())}")
    return found


class Store:
    """Maps on disk, by picture, label and method, so that an interrupted run loses one map."""

    def __init__(self, folder: Path, again: bool, progress: Progress) -> None:
        self.folder = folder
        self.again = again
        self.progress = progress

    def heatmap(
        self, name: str, classifier: Classifier, picture: Picture, picked: str, label: str
    ) -> NDArray[np.float32]:
        """The raw map of a method with its default parameters, but for SETTINGS."""
        target = CLASS_AGNOSTIC if method(picked).class_agnostic else label
        path = self.folder / f"{name}-{label}-{picked}.npy"
        if path.is_file() and not self.again:
            found: NDArray[np.float32] = np.load(path)
            return found
        task = self.progress.add_task(f"{name}: {picked}, {label}", total=None)
        for step in create(picked, classifier, **SETTINGS.get(picked, {})).iter_explain(
            picture, target
        ):
            self.progress.update(task, completed=step.done, total=step.total)
        self.progress.remove_task(task)
        np.save(path, step.heatmap)
        return step.heatmap


# -- one method, one drawn scene -------------------------------------------------------------------


def draw_pages(store: Store, methods: Sequence[str], folder: Path) -> None:
    """`<method>.png`: the scene, then what the method marks for each label of it."""
    folder.mkdir(parents=True, exist_ok=True)
    classifier = demo.classifier()
    scene = demo.scene(SCENE, split="val").image
    scores = classifier.predict(scene[np.newaxis], batch_size=1)[0]
    for name in methods:
        labels = SCENE_LABELS[:1] if method(name).class_agnostic else SCENE_LABELS
        maps = [store.heatmap("scene", classifier, scene, name, label) for label in labels]
        cells = [("the scene", scene)]
        for label, heatmap in zip(labels, maps, strict=True):
            title = f"{label} {scores[classifier.index(label)]:.2f}"
            if method(name).class_agnostic:
                title = "the whole prediction" if method(name).reads_network else "its edges"
            cells.append((title, _drawn(scene, classifier, name, heatmap)))
        if name == "h2o":
            cells.append(("as it is published", overlay(scene, thresholded(maps[0]))))
        page = _strip(cells, 2 * demo.SIZE)
        if name == "mc-rise":
            page = _stacked(page, _colours(scene, labels[0], maps[0], page.width))
        page.quantize(256, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)


def _drawn(
    picture: Picture, classifier: Classifier, name: str, heatmap: NDArray[np.float32]
) -> Picture:
    """The map over the picture, as the platform shows it."""
    support = create(name, classifier).support(heatmap)
    return overlay(picture, above(support, method(name).baseline))


def _colours(picture: Picture, label: str, heatmap: NDArray[np.float32], width: int) -> Image.Image:
    """MC-RISE's map of each colour, with its sign."""
    names = parameters("mc-rise")["colours"]
    drawn = colour_overlays(picture, heatmap)
    cells = [(f"{label}: {name}", one) for name, one in zip(names, drawn, strict=True)]
    return _strip(cells, (width + GAP) // len(cells) - GAP)


def _stacked(above: Image.Image, below: Image.Image) -> Image.Image:
    page = Image.new("RGB", (above.width, above.height + GAP + below.height), PAPER)
    page.paste(above, (0, 0))
    page.paste(below, (0, above.height + GAP))
    return page


def _strip(cells: list[tuple[str, Picture]], size: int) -> Image.Image:
    """Pictures side by side with a caption above each; pixels stay visible."""
    width = len(cells) * (size + GAP) - GAP
    page = Image.new("RGB", (width, CAPTION + size), PAPER)
    for place, (caption, picture) in enumerate(cells):
        left = place * (size + GAP)
        _write(page, caption, left, 0)
        drawn = Image.fromarray(picture).resize((size, size), Image.Resampling.NEAREST)
        page.paste(drawn, (left, CAPTION))
    return page


# -- all methods, three photographs ----------------------------------------------------------------


def draw_photographs(store: Store, methods: Sequence[str], path: Path) -> None:
    """Rows of photographs, columns of methods; a new block of rows where the page ends."""
    classifier = photograph_classifier()
    there = {one.name: one for one in voc.photographs(VOC, "val")}
    rows = []
    for name, label in PHOTOGRAPHS:
        picture = there[name].load(classifier.input_shape)
        score = classifier.predict(picture[np.newaxis], batch_size=1)[0, classifier.index(label)]
        drawn = [
            _drawn(picture, classifier, one, store.heatmap(name, classifier, picture, one, label))
            for one in methods
        ]
        rows.append((f"{label} {score:.2f}", picture, drawn))

    across = COLUMNS - 1
    blocks = [slice(start, start + across) for start in range(0, len(methods), across)]
    height = CAPTION + len(rows) * (CELL + CAPTION)
    page = Image.new("RGB", (COLUMNS * (CELL + GAP) - GAP, len(blocks) * height), PAPER)
    for number, block in enumerate(blocks):
        top = number * height
        for place, name in enumerate(methods[block], start=1):
            _write(page, name, place * (CELL + GAP), top)
        for row, (caption, picture, drawn) in enumerate(rows):
            below = top + CAPTION + row * (CELL + CAPTION)
            for place, cell in enumerate([picture, *drawn[block]]):
                small = Image.fromarray(cell).resize((CELL, CELL), Image.Resampling.LANCZOS)
                page.paste(small, (place * (CELL + GAP), below))
            _write(page, caption, 0, below + CELL)
    page.save(path, quality=88, optimize=True)


# -- writing ---------------------------------------------------------------------------------------


def _write(page: Image.Image, text: str, left: int, top: int) -> None:
    ImageDraw.Draw(page).text((left + 2, top + 2), text, INK, font=_font())


@cache
def _font() -> Any:
    return ImageFont.load_default(13)


if __name__ == "__main__":
    sys.exit(main())
