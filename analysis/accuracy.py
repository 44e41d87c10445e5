"""How well do participants predict the classifier?"""

from __future__ import annotations

import pandas as pd

from . import factorial, figures
from .descriptives import clustered_proportion
from .load import TASK_OUTCOMES
from .plan import Plan
from .sample import Sample
from .section import Section, Table


def accuracy_section(sample: Sample, plan: Plan, baselines: dict[str, float]) -> Section:
    """Accuracy per participant: the share of tasks whose outcome they predicted."""
    section = Section(
        "accuracy",
        "Prediction accuracy",
        "Each participant's share of tasks in which they predicted what the classifier did.",
    )
    people = sample.participants
    if people.empty:
        section.not_computed["all tests"] = "There are no completed participants to analyse."
        return section
    factorial.analyse(
        section,
        people,
        outcome="accuracy",
        words="prediction accuracy",
        factors=sample.factors,
        plan=plan,
    )
    if sample.factors:
        section.charts.append(
            figures.means_by_factor(
                people,
                "accuracy",
                sample.factors,
                plan,
                name="figure_25_accuracy",
                axis="Accuracy per participant",
                limits=(0, 1),
                references=baselines,
            )
        )
        section.charts.append(
            figures.cell_means(
                people,
                "accuracy",
                sample.factors,
                plan,
                name="accuracy_by_cell",
                axis="Mean accuracy",
            )
        )
        section.charts.append(figures.correct_answers(people, sample.factors, plan))
    return section


def by_task_outcome(answers: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Share of correct answers per outcome of the classifier (TP, FP, FN, TN) and level of `by`.

    Returns outcome, the columns of `by`, tasks, n (answers), participants, mean, ci_low, ci_high
    (95 %, participants as sampling units).
    """
    rows = []
    order = pd.CategoricalDtype(list(TASK_OUTCOMES), ordered=True)
    frame = answers.assign(outcome=answers["outcome"].astype(order)).dropna(subset=["outcome"])
    for levels, group in frame.groupby(["outcome", *by], observed=True):
        share = clustered_proportion(group["correct"], group["participant_id"])
        named = dict(zip(["outcome", *by], levels, strict=True))
        rows.append({**named, "tasks": group["task"].nunique(), **share})
    return pd.DataFrame(rows)


def task_outcome_section(sample: Sample, plan: Plan) -> Section:
    """Accuracy by what the classifier did with the new image."""
    section = Section(
        "accuracy_by_outcome",
        "Accuracy by task outcome",
        "Correct predictions by what the classifier did with the new image: true positive, false "
        "positive, false negative, true negative. Descriptive; intervals take participants as the "
        "sampling units.",
    )
    answers = sample.answers
    known = (
        not answers.empty and answers["outcome"].isin(TASK_OUTCOMES) & answers["correct"].notna()
    )
    if known is False or not known.any():
        section.not_computed["accuracy_by_outcome"] = (
            "No analysed answer has both a task outcome and a correct value."
        )
        return section
    answers = answers[known]
    overall = by_task_outcome(answers, [])
    section.extra["outcomes"] = {
        str(row["outcome"]): {key: row[key] for key in ("n", "tasks", "mean", "ci_low", "ci_high")}
        for _, row in overall.iterrows()
    }
    shares = ", ".join(f"{row['outcome']} {row['mean']:.1%}" for _, row in overall.iterrows())
    section.sentences.append(f"Correct predictions by outcome: {shares}.")
    first = sample.factors[:1]
    frame = overall
    if first:
        split = by_task_outcome(answers, first)
        frame = pd.concat([split, overall.assign(**{first[0]: "all"})], ignore_index=True)
        section.charts.append(figures.outcome_shares(split, first[0], plan))
    columns: list[tuple[str, str | tuple[str, str]]] = [
        ("Outcome", "outcome"),
        *[(plan.label(factor), factor) for factor in first],
        ("Tasks", "tasks"),
        ("Answers", "n"),
        ("Correct", "mean"),
        ("95% CI", ("ci_low", "ci_high")),
    ]
    section.tables.append(
        Table("accuracy_by_outcome", "Share of correct predictions.", frame, columns)
    )
    return section
