"""The door for images: what may come in, and the two pictures made of each.

The network sees a square of its own size, kept without loss; people see the same square from the
original, larger where the original allows.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from . import media

MAX_SIDE = 12_000
MAX_PIXELS = 40_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
# Twelve examples with overlays and a new image, of photographs full of detail, measured about
# 370 KB at this side and quality; 448 px would make some task pages larger than 600 KB.
DISPLAY_SIDE = 288
DISPLAY_QUALITY = 75


class PictureError(ValueError):
    """A file that cannot be used as an image: what is wrong, and what was expected."""


@dataclass(frozen=True)
class Stored:
    """What was stored of one image: hash of the network's pixels, and the display file."""

    sha256: str
    display_sha256: str
    display_size: int


def read(path: Path) -> Image.Image:
    """Return a JPEG, PNG or WebP file as an upright RGB image without metadata.

    Greyscale and palette images become RGB, transparency is laid over white, the camera's
    orientation is applied. Raises PictureError.
    """
    from explainers.images import upright

    try:
        with warnings.catch_warnings():
            # Pillow only warns of large images; the limits below refuse them.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as opened:
                _check_size(opened.width, opened.height)
                opened.load()
                return upright(opened).convert("RGB")
    except FileNotFoundError:
        raise PictureError("the file is missing") from None
    except Image.DecompressionBombError:
        raise PictureError(f"it has over {_megapixels(MAX_PIXELS)}, the largest allowed") from None
    except UnidentifiedImageError:
        kind = "an SVG drawing" if _is_svg(path) else "no image"
        raise PictureError(f"it is {kind}; expected JPEG, PNG or WebP") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        raise PictureError("the image is truncated or damaged") from None


def store(image: Image.Image, *, size: int) -> Stored:
    """Keep the centred square of an RGB image, for a network of input `size`, and for people."""
    side = min(image.size)
    pixels = np.asarray(_square(image, size))
    return store_pixels(pixels, display=_square(image, min(side, DISPLAY_SIDE)))


def store_pixels(pixels: NDArray[np.uint8], *, display: Image.Image) -> Stored:
    """Keep exactly these pixels `(size, size, 3)` for the network, and `display` for people."""
    sha256 = pixels_sha256(pixels)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    media.write_once(media.image_path(sha256), file.getvalue())
    return Stored(sha256, store_display(display), display.width)


def store_display(picture: Image.Image) -> str:
    """Keep a picture people see, as WebP, and return the file's SHA-256."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=DISPLAY_QUALITY, method=4)
    content = file.getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    media.write_once(media.display_path(sha256), content)
    return sha256


def pixels_of(sha256: str) -> NDArray[np.uint8]:
    """Return the stored pixels `(size, size, 3)` the network sees."""
    with Image.open(media.image_path(sha256)) as image:
        return np.asarray(image.convert("RGB"))


def pixels_sha256(pixels: NDArray[np.uint8]) -> str:
    """Return the hash of pixels with their shape: the same however a file encodes them."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE:
        raise PictureError(
            f"it is {width} x {height} pixels; expected at most {MAX_SIDE:,} pixels a side"
        )
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"it is {width} x {height} pixels; expected at most {_megapixels(MAX_PIXELS)}"
        )


def _megapixels(pixels: int) -> str:
    return f"{pixels // 1_000_000} megapixels"


def _square(image: Image.Image, size: int) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    # Cut before resizing: a resize with a box lets what lies outside bleed into the border.
    square = image.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.LANCZOS)


def _is_svg(path: Path) -> bool:
    with path.open("rb") as file:
        return b"<svg" in file.read(2_000).lower()
