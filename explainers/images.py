"""Checks of images on their way in, and the loader of the command line.

Images are `(H, W, C)` arrays, C = 1 or 3, uint8 or float, values 0..255.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.errors import ExplainerError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from PIL import Image

Shape = tuple[int | None, int | None, int | None]
ANY_SHAPE: Shape = (None, None, None)

# What makes an image upright, by its orientation in EXIF (CIPA DC-008, 4.6.5.1.6); 1 is upright.
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


def check_image(image: ArrayLike, shape: Shape = ANY_SHAPE) -> NDArray[np.float32]:
    """One image as float32 `(H, W, C)`, values untouched.

    Raises ExplainerError for a wrong shape, values that are no finite numbers, or values outside
    0..255 (a float image that was scaled to 0..1 is refused too).
    """
    array = as_array(image, "image")
    if array.ndim != 3:
        raise ExplainerError(
            f"The image has shape {array.shape}; expected one image (height, width, channels)."
        )
    _check(array, "image", shape)
    return array.astype(np.float32)


def check_images(images: ArrayLike, shape: Shape = ANY_SHAPE) -> NDArray[Any]:
    """A stack of images `(N, H, W, C)` as it came (not yet float32); errors as `check_image`."""
    array = as_array(images, "images")
    if array.ndim != 4 or len(array) == 0:
        raise ExplainerError(
            f"The images have shape {array.shape}; expected (images, height, width, channels) "
            "with at least one image."
        )
    _check(array, "images", shape)
    return array


def as_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """The values as an array; ExplainerError for lists of unequal lengths."""
    try:
        return np.asarray(values)
    except ValueError:
        raise ExplainerError(f"The {name} {_has(name)} rows of unequal length.") from None


def _check(array: NDArray[Any], name: str, shape: Shape) -> None:
    found = array.shape[-3:]
    if found[2] not in (1, 3) or 0 in found:
        raise ExplainerError(
            f"The {name} {_has(name)} {found[2]} channels and {found[0]} x {found[1]} pixels; "
            "expected 1 or 3 channels, last, and at least one pixel."
        )
    if any(want is not None and want != have for want, have in zip(shape, found, strict=True)):
        wanted = tuple("any" if size is None else size for size in shape)
        raise ExplainerError(
            f"The {name} {_has(name)} (height, width, channels) = {found}, "
            f"the classifier takes {wanted}; explainers.images.load_image(path, "
            "classifier.input_shape) cuts and resizes a file to fit."
        )
    if array.dtype.kind not in "uif":
        raise ExplainerError(
            f"The {name} {_has(name)} values of type {array.dtype}; expected numbers 0..255."
        )
    if array.dtype == np.uint8:
        return
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):  # min and max carry NaN along
        raise ExplainerError(f"The {name} {_has(name)} values that are NaN or infinite.")
    if low < 0 or high > 255:
        raise ExplainerError(
            f"The {name} {_has(name)} values from {low:g} to {high:g}; expected 0..255."
        )
    if array.dtype.kind == "f" and 0 < high <= 1 and bool(np.any(array % 1)):
        raise ExplainerError(
            f"The {name} {_has(name)} values from {low:g} to {high:g}, as if scaled to 0..1; "
            "expected 0..255 (the classifier does its own scaling)."
        )


def _has(name: str) -> str:
    return "have" if name.endswith("s") else "has"


def load_image(path: str | Path, shape: Shape = ANY_SHAPE) -> NDArray[np.uint8]:
    """Read a photograph for a network: `(H, W, C)` uint8; as `fitted`, of what `read` reads."""
    return fitted(read(path), shape)


def read(path: str | Path) -> Image.Image:
    """A photograph's file as a picture, see `upright`; ExplainerError where it is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            opened.load()
            return upright(opened)
    except FileNotFoundError:
        raise ExplainerError(f"There is no image file {path}.") from None
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:
        raise ExplainerError(f"{path} cannot be read as an image: {error}.") from None


def upright(picture: Image.Image) -> Image.Image:
    """A picture as the camera stood, opaque, and of 8 bits a channel, in its own colours or grey.

    What is transparent lies over white, as a page shows it; 16-bit greyscale is scaled to 8 bits.
    """
    from PIL import ExifTags, Image

    # Not ImageOps.exif_transpose: it writes the other metadata anew, and ends in a TypeError, an
    # AttributeError or a struct.error where those are damaged. They are of no use here.
    turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    turned = picture if turn is None else picture.transpose(Image.Transpose[turn])
    shown = _eight_bit(turned)
    if not shown.has_transparency_data:
        return shown
    layer = shown.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(ground, layer).convert("RGB")


def fitted(picture: Image.Image, shape: Shape = ANY_SHAPE) -> NDArray[np.uint8]:
    """A picture as a network takes it: `(H, W, C)` uint8.

    Where the network fixes its size, the largest centred part of the right proportions is cut out
    (a square for a square network) and resized to it.
    """
    from PIL import Image

    height, width, channels = shape
    picture = picture.convert("L" if channels == 1 else "RGB")
    if height is not None and width is not None:
        picture = picture.crop(centred(picture.size, width / height))
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    array = np.asarray(picture, dtype=np.uint8)
    return array[..., None] if array.ndim == 2 else array


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Greyscale of 16 bits scaled to 8: Pillow would clip it at 255. Other pictures as they are."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    levels = np.asarray(picture)
    if levels.min() < 0 or levels.max() > 65535:
        raise ValueError("its values are beyond 16 bits")
    return Image.fromarray((levels.astype(np.uint16) >> 8).astype(np.uint8))


def centred(size: tuple[int, int], ratio: float) -> tuple[int, int, int, int]:
    """The largest centred box of a width-to-height ratio: (left, top, right, bottom)."""
    width, height = size
    part_width = max(1, min(width, round(height * ratio)))
    part_height = max(1, min(height, round(width / ratio)))
    left, top = (width - part_width) // 2, (height - part_height) // 2
    return left, top, left + part_width, top + part_height
