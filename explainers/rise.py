"""RISE, debiased RISE and MC-RISE: what random masks do to a score (002 §3-4)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from explainers.base import Explainer, Partial
from explainers.classifier import Classifier, Outputs
from explainers.engine import picked, score_batches
from explainers.errors import ExplainerError
from explainers.parameters import between, flag, is_number, whole
from explainers.sampling import MOST_CELLS, MOST_COLOURS, MOST_MASKS, Estimate, GridMasks, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLOURS = {
    "red": (255.0, 0.0, 0.0),
    "green": (0.0, 255.0, 0.0),
    "blue": (0.0, 0.0, 255.0),
    "white": (255.0, 255.0, 255.0),
    "black": (0.0, 0.0, 0.0),
}
"""The masking colours of 002 §5.1."""

Grid = int | Sequence[int]
Colour = str | Sequence[float]


class _Sampled(Explainer):
    """Random masks from coarse grids; what is done with the scores is the subclasses'."""

    linear = True
    expected: ClassVar[float]  # of the weights

    def __init__(
        self,
        classifier: Classifier,
        *,
        grid: Grid,
        masks: int,
        p_mask: float,
        seed: int,
        centred: bool,
        batch_size: int,
    ) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.grid = _checked_grid(grid)
        self.masks = whole("masks", masks, minimum=1, maximum=MOST_MASKS)
        self.p_mask = p_mask
        self.seed = whole("seed", seed, minimum=0)
        self.centred = flag("centred", centred)

    def _check(self, image: NDArray[np.float32]) -> None:
        if any(cells > size for cells, size in zip(self.grid, image.shape[:2], strict=True)):
            raise ExplainerError(
                f"grid is {self.grid[0]} x {self.grid[1]}, "
                f"more than the image of {image.shape[0]} x {image.shape[1]} pixels."
            )

        cells = self.masks * (self.grid[0] + 1) * (self.grid[1] + 1)
        if cells > MOST_CELLS:
            raise ExplainerError(
                f"{self.masks} masks of a grid of {self.grid[0]} x {self.grid[1]} have {cells} "
                f"cells; expected at most {MOST_CELLS}: fewer masks, or a coarser grid."
            )

    def _steps(self, image: NDArray[np.float32], targets: Outputs) -> Iterator[Partial]:
        colours = self._colours(image.shape[2])
        weights = self._weights(len(colours))
        cells, shifts = draw(
            self.seed,
            self.masks,
            size=image.shape[:2],
            grid=self.grid,
            p_mask=self.p_mask,
            colours=weights.shape[1] - 1,
        )
        masks = GridMasks(image, colours, cells, shifts)
        estimate = Estimate(weights, self.expected, self.centred)
        scores = np.empty((self.masks, np.shape(targets)[-1]))
        for part, found in score_batches(self.classifier, masks, batch_size=self.batch_size):
            scores[part] = picked(found, targets)
            known = scores[: part.stop]
            yield Partial(
                part.stop,
                self.masks,
                partial(estimate.mean, masks, known),
                partial(estimate.standard_error, masks, known),
            ).each(self._shaped)

    def _colours(self, channels: int) -> NDArray[np.float32]:
        """The masking colours `(K, C)`; none for black."""
        return np.empty((0, channels), np.float32)

    @abstractmethod
    def _weights(self, colours: int) -> NDArray[np.float64]:
        """Per map, what a cell counts that is kept, and one that is masked with each colour."""

    def _shaped(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        return maps[:, 0]


class Rise(_Sampled):
    """RISE: the mean score of randomly masked images in which the pixel is kept (002 Eq. 2).

    The map is the mean over masks of m(pixel) / p_keep * score(image * m), m from 0 (black) to 1
    (kept): an estimate of E[score | pixel kept] (Eq. 1), blurred as the masks are. It says which
    pixels support the target more than others, and has no zero: a pixel without any effect gets
    the mean score of all masked images (002 §4.1). DebiasedRise has one.

    grid: cells down and across the image, `(h, w)` or one number for both. A mask's grid has one
    more cell per axis, each kept with probability p_keep; it is enlarged bilinearly and cropped at
    a random shift of up to one cell. masks: how many; one prediction each. seed: of the masks,
    which are the same for every image of a size.
    p_keep: strictly between 0 and 1. centred: take the mean score off the scores first (ours): the
    same expectation, exactly (the sum is divided by n - 1 and, for RISE, the mean score put back),
    and as a rule a smaller standard error; see `sampling.Estimate`.

    Like the maps, their standard errors are over the choice of the masks, for this grid and p_keep.
    """

    expected = 1.0

    def __init__(
        self,
        classifier: Classifier,
        *,
        grid: Grid = 7,
        masks: int = 8000,
        p_keep: float = 0.5,
        seed: int = 0,
        centred: bool = False,
        batch_size: int = 64,
    ) -> None:
        self.p_keep = between("p_keep", p_keep, 0, 1)
        super().__init__(
            classifier,
            grid=grid,
            masks=masks,
            p_mask=1 - self.p_keep,
            seed=seed,
            centred=centred,
            batch_size=batch_size,
        )

    def _weights(self, colours: int) -> NDArray[np.float64]:
        return np.array([[1 / self.p_keep, 0.0]])


class DebiasedRise(Rise):
    """Debiased RISE: the mean score with the pixel kept, less that with it masked (002 Eq. 5).

    The map is the mean over masks of (m(pixel) - p_keep) / (p_keep (1 - p_keep)) * score, an
    estimate of E[score | pixel kept] - E[score | pixel masked] (002 Eq. 3). Positive: the pixel
    supports the target; negative: it speaks against it; near 0: it has no effect (002 §4.1). With
    a coarse grid a pixel shares its mask with its neighbours, and has their effect too.

    Parameters are those of Rise.
    """

    expected = 0.0

    def _weights(self, colours: int) -> NDArray[np.float64]:
        # (m - p) / (p (1 - p)) for m = 1 and for m = 0
        return np.array([[1 / self.p_keep, -1 / (1 - self.p_keep)]])


class McRise(_Sampled):
    """MC-RISE: how masking a pixel with one of several colours changes the score (002 Eq. 9).

    Each cell of a mask is masked with probability p_mask, each colour equally often, and a masked
    image is the photograph blended with the colours. The map of the k-th of K colours is the mean
    over masks of (K m_k(pixel) / p_mask - m_0(pixel) / (1 - p_mask)) * score: an estimate of
    E[score | pixel masked with colour k] - E[score | pixel kept] (002 Eq. 8).

    Maps are `(colours, H, W)` for one target, `(targets, colours, H, W)` for several, on one
    scale: compare them across colours, never scale each by itself. The sign is the reverse of
    debiased RISE's: negative where masking lowers the score. 002 §4.2 reads it so:

    1. All colours negative: what is in the photograph there is important to the target, whatever
       its colour. All positive: it is an obstacle to the target.
    2. All near 0: the pixel is irrelevant.
    3. Positive for some colour: the colour at this place is a feature of the target, and the
       photograph lacks it.
    4. Negative for some colour: the photograph's own colour supports the target, and this one
       would take it away.
    5. Near 0 for some colour only: to the classifier it is like the photograph's own colour.

    For an error, compare the maps of the predicted and the true class (002 §5.2, Fig. 6;
    `render.error_analysis`): a colour that is positive for the true class and negative for the
    predicted one is what the photograph lacks.

    colours: names of COLOURS, or colours of 1 or 3 numbers 0..255; their order is that of the
    maps. Images of one channel can be masked with greys only: the default five are then white and
    black, and other colours than greys are refused (ours).
    p_mask: strictly between 0 and 1. Other parameters are those of Rise.
    """

    expected = 0.0

    def __init__(
        self,
        classifier: Classifier,
        *,
        grid: Grid = 7,
        masks: int = 8000,
        p_mask: float = 0.5,
        colours: Sequence[Colour] = tuple(COLOURS),
        seed: int = 0,
        centred: bool = False,
        batch_size: int = 64,
    ) -> None:
        self.colours = _checked_colours(colours)
        super().__init__(
            classifier,
            grid=grid,
            masks=masks,
            p_mask=between("p_mask", p_mask, 0, 1),
            seed=seed,
            centred=centred,
            batch_size=batch_size,
        )

    def palette(self, channels: int) -> NDArray[np.float32]:
        """The colours of the maps' axis, float32 `(colours, channels)`, 0..255."""
        values = [COLOURS[colour] if isinstance(colour, str) else colour for colour in self.colours]
        if channels == 1:
            greys = [colour[:1] for colour in values if len(set(colour)) == 1]
            if len(greys) < len(values) and self.colours != tuple(COLOURS):
                raise ExplainerError(
                    f"colours are {self.colours!r}; images of one channel can be masked with "
                    "greys only: white, black, or one number 0..255 each."
                )
            values = greys
        return np.array([np.resize(colour, channels) for colour in values], np.float32)

    def support(self, heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
        """`(..., colours, H, W)` to `(..., H, W)`: minus the smallest value over the colours.

        What CA-deletion orders the pixels by (002 §5.2): how far the most harmful colour lowers
        the score. Negative only where every colour raises it.
        """
        return -heatmap.min(axis=-3)

    def _check(self, image: NDArray[np.float32]) -> None:
        super()._check(image)
        self.palette(image.shape[2])

    def _colours(self, channels: int) -> NDArray[np.float32]:
        return self.palette(channels)

    def _weights(self, colours: int) -> NDArray[np.float64]:
        kept = np.full((colours, 1), -1 / (1 - self.p_mask))
        return np.hstack([kept, np.diag(np.full(colours, colours / self.p_mask))])

    def _shaped(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        return maps


def _checked_grid(grid: Grid) -> tuple[int, int]:
    if isinstance(grid, (Sequence, np.ndarray)) and not isinstance(grid, str):
        if len(grid) != 2:
            raise ExplainerError(f"grid is {grid!r}; expected one whole number, or two: (h, w).")
        return whole("grid", grid[0], minimum=1), whole("grid", grid[1], minimum=1)
    cells = whole("grid", grid, minimum=1)
    return cells, cells


def _checked_colours(colours: Sequence[Colour]) -> tuple[str | tuple[float, ...], ...]:
    if isinstance(colours, str):  # the command line has no sequence of one
        colours = (colours,)
    if not isinstance(colours, (Sequence, np.ndarray)):
        raise ExplainerError(f"colours are {colours!r}; expected a sequence of them.")
    found = tuple(_checked_colour(colour) for colour in colours)
    if not 1 <= len(found) <= MOST_COLOURS:
        raise ExplainerError(f"There are {len(found)} colours; expected 1 to {MOST_COLOURS}.")
    twice = [colour for colour in found if found.count(colour) > 1]
    if twice:
        raise ExplainerError(f"colours hold {twice[0]!r} more than once.")
    return found


def _checked_colour(colour: Colour) -> str | tuple[float, ...]:
    if isinstance(colour, str) and colour in COLOURS:
        return colour
    if isinstance(colour, (Sequence, np.ndarray)) and not isinstance(colour, str):
        levels = tuple(colour)
        if len(levels) in (1, 3) and all(
            is_number(level) and 0 <= level <= 255 for level in levels
        ):
            return tuple(float(level) for level in levels)
    raise ExplainerError(
        f"colours hold {colour!r}; expected {', '.join(COLOURS)}, or 1 or 3 numbers 0..255 each."
    )
