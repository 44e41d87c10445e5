"""From arrival to analysis: who was lost where, in each condition."""

from __future__ import annotations

import pandas as pd

from .plan import Plan
from .sample import Sample
from .section import Section, Table

# Order in which known states are listed; others follow under their own names.
STATES = ("declined", "screened_out", "withdrawn", "in_progress")


def flow_table(sample: Sample) -> pd.DataFrame:
    """Counts per cell: one row per stage (column `stage`), one column per cell, and `all`.

    Participants who left before a condition was given are in the column `not assigned`.
    """
    people = sample.arrived
    completed = people["status"] == "completed"
    excluded = completed & people["excluded"]
    stages = {"arrived": pd.Series(True, people.index)}
    if (people["consented_at"] != "").any():
        stages["consented"] = people["consented_at"] != ""
    found = [state for state in people["status"].unique() if state not in (*STATES, "completed")]
    for state in (*STATES, *sorted(found)):
        # "arrived" as a state means: came and went no further.
        name = "went no further" if state == "arrived" else state.replace("_", " ")
        stages[name] = people["status"] == state
    stages["completed"] = completed
    stages["excluded"] = excluded
    reasons = people.loc[excluded, "exclusion_reason"].replace("", "no reason given")
    for reason in sorted(reasons.unique()):
        stages[f"— {reason}"] = reasons.eq(reason).reindex(people.index, fill_value=False)
    stages["analysed"] = people["participant_id"].isin(sample.participants["participant_id"])
    stages["failed the screening, analysed"] = stages["analysed"] & people["screening_passed"].eq(0)
    cells = [str(cell) for cell in people["cell"].cat.categories if cell]
    rows = []
    for stage, chosen in stages.items():
        counts = people.loc[chosen, "cell"].value_counts()
        row: dict[str, object] = {"stage": stage} | {
            cell: int(counts.get(cell, 0)) for cell in cells
        }
        rows.append(
            {
                **row,
                "not assigned": int(people.loc[chosen, "cell"].isna().sum()),
                "all": int(chosen.sum()),
            }
        )
    frame = pd.DataFrame(rows)
    if frame["not assigned"].sum() == 0:
        frame = frame.drop(columns="not assigned")
    always = {"arrived", "completed", "excluded", "analysed"}
    return frame[(frame["all"] > 0) | frame["stage"].isin(always)].reset_index(drop=True)


def flow_section(sample: Sample, plan: Plan) -> Section:
    """The flow of participants, with exclusions and their reasons."""
    section = Section(
        "flow",
        "Flow of participants",
        "From arrival to analysis, per condition.",
    )
    if "source" not in sample.arrived:
        section.not_computed["flow"] = "participants.csv is missing or could not be used."
        return section
    frame = flow_table(sample)
    counts = frame.set_index("stage")["all"]
    section.extra["counts"] = {str(stage): int(n) for stage, n in counts.items()}
    section.extra["cells"] = {
        str(row["stage"]): {
            column: int(row[column]) for column in frame.columns if column not in ("stage", "all")
        }
        for _, row in frame.iterrows()
    }
    section.sentences.append(
        f"{counts['arrived']} arrived, {counts['completed']} completed, {counts['excluded']} were "
        f"excluded, {counts['analysed']} were analysed."
    )
    failed = int(counts.get("failed the screening, analysed", 0))
    if failed:
        section.sentences.append(
            f"{failed} of those analysed failed the screening; the main tests without them are "
            "under Sensitivity."
        )
    columns: list[tuple[str, str | tuple[str, str]]] = [("", "stage")]
    for column in frame.columns[1:]:
        head = " / ".join(plan.label(level) for level in column.split(" / "))
        columns.append((head, column))
    shown = frame.assign(stage=frame["stage"].map(lambda stage: stage[:1].upper() + stage[1:]))
    section.tables.append(
        Table("flow", "Participants at each stage, by condition.", shown, columns)
    )
    if counts["completed"] == 0:
        section.notes.append("Nobody has completed the study yet, so no test could be made.")
    return section
