"""Mean insertion and deletion curves of all methods, and the numbers they are drawn from."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.evaluation.statistics import CONFIDENCE, Group, Results, images
from explainers.metrics.curves import changed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from explainers.evaluation.judging import Trace
    from explainers.evaluation.statistics import Key

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
    """One per method and kind of curve, over the images (and targets) for which all methods that
    have such curves have one.
    """
    members, found = set(group.images), []
    for (whole, kind), by_column in results.traces.items():
        there = {one: by_column[one] for one in group.columns if one in by_column}
        common = [
            key
            for key in next(iter(there.values()), {})
            if key[0] in members and all(key in traces for traces in there.values())
        ]
        if common:
            found += [
                _mean(column, whole, kind, [traces[key] for key in common], common, results)
                for column, traces in there.items()
            ]
    return found


def _mean(
    column: str,
    whole: bool,
    kind: str,
    traces: Sequence[Trace],
    keys: Sequence[Key],
    results: Results,
) -> MeanCurve:
    """traces: one per key, an image and a target."""
    names = list(dict.fromkeys(image for image, _ in keys))
    place = {image: n for n, image in enumerate(names)}
    owners = np.array([place[image] for image, _ in keys])
    targets = np.bincount(owners)[:, None]
    values = np.zeros((len(names), len(traces[0].values)))
    np.add.at(values, owners, np.array([one.values for one in traces]))
    values /= targets
    steps = values.shape[1] - 1
    fractions = np.mean([changed(steps, one.pixels) / one.pixels for one in traces], axis=0)
    low, high = _interval(values, results.plan.seed)
    return MeanCurve(column, whole, kind, fractions, values.mean(axis=0), low, high, len(values))


def _interval(
    values: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    chance = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    counts = np.zeros((RESAMPLES, len(values)))
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], chance), 1 / len(values))
    outside = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(counts @ values, [outside, 100 - outside], axis=0)
    return low, high


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
            chosen = [one for one in curves if (one.whole, one.kind) == (whole, kind)]
            _panel(panel, chosen, names)
            panel.set_title(f"{kind}, {images(chosen[0].n)}")
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
