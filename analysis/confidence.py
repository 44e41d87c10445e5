"""How sure are participants, and are they right when they are sure?"""

from __future__ import annotations

from functools import partial

import pandas as pd

from . import figures, wording
from .descriptives import clustered_proportion, describe
from .plan import Plan
from .posthoc import dunn, kruskal_wallis
from .sample import Sample
from .section import Section, Table


def medians(sample: Sample) -> pd.DataFrame:
    """Each analysed participant's median confidence (from 1 up), with factors and cell."""
    by_person = sample.answers.dropna(subset=["confidence"]).groupby("participant_id")["confidence"]
    people = sample.participants
    frame = people.assign(confidence=people["participant_id"].map(by_person.median()))
    return frame.dropna(subset=["confidence"])


def confidence_section(sample: Sample, plan: Plan) -> Section:
    """Participants' median confidence over all cells, and accuracy at each level of it."""
    top = len(plan.confidence)
    section = Section(
        "confidence",
        "Confidence",
        f"Each participant's median confidence, from 1 ({plan.confidence_words(1)}) to {top} "
        f"({plan.confidence_words(top)}), compared over all conditions.",
    )
    if sample.participants.empty:
        section.not_computed["kruskal_wallis"] = "There are no completed participants to analyse."
        return section
    if sample.answers.empty or sample.answers["confidence"].isna().all():
        section.not_computed["kruskal_wallis"] = "No analysed answer has a confidence."
        return section
    people = medians(sample)
    overall = people["confidence"].median()
    section.extra |= {"n": len(people), "median": overall}
    section.sentences.append(
        f"The median of participants' median confidence was {overall:g} (n = {len(people)})."
    )
    _compare(section, people, plan)
    description = describe(people, "confidence", ["cell"])
    columns: list[tuple[str, str | tuple[str, str]]] = [
        ("Condition", "condition"),
        ("n", "n"),
        ("Median", "median"),
        ("Quartiles", ("q1", "q3")),
        ("Min", "min"),
        ("Max", "max"),
    ]
    section.tables.insert(
        0,
        Table(
            "confidence_descriptives",
            "Participants' median confidence in each condition.",
            description.assign(condition=_conditions(description["cell"], plan)),
            columns,
            digits=1,
        ),
    )
    section.charts.append(figures.confidence_shares(sample.answers, plan))
    _calibrate(section, sample, plan)
    return section


def _conditions(cells: pd.Series, plan: Plan) -> list[str]:
    return [figures.cell_label(str(cell), plan) for cell in cells]


def _compare(section: Section, people: pd.DataFrame, plan: Plan) -> None:
    test = section.attempt("kruskal_wallis", partial(kruskal_wallis, people, "confidence", "cell"))
    if test is None:
        section.not_computed["dunn_holm"] = section.not_computed["kruskal_wallis"]
        return
    row = test.iloc[0]
    status = "Preregistered" if plan.is_preregistered("confidence") else "Exploratory"
    verb = "differed significantly" if row["p"] < plan.alpha else "did not differ significantly"
    section.sentences.append(
        f"{status}: median confidence {verb} over the {row['df1'] + 1:.0f} conditions, "
        f"{wording.statistic(row)}."
    )
    pairs = section.attempt("dunn_holm", partial(dunn, people, "confidence", "cell"))
    if pairs is None:
        return
    hits = [
        f"{figures.cell_label(pair['a'], plan)} against {figures.cell_label(pair['b'], plan)} "
        f"({wording.p_value(pair['p'])})"
        for _, pair in pairs.iterrows()
        if pair["p"] < plan.alpha
    ]
    section.sentences.append(
        f"Significant pairs by Dunn's test with Holm's correction: {'; '.join(hits)}."
        if hits
        else "By Dunn's test with Holm's correction no pair of conditions reached significance."
    )
    section.tables.append(
        Table(
            "confidence_dunn",
            "Dunn's two-sided test of all pairs of conditions; p after Holm.",
            pairs.assign(first=_conditions(pairs["a"], plan), second=_conditions(pairs["b"], plan)),
            [
                ("Condition", "first"),
                ("against", "second"),
                ("z", "statistic"),
                ("p unadjusted", "p_unadjusted"),
                ("p (Holm)", "p"),
            ],
        )
    )


def calibration(answers: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Accuracy of the answers given at each level of confidence.

    Returns confidence, words, n, participants, mean, ci_low, ci_high (95 %, participants as
    sampling units); a level nobody chose has n = 0.
    """
    return pd.DataFrame(
        [
            {
                "confidence": level,
                "words": plan.confidence_words(level),
                **clustered_proportion(group["correct"], group["participant_id"]),
            }
            for level in plan.confidence_levels
            for group in [answers[answers["confidence"] == level]]
        ]
    )


def _calibrate(section: Section, sample: Sample, plan: Plan) -> None:
    frame = calibration(sample.answers, plan)
    if frame["n"].sum() == 0:
        section.not_computed["calibration"] = "No answer has both a confidence and a correct value."
        return
    section.charts.append(figures.calibration_curve(frame))
    section.tables.append(
        Table(
            "confidence_calibration",
            "Share of correct predictions at each level of confidence; intervals take "
            "participants as the sampling units.",
            frame,
            [
                ("Confidence", "confidence"),
                ("", "words"),
                ("Answers", "n"),
                ("Participants", "participants"),
                ("Correct", "mean"),
                ("95% CI", ("ci_low", "ci_high")),
            ],
        )
    )
