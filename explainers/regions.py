"""Parts of an image by number, masked: the perturbation of the superpixel methods.

A map of numbers says which region each pixel belongs to; a few numbers per mask say which regions
it covers. Inside the graph, a small table (regions x batch) is looked up once per pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class RegionColours:
    """One image with sets of regions, one set at a time, filled with a colour each.

    image: float32 `(H, W, C)`. regions: int32 `(H, W)`, numbered from 0. spans: int32
    `(n, spans, 2)`: a mask covers the regions from the first number of each of its spans up to,
    not including, the second. colours: float32 `(n, C)`.
    """

    image: NDArray[np.float32]
    regions: NDArray[np.int32]
    spans: NDArray[np.int32]
    colours: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def shared(self) -> tuple[NDArray[Any], ...]:
        return (self.image, self.regions)

    @property
    def per_mask(self) -> tuple[NDArray[Any], ...]:
        return (self.spans, self.colours)

    @staticmethod
    def composite(shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        import tensorflow as tf

        (image, regions), (spans, colours) = shared, batch
        number = tf.range(tf.reduce_max(regions) + 1)[:, None, None]
        inside = (number >= spans[:, :, 0]) & (number < spans[:, :, 1])
        lines = tf.tile(colours, [1, image.shape[1]])[:, None, :]
        return _masked(image, regions, tf.reduce_any(inside, axis=2), lines)


@dataclass(frozen=True)
class RegionFills:
    """One image with sets of regions, one set at a time, taken from another image.

    image, fill: float32 `(H, W, C)`. regions: int32 `(H, W)`, numbered from 0. masked: bool
    `(n, regions)`, true where the fill is seen; columns beyond the last region do nothing.
    """

    image: NDArray[np.float32]
    fill: NDArray[np.float32]
    regions: NDArray[np.int32]
    masked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.masked)

    @property
    def shared(self) -> tuple[NDArray[Any], ...]:
        return (self.image, self.fill, self.regions)

    @property
    def per_mask(self) -> tuple[NDArray[Any], ...]:
        return (self.masked,)

    @staticmethod
    def composite(shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        import tensorflow as tf

        (image, fill, regions), (masked,) = shared, batch
        height, width, channels = image.shape
        lines = tf.reshape(fill, (1, height, width * channels))
        return _masked(image, regions, tf.transpose(masked), lines)


def region_means(image: NDArray[np.float32], regions: NDArray[np.int32]) -> NDArray[np.float32]:
    """The image `(H, W, C)` with every pixel replaced by the mean of its region `(H, W)`."""
    labels = regions.ravel()
    counts = np.maximum(np.bincount(labels), 1)
    flat = image.reshape(-1, image.shape[2]).astype(np.float64)
    means = np.stack([np.bincount(labels, channel) / counts for channel in flat.T], axis=1)
    return means[regions].astype(np.float32)


def _masked(image: Any, regions: Any, table: Any, lines: Any) -> Any:
    """The images `(batch, H, W, C)`: `lines` where the table `(regions, batch)` is true.

    lines: `(batch or 1, H or 1, W * C)`.
    """
    import tensorflow as tf

    height, width, channels = image.shape
    # One look-up per value, not per pixel, and rows of width * channels values, as in Boxes:
    # broadcasting over channels is several times slower. So is a look-up along the second axis.
    values = tf.repeat(tf.reshape(regions, (-1,)), channels)
    covered = tf.transpose(tf.gather(table, values))
    covered = tf.reshape(covered, (-1, height, width * channels))
    filled = tf.where(covered, lines, tf.reshape(image, (1, height, width * channels)))
    return tf.reshape(filled, (-1, height, width, channels))
