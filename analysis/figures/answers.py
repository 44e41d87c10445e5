"""Figures of single answers: by task outcome, by confidence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..plan import Plan
from ..section import Chart
from .style import COLOURS, INK, MARKERS, canvas, capital, cell_label, grid_lines, shades, styled


@styled
def outcome_shares(frame: pd.DataFrame, factor: str, plan: Plan) -> Chart:
    """Share of correct answers per task outcome, one marker per level of `factor`."""
    outcomes = list(dict.fromkeys(frame["outcome"].astype(str)))
    levels = list(dict.fromkeys(frame[factor].astype(str)))
    figure, (panel,) = canvas(6.8, 3.4)
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
            label=capital(plan.label(level)),
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
    grid_lines(panel)
    panel.legend(title=capital(plan.label(factor)), loc="center left", bbox_to_anchor=(1.0, 0.5))
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
        .reindex(columns=list(plan.confidence_levels), fill_value=0)
    )
    shares = counts.div(counts.sum(axis=1), axis=0)
    figure, (panel,) = canvas(7.4, 0.9 + 0.42 * len(shares))
    left = np.zeros(len(shares))
    top = len(plan.confidence)
    for level, shade in zip(plan.confidence_levels, shades(top), strict=True):
        end = f"{level} {plan.confidence[level - 1]}".strip() if level in {1, top} else f"{level}"
        width = shares[level].to_numpy()
        panel.barh(
            range(len(shares)),
            width,
            left=left,
            color=shade,
            edgecolor=INK,
            linewidth=0.6,
            height=0.68,
            label=end,
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
                    color="white" if level > 0.8 * top else INK,
                )
        left += width
    labels = [
        f"{capital(cell_label(str(cell), plan))} ({int(counts.loc[cell].sum())})"
        for cell in shares.index
    ]
    panel.set_yticks(range(len(shares)), labels)
    panel.invert_yaxis()
    panel.set_xlim(0, 1)
    panel.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    panel.set_xlabel("Share of answers (%)")
    panel.set_ylabel("Condition (answers)")
    panel.legend(
        ncols=top,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        handlelength=1.2,
        columnspacing=1.2,
    )
    frame = counts.reset_index().rename(columns={x: f"confidence_{x}" for x in counts.columns})
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
    figure, (panel,) = canvas(max(5.6, 1.1 * len(frame)), 3.5)
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
    panel.set_xlim(0.5, len(frame) + 0.5)
    panel.set_ylim(0, 1.02)
    panel.set_xlabel("Confidence in the answer")
    panel.set_ylabel("Share of correct predictions")
    grid_lines(panel)
    return Chart(
        "calibration",
        "Are participants right when they are sure? Accuracy of the answers at each level of "
        "confidence, with 95% intervals; the dashed line is guessing.",
        "; ".join(f"{row['words']}: {row['mean']:.2f}" for _, row in known.iterrows()),
        figure,
        frame,
    )
