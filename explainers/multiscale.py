"""Multi-scale occlusion: trees of boxes, pruned to the scale that matters (001 §3-4)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from explainers.base import Explainer, Partial
from explainers.boxes import Boxes, Fill, check_fill, fill_colours
from explainers.classifier import Classifier
from explainers.engine import score_batches
from explainers.forest import heatmap
from explainers.grids import OFFSETS, check_depth, grids
from explainers.parameters import choice, flag, fraction, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MultiScaleOcclusion(Explainer):
    """Recursive occlusion with dynamic granularity, over shifted grids (001 §4.3-4.12).

    The image is split into regions of W/2^l x H/2^l, l = 1..depth, again and again: a tree, whose
    root is the whole image. Each pair of a row and a column offset (multiples of half the smallest
    region) shifts the grid and gives another tree; regions are cropped to image and parent
    (`grids`). A region's importance is score(image) - score(image with the region filled).

    Every tree is pruned: a region keeps its children unless its own importance is greater than the
    sum of theirs (001 §4.5). The leaves that remain, less the unimportant ones, are the tree's map;
    its quality is their summed importance per pixel covered (001 §4.11). The heatmap is the mean
    of the maps of the best trees (001 §4.12). Each distinct box is predicted once, though it
    occurs in many trees: 5,708 boxes instead of 97,589 at 224 pixels and depth 4.

    depth: number of splits, so that 224 pixels and depth 4 give regions of 14 pixels (the figures
    of 001 can also be read as one level fewer).
    best: how many trees are averaged, best first; "all" for every tree.
    fill: "surround", the mean of the pixels around the box (001 §4.7); "grey", 169 (what the user
    study used, 001 §5.3.1); "mean", "black", or a colour; see `boxes.fill_colours`.
    offsets: "all" (001 §4.10), "four" (none, half a region of level 1 across, down, both: 001
    §4.9), or "none".

    The root has an importance of its own. Where the network is so sure that no part of the image
    lowers its score much but the whole does, the root is the only leaf and the map is uniform.

    Where 001 is silent, ours: an importance below zero counts as zero (signed=True keeps it); a
    tie keeps the children; leaves below `min_importance` times the largest importance of any box
    of the image are dropped, and their parent does not take their place (with signed=True absolute
    values are compared); quality sums plainly, is 0 for an empty tree, and ties go to the smaller
    offset, rows first.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        depth: int = 4,
        best: int | Literal["all"] = 5,
        fill: Fill = "surround",
        offsets: str = "all",
        min_importance: float = 0.01,
        signed: bool = False,
        batch_size: int = 64,
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.depth = whole("depth", depth, minimum=1)
        self.best = best if best == "all" else whole("best", best, minimum=1)
        self.fill = check_fill(fill)
        self.offsets = choice("offsets", offsets, OFFSETS)
        self.min_importance = fraction("min_importance", min_importance)
        self.signed = flag("signed", signed)

    def _check(self, image: NDArray[np.float32]) -> None:
        check_depth(image.shape[0], image.shape[1], self.depth)
        fill_colours(image, np.zeros((1, 4), np.int32), self.fill)

    def _steps(self, image: NDArray[np.float32], targets: tuple[int, ...]) -> Iterator[Partial]:
        """Boxes come coarse to fine; a partial map is that of the levels finished so far."""
        height, width, _ = image.shape
        forest = grids(height, width, self.depth, self.offsets)
        boxes = np.concatenate([np.zeros((1, 4), np.int32), forest.boxes])  # the first one: no box
        perturbation = Boxes(image, boxes, fill_colours(image, boxes, self.fill))
        scores = np.zeros((len(targets), len(boxes)))

        def maps(done: int) -> NDArray[np.float32]:
            level = sum(known < done for known in forest.known) - 1
            if level < 0:
                return np.zeros((len(targets), height, width), np.float32)
            importances = scores[:, :1] - scores[:, 1:]
            if not self.signed:
                importances = np.maximum(importances, 0.0)
            return np.stack(
                [
                    heatmap(
                        forest,
                        importance[: forest.known[level]],
                        level=level,
                        best=self.best,
                        min_importance=self.min_importance,
                    )
                    for importance in importances
                ]
            ).astype(np.float32)

        for part, found in score_batches(self.classifier, perturbation, batch_size=self.batch_size):
            scores[:, part] = found[:, targets].T
            yield Partial(part.stop, len(boxes), partial(maps, part.stop))
