"""Small photographs as files, and zip files of them."""

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

RNG = np.random.default_rng(11)


def photograph(kind: str = "JPEG") -> bytes:
    """Return a picture of 40 x 30 random pixels, another one each time."""
    file = io.BytesIO()
    PillowImage.fromarray(RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return (height, width, 3) pixels as a PNG file."""
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def by_label(*, around: str = "", each: int = 2) -> dict[str, bytes]:
    """Return a folder per label: cats and horses."""
    return {
        f"{around}{label}/{n}.jpg": photograph() for label in ("cat", "horse") for n in range(each)
    }
