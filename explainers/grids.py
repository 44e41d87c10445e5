"""The nested, shifted grids of multi-scale occlusion (001 §4.3, §4.9, §4.10).

Along one axis, lengths are counted in units of half the smallest region, size / 2^(depth + 1), so
that every edge of every grid is a whole number of units. Edges are worked out exactly and then
rounded half up to pixels; regions that vanish by rounding do not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from explainers.errors import ExplainerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

OFFSETS = ("all", "four", "none")


@dataclass(frozen=True)
class Level:
    """One level of one axis, over all offsets.

    spans: int32 `(spans, 2)`, the distinct (start, stop) in pixels, sorted; one more, empty span
    stands at the end for "no region".
    ids: `(offsets, regions)`, which span each region is, in order along the axis; offsets with
    fewer regions are filled up with the empty span.
    parents: `(offsets, regions)`, each region's place in the level above.
    """

    spans: NDArray[np.int32]
    ids: NDArray[np.intp]
    parents: NDArray[np.intp]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Pixels of each region, `(offsets, regions)`; 0 for "no region"."""
        return (self.spans[:, 1] - self.spans[:, 0]).astype(np.int64)[self.ids]

    def cover(self, size: int) -> NDArray[np.float64]:
        """`(spans, size)`: 1 where the span holds the pixel."""
        pixels = np.arange(size)
        inside = (pixels >= self.spans[:, :1]) & (pixels < self.spans[:, 1:])
        return inside.astype(np.float64)


@dataclass(frozen=True)
class Grids:
    """All levels of both axes and the distinct boxes they make.

    rows, columns: from the root (level 0) to `depth`.
    boxes: int32 `(n, 4)`, distinct, by the first level they occur at.
    box_of: per level, `(row spans, column spans)`, which of the boxes a pair of spans is; -1 for
    the empty one.
    known: per level, how many of the boxes have occurred up to it.
    """

    rows: tuple[Level, ...]
    columns: tuple[Level, ...]
    boxes: NDArray[np.int32]
    box_of: tuple[NDArray[np.intp], ...]
    known: tuple[int, ...]


def check_depth(height: int, width: int, depth: int) -> None:
    if min(height, width) >> depth < 1:
        raise ExplainerError(
            f"depth is {depth}: its smallest regions would be under one pixel in an image of "
            f"{height} x {width}."
        )


@lru_cache(maxsize=8)
def grids(height: int, width: int, depth: int, offsets: str) -> Grids:
    """The grids of an image: for each pair of a row and a column offset, one tree of boxes."""
    rows, columns = _levels(height, depth, offsets), _levels(width, depth, offsets)
    pairs = [_boxes(*level) for level in zip(rows, columns, strict=True)]
    keys = np.concatenate([_keys(boxes.reshape(-1, 4), width) for boxes in pairs])
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    firsts = first[order]
    boxes = np.concatenate([boxes.reshape(-1, 4) for boxes in pairs])[firsts]

    box_of, known, start = [], [], 0
    for level in pairs:
        count = level.shape[0] * level.shape[1]
        ids = rank[inverse[start : start + count]].reshape(level.shape[:2])
        box_of.append(np.pad(ids, ((0, 1), (0, 1)), constant_values=-1))
        start += count
        known.append(int(np.searchsorted(firsts, start)))
    return Grids(rows, columns, boxes, tuple(box_of), tuple(known))


def _boxes(rows: Level, columns: Level) -> NDArray[np.int32]:
    """`(row spans, column spans, 4)` without the empty ones."""
    y, x = rows.spans[:-1], columns.spans[:-1]
    boxes = np.empty((len(y), len(x), 4), np.int32)
    boxes[..., 0::2] = y[:, None]
    boxes[..., 1::2] = x[None, :]
    return boxes


def _keys(boxes: NDArray[np.int32], width: int) -> NDArray[np.int64]:
    """One number per box; equal boxes, equal numbers."""
    side = int(boxes.max(initial=width)) + 1
    top, left, bottom, right = boxes.astype(np.int64).T
    return ((top * side + left) * side + bottom) * side + right


def _levels(size: int, depth: int, offsets: str) -> tuple[Level, ...]:
    units = 2 ** (depth + 1)
    shifts = {"all": range(2**depth), "four": (0, 2 ** (depth - 1)), "none": (0,)}[offsets]
    edges = [[_edges(size, units, units >> level, k) for k in shifts] for level in range(depth + 1)]
    return tuple(_level(edges[level], edges[max(level - 1, 0)]) for level in range(depth + 1))


def _edges(size: int, units: int, step: int, shift: int) -> NDArray[np.int64]:
    """Pixel edges of one grid: 0, size, and shift + m * step between them (in units)."""
    inner = np.arange(shift % step, units, step) if step < units else np.empty(0, np.int64)
    exact = np.concatenate([[0], inner, [units]]) * size
    return np.unique((2 * exact + units) // (2 * units))


def _level(edges: list[NDArray[np.int64]], above: list[NDArray[np.int64]]) -> Level:
    regions = [np.stack([grid[:-1], grid[1:]], axis=1) for grid in edges]
    spans, inverse = np.unique(np.concatenate(regions), axis=0, return_inverse=True)
    most = max(len(grid) for grid in regions)
    ids = np.full((len(regions), most), len(spans), np.intp)
    parents = np.zeros((len(regions), most), np.intp)
    start = 0
    for place, (grid, coarse) in enumerate(zip(regions, above, strict=True)):
        ids[place, : len(grid)] = inverse[start : start + len(grid)].ravel()
        parents[place, : len(grid)] = np.searchsorted(coarse, grid[:, 0], side="right") - 1
        start += len(grid)
    return Level(np.concatenate([spans, [[0, 0]]]).astype(np.int32), ids, parents)
