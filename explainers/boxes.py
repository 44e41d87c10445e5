"""Rectangles of an image filled with a colour: the perturbation of the occlusion methods.

A box is (top, left, bottom, right) in pixels, the last two exclusive. An empty box leaves the
image as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.errors import ExplainerError
from explainers.parameters import is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

GREY = 169.0
"""The grey of the user study (001 §5.3.1), in every channel."""

FILLS = ("grey", "surround", "mean", "black")

Fill = str | Sequence[float]


@dataclass(frozen=True)
class Boxes:
    """One image with `n` boxes, one at a time, filled with a colour each.

    image: float32 `(H, W, C)`; boxes: int32 `(n, 4)`; colours: float32 `(n, C)`.
    """

    image: NDArray[np.float32]
    boxes: NDArray[np.int32]
    colours: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def shared(self) -> tuple[NDArray[Any], ...]:
        return (self.image,)

    @property
    def per_mask(self) -> tuple[NDArray[Any], ...]:
        return (self.boxes, self.colours)

    @staticmethod
    def composite(shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        import tensorflow as tf

        (image,), (boxes, colours) = shared, batch
        height, width, channels = image.shape
        top, left, bottom, right = tf.split(boxes, 4, axis=1)
        y, x = tf.range(height), tf.range(width)
        rows = (y >= top) & (y < bottom)
        columns = tf.repeat((x >= left) & (x < right), channels, axis=1)
        # Rows of width * channels values: broadcasting over two trailing axes is several times
        # slower than over one.
        lines = tf.where(
            rows[:, :, None] & columns[:, None, :],
            tf.tile(colours, [1, width])[:, None, :],
            tf.reshape(image, (1, height, width * channels)),
        )
        return tf.reshape(lines, (-1, height, width, channels))


def check_fill(fill: Any) -> str | tuple[float, ...]:
    """A fill's name, or its colour as a tuple."""
    if isinstance(fill, str) and fill in FILLS:
        return fill
    if isinstance(fill, (Sequence, np.ndarray)) and not isinstance(fill, str):
        colour = tuple(fill)
        if len(colour) in (1, 3) and all(
            is_number(level) and 0 <= level <= 255 for level in colour
        ):
            return tuple(float(level) for level in colour)
    raise ExplainerError(
        f"fill is {fill!r}; expected one of {', '.join(FILLS)}, "
        "or a colour: one number 0..255 per channel."
    )


def fill_colours(
    image: NDArray[np.float32], boxes: NDArray[np.int32], fill: str | tuple[float, ...]
) -> NDArray[np.float32]:
    """The colour `(n, C)` that fills each box.

    "grey": 169 in every channel (001 §5.3.1). "black": 0. "mean": the mean of the box's own
    pixels. "surround": the mean of the pixels one deep outside the box's four sides, without the
    corners, as far as they lie inside the image (001 §4.7); for a box that covers the whole image,
    the image's mean. A colour: that colour.
    """
    channels = image.shape[2]
    if fill == "mean":
        return _mean_inside(image, boxes).astype(np.float32)
    if fill == "surround":
        return _mean_around(image, boxes).astype(np.float32)
    colour = {"grey": (GREY,), "black": (0.0,)}[fill] if isinstance(fill, str) else fill
    if len(colour) not in (1, channels):
        raise ExplainerError(
            f"fill has {len(colour)} values for an image of {channels} channel(s)."
        )
    return np.broadcast_to(np.asarray(colour, np.float32), (len(boxes), channels)).copy()


def _mean_inside(image: NDArray[np.float32], boxes: NDArray[np.int32]) -> NDArray[np.float64]:
    top, left, bottom, right = boxes.T
    sums = np.pad(image.astype(np.float64), ((1, 0), (1, 0), (0, 0))).cumsum(0).cumsum(1)
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    count = (bottom - top) * (right - left)
    return inside / np.maximum(count, 1)[:, None]


def _mean_around(image: NDArray[np.float32], boxes: NDArray[np.int32]) -> NDArray[np.float64]:
    height, width, _ = image.shape
    top, left, bottom, right = boxes.T
    exact = image.astype(np.float64)
    # A line of zeros on either side stands for what lies outside the image.
    along_x = np.pad(exact, ((1, 1), (1, 0), (0, 0))).cumsum(1)  # row y is at y + 1
    along_y = np.pad(exact, ((1, 0), (1, 1), (0, 0))).cumsum(0)  # column x is at x + 1
    total = (
        (along_x[top, right] - along_x[top, left])
        + (along_x[bottom + 1, right] - along_x[bottom + 1, left])
        + (along_y[bottom, left] - along_y[top, left])
        + (along_y[bottom, right + 1] - along_y[top, right + 1])
    )
    horizontal = (top > 0).astype(int) + (bottom < height)
    vertical = (left > 0).astype(int) + (right < width)
    count = (horizontal * (right - left) + vertical * (bottom - top))[:, None]
    return np.where(count > 0, total / np.maximum(count, 1), exact.mean((0, 1)))
