"""Occlusion by a sliding box (001 §4.2), and occluding patches (004 §3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from explainers.base import Explainer, Partial
from explainers.boxes import Boxes, Fill, check_fill, fill_colours
from explainers.classifier import Classifier, Outputs
from explainers.engine import picked, score_batches
from explainers.errors import ExplainerError
from explainers.parameters import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Occlusion(Explainer):
    """How much the score falls when a box of the image is filled with one colour.

    Boxes start at 0, stride, 2 stride, ... along both axes, rows first, and are cropped at the
    image's border (001 §4.2). A box's importance is score(image) - score(image with the box
    filled), sign kept. Where boxes overlap, a pixel gets the mean over the boxes that cover it
    (ours: the source's boxes do not overlap).

    box: side of the square box in pixels. stride: step in pixels, at most the box (so that no
    pixel is left out); the box itself where None. fill: "black" (the source's), "grey" (169),
    "mean" of the box, "surround", or a colour; see `boxes.fill_colours`.
    """

    linear = True

    def __init__(
        self,
        classifier: Classifier,
        *,
        box: int = 20,
        stride: int | None = None,
        fill: Fill = "black",
        batch_size: int = 64,
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.box = whole("box", box, minimum=1)
        self.stride = self.box if stride is None else whole("stride", stride, minimum=1)
        if self.stride > self.box:
            raise ExplainerError(
                f"stride is {self.stride}, more than the box of {self.box}: "
                "it would leave pixels out."
            )
        self.fill = check_fill(fill)

    def _check(self, image: NDArray[np.float32]) -> None:
        height, width, _ = image.shape
        if self.box > min(height, width):
            raise ExplainerError(
                f"box is {self.box} pixels, more than the image of {height} x {width} has."
            )
        fill_colours(image, np.zeros((1, 4), np.int32), self.fill)

    def _steps(self, image: NDArray[np.float32], targets: Outputs) -> Iterator[Partial]:
        rows, columns = (self._spans(size) for size in image.shape[:2])
        boxes = np.zeros((1 + len(rows) * len(columns), 4), np.int32)  # the first one: no box
        boxes[1:, 0::2] = np.repeat(rows, len(columns), axis=0)
        boxes[1:, 1::2] = np.tile(columns, (len(rows), 1))
        perturbation = Boxes(image, boxes, fill_colours(image, boxes, self.fill))

        scores = np.full((np.shape(targets)[-1], len(boxes)), np.nan)
        covers_y, covers_x = _cover(rows, image.shape[0]), _cover(columns, image.shape[1])

        def heatmap() -> NDArray[np.float32]:
            importance = self._importance(scores[:, :1], scores[:, 1:])
            known = ~np.isnan(importance[0])
            grid = (-1, len(rows), len(columns))
            sums = covers_y.T @ np.where(known, importance, 0.0).reshape(grid) @ covers_x
            counts = covers_y.T @ known.astype(float).reshape(grid[1:]) @ covers_x
            return (sums / np.maximum(counts, 1)).astype(np.float32)

        for part, found in score_batches(self.classifier, perturbation, batch_size=self.batch_size):
            scores[:, part] = picked(found, targets).T
            yield Partial(part.stop, len(boxes), heatmap)

    def _importance(
        self, whole: NDArray[np.float64], occluded: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Of each box `(targets, boxes)`, from the scores of the whole image and without it."""
        return whole - occluded

    def _spans(self, size: int) -> NDArray[np.int32]:
        starts = np.arange(0, size, self.stride, dtype=np.int32)
        return np.stack([starts, np.minimum(starts + self.box, size)], axis=1)


class OccludingPatches(Occlusion):
    """One minus the score that is left when a pixel is occluded (004 §3, Eq. 1).

    A grey patch slides over the image. A pixel gets 1 - p, p being the mean score of the images in
    which a patch covers it: in 0..1 for probabilities, and highest where occlusion costs most.

    This is Eq. 1 with its mask turned over, and that is ours. As printed, with V_j = 0 where the
    j-th patch lies and 1 elsewhere, H = 1 - (1/J) * sum of p_j * V_j equals a constant plus the
    sum of p_j over the patches that cover the pixel, divided by J: highest where occlusion costs
    nothing, the reverse of what its text says (regions "that cause large confidence drops" are
    "more important") and of how 004 uses it. With patches side by side, the map here is the one
    printed, turned over and stretched by J; its order of pixels is exactly the reverse. We divide
    by the number of patches over the pixel instead of J, so that pixels under more patches do not
    stand out for that alone. Up to a constant, score(image) - 1, it is `Occlusion`.

    box: side of the square patch in pixels; 004 §5.2 uses 10 (also where it intersects methods),
    50 and 100. stride: the patch's side where None. fill: grey (004 does not say which: 169,
    ours); or as for `Occlusion`.
    """

    linear = False  # one minus the score: the sum over classes has as many ones as classes

    def __init__(
        self,
        classifier: Classifier,
        *,
        box: int = 10,
        stride: int | None = None,
        fill: Fill = "grey",
        batch_size: int = 64,
    ) -> None:
        super().__init__(classifier, box=box, stride=stride, fill=fill, batch_size=batch_size)

    def _importance(
        self, whole: NDArray[np.float64], occluded: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return 1.0 - occluded


def _cover(spans: NDArray[np.int32], size: int) -> NDArray[np.float64]:
    """`(spans, size)`: 1 where the span holds the pixel."""
    pixels = np.arange(size)
    return ((pixels >= spans[:, :1]) & (pixels < spans[:, 1:])).astype(np.float64)
