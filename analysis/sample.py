"""Who is analysed: completed, not excluded, of one source, with a known condition."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from .load import Study

SOURCES = ("real", "preview", "pilot", "bot")


@dataclass
class Sample:
    """The analysed participants and their answers.

    `participants` has one row per analysed participant with n_answers, n_correct, accuracy and
    `cell` (ordered categorical over all combinations of levels); `arrived` has every row of the
    source, analysed or not. `answers` carries the participant's factors and cell.
    """

    source: str
    simulated: bool
    factors: list[str]
    arrived: pd.DataFrame
    participants: pd.DataFrame
    answers: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def choose_source(participants: pd.DataFrame) -> str:
    """Real participants; the simulated ones only where no real one has completed."""
    completed = participants[participants["status"] == "completed"]
    if (completed["source"] == "real").any():
        return "real"
    return "bot" if (completed["source"] == "bot").any() else "real"


def draw_sample(study: Study, source: str | None = None) -> Sample:
    """Select the participants to analyse; `source` None chooses as `choose_source` says."""
    plan = study.plan
    if study.participants is None:
        return _answers_alone(study)
    notes: list[str] = []
    people = study.participants
    chosen = source or choose_source(people)
    if chosen == "bot" and source is None:
        notes.append("No real participant has completed; the simulated ones were analysed.")
    other = people[(people["source"] != chosen) & (people["status"] == "completed")]
    if len(other):
        counts = ", ".join(f"{n} {name}" for name, n in other["source"].value_counts().items())
        notes.append(f"Completed sessions of another source were left out: {counts}.")
    arrived = people[people["source"] == chosen].copy()
    factors = study.factors
    arrived["cell"] = cell_of(arrived, factors)
    chosen_rows = (arrived["status"] == "completed") & ~arrived["excluded"]
    lost = chosen_rows & arrived[factors].isna().any(axis=1)
    if lost.any():
        notes.append(f"Completed participants without a known condition, left out: {lost.sum()}.")
    analysed = arrived[chosen_rows & ~lost].copy()
    answers = _answers_of(study, analysed, factors, notes)
    analysed = _with_accuracy(study, analysed, answers, notes)
    simulated = chosen == "bot" or plan.simulated
    return Sample(chosen, simulated, factors, arrived, analysed, answers, notes)


def cell_of(frame: pd.DataFrame, factors: list[str]) -> pd.Categorical:
    """The combination of levels each row is in, such as `lrp / shown`; none where one is empty."""
    names = [""] if factors else []
    for factor in factors:
        known = frame[factor].cat.categories
        names = [f"{name} / {level}" if name else str(level) for name in names for level in known]
    rows = frame[factors].astype(object).itertuples(index=False, name=None)
    joined = [None if not row or pd.isna(list(row)).any() else " / ".join(row) for row in rows]
    return pd.Categorical(joined, categories=names, ordered=True)


def _answers_of(
    study: Study, analysed: pd.DataFrame, factors: list[str], notes: list[str]
) -> pd.DataFrame:
    columns = ["participant_id", *factors, "cell"]
    if study.answers is None:
        return pd.DataFrame(
            columns=[
                *columns,
                "task",
                "outcome",
                "correct",
                "confidence",
                "assigned",
                "object_present",
                "predicted",
            ]
        )
    if study.participants is not None:
        strangers = ~study.answers["participant_id"].isin(study.participants["participant_id"])
        if strangers.any():
            notes.append(f"Answers of nobody in participants.csv, left out: {strangers.sum()}.")
    clashes = [column for column in columns[1:] if column in study.answers]
    return study.answers.drop(columns=clashes).merge(
        analysed[columns], on="participant_id", how="inner"
    )


def _with_accuracy(
    study: Study, analysed: pd.DataFrame, answers: pd.DataFrame, notes: list[str]
) -> pd.DataFrame:
    """Adds n_answers, n_correct and accuracy, from the answers where there are any."""
    if study.answers is None or answers["correct"].isna().all():
        if len(analysed):
            notes.append("Accuracy was taken from participants.csv (n_correct of n_tasks).")
        analysed["n_answers"] = analysed["n_tasks"]
        asked = analysed["n_tasks"].where(analysed["n_tasks"] > 0)
        analysed["accuracy"] = analysed["n_correct"] / asked
        return _with_value(analysed, notes)
    by_person = answers.dropna(subset=["correct"]).groupby("participant_id")["correct"]
    counted = analysed["participant_id"].map(by_person.sum())
    stated = analysed["n_correct"]
    if differ := int((stated.notna() & counted.notna() & (stated != counted)).sum()):
        notes.append(
            f"Participants whose n_correct differs from their answers: {differ}; the answers "
            "were used."
        )
    analysed["n_correct"] = counted
    analysed["n_answers"] = analysed["participant_id"].map(by_person.count())
    analysed["accuracy"] = analysed["participant_id"].map(by_person.mean())
    analysed = _with_value(analysed, notes)
    expected = study.plan.n_tasks
    if expected and (short := int((analysed["n_answers"] < expected).sum())):
        notes.append(
            f"Analysed participants with fewer than {expected} usable answers: {short}; their "
            "accuracy is over the answers they gave."
        )
    return analysed


def _with_value(analysed: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    if without := int(analysed["accuracy"].isna().sum()):
        notes.append(f"Completed participants without a usable answer, left out: {without}.")
    return analysed[analysed["accuracy"].notna()].copy()


def _answers_alone(study: Study) -> Sample:
    """Without participants.csv nothing is known of conditions: answers for the baselines only."""
    answers = study.answers if study.answers is not None else pd.DataFrame()
    people = pd.DataFrame(columns=["participant_id", "accuracy", "cell"])
    return Sample("unknown", study.plan.simulated, [], people, people, answers)
