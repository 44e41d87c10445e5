"""Random masks enlarged from coarse grids, and what many of them say about each pixel.

What RISE and its successors share (002 §3-4). A mask is a small grid of cells, each kept or masked
with a colour. Only the grids are kept: the masks come into being inside the TensorFlow graph, and
the sums over masks are taken over grids too. An enlarged grid is linear in its cells, so masks
with the same shift can be summed before they are enlarged; the result is that of the sum over
full-size masks, in double precision, at a small part of its cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_COLOURS = 255  # a cell is one byte
MOST_MASKS = 10**6  # their grids and scores are kept
MOST_CELLS = 10**9  # of all grids; a byte each

_BLOCK = 2**16  # cells taken at once; bounds the memory
_TARGETS = 8  # targets taken at once; likewise


@dataclass(frozen=True)
class GridMasks:
    """One image under `n` random masks.

    A mask's grid has one cell more per axis than span the image. It is enlarged bilinearly, a
    cell's value lying at its centre and the outermost going on to the border, and cropped to the
    image at the mask's shift.

    image: float32 `(H, W, C)`. colours: float32 `(K, C)`; without any, masked cells are black.
    cells: uint8 `(n, h + 1, w + 1)`: 0 where the image is kept, k where it is masked with the
    k-th colour. shifts: int32 `(n, 2)`: pixels down and across, from 0 up to one cell.
    """

    image: NDArray[np.float32]
    colours: NDArray[np.float32]
    cells: NDArray[np.uint8]
    shifts: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def axes(self) -> tuple[_Axis, _Axis]:
        """Down and across."""
        (height, width, _), (_, rows, columns) = self.image.shape, self.cells.shape
        return _Axis(height, _table(height, rows - 1)), _Axis(width, _table(width, columns - 1))

    @property
    def shared(self) -> tuple[NDArray[Any], ...]:
        down, across = (axis.table.astype(np.float32) for axis in self.axes)
        return (self.image, self.colours, down, across)

    @property
    def per_mask(self) -> tuple[NDArray[Any], ...]:
        return (self.cells, self.shifts)

    @staticmethod
    def composite(shared: Sequence[Any], batch: Sequence[Any]) -> Any:
        import tensorflow as tf

        (image, colours, down, across), (cells, shifts) = shared, batch
        height, width, channels = image.shape
        down = tf.gather(down, shifts[:, :1] + tf.range(height))
        across = tf.transpose(tf.gather(across, shifts[:, 1:] + tf.range(width)), (0, 2, 1))
        # Rows of width * channels values, as in Boxes: broadcasting over channels is slower.
        kept = tf.cast(cells == 0, tf.float32) @ tf.repeat(across, channels, axis=2)
        lines = tf.reshape(image, (1, height, width * channels)) * (down @ kept)
        if colours.shape[0]:
            palette = tf.concat([tf.zeros((1, channels)), colours], axis=0)
            filled = tf.gather(palette, tf.cast(cells, tf.int32))
            filled = tf.einsum("nijc,njx->nixc", filled, across)
            lines += down @ tf.reshape(filled, (-1, cells.shape[1], width * channels))
        return tf.reshape(lines, (-1, height, width, channels))


def draw(
    seed: int,
    masks: int,
    *,
    size: tuple[int, int],
    grid: tuple[int, int],
    p_mask: float,
    colours: int = 1,
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Cells and shifts of random masks, as GridMasks takes them, for images of `size`.

    A cell is masked with probability `p_mask`, each colour equally often. Shifts are whole pixels
    from 0 up to a cell's size rounded down, both included (002 §4.2). More masks of the same seed
    begin with the same ones.
    """
    for_cells, for_shifts = np.random.default_rng(seed).spawn(2)
    cells = np.empty((masks, grid[0] + 1, grid[1] + 1), np.uint8)
    for block in _blocks(masks, cells.shape[1] * cells.shape[2]):
        chance = for_cells.random(cells[block].shape)
        colour = np.minimum(np.floor(chance * (colours / p_mask)), colours - 1)
        cells[block] = np.where(chance < p_mask, 1 + colour, 0)
    most = [pixels // cells for pixels, cells in zip(size, grid, strict=True)]
    return cells, for_shifts.integers(0, most, (masks, 2), np.int32, endpoint=True)


@dataclass(frozen=True)
class Estimate:
    """The mean over masks of score * weight at each pixel, and how sure it is.

    A pixel's weight in a mask is interpolated like the mask itself, from `weights` `(maps, kinds)`:
    one value per map and kind of cell (kept, masked with the first colour, ...).

    expected: the weights' expectation, the same at each pixel. centred: the mean score is taken
    off the scores first, and expected * mean score put back; the sum is then divided by n - 1. As
    the covariance of score and weight that is exactly unbiased too. As a rule its variance is
    smaller: otherwise the chance in the weights is multiplied by the level of the scores.
    """

    weights: NDArray[np.float64]
    expected: float
    centred: bool

    def mean(self, masks: GridMasks, scores: NDArray[np.float64]) -> NDArray[np.float32]:
        """Float32 `(targets, maps, H, W)` from the scores `(n, targets)` of the first n masks."""
        count = len(scores)
        values, level = self._values(scores)
        degrees = max(count - 1, 1) if self.centred else count
        result = self._empty(masks, scores)
        for part, row, weights in self._parts(values):
            sums = _sums(masks, weights, values[:, part])
            result[part, row] = sums / degrees + self.expected * level[part, None, None]
        return result

    def standard_error(self, masks: GridMasks, scores: NDArray[np.float64]) -> NDArray[np.float32]:
        """In the shape and units of `mean`: over the chance in the masks; NaN below two of them."""
        count = len(scores)
        values, _ = self._values(scores)
        result = self._empty(masks, scores)
        if count < 2:
            result[:] = np.nan
            return result
        for part, row, weights in self._parts(values):
            sums = _sums(masks, weights, values[:, part])
            squares = _sums(masks, weights, values[:, part] ** 2, squared=True)
            variance = np.maximum(squares - sums**2 / count, 0) / (count - 1)
            result[part, row] = np.sqrt(variance / count)
        return result

    def _values(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """What is multiplied with the weights, and what was taken off the scores for it."""
        level = scores.mean(0) if self.centred else np.zeros(scores.shape[1])
        return scores - level, level

    def _empty(self, masks: GridMasks, scores: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.empty((scores.shape[1], len(self.weights), *masks.image.shape[:2]), np.float32)

    def _parts(self, values: NDArray[np.float64]) -> list[tuple[slice, int, NDArray[np.float64]]]:
        parts = [slice(start, start + _TARGETS) for start in range(0, values.shape[1], _TARGETS)]
        return [(part, row, weights) for part in parts for row, weights in enumerate(self.weights)]


@dataclass(frozen=True)
class _Axis:
    """One axis of the enlargement: `size` pixels, and the table of `_table`."""

    size: int
    table: NDArray[np.float64]

    @property
    def cells(self) -> int:
        return self.table.shape[1]

    def squared(self) -> _Axis:
        """Between a and b a pixel's value is u a + v b, its square u^2 a^2 + 2 u v a b + v^2 b^2:
        an enlarged grid again, with the products of neighbours between the squares.
        """
        table = np.empty((len(self.table), 2 * self.cells - 1))
        table[:, ::2] = self.table**2
        table[:, 1::2] = 2 * self.table[:, 1:] * self.table[:, :-1]
        return _Axis(self.size, table)

    def places(self, shifts: NDArray[np.int32]) -> NDArray[np.int64]:
        """Where the cells of a mask with that shift are in `by_shift`, `(n, cells)`."""
        return shifts[:, None].astype(np.int64) * self.cells + np.arange(self.cells)

    def by_shift(self) -> NDArray[np.float64]:
        """The table's cut for every shift, side by side: `(size, shifts * cells)`."""
        shifts = range(len(self.table) - self.size + 1)
        return np.concatenate([self.table[shift : shift + self.size] for shift in shifts], axis=1)


def _table(size: int, cells: int) -> NDArray[np.float64]:
    """How much each cell counts at each pixel, `(size + size // cells, cells + 1)`.

    Row s + y is for pixel y under the shift s.
    """
    places = (np.arange(size + size // cells) + 0.5) * cells / size - 0.5
    distance = np.abs(np.clip(places, 0, cells)[:, None] - np.arange(cells + 1))
    return np.maximum(1 - distance, 0)


def _sums(
    masks: GridMasks,
    weights: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    squared: bool = False,
) -> NDArray[np.float64]:
    """The sum over the first n masks of value * weight at each pixel; of weight^2 if `squared`.

    weights: per kind of cell. values: `(n, v)`. Returns `(v, H, W)`.
    """
    from scipy.sparse import csr_array

    down, across = (axis.squared() if squared else axis for axis in masks.axes)
    left, right = csr_array(down.by_shift()), csr_array(across.by_shift())
    # The grids of equal shifts are added up, and then enlarged. Both by sparse matrices: in one
    # thread they are as fast as dense ones in several, which wait for each other on a busy machine.
    count, width = down.cells * across.cells, right.shape[1]
    total = np.zeros((left.shape[1] * width, values.shape[1]))
    for block in _blocks(len(values), count, at_least=len(total)):
        part = values[block]
        cells, shifts = masks.cells[block][: len(part)], masks.shifts[block][: len(part)]
        grids = _squared_grids(weights[cells]) if squared else weights[cells]
        places = (
            down.places(shifts[:, 0])[:, :, None] * width + across.places(shifts[:, 1])[:, None]
        )
        starts = np.arange(len(part) + 1) * count
        per_mask = (grids.reshape(-1), places.reshape(-1), starts)
        total += csr_array(per_mask, shape=(len(part), len(total))).T @ part
    rows = (left @ total.reshape(left.shape[1], -1)).reshape(down.size, width, -1)
    turned = rows.transpose(1, 0, 2).reshape(width, -1)
    return (right @ turned).reshape(across.size, down.size, -1).transpose(2, 1, 0)


def _squared_grids(grids: NDArray[np.float64]) -> NDArray[np.float64]:
    """The grids `(n, h, w)` that `_Axis.squared` enlarges: along both axes."""
    count, rows, columns = grids.shape
    squared = np.empty((count, 2 * rows - 1, 2 * columns - 1))
    squared[:, ::2, ::2] = grids**2
    squared[:, 1::2, ::2] = grids[:, 1:] * grids[:, :-1]
    squared[:, ::2, 1::2] = grids[:, :, 1:] * grids[:, :, :-1]
    diagonals = grids[:, 1:, 1:] * grids[:, :-1, :-1], grids[:, 1:, :-1] * grids[:, :-1, 1:]
    squared[:, 1::2, 1::2] = (diagonals[0] + diagonals[1]) / 2
    return squared


def _blocks(masks: int, cells: int, at_least: int = 0) -> list[slice]:
    """The masks in parts of about _BLOCK cells, or of as many as they are added up in."""
    step = max(1, max(_BLOCK, at_least) // cells)
    return [slice(start, start + step) for start in range(0, masks, step)]
