"""What would someone score who does not look at the explanations at all?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .errors import NotComputableError
from .section import Section, Table

STRATEGIES = {
    "always_yes": "Always yes",
    "always_no": "Always no",
    "object_present": "Is the object there?",
    "guessing": "Guessing",
}


def tasks_of(answers: pd.DataFrame) -> pd.DataFrame:
    """One row per task: task, outcome, task_label, assigned, object_present (1, 0 or NaN)."""
    columns = ["outcome", "task_label", "assigned", "object_present"]
    return answers.groupby("task", sort=True)[columns].first().reset_index()


def baselines(tasks: pd.DataFrame) -> pd.DataFrame:
    """The share of tasks each trivial strategy gets right.

    `tasks` as from `tasks_of`. Returns strategy, tasks, correct, accuracy, and for guessing the
    range that holds 95 % of guessers (binomial, low and high). A strategy whose column is
    incomplete is left out; raises `NotComputableError` when the classifier's answers are unknown.
    """
    from scipy import stats

    known = tasks.dropna(subset=["assigned"])
    if known.empty:
        raise NotComputableError("The answers do not say what the classifier did (assigned).")
    n = len(known)
    assigned = known["assigned"]
    scores = {"always_yes": float(assigned.sum()), "always_no": float((1 - assigned).sum())}
    if known["object_present"].notna().all():
        scores["object_present"] = float((assigned == known["object_present"]).sum())
    scores["guessing"] = n / 2
    low, high = stats.binom.ppf([0.025, 0.975], n, 0.5) / n
    return pd.DataFrame(
        [
            {
                "strategy": strategy,
                "tasks": n,
                "correct": correct,
                "accuracy": correct / n,
                "low": low if strategy == "guessing" else np.nan,
                "high": high if strategy == "guessing" else np.nan,
            }
            for strategy, correct in scores.items()
        ]
    )


def baseline_section(answers: pd.DataFrame) -> Section:
    """The baselines beside which every accuracy of the report is to be read."""
    section = Section(
        "baselines",
        "Baselines",
        "Scores on these tasks without looking at any explanation. An accuracy means something "
        "only beside them.",
    )
    if answers.empty:
        section.not_computed["baselines"] = "There are no answers, so the tasks are unknown."
        return section
    tasks = tasks_of(answers)
    try:
        frame = baselines(tasks)
    except NotComputableError as reason:
        section.not_computed["baselines"] = str(reason)
        return section
    if (answers.groupby("task")["assigned"].nunique() > 1).any():
        section.notes.append(
            "Some tasks have contradictory values of assigned (several study versions?): the "
            "first of each was used."
        )
    if "object_present" not in set(frame["strategy"]):
        section.not_computed["object_present"] = "object_present is not known for every task."
    section.extra["strategies"] = {
        row["strategy"]: {"accuracy": row["accuracy"], "correct": row["correct"]}
        for _, row in frame.iterrows()
    }
    outcomes = tasks["outcome"].replace("", "unknown").value_counts()
    counts = ", ".join(f"{n} {name}" for name, n in outcomes.items())
    section.sentences.append(f"The {len(tasks)} tasks by the classifier's outcome: {counts}.")
    best = frame[frame["strategy"] != "guessing"]["accuracy"].max()
    if best > 0.6:
        section.notes.append(
            f"A trivial strategy scores {best:.0%}: accuracy above guessing shows little here."
        )
    shown = frame.assign(strategy=frame["strategy"].map(STRATEGIES))
    section.tables.append(
        Table(
            "baselines",
            "Trivial strategies. For guessing, the range that holds 95% of guessers.",
            shown,
            [
                ("Strategy", "strategy"),
                ("Correct", "correct"),
                ("of tasks", "tasks"),
                ("Accuracy", "accuracy"),
                ("95% range", ("low", "high")),
            ],
        )
    )
    return section
