"""Reads an export, or anybody's tidy file, and says what in it is odd.

An export is a folder of UTF-8 CSV files with a header line each, and a plan:

- `participants.csv`, one row per participant: participant_id, source (real, preview, pilot, bot),
  status (completed, ...), one column per factor, screening_passed, excluded, exclusion_reason,
  consented_at, completed_at, n_tasks, n_correct, version_sha256;
- `answers.csv`, one row per answered task: participant_id, task, task_label, outcome (TP, FP, FN,
  TN of the new image), assigned (did the classifier assign the label?), object_present, predicted
  (did the participant say it would?), correct, confidence (1 to 4, or as many levels as the plan
  has words for);
- `codes.csv` (optional), one row per code given to an answer: participant_id, task, code, group
  (saliency, general, both);
- `plan.json`, see `analysis.plan.Plan`.

What is missing or malformed costs the statistics that need it and leaves a note; only a file that
cannot be read at all is an error.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from .cells import categorical, levels_in_order, numbers, rows, truth
from .errors import AnalysisError
from .plan import DEFAULT_FACTORS, LARGEST_NUMBER, MAXIMUM_TASKS, TABLE_COLUMNS, Plan

CODE_GROUPS = ("saliency", "general", "both")
TASK_OUTCOMES = ("TP", "FP", "FN", "TN")
MAXIMUM_LEVELS = 20


@dataclass
class Study:
    """An export in memory. Frames are None where their file is absent.

    Truth values are floats 1, 0 or NaN; factors are ordered categoricals with the plan's levels;
    `factors` are those of the plan that participants.csv has values for;
    `notes` are sentences about what was odd; `files` maps a file's name to its SHA-256.
    """

    plan: Plan
    participants: pd.DataFrame | None
    answers: pd.DataFrame | None
    codes: pd.DataFrame | None
    factors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


@dataclass
class TidyData:
    """One numeric outcome per participant (`frame`: the outcome and the factors)."""

    plan: Plan
    frame: pd.DataFrame
    outcome: str
    notes: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


def read_export(folder: Path | str, codes: Path | str | None = None) -> Study:
    """Read an export folder; `codes` replaces its codes.csv.

    Raises `AnalysisError` when the folder or a file in it cannot be read, or holds neither
    participants nor answers.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):  # unlike Path.is_dir, also for a name too long to exist
        raise AnalysisError(f"{folder} is not a folder; expected an export.")
    files: dict[str, str] = {}
    notes: list[str] = []
    people = _optional(folder / "participants.csv", files)
    answers = _optional(folder / "answers.csv", files)
    if people is None and answers is None:
        raise AnalysisError(
            f"{folder} holds neither participants.csv nor answers.csv; expected an export."
        )
    if codes is not None:
        codes_frame: pd.DataFrame | None = read_table(Path(codes), files)
    else:
        codes_frame = _optional(folder / "codes.csv", files)
    plan = _plan(folder, people, files, notes)
    for name, frame in (("participants.csv", people), ("answers.csv", answers)):
        if frame is None:
            notes.append(f"{name} is missing: what needs it could not be computed.")
    study = Study(plan, None, None, None, [], notes, files)
    if people is not None:
        study.factors = [name for name in plan.factors if name in people and any(people[name])]
        study.participants = _participants(people, plan, notes)
    if answers is not None:
        study.answers = _answers(answers, plan, notes)
    if codes_frame is not None:
        study.codes = _codes(codes_frame, plan, notes)
    return study


def read_tidy(
    path: Path | str, *, outcome: str, factors: list[str], participant: str | None = None
) -> TidyData:
    """Read one tidy file: a numeric outcome, one to three factors, perhaps a participant column.

    Repeated rows of a participant are averaged; without `participant` each row is one. Raises
    `AnalysisError` when a column is missing or its name is one the report needs, the outcome is not
    numeric or beyond 1e100, a factor has fewer than two or more than 20 levels, or a participant is
    in two conditions.
    """
    path = Path(path)
    files: dict[str, str] = {}
    notes: list[str] = []
    frame = read_table(path, files)
    if not 1 <= len(factors) <= 3 or len(set(factors)) != len(factors):
        raise AnalysisError("--factors names one to three different columns.")
    for column in [outcome, *factors, *([participant] if participant else [])]:
        if column not in frame:
            raise AnalysisError(
                f"{path.name} has no column {column!r}; it has {', '.join(frame.columns)}."
            )
    if outcome in factors:
        raise AnalysisError(f"{outcome!r} cannot be the outcome and a factor at once.")
    if participant in (outcome, *factors):
        raise AnalysisError(f"{participant!r} cannot be the participant and an outcome or factor.")
    if taken := [name for name in factors if name in TABLE_COLUMNS] or (
        ["participant_id"] if outcome == "participant_id" else []
    ):
        raise AnalysisError(
            f"{path.name}: column {taken[0]!r} has a name that the report uses for something else; "
            "expected another one."
        )
    values = numbers(frame[outcome])
    if (values.abs() > LARGEST_NUMBER).any():
        raise AnalysisError(
            f"{path.name}: column {outcome!r} holds numbers beyond {LARGEST_NUMBER:g}, too large "
            "to analyse."
        )
    if values.notna().sum() == 0:
        raise AnalysisError(f"{path.name}: column {outcome!r} holds no numbers.")
    if lost := int(values.isna().sum()):
        notes.append(f"{lost} of {len(frame)} rows have no finite number in {outcome}: left out.")
    who = frame[participant] if participant else pd.Series(range(len(frame)), index=frame.index)
    tidy = pd.DataFrame({"participant_id": who.astype(str), outcome: values})
    levels: dict[str, tuple[str, ...]] = {}
    for factor in factors:
        levels[factor] = levels_in_order(frame.loc[values.notna() & (frame[factor] != ""), factor])
        if not 2 <= len(levels[factor]) <= MAXIMUM_LEVELS:
            raise AnalysisError(
                f"{path.name}: column {factor!r} has {len(levels[factor])} levels; "
                f"a factor has 2 to {MAXIMUM_LEVELS}."
            )
        tidy[factor] = categorical(frame[factor], levels[factor])
    if blank := int(tidy[factors].isna().any(axis=1).sum()):
        notes.append(f"{blank} rows have an empty factor: left out.")
    tidy = tidy.dropna()
    if participant:
        nameless = tidy["participant_id"] == ""
        if nameless.any():
            notes.append(f"{int(nameless.sum())} rows have no {participant}: left out.")
            tidy = tidy.loc[~nameless]
        tidy = _one_row_each(tidy, outcome, factors, path.name, notes)
    plan = Plan(
        title=f"{outcome} by {', '.join(factors)}",
        factors=levels,
        participant=participant or "row",
    )
    return TidyData(plan, tidy.reset_index(drop=True), outcome, notes, files)


def _one_row_each(
    tidy: pd.DataFrame, outcome: str, factors: list[str], where: str, notes: list[str]
) -> pd.DataFrame:
    cells = tidy.groupby("participant_id")[factors].nunique().max(axis=1)
    if (cells > 1).any():
        raise AnalysisError(
            f"{where}: participant {cells.index[cells > 1][0]!r} is in several conditions; "
            "expected factors between participants."
        )
    repeated = len(tidy) - tidy["participant_id"].nunique()
    if repeated:
        notes.append(f"{len(tidy)} rows were averaged to one per participant.")
    first = tidy.groupby("participant_id", sort=False)[factors].first()
    return first.assign(
        **{outcome: tidy.groupby("participant_id", sort=False)[outcome].mean()}
    ).reset_index()


def read_table(path: Path, files: dict[str, str]) -> pd.DataFrame:
    """Read a CSV (or, by its ending, TSV) file as text; empty cells are empty strings.

    Names and cells are stripped, columns without a name left out. Raises `AnalysisError` for a file
    that cannot be read, and for two columns of one name.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError for a name with a NUL
        reason = getattr(error, "strerror", None) or error
        raise AnalysisError(f"{path} cannot be read: {reason}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnalysisError(f"{path} is not UTF-8 text; expected a CSV file.") from error
    separator = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    if separator == "," and ";" in text.partition("\n")[0] and "," not in text.partition("\n")[0]:
        separator = ";"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text),
                sep=separator,
                dtype=str,
                keep_default_na=False,
                header=None,  # pandas would give repeated names a number
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        detail = str(error).strip().splitlines()[0] if str(error).strip() else "no columns"
        raise AnalysisError(f"{path} cannot be read as CSV: {detail.rstrip('.')}.") from error
    files[path.name] = hashlib.sha256(content).hexdigest()
    frame = frame.apply(lambda column: column.fillna("").str.strip())
    names = frame.iloc[0]
    if (repeated := names[(names != "") & names.duplicated()]).any():
        raise AnalysisError(
            f"{path.name} has more than one column {repeated.iloc[0]!r}; expected different names."
        )
    frame.columns = pd.Index(names)
    return frame.loc[1:, names.to_numpy() != ""].reset_index(drop=True)


def _optional(path: Path, files: dict[str, str]) -> pd.DataFrame | None:
    return read_table(path, files) if os.path.exists(path) else None


def _plan(
    folder: Path, people: pd.DataFrame | None, files: dict[str, str], notes: list[str]
) -> Plan:
    path = folder / "plan.json"
    if os.path.exists(path):
        plan = Plan.from_file(path)
        files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return plan
    notes.append("plan.json is missing: factors were taken from the columns, alpha is .05.")
    if people is None:
        return Plan(factors={})
    names = [name for name in DEFAULT_FACTORS if name in people] or (
        ["condition"] if "condition" in people else []
    )
    factors = {}
    for name in names:
        found = set(people[name]) - {""}
        usual = [level for level in DEFAULT_FACTORS.get(name, ()) if level in found]
        factors[name] = (*usual, *sorted(found - set(usual)))
    return replace(Plan(), factors=factors)


def _participants(frame: pd.DataFrame, plan: Plan, notes: list[str]) -> pd.DataFrame | None:
    if plan.participant not in frame:
        notes.append(f"participants.csv has no column {plan.participant}: it was not used.")
        return None
    frame = _identified(frame, plan)
    frame = _without_repeats(frame, ["participant_id"], "participants.csv", notes)
    for column, value, consequence in (
        ("source", "real", "every participant was taken for a real one"),
        ("exclusion_reason", "", "exclusions are shown without reasons"),
        ("excluded", "", "nobody was taken for excluded"),
        ("screening_passed", "", "screening failures are unknown"),
        ("consented_at", "", "consent is not counted"),
    ):
        if column not in frame:
            frame[column] = value
            notes.append(f"participants.csv has no column {column}: {consequence}.")
    if "status" not in frame:
        completed = frame["completed_at"] != "" if "completed_at" in frame else True
        frame["status"] = np.where(completed, "completed", "in_progress")
        notes.append(
            "participants.csv has no column status: "
            + ("completed_at was used." if "completed_at" in frame else "all count as completed.")
        )
    frame["source"] = frame["source"].str.lower().replace("", "real")
    frame["status"] = frame["status"].str.lower().replace("", "unknown")
    frame["excluded"] = truth(frame["excluded"], "participants.csv: excluded", notes).eq(1)
    frame["screening_passed"] = truth(
        frame["screening_passed"], "participants.csv: screening_passed", notes
    )
    for column in ("n_tasks", "n_correct"):
        frame[column] = numbers(frame[column]) if column in frame else np.nan
        outside = (frame[column] < 0) | (frame[column] > MAXIMUM_TASKS)
        if outside.any():
            notes.append(
                f"{rows(int(outside.sum()))} of participants.csv have a {column} outside 0 to "
                f"{MAXIMUM_TASKS}: left empty."
            )
            frame.loc[outside, column] = np.nan
    for factor, levels in plan.factors.items():
        if factor not in frame:
            frame[factor] = ""
        if len(frame) and not frame[factor].any():
            notes.append(f"participants.csv has no values of {factor}: it is in no analysis.")
        unknown = sorted(set(frame[factor]) - set(levels) - {""})
        if unknown:
            count = int(frame[factor].isin(unknown).sum())
            notes.append(
                f"{factor} has a level the plan does not know ({', '.join(unknown)}): "
                f"{_people(count)} left out of the analyses."
            )
        frame[factor] = categorical(frame[factor], levels)
    return frame


def _answers(frame: pd.DataFrame, plan: Plan, notes: list[str]) -> pd.DataFrame | None:
    needed = [plan.participant, "task"]
    if missing := [column for column in needed if column not in frame]:
        notes.append(f"answers.csv has no column {', '.join(missing)}: it was not used.")
        return None
    frame = _identified(frame, plan)
    frame = _without_repeats(frame, ["participant_id", "task"], "answers.csv", notes)
    for column in ("assigned", "object_present", "predicted", "correct"):
        if column in frame:
            frame[column] = truth(frame[column], f"answers.csv: {column}", notes)
        else:
            frame[column] = np.nan
            if column != "correct":
                notes.append(f"answers.csv has no column {column}.")
    known = frame["assigned"].notna() & frame["predicted"].notna()
    derived = frame["assigned"].eq(frame["predicted"]).astype(float).where(known)
    if frame["correct"].isna().all() and known.any():
        notes.append("answers.csv gives no correct: it was derived from assigned and predicted.")
        frame["correct"] = derived
    elif disagree := int((known & frame["correct"].notna() & (derived != frame["correct"])).sum()):
        notes.append(
            f"{rows(disagree)} of answers.csv have a correct that contradicts assigned and "
            "predicted; correct was used as given."
        )
    given = frame.get("confidence", pd.Series("", frame.index))
    frame["confidence"] = numbers(given)
    outside = (given != "") & ~frame["confidence"].isin(plan.confidence_levels)
    if outside.any():
        notes.append(
            f"{rows(int(outside.sum()))} of answers.csv have a confidence outside 1 to "
            f"{len(plan.confidence)}: left empty."
        )
        frame.loc[outside, "confidence"] = np.nan
    for column in ("outcome", "task_label"):
        frame[column] = frame.get(column, "")
    frame["outcome"] = frame["outcome"].str.upper()
    return frame


def _codes(frame: pd.DataFrame, plan: Plan, notes: list[str]) -> pd.DataFrame | None:
    needed = [plan.participant, "task", "code", "group"]
    if missing := [column for column in needed if column not in frame]:
        notes.append(f"The codes table has no column {', '.join(missing)}: it was not used.")
        return None
    frame = _identified(frame, plan)
    frame = _without_repeats(frame, ["participant_id", "task", "code"], "The codes table", notes)
    frame["group"] = frame["group"].str.lower()
    unknown = ~frame["group"].isin(CODE_GROUPS)
    if unknown.any():
        notes.append(
            f"{rows(int(unknown.sum()))} of the codes table have a group other than "
            f"{', '.join(CODE_GROUPS)}: left out."
        )
    return frame[~unknown].reset_index(drop=True)


def _identified(frame: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The plan's participant column as participant_id; another of that name gives way."""
    if plan.participant != "participant_id":
        frame = frame.drop(columns="participant_id", errors="ignore")
    return frame.rename(columns={plan.participant: "participant_id"})


def _without_repeats(
    frame: pd.DataFrame, key: list[str], where: str, notes: list[str]
) -> pd.DataFrame:
    blank = (frame[key] == "").any(axis=1)
    if blank.any():
        notes.append(f"{where}: {rows(int(blank.sum()))} without {' or '.join(key)} left out.")
        frame = frame[~blank]
    repeated = frame.duplicated(key)
    if repeated.any():
        notes.append(
            f"{where}: {rows(int(repeated.sum()))} repeat {' and '.join(key)}; "
            "the first of each was used."
        )
    return frame[~repeated].reset_index(drop=True)


def _people(count: int) -> str:
    return "1 participant was" if count == 1 else f"{count} participants were"
