"""From the importance of every box to the heatmap: pruning, ranking and averaging the trees.

A tree is a pair of offsets; all trees that share a row offset are worked on together, with one
array per level: `(column offsets, regions down, regions across)`.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explainers.grids import Grids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]


def heatmap(
    grids: Grids,
    importance: NDArray[np.float64],
    *,
    level: int,
    best: int | Literal["all"],
    min_importance: float,
) -> NDArray[np.float64]:
    """The mean of the best trees' leaf maps, `(H, W)` (001 §4.5-4.6, §4.11-4.12).

    importance: `(boxes,)`, of every distinct box up to `level`, where the trees end.
    min_importance: as a fraction of the largest importance.
    """
    padded = np.append(importance, 0.0)  # the empty box, -1
    values = [padded[box_of] for box_of in grids.box_of[: level + 1]]
    least = min_importance * np.abs(importance).max()
    row_offsets, column_offsets = len(grids.rows[0].ids), len(grids.columns[0].ids)

    leaves = [_leaves(grids, values, row, least) for row in range(row_offsets)]
    quality = np.stack([_quality(grids, values, row, leaves[row]) for row in range(row_offsets)])
    ranking = np.argsort(-quality.ravel(), kind="stable")
    chosen = ranking if best == "all" else ranking[:best]

    counts = [np.zeros_like(found) for found in values]
    for row, column in zip(*np.divmod(chosen, column_offsets), strict=True):
        for depth, count in enumerate(counts):
            down, across = np.nonzero(leaves[row][depth][column])
            # A tree's regions are disjoint, so no index occurs twice.
            count[grids.rows[depth].ids[row, down], grids.columns[depth].ids[column, across]] += 1
    height, width = grids.rows[0].spans[0, 1], grids.columns[0].spans[0, 1]
    total = np.zeros((height, width))
    for depth, count in enumerate(counts):
        weight = count * values[depth]
        total += grids.rows[depth].cover(height).T @ weight @ grids.columns[depth].cover(width)
    return total / len(chosen)


def _of_trees(grids: Grids, found: NDArray[Any], row: int, depth: int) -> NDArray[Any]:
    """What belongs to the regions of the trees of one row offset at one level."""
    down, across = grids.rows[depth].ids[row], grids.columns[depth].ids
    return found[down[None, :, None], across[:, None, :]]


def _leaves(grids: Grids, values: list[Array], row: int, least: float) -> list[Mask]:
    """Per level, which regions are leaves that count."""
    last = len(values) - 1
    own = _of_trees(grids, values[0], row, 0)
    reached = np.ones(own.shape, bool)
    leaves = []
    for depth in range(last + 1):
        if depth == last:
            exists = _of_trees(grids, grids.box_of[depth], row, depth) >= 0
            leaves.append(reached & exists & (np.abs(own) >= least))
            break
        below = _of_trees(grids, values[depth + 1], row, depth + 1)
        down = grids.rows[depth + 1].parents[row]
        across = grids.columns[depth + 1].parents
        pruned = own > _sum_of_children(below, down, across, own.shape)
        leaves.append(reached & pruned & (np.abs(own) >= least))
        trees = np.arange(len(across))[:, None, None]
        reached = (reached & ~pruned)[trees, down[None, :, None], across[:, None, :]]
        own = below
    return leaves


def _sum_of_children(
    below: Array, down: NDArray[np.intp], across: NDArray[np.intp], shape: tuple[int, ...]
) -> Array:
    """Sums over the regions below each region; "no region" adds zero wherever it points."""
    _, rows, columns = shape
    is_row = (np.arange(rows)[:, None] == down).astype(np.float64)
    is_column = (across[:, :, None] == np.arange(columns)).astype(np.float64)
    return is_row @ below @ is_column


def _quality(
    grids: Grids, values: list[Array], row: int, leaves: list[Mask]
) -> NDArray[np.float64]:
    """Summed importance of a tree's leaves per pixel they cover; 0 for an empty tree.

    Summed without rounding, so that equal trees are equal however their leaves are ordered.
    """
    trees = len(leaves[0])
    found: list[list[float]] = [[] for _ in range(trees)]
    area = np.zeros(trees, np.int64)
    for depth, mask in enumerate(leaves):
        own = _of_trees(grids, values[depth], row, depth)
        lengths = grids.rows[depth].lengths[row], grids.columns[depth].lengths
        area += (mask * lengths[0][None, :, None] * lengths[1][:, None, :]).sum((1, 2))
        for tree in range(trees):
            found[tree] += own[tree][mask[tree]].tolist()
    totals = np.array([fsum(values) for values in found])
    return np.divide(totals, area, out=np.zeros(trees), where=area > 0)
