"""Mean insertion and deletion curves of all methods, and the numbers they are drawn from."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.evaluation.statistics import CONFIDENCE, Group, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

RESAMPLES = 999
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222", "#8d99a6")
_DASHES = ("-", "--", ":", "-.")
_STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "evaluation",
}
_WHAT = {
    True: "distance from the image's prediction",
    False: "score of the label",
}


@dataclass(frozen=True)
class MeanCurve:
    """Over n images: mean and 95 % bootstrap interval (percentiles) at each fraction of pixels.

    whole: of the map of the whole prediction (distances, 000 Eq. 1), or of labels (their scores).
    """

    column: str
    whole: bool
    kind: str
    fractions: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: int


def mean_curves(results: Results, group: Group) -> list[MeanCurve]:
    """One per method and kind of curve, over the images for which the method has such a curve."""
    gathered: dict[tuple[bool, str, str], list[NDArray[np.float64]]] = {}
    for column in group.columns:
        for image in group.images:
            of_image: dict[tuple[bool, str, str], list[Any]] = {}
            for trace in results.store.judgement(column, image).traces:
                key = (not trace.target, trace.kind, column)
                of_image.setdefault(key, []).append(trace.values)
            for key, values in of_image.items():
                gathered.setdefault(key, []).append(np.mean(values, axis=0))
    return [
        _mean(column, whole, kind, np.array(values), results.plan.seed)
        for (whole, kind, column), values in gathered.items()
    ]


def _mean(column: str, whole: bool, kind: str, values: NDArray[np.float64], seed: int) -> MeanCurve:
    chance = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    counts = np.zeros((RESAMPLES, len(values)))
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], chance), 1 / len(values))
    outside = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(counts @ values, [outside, 100 - outside], axis=0)
    fractions = np.linspace(0, 1, values.shape[1])
    return MeanCurve(column, whole, kind, fractions, values.mean(axis=0), low, high, len(values))


def rows(curves: Sequence[MeanCurve]) -> Iterator[tuple[Any, ...]]:
    """For a CSV: method, what is measured, curve, fraction, mean, low, high, n."""
    for one in curves:
        for point in zip(one.fractions, one.mean, one.low, one.high, strict=True):
            yield (one.column, _WHAT[one.whole], one.kind, *map(float, point), one.n)


def figure(curves: Sequence[MeanCurve]) -> dict[str, bytes]:
    """One panel per kind of curve, by file ending; the same curves give the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys((one.whole, one.kind) for one in curves))
    names = list(dict.fromkeys(one.column for one in curves))
    found = {}
    with matplotlib.rc_context(_STYLE):
        drawn = Figure(figsize=(4.2 * len(panels) + 1.8, 3.6), layout="constrained")
        axes = drawn.subplots(1, len(panels), squeeze=False)[0]
        for panel, (whole, kind) in zip(axes, panels, strict=True):
            _panel(panel, [one for one in curves if (one.whole, one.kind) == (whole, kind)], names)
            panel.set_title(kind)
            panel.set_ylabel(_WHAT[whole])
        handles = {line.get_label(): line for panel in axes for line in panel.get_lines()}
        drawn.legend(handles.values(), handles.keys(), loc="outside right center")
        for ending, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 150})):
            buffer = io.BytesIO()
            drawn.savefig(buffer, format=ending, **options)
            found[ending] = buffer.getvalue()
    return found


def _panel(panel: Axes, curves: Sequence[MeanCurve], names: Sequence[str]) -> None:
    for one in curves:
        place = names.index(one.column)
        colour = _COLOURS[place % len(_COLOURS)]
        dash = _DASHES[place // len(_COLOURS) % len(_DASHES)]
        panel.plot(one.fractions, one.mean, dash, color=colour, linewidth=1.3, label=one.column)
        panel.fill_between(one.fractions, one.low, one.high, color=colour, alpha=0.1, linewidth=0)
    panel.set_xlim(0, 1)
    panel.set_xlabel("share of the pixels")
