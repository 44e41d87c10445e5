"""CA-deletion, colour-aware deletion (002 §5.2): pixels go in the colour that hurts most.

A map without colours enters with its plain `curves.deletion_curve`, to black (ours; 002 does not
say). That comparison gives MC-RISE two advantages, its order and its colours; the controls of
`ca_deletion_curve` take them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explainers.classifier import Classifier
from explainers.errors import ExplainerError
from explainers.images import as_array, check_image
from explainers.metrics import Metric
from explainers.metrics.classwise import scores_of
from explainers.metrics.curves import STEPS, Curve, require_classifier, swap_curve, trapezoid
from explainers.metrics.maps import check_map
from explainers.parameters import flag, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def ca_deletion_curve(
    classifier: Classifier,
    image: ArrayLike,
    heatmap: ArrayLike,
    colours: ArrayLike,
    *,
    order_by: ArrayLike | None = None,
    random_colours: bool = False,
    steps: int = STEPS,
    seed: int = 0,
    batch_size: int = 64,
) -> Curve:
    """Pixels filled with their most sensitive colour, the most sensitive pixels first (002 §5.2).

    image: `(H, W, C)`, 0..255. heatmap: MC-RISE's `(colours, H, W)` for one class, on one scale;
    negative where the colour lowers the score. colours: `(colours, C)`, 0..255, the map's own
    (`McRise.palette`).

    Pixels go by increasing minimum over the colours, in the colour of that minimum (the first of
    equal ones: ours); pixels with the same minimum in an order drawn with the seed (ours).

    Two controls:
    order_by: a map `(H, W)` whose decreasing values give the order instead, RISE's for the same
    class, say; the colours stay those of `heatmap`.
    random_colours: each pixel's colour is drawn with the seed from `colours`; the order stays.

    The rest as in `curves.deletion_curve`. Raises Undefined where what gives the order is the
    same everywhere.
    """
    photograph = check_image(image, require_classifier(classifier).input_shape)
    maps = _check_maps(heatmap, photograph.shape[:2])
    palette = _check_colours(colours, len(maps), photograph.shape[2])
    ranked = -maps.min(axis=0) if order_by is None else check_map(order_by, photograph.shape[:2])
    chosen = maps.argmin(axis=0)
    if flag("random_colours", random_colours):
        # Not the generator that breaks ties: order and colours are to be independent.
        chance = np.random.default_rng([whole("seed", seed, minimum=0), 1])
        chosen = chance.integers(len(palette), size=chosen.shape)
    return swap_curve(
        classifier,
        "ca-deletion",
        ranked=ranked,
        before=photograph,
        after=palette[chosen],
        base="random colours" if random_colours else "the most sensitive colours",
        steps=steps,
        seed=seed,
        batch_size=batch_size,
    )


def ca_deletion(curve: Curve, target: int) -> float:
    """CA-deletion (002 §5.2): lower is better.

    The area under the class's score over the fraction of pixels filled, by trapezoids. curve:
    `ca_deletion_curve` of the class's colour maps, or `deletion_curve` of its map without colours
    (to black); target: the class's index. In the range of the score, 0 to 1 for probabilities.

    Does not show where the class is: a bright fill can destroy any class, and the more colours,
    the more of that. Read it beside its two controls.

    Raises Undefined where the score stays the same at every step.
    """
    return trapezoid(curve, scores_of(curve, target, "CA-deletion", "ca-deletion", "deletion"))


def _check_maps(heatmap: ArrayLike, size: tuple[int, ...]) -> NDArray[np.float64]:
    array = as_array(heatmap, "heatmap")
    if array.ndim != 3 or len(array) == 0:
        raise ExplainerError(
            f"The heatmap has shape {array.shape}; expected one map per colour (colours, H, W)."
        )
    return np.stack([check_map(one, size) for one in array])


def _check_colours(colours: ArrayLike, count: int, channels: int) -> NDArray[np.float32]:
    array = as_array(colours, "colours")
    if array.shape != (count, channels) or array.dtype.kind not in "uif":
        raise ExplainerError(
            f"The colours are {array.dtype} of shape {array.shape}; expected numbers "
            f"({count}, {channels}): one colour per map, one value per channel of the image."
        )
    if not ((array >= 0) & (array <= 255)).all():  # NaN fails too
        raise ExplainerError("The colours have values outside 0..255.")
    return array.astype(np.float32)


METRICS = (
    Metric(
        name="ca-deletion",
        label="CA-deletion",
        function=ca_deletion,
        needs=("ca-deletion", "target"),
        map_of="target",
        better="lower",
        low=0.0,
        high=1.0,
        source="002 §5.2",
        shows="whether order and colours of a colour map together make the class's score fall",
        does_not_show="where the class is: striking fills alone lower the score (see the controls)",
    ),
)
