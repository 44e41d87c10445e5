"""The column table: every exported column once, with what it means and where it comes from.

The CSV files and their data dictionary are both made from these tables, so a column without a
description cannot be written.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from studyplatform.participation.models import Answer, Event, Reward, Session
from studyplatform.stimuli.models import Task
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.spec import HeatmapMethod, Question, Spec

Row = TypeVar("Row")

TIME = "time, ISO 8601 in UTC"
TRUTH = "truth value"
ID = "text, 12 characters"


@dataclass(frozen=True)
class Person:
    """A row of participants.csv; the counts are of answered tasks."""

    session: Session
    version: StudyVersion
    levels: dict[str, str]
    condition: str
    reward: Reward | None
    n_tasks: int
    n_correct: int
    exclusion: str | None


@dataclass(frozen=True)
class TaskAnswer:
    """A row of answers.csv."""

    session: Session
    answer: Answer
    task: Task
    version: StudyVersion


@dataclass(frozen=True)
class OtherAnswer:
    """A row of other_answers.csv: one question (or one ticked option) of a page without task."""

    session: Session
    answer: Answer
    question: str
    value: Any


@dataclass(frozen=True)
class EventRow:
    """A row of events.csv."""

    session: Session
    event: Event


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: `get` takes it from a row; `values` says what may stand in it."""

    name: str
    type: str
    meaning: str
    get: Callable[[Row], Any]
    values: str = ""


def _minutes(row: Person) -> float | None:
    if row.session.completed_at is None:
        return None
    return round((row.session.completed_at - row.session.arrived_at).total_seconds() / 60, 3)


def _block(row: TaskAnswer) -> int | None:
    order = row.session.block_order
    return order.index(row.task.label) + 1 if row.task.label in order else None


def _position(row: TaskAnswer) -> int | None:
    order = row.session.task_order
    return order.index(row.task.number) + 1 if row.task.number in order else None


def _choices(choices: Iterable[tuple[object, object]]) -> str:
    return "; ".join(f"{value} = {label}" for value, label in choices)


_PERSON_ID = "random id of the participant; stands for no panel id"
PERSON_START: list[Column[Person]] = [
    Column("participant_id", ID, _PERSON_ID, lambda r: r.session.public_id),
    Column(
        "source",
        "text",
        "where the session came from",
        lambda r: r.session.source,
        _choices(Session.Source.choices),
    ),
    Column(
        "status",
        "text",
        "how far the participant came",
        lambda r: r.session.status,
        _choices(Session.Status.choices),
    ),
    Column("condition", "text", "key of the condition assigned", lambda r: r.condition),
]
PERSON_REST: list[Column[Person]] = [
    Column(
        "block_order",
        "list, ; between",
        "labels in the order of their blocks of tasks",
        lambda r: r.session.block_order,
    ),
    Column(
        "task_order",
        "list, ; between",
        "numbers of the tasks in the order shown",
        lambda r: r.session.task_order,
    ),
    Column(
        "screening_passed",
        TRUTH,
        "whether every screening item was answered right",
        lambda r: r.session.screening_passed,
    ),
    Column(
        "excluded",
        TRUTH,
        "whether the participant is left out of the analysis",
        lambda r: r.exclusion is not None,
    ),
    Column("exclusion_reason", "text", "why", lambda r: r.exclusion or ""),
    Column("arrived_at", TIME, "first page opened", lambda r: r.session.arrived_at),
    Column("consented_at", TIME, "consent given", lambda r: r.session.consented_at),
    Column("completed_at", TIME, "last answer saved", lambda r: r.session.completed_at),
    Column("minutes", "number", "from arrival to the last answer", _minutes),
    Column("n_tasks", "whole number", "tasks answered", lambda r: r.n_tasks),
    Column("n_correct", "whole number", "of these, predicted right", lambda r: r.n_correct),
    Column(
        "accuracy",
        "number",
        "n_correct / n_tasks",
        lambda r: round(r.n_correct / r.n_tasks, 6) if r.n_tasks else None,
        "0 to 1",
    ),
    Column("currency", "text", "of the reward", lambda r: r.reward.currency if r.reward else None),
    Column(
        "reward_base",
        "money",
        "pay for taking part",
        lambda r: r.reward.base if r.reward else None,
    ),
    Column(
        "reward_bonus",
        "money",
        "pay for right predictions",
        lambda r: r.reward.bonus if r.reward else None,
    ),
    Column(
        "language",
        "text",
        "language the participant read the study in",
        lambda r: r.session.language or r.version.spec.language,
    ),
    Column(
        "version_number",
        "whole number",
        "version of the study the participant saw",
        lambda r: r.version.number,
    ),
    Column(
        "version_sha256",
        "text",
        "SHA-256 of that version's spec and stimuli",
        lambda r: r.version.sha256,
    ),
]

TASK_START: list[Column[TaskAnswer]] = [
    Column("participant_id", ID, _PERSON_ID, lambda r: r.session.public_id),
    Column("item", "text", "key of the page", lambda r: r.answer.item),
    Column(
        "task",
        "whole number",
        "number of the task; the same task has the same number for everybody",
        lambda r: r.task.number,
    ),
    Column("position", "whole number", "place of the task in the order shown, from 1", _position),
    Column("block", "whole number", "block of tasks, from 1", _block),
    Column("task_label", "text", "label in question", lambda r: r.task.label),
    Column(
        "outcome",
        "text",
        "what the classifier did on the new image",
        lambda r: r.task.outcome,
        "TP, FP, FN, TN",
    ),
    Column(
        "assigned",
        TRUTH,
        "whether the classifier assigned the label: the right answer",
        lambda r: r.task.assigned,
    ),
    Column(
        "object_present",
        TRUTH,
        "whether the new image truly carries the label",
        lambda r: r.task.label in r.task.image.labels,
    ),
    Column("score", "number", "the classifier's score", lambda r: r.task.score, "0 to 1"),
]
TASK_REST: list[Column[TaskAnswer]] = [
    Column(
        "correct",
        TRUTH,
        "whether predicted equals assigned",
        lambda r: r.answer.correct,
    ),
    Column("image_sha256", "text", "SHA-256 of the new image", lambda r: r.task.image.sha256),
    Column("served_at", TIME, "page first shown", lambda r: r.answer.page_served_at),
    Column("submitted_at", TIME, "answer saved", lambda r: r.answer.submitted_at),
    Column(
        "seconds",
        "number",
        "from served_at to submitted_at",
        lambda r: round((r.answer.submitted_at - r.answer.page_served_at).total_seconds(), 3),
    ),
]

OTHER: list[Column[OtherAnswer]] = [
    Column("participant_id", ID, _PERSON_ID, lambda r: r.session.public_id),
    Column("item", "text", "key of the page or screening item", lambda r: r.answer.item),
    Column("attempt", "whole number", "which try, from 1", lambda r: r.answer.attempt),
    Column("question", "text", "key of the question", lambda r: r.question),
    Column(
        "value",
        "text",
        "the answer; where several options may be ticked, one row for each that was, "
        "and one empty row where none was",
        lambda r: r.value,
    ),
    Column(
        "correct",
        TRUTH,
        "whether the answer was right, where there is a right one",
        lambda r: r.answer.correct,
    ),
    Column("submitted_at", TIME, "answer saved", lambda r: r.answer.submitted_at),
]

EVENTS: list[Column[EventRow]] = [
    Column("participant_id", ID, _PERSON_ID, lambda r: r.session.public_id),
    Column("at", TIME, "when it reached the server", lambda r: r.event.at),
    Column("kind", "text", "what happened", lambda r: r.event.kind),
    Column("item", "text", "key of the page it happened on", lambda r: r.event.item),
    Column("data", "JSON", "details", lambda r: r.event.data),
]

_FIXED_PERSON = {column.name for column in PERSON_START + PERSON_REST}
_FIXED_TASK = {column.name for column in TASK_START + TASK_REST} | {"predicted"}


def factor_column(factor: str) -> str:
    """Return the column of a factor in participants.csv: its name, unless that is taken."""
    return f"factor_{factor}" if factor in _FIXED_PERSON else factor


def question_column(question: Question) -> str:
    """Return the column of a question in answers.csv; the prediction is always `predicted`."""
    if question.type == "prediction":
        return "predicted"
    return f"answer_{question.key}" if question.key in _FIXED_TASK else question.key


def person_columns(specs: list[Spec]) -> list[Column[Person]]:
    """Return the columns of participants.csv: the factors of all `specs` in the middle."""
    factors: dict[str, list[str]] = {}
    for spec in specs:
        for name, factor in spec.factors.items():
            known = factors.setdefault(name, [])
            known += [level for level in factor.levels if level not in known]
    heatmaps = {
        level: words
        for spec in specs
        for level, method in spec.heatmaps.items()
        if (words := _explained(method)) != level
    }
    middle = [
        _factor(name, levels, heatmaps if name == "heatmap" else {})
        for name, levels in factors.items()
    ]
    return PERSON_START + middle + PERSON_REST


def task_columns(specs: list[Spec]) -> list[Column[TaskAnswer]]:
    """Return the columns of answers.csv: the questions of all `specs` in the middle."""
    questions: dict[str, Question] = {}
    for spec in specs:
        for question in spec.questions:
            questions.setdefault(question_column(question), question)
    middle = [_question(name, question) for name, question in questions.items()]
    return TASK_START + middle + TASK_REST


def _factor(name: str, levels: list[str], words: dict[str, str]) -> Column[Person]:
    """`words` say what a level is, where its name does not."""
    meaning = f"level of the factor {name}"
    values = ", ".join(f"{one} = {words[one]}" if one in words else one for one in levels)
    return Column(factor_column(name), "text", meaning, lambda r: r.levels.get(name), values)


def _explained(method: HeatmapMethod) -> str:
    if method.randomised_with is None:
        return method.method
    return f"{method.method} on a network with weights drawn anew (seed {method.randomised_with})"


def _question(name: str, question: Question) -> Column[TaskAnswer]:
    def raw(row: TaskAnswer) -> Any:
        return row.answer.values.get(question.key)

    if question.type == "prediction":
        return Column(name, TRUTH, question.prompt, lambda r: _yes(raw(r)))
    if question.type == "likert":
        scale = _choices((i, option.label) for i, option in enumerate(question.options, 1))
        return Column(name, "whole number", question.prompt, raw, scale)
    kinds = {"text": "text", "choice": "text", "choices": "list, ; between"}
    options = _choices((option.value, option.label) for option in question.options)
    return Column(name, kinds[question.type], question.prompt, raw, options)


def _yes(value: Any) -> bool | None:
    if value is None or value == "":
        return None
    return value is True or value == "yes"


def as_text(value: Any) -> str:
    """Return a value as it stands in a CSV cell (None is the empty cell)."""

    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case list() | tuple():
            return ";".join(str(part) for part in value)
        case dict():
            return json.dumps(value, sort_keys=True, ensure_ascii=False)
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)
