"""Colours, type and canvas that all figures share.

Colours differ in lightness as well as hue (after Okabe and Ito), and never carry meaning alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
import pandas as pd

from ..plan import Plan
from ..section import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

# Lightness falls from left to right, so that the order survives a grey printer.
COLOURS = ("#dcdcdc", "#e69f00", "#0072b2", "#56b4e9", "#cc79a7", "#009e73", "#d55e00", "#332288")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
INK = "#222222"
NEUTRAL = "#8d99a6"
# Lightest to darkest: extremely unconfident to extremely confident.
SHADES = ("#f0f0f0", "#c6dbef", "#6baed6", "#08519c")

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Source Sans 3", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "analysis",
    "figure.constrained_layout.use": True,
}


def styled(draw: Callable[P, Chart]) -> Callable[P, Chart]:
    """Draw in the report's style, whatever the caller's matplotlib settings are."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Chart:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return in_style


def shades(count: int) -> list[Any]:
    """`count` colours from light to dark, for the levels of a scale."""
    from matplotlib.colors import LinearSegmentedColormap

    return list(LinearSegmentedColormap.from_list("levels", SHADES)(np.linspace(0, 1, count)))


def svg(figure: Figure) -> bytes:
    """The figure as SVG; the same figure gives the same bytes."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def canvas(width: float, height: float, ratios: Sequence[float] = (1,)) -> tuple[Any, list[Any]]:
    """A figure (inches) with panels side by side; no pyplot, so it is safe in any thread."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios, squeeze=False)
    return figure, list(grid[0])


def grid_lines(panel: Axes) -> None:
    """Faint lines behind the data, to read values off the vertical axis."""
    panel.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    panel.set_axisbelow(True)


def condition_axis(panel: Axes, data: pd.DataFrame, factor: str, plan: Plan) -> None:
    """The levels of a factor that occur, at 0, 1, ..., with how many participants each has."""
    levels = levels_present(data, factor)
    sizes = [int((data[factor] == level).sum()) for level in levels]
    panel.set_xticks(
        range(len(levels)),
        [f"{capital(plan.label(x))}\nn = {n}" for x, n in zip(levels, sizes, strict=True)],
    )
    panel.set_xlim(-0.5, len(levels) - 0.5)
    panel.set_xlabel(capital(plan.label(factor)))
    grid_lines(panel)


def cell_label(cell: str, plan: Plan) -> str:
    """`lrp / shown` in the plan's words."""
    return " / ".join(plan.label(level) for level in cell.split(" / "))


def capital(words: str) -> str:
    """With a capital first letter, unless the first word is a column's name."""
    return words if "_" in words.partition(" ")[0] else words[:1].upper() + words[1:]


def levels_present(data: pd.DataFrame, factor: str) -> list[str]:
    """The levels of a factor that occur, in the plan's order."""
    return [level for level in data[factor].cat.categories if (data[factor] == level).any()]
