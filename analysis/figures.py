"""The figures: drawn without a display, readable in grey and by colour-blind eyes.

Every function returns a `Chart`: the figure, the frame it shows, a caption and a description.
Colours differ in lightness as well as hue (after Okabe and Ito), and never carry meaning alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
import pandas as pd

from .descriptives import describe
from .load import CONFIDENCE_LEVELS
from .plan import Plan
from .section import Chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

# Lightness falls from left to right, so that the order survives a grey printer.
COLOURS = ("#bdbdbd", "#e69f00", "#0072b2", "#56b4e9", "#cc79a7", "#009e73", "#d55e00", "#332288")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
INK = "#222222"
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


def svg(figure: Figure) -> bytes:
    """The figure as SVG; the same figure gives the same bytes."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _canvas(width: float, height: float, ratios: Sequence[float] = (1,)) -> tuple[Any, list[Any]]:
    """A figure (inches) with panels side by side; no pyplot, so it is safe in any thread."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios, squeeze=False)
    return figure, list(grid[0])


def cell_label(cell: str, plan: Plan) -> str:
    """`lrp / shown` in the plan's words."""
    return " / ".join(plan.label(level) for level in cell.split(" / "))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _levels(data: pd.DataFrame, factor: str) -> list[str]:
    return [level for level in data[factor].cat.categories if (data[factor] == level).any()]


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
    levels = {factor: _levels(data, factor) for factor in factors}
    ratios = [len(levels[factor]) for factor in factors]
    figure, axes = _canvas(min(9.0, 1.6 + 1.25 * sum(ratios)), 3.9, ratios)
    frames = []
    for panel, factor in zip(axes, factors, strict=True):
        frame = describe(data, outcome, [factor])
        frames.append(
            frame.assign(factor=factor, level=frame[factor].astype(str)).drop(columns=factor)
        )
        for i, (_, row) in enumerate(frame.iterrows()):
            values = data.loc[data[factor] == row[factor], outcome].to_numpy(float)
            _dots_and_mean(panel, i, values, row, COLOURS[i % len(COLOURS)])
        ticks = [
            f"{_capital(plan.label(str(row[factor])))}\nn = {row['n']}"
            for _, row in frame.iterrows()
        ]
        panel.set_xticks(range(len(ticks)), ticks)
        panel.set_xlim(-0.6, len(ticks) - 0.4)
        panel.set_xlabel(_capital(plan.label(factor)))
        if limits:
            margin = 0.03 * (limits[1] - limits[0])
            panel.set_ylim(limits[0] - margin, limits[1] + margin)
        panel.grid(axis="y", color="#e6e6e6", linewidth=0.6)
        panel.set_axisbelow(True)
        _references(panel, references or {}, last=panel is axes[-1])
    axes[0].set_ylabel(axis)
    data_frame = pd.concat(frames, ignore_index=True)
    data_frame = data_frame[
        ["factor", "level", *[c for c in data_frame if c not in ("factor", "level")]]
    ]
    words = axis[0].lower() + axis[1:]
    return Chart(
        name,
        f"{_capital(words)} by {' and by '.join(plan.label(f) for f in factors)}. Small dots are "
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
    figure, (panel,) = _canvas(6.4, 3.6)
    levels = _levels(data, first)
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
            label=_capital(label),
        )
    sizes = [int((data[first] == level).sum()) for level in levels]
    panel.set_xticks(
        range(len(levels)),
        [f"{_capital(plan.label(x))}\nn = {n}" for x, n in zip(levels, sizes, strict=True)],
    )
    panel.set_xlim(-0.5, len(levels) - 0.5)
    panel.set_xlabel(_capital(plan.label(first)))
    panel.set_ylabel(axis)
    panel.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    panel.set_axisbelow(True)
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
    figure, (panel,) = _canvas(6.8, 3.8)
    levels = _levels(data, first)
    inner = _levels(data, others[0]) if others else [None]
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
    sizes = [int((data[first] == level).sum()) for level in levels]
    panel.set_xticks(
        range(len(levels)),
        [f"{_capital(plan.label(x))}\nn = {n}" for x, n in zip(levels, sizes, strict=True)],
    )
    panel.set_xlim(-0.5, len(levels) - 0.5)
    panel.set_xlabel(_capital(plan.label(first)))
    total = plan.n_tasks or int(np.nanmax(data["n_answers"]))
    panel.set_ylim(-0.5, total + 0.5)
    panel.set_ylabel(f"Correct answers of {total}")
    panel.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    panel.set_axisbelow(True)
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
                label=_capital(f"{plan.label(factor)}: {plan.label(str(level))}"),
            )
            for j, level in enumerate(levels)
        ],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        handlelength=2.2,
        handleheight=1.4,
    )


@styled
def outcome_shares(frame: pd.DataFrame, factor: str, plan: Plan) -> Chart:
    """Share of correct answers per task outcome, one marker per level of `factor`."""
    outcomes = list(dict.fromkeys(frame["outcome"].astype(str)))
    levels = list(dict.fromkeys(frame[factor].astype(str)))
    figure, (panel,) = _canvas(6.8, 3.4)
    for i, level in enumerate(levels):
        part = frame[frame[factor].astype(str) == level]
        x = np.array([outcomes.index(str(o)) for o in part["outcome"]], dtype=float)
        x += (i - (len(levels) - 1) / 2) * 0.17
        errors = np.array(
            [part["mean"] - part["ci_low"], part["ci_high"] - part["mean"]], dtype=float
        )
        panel.errorbar(
            x,
            part["mean"],
            yerr=np.nan_to_num(errors),
            marker=MARKERS[i % len(MARKERS)],
            linestyle="none",
            markersize=8,
            capsize=4,
            color=INK,
            linewidth=1.2,
            markerfacecolor=COLOURS[i % len(COLOURS)],
            label=_capital(plan.label(level)),
        )
    panel.axhline(0.5, color="#555555", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    names = {
        "TP": "True positive",
        "FP": "False positive",
        "FN": "False negative",
        "TN": "True negative",
    }
    counts = frame.groupby(frame["outcome"].astype(str))["tasks"].max()
    panel.set_xticks(
        range(len(outcomes)),
        [f"{names[o]}\n{counts[o]} task{'s' if counts[o] != 1 else ''}" for o in outcomes],
    )
    panel.set_xlim(-0.5, len(outcomes) - 0.5)
    panel.set_ylim(0, 1.02)
    panel.set_xlabel("Classifier's outcome on the new image")
    panel.set_ylabel("Share of correct predictions")
    panel.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.legend(title=_capital(plan.label(factor)), loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Chart(
        "accuracy_by_outcome",
        "Share of correct predictions by task outcome, with 95% intervals; the dashed line is "
        "guessing.",
        "; ".join(f"{r['outcome']}, {r[factor]}: {r['mean']:.2f}" for _, r in frame.iterrows()),
        figure,
        frame,
    )


@styled
def confidence_shares(answers: pd.DataFrame, plan: Plan) -> Chart:
    """Stacked bars: how often each level of confidence was chosen, per condition."""
    known = answers.dropna(subset=["confidence"])
    counts = (
        known.groupby(["cell", "confidence"], observed=True)
        .size()
        .unstack(fill_value=0)
        .reindex(columns=list(CONFIDENCE_LEVELS), fill_value=0)
    )
    shares = counts.div(counts.sum(axis=1), axis=0)
    figure, (panel,) = _canvas(7.4, 0.9 + 0.42 * len(shares))
    left = np.zeros(len(shares))
    words = ("1 extremely unconfident", "2", "3", "4 extremely confident")
    for level, shade, word in zip(CONFIDENCE_LEVELS, SHADES, words, strict=True):
        width = shares[level].to_numpy()
        panel.barh(
            range(len(shares)),
            width,
            left=left,
            color=shade,
            edgecolor=INK,
            linewidth=0.6,
            height=0.68,
            label=word,
        )
        for y, (start, size) in enumerate(zip(left, width, strict=True)):
            if size >= 0.06:
                panel.text(
                    start + size / 2,
                    y,
                    f"{100 * size:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8.5,
                    color="white" if level == 4 else INK,
                )
        left += width
    labels = [
        f"{_capital(cell_label(str(cell), plan))} ({int(counts.loc[cell].sum())})"
        for cell in shares.index
    ]
    panel.set_yticks(range(len(shares)), labels)
    panel.invert_yaxis()
    panel.set_xlim(0, 1)
    panel.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    panel.set_xlabel("Share of answers (%)")
    panel.set_ylabel("Condition (answers)")
    panel.legend(
        ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=1.2, columnspacing=1.2
    )
    frame = counts.reset_index().rename(columns={x: f"confidence_{x}" for x in CONFIDENCE_LEVELS})
    return Chart(
        "confidence_shares",
        "Answers at each level of confidence, in percent of the condition's answers.",
        "; ".join(f"{cell}: {row.idxmax()} most often" for cell, row in counts.iterrows()),
        figure,
        frame,
    )


@styled
def calibration_curve(frame: pd.DataFrame) -> Chart:
    """Accuracy at each level of confidence."""
    known = frame[frame["n"] > 0]
    figure, (panel,) = _canvas(5.6, 3.5)
    errors = np.array(
        [known["mean"] - known["ci_low"], known["ci_high"] - known["mean"]], dtype=float
    )
    panel.errorbar(
        known["confidence"],
        known["mean"],
        yerr=np.nan_to_num(errors),
        marker="o",
        markersize=8,
        capsize=4,
        linewidth=1.4,
        color=INK,
        markerfacecolor="#0072b2",
    )
    panel.axhline(0.5, color="#555555", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    panel.set_xticks(
        frame["confidence"],
        [
            f"{row['words'].replace(' ', chr(10))}\n{row['n']} answers"
            for _, row in frame.iterrows()
        ],
    )
    panel.set_xlim(0.5, 4.5)
    panel.set_ylim(0, 1.02)
    panel.set_xlabel("Confidence in the answer")
    panel.set_ylabel("Share of correct predictions")
    panel.grid(axis="y", color="#e6e6e6", linewidth=0.6)
    panel.set_axisbelow(True)
    return Chart(
        "calibration",
        "Are participants right when they are sure? Accuracy of the answers at each level of "
        "confidence, with 95% intervals; the dashed line is guessing.",
        "; ".join(f"{row['words']}: {row['mean']:.2f}" for _, row in known.iterrows()),
        figure,
        frame,
    )
