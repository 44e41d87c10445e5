"""A numeric outcome, one value per participant, in a factorial design between subjects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import pandas as pd

from . import wording
from .anova import Model, Robust, anova_table, fit_model
from .assumptions import levene, shapiro_wilk
from .descriptives import describe
from .errors import NotComputableError
from .plan import Plan
from .posthoc import games_howell, summarise, tukey_hsd
from .section import Columns, Section, Table

DESCRIPTIVE_COLUMNS: list[tuple[str, str | tuple[str, str]]] = [
    ("n", "n"),
    ("Mean", "mean"),
    ("SD", "sd"),
    ("95% CI of the mean", ("ci_low", "ci_high")),
    ("Median", "median"),
    ("Min", "min"),
    ("Max", "max"),
]
ANOVA_COLUMNS: Columns = [
    ("Test", "test"),
    ("Term", "term"),
    ("F", "statistic"),
    ("df", "df"),
    ("p", "p"),
    ("ηp²", "effect_size"),
    ("90% CI of ηp²", ("ci_low", "ci_high")),
    ("ω²", "omega_squared"),
]
PAIR_COLUMNS: Columns = [
    ("Factor", "factor"),
    ("Levels", "pair"),
    ("Difference", "difference"),
    ("Tukey CI", ("tukey_low", "tukey_high")),
    ("Tukey p", "p_tukey"),
    ("Games-Howell CI", ("games_howell_low", "games_howell_high")),
    ("Games-Howell p", "p_games_howell"),
    ("Hedges' g", "hedges_g"),
]

# Test's key in results.json -> type of sums of squares, covariance.
Anovas = dict[str, tuple[Literal[2, 3], Robust | None]]
CLASSICAL: Anovas = {
    "anova_type_iii": (3, None),
    "anova_type_ii": (2, None),
    "anova_type_iii_hc3": (3, "hc3"),
}
CORRECTED: Anovas = {
    "anova_type_iii_hc3": (3, "hc3"),
    "anova_type_iii_hc0": (3, "hc0"),
    "anova_type_iii": (3, None),
}


def analyse(
    section: Section,
    data: pd.DataFrame,
    *,
    outcome: str,
    words: str,
    factors: Sequence[str],
    plan: Plan,
    anovas: Anovas = CLASSICAL,
) -> Section:
    """Fill `section` with descriptives, assumptions, ANOVAs and post-hoc tests of `outcome`.

    `words` is how sentences call the outcome. The first of `anovas` is the one the sentences
    report. `data` has one row per participant; `factors` are ordered categoricals.
    """
    data = data.dropna(subset=[outcome, *factors])
    section.extra["n"] = len(data)
    if data.empty:
        section.not_computed["all tests"] = f"No participant has a value of {words}."
        return section
    _describe(section, data, outcome, words, factors, plan)
    if not factors:
        section.not_computed["all tests"] = "The export has no factor to compare conditions by."
        return section
    model: Model | None = None
    try:
        model = fit_model(data, outcome, factors)
    except NotComputableError as reason:
        section.not_computed |= dict.fromkeys(("shapiro_wilk", *anovas), str(reason))
    else:
        section.notes += [f"{note[0].upper()}{note[1:]}" for note in model.notes]
        _assumptions(section, model, plan)
    section.attempt("levene", partial(levene, data, outcome, factors))
    if "levene" in section.tests:
        section.sentences.append(
            wording.equal_variances(section.tests["levene"].iloc[0], plan.alpha)
        )
    _assumption_table(section)
    if model is not None:
        _anovas(section, model, anovas, words, plan)
    _posthoc(section, data, outcome, factors, plan)
    return section


def _describe(
    section: Section,
    data: pd.DataFrame,
    outcome: str,
    words: str,
    factors: Sequence[str],
    plan: Plan,
) -> None:
    overall = describe(data, outcome).iloc[0]
    spread = f", SD = {overall['sd']:.3f}" if overall["n"] > 1 else ""
    section.extra["overall"] = overall.to_dict()
    section.sentences.append(
        f"Mean {words} was {overall['mean']:.3f} (n = {overall['n']:.0f}{spread})."
    )
    section.extra["means"] = {}
    for factor in factors:
        by_level = describe(data, outcome, [factor])
        section.extra["means"][factor] = {
            str(row[factor]): {key: row[key] for key in ("n", "mean", "sd", "ci_low", "ci_high")}
            for _, row in by_level.iterrows()
        }
        section.sentences.append(
            f"By {plan.label(factor)}: {wording.means(by_level, factor, plan.label)}."
        )
    rows = [describe(data, outcome, factors)] if factors else []
    if len(factors) > 1:
        rows += [describe(data, outcome, [factor]) for factor in factors]
    frame = pd.concat([*rows, describe(data, outcome)], ignore_index=True)
    for factor in factors:
        frame[factor] = frame[factor].astype(object).where(frame[factor].notna(), "all")
    frame = frame[[*factors, *[c for c in frame.columns if c not in factors]]]
    heads: list[tuple[str, str | tuple[str, str]]] = [(plan.label(f), f) for f in factors]
    section.tables.append(
        Table(
            f"{section.key}_descriptives",
            f"{words[0].upper()}{words[1:]} in each condition, one value per participant.",
            frame,
            [*heads, *DESCRIPTIVE_COLUMNS],
        )
    )


def _assumptions(section: Section, model: Model, plan: Plan) -> None:
    section.attempt("shapiro_wilk", partial(shapiro_wilk, model.fit.resid))
    if "shapiro_wilk" in section.tests:
        section.sentences.append(
            wording.normality(section.tests["shapiro_wilk"].iloc[0], plan.alpha)
        )


def _assumption_table(section: Section) -> None:
    frames = [section.tests[name] for name in ("shapiro_wilk", "levene") if name in section.tests]
    if frames:
        section.tables.append(
            Table(
                f"{section.key}_assumptions",
                "What the analysis of variance assumes: normal residuals (Shapiro-Wilk) and equal "
                "variances of the cells (Levene, centred at the median).",
                pd.concat(frames, ignore_index=True).dropna(axis=1, how="all"),
                [("Test", "test"), ("Statistic", "named"), ("df", "df"), ("p", "p")],
            )
        )


def _anovas(
    section: Section,
    model: Model,
    anovas: Anovas,
    words: str,
    plan: Plan,
) -> None:
    for name, (typ, robust) in anovas.items():
        section.attempt(name, partial(anova_table, model, typ=typ, robust=robust))
    computed = [section.tests[name] for name in anovas if name in section.tests]
    if not computed:
        return
    for _, row in computed[0].iterrows():
        sentence = wording.effect(row, plan.label(row["term"]), words, plan.alpha)
        status = (
            "Preregistered" if plan.is_preregistered(section.key, row["term"]) else "Exploratory"
        )
        section.sentences.append(f"{status}: {sentence[0].lower()}{sentence[1:]}")
    section.tables.append(
        Table(
            f"{section.key}_anova",
            f"Analysis of variance of {words}. The text reports {computed[0]['test'].iloc[0]}.",
            pd.concat(computed, ignore_index=True),
            ANOVA_COLUMNS,
            note="Sum-to-zero coding. With HC3 or HC0 (covariance that allows unequal variances) "
            "effect sizes are derived from F and approximate. ω² below 0 is shown as 0.",
        )
    )


def _posthoc(
    section: Section, data: pd.DataFrame, outcome: str, factors: Sequence[str], plan: Plan
) -> None:
    rows = []
    for factor in factors:
        summary = summarise(data, outcome, factor)
        if len(summary) < 3:
            continue
        tukey = section.attempt(f"tukey_hsd.{factor}", partial(tukey_hsd, summary, plan.alpha))
        other = section.attempt(
            f"games_howell.{factor}", partial(games_howell, summary, plan.alpha)
        )
        if other is not None:
            section.sentences.append(
                wording.pairs(other, factor, "Games-Howell", plan.label, plan.alpha)
            )
        if tukey is None and other is None:
            continue
        rows.append(_side_by_side(factor, tukey, other, plan))
        if tukey is not None and other is not None:
            for (_, a), (_, b) in zip(tukey.iterrows(), other.iterrows(), strict=True):
                sentence = wording.pair(a, b, (plan.label(a["a"]), plan.label(a["b"])), plan.alpha)
                section.sentences += [sentence] if sentence else []
    if rows:
        section.tables.append(
            Table(
                f"{section.key}_posthoc",
                "Pairwise comparisons of levels, over the levels of the other factors: Tukey HSD "
                "(assumes equal variances) beside Games-Howell (does not).",
                pd.concat(rows, ignore_index=True),
                PAIR_COLUMNS,
                note=f"Intervals are simultaneous {100 * (1 - plan.alpha):.0f}% intervals of the "
                "difference; p values are adjusted within a factor.",
            )
        )


def _side_by_side(
    factor: str, tukey: pd.DataFrame | None, other: pd.DataFrame | None, plan: Plan
) -> pd.DataFrame:
    either = tukey if tukey is not None else other
    assert either is not None
    frame = pd.DataFrame(
        {
            "factor": plan.label(factor),
            "pair": [
                f"{plan.label(a)} − {plan.label(b)}"
                for a, b in zip(either["a"], either["b"], strict=True)
            ],
            "difference": either["difference"],
            "hedges_g": either["effect_size"],
        }
    )
    for name, test in (("tukey", tukey), ("games_howell", other)):
        for column, source in (
            (f"q_{name}", "statistic"),
            (f"df_{name}", "df2"),
            (f"p_{name}", "p"),
            (f"{name}_low", "difference_low"),
            (f"{name}_high", "difference_high"),
        ):
            frame[column] = test[source].to_numpy() if test is not None else float("nan")
    return frame
