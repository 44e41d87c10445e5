"""Figures of one value per participant: the distribution, means and boxes per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..descriptives import describe
from ..plan import Plan
from ..section import Chart
from .style import (
    COLOURS,
    INK,
    MARKERS,
    NEUTRAL,
    canvas,
    capital,
    condition_axis,
    grid_lines,
    levels_present,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _spread(values: np.ndarray, width: float) -> np.ndarray:
    """Sideways offsets that keep equal values apart: a dot plot without randomness."""
    offsets = np.zeros(len(values))
    if len(values) == 0:
        return offsets
    span = np.ptp(values) or 1.0
    bins = np.round((values - values.min()) / span * 28).astype(int)
    largest = max(np.bincount(bins).max(), 6)
    for index in np.unique(bins):
        members = np.flatnonzero(bins == index)
        offsets[members] = (np.arange(len(members)) - (len(members) - 1) / 2) * width / largest
    return offsets


@styled
def means_by_factor(
    data: pd.DataFrame,
    outcome: str,
    factors: Sequence[str],
    plan: Plan,
    *,
    name: str,
    axis: str,
    limits: tuple[float, float] | None = None,
    references: Mapping[str, float] | None = None,
) -> Chart:
    """One panel per factor: every participant, the mean and its 95 % interval per level."""
    data = data.dropna(subset=[outcome])
    levels = {factor: levels_present(data, factor) for factor in factors}
    ratios = [len(levels[factor]) for factor in factors]
    figure, axes = canvas(min(9.0, 1.6 + 1.25 * sum(ratios)), 3.9, ratios)
    frames = []
    for panel, factor in zip(axes, factors, strict=True):
        frame = describe(data, outcome, [factor])
        frames.append(
            frame.assign(factor=factor, level=frame[factor].astype(str)).drop(columns=factor)
        )
        for i, (_, row) in enumerate(frame.iterrows()):
            values = data.loc[data[factor] == row[factor], outcome].to_numpy(float)
            # The first factor carries the colours of the whole report; the others stay neutral.
            colour = COLOURS[i % len(COLOURS)] if factor == factors[0] else NEUTRAL
            _dots_and_mean(panel, i, values, row, colour)
        ticks = [
            f"{capital(plan.label(str(row[factor])))}\nn = {row['n']}"
            for _, row in frame.iterrows()
        ]
        panel.set_xticks(range(len(ticks)), ticks)
        panel.set_xlim(-0.6, len(ticks) - 0.4)
        panel.set_xlabel(capital(plan.label(factor)))
        if limits:
            margin = 0.03 * (limits[1] - limits[0])
            panel.set_ylim(limits[0] - margin, limits[1] + margin)
        grid_lines(panel)
        _references(panel, references or {}, last=panel is axes[-1])
    axes[0].set_ylabel(axis)
    data_frame = pd.concat(frames, ignore_index=True)
    data_frame = data_frame[
        ["factor", "level", *[c for c in data_frame if c not in ("factor", "level")]]
    ]
    words = axis[0].lower() + axis[1:]
    return Chart(
        name,
        f"{capital(words)} by {' and by '.join(plan.label(f) for f in factors)}. Small dots are "
        "participants; the large marker is the mean with its 95% interval."
        + (" Dashed lines: what trivial strategies score." if references else ""),
        "; ".join(
            f"{row['factor']} {row['level']}: mean {row['mean']:.2f}, n {row['n']}"
            for _, row in data_frame.iterrows()
        ),
        figure,
        data_frame,
    )


def _dots_and_mean(panel: Axes, x: int, values: np.ndarray, row: pd.Series, colour: str) -> None:
    panel.scatter(
        x + _spread(values, 0.62),
        values,
        s=15,
        color=colour,
        edgecolor=INK,
        linewidth=0.35,
        alpha=0.8,
        zorder=2,
    )
    if np.isfinite(row["ci_low"]):
        panel.errorbar(
            x,
            row["mean"],
            yerr=[[row["mean"] - row["ci_low"]], [row["ci_high"] - row["mean"]]],
            color=INK,
            capsize=5,
            linewidth=1.6,
            zorder=3,
        )
    panel.scatter(
        x, row["mean"], s=62, marker="D", color=colour, edgecolor=INK, linewidth=1.4, zorder=4
    )


def _references(panel: Axes, references: Mapping[str, float], last: bool) -> None:
    """Dashed lines of trivial strategies; those with the same score share a label."""
    shared: dict[float, list[str]] = {}
    for label, value in references.items():
        shared.setdefault(round(value, 4), []).append(label)
    for value, labels in shared.items():
        panel.axhline(value, color="#555555", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        if last:
            panel.annotate(
                _wrapped([labels[0], *[label.lower() for label in labels[1:]]]),
                (1.01, value),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
                color="#444444",
            )


def _wrapped(labels: list[str]) -> str:
    return ",\n".join(labels)


@styled
def cell_means(
    data: pd.DataFrame, outcome: str, factors: Sequence[str], plan: Plan, *, name: str, axis: str
) -> Chart:
    """The interaction: mean and 95 % interval of every cell, one line per level of factor two."""
    first, others = factors[0], list(factors[1:])
    frame = describe(data, outcome, list(factors))
    figure, (panel,) = canvas(6.4, 3.6)
    levels = levels_present(data, first)
    lines = list(frame.groupby(others, observed=True)) if others else [((), frame)]
    for i, (key, line) in enumerate(lines):
        x = np.array([levels.index(level) for level in line[first].astype(str)])
        x = x + (i - (len(lines) - 1) / 2) * 0.1
        label = ", ".join(
            f"{plan.label(f)}: {plan.label(str(k))}" for f, k in zip(others, key, strict=True)
        )
        errors = np.array([line["mean"] - line["ci_low"], line["ci_high"] - line["mean"]])
        panel.errorbar(
            x,
            line["mean"],
            yerr=np.nan_to_num(errors),
            marker=MARKERS[i % len(MARKERS)],
            markersize=7,
            capsize=4,
            linewidth=1.4,
            linestyle=("-", "--", ":", "-.")[i % 4],
            color=("#444444", "#0072b2", "#d55e00", "#009e73")[i % 4],
            markerfacecolor="white" if i == 0 else None,
            label=capital(label),
        )
    condition_axis(panel, data, first, plan)
    panel.set_ylabel(axis)
    if others:
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Chart(
        name,
        f"{axis} of every condition with 95% intervals.",
        "; ".join(
            f"{' / '.join(str(row[f]) for f in factors)}: {row['mean']:.2f}"
            for _, row in frame.iterrows()
        ),
        figure,
        frame,
    )


@styled
def correct_answers(data: pd.DataFrame, factors: Sequence[str], plan: Plan) -> Chart:
    """Boxplots of the number of correct answers, per level of factor one and of factor two."""
    first = factors[0]
    others = list(factors[1:2])
    figure, (panel,) = canvas(6.8, 3.8)
    levels = levels_present(data, first)
    inner = levels_present(data, others[0]) if others else [None]
    width = 0.72 / len(inner)
    rows = []
    for i, level in enumerate(levels):
        for j, other in enumerate(inner):
            chosen = data[first] == level
            if other is not None:
                chosen &= data[others[0]] == other
            values = data.loc[chosen, "n_correct"].to_numpy(float)
            if len(values) == 0:
                continue
            x = i + (j - (len(inner) - 1) / 2) * width
            box = panel.boxplot(
                [values],
                positions=[x],
                widths=width * 0.82,
                patch_artist=True,
                showmeans=True,
                medianprops={"color": INK, "linewidth": 1.8},
                meanprops={"marker": "x", "markeredgecolor": INK, "markersize": 6},
                flierprops={"marker": "o", "markersize": 4, "markeredgecolor": INK},
                manage_ticks=False,
            )
            box["boxes"][0].set(
                facecolor=COLOURS[i % len(COLOURS)],
                edgecolor=INK,
                alpha=0.85,
                hatch="" if j == 0 else "///" if j == 1 else "...",
            )
            named = {first: level} | ({others[0]: other} if others else {})
            rows += [
                {**named, "participant_id": who, "n_correct": value}
                for who, value in zip(data.loc[chosen, "participant_id"], values, strict=True)
            ]
    condition_axis(panel, data, first, plan)
    total = plan.n_tasks or int(np.nanmax(data["n_answers"]))
    panel.set_ylim(-0.5, total + 0.5)
    panel.set_ylabel(f"Correct answers of {total}")
    if others:
        _hatch_legend(panel, others[0], inner, plan)
    frame = pd.DataFrame(rows)
    middle = frame.groupby(first, sort=False)["n_correct"].median()
    return Chart(
        "figure_29_correct_answers",
        "Number of correct answers per participant: median (line), mean (cross), quartiles (box), "
        "whiskers to the last value within 1.5 box lengths, circles beyond.",
        "; ".join(f"{level}: median {value:g}" for level, value in middle.items()),
        figure,
        frame,
    )


def _hatch_legend(panel: Axes, factor: str, levels: Sequence[Any], plan: Plan) -> None:
    from matplotlib.patches import Patch

    hatches = ["", "///", "..."]
    panel.legend(
        handles=[
            Patch(
                facecolor="white",
                edgecolor=INK,
                hatch=hatches[min(j, 2)],
                label=capital(f"{plan.label(factor)}: {plan.label(str(level))}"),
            )
            for j, level in enumerate(levels)
        ],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        handlelength=2.2,
        handleheight=1.4,
    )
