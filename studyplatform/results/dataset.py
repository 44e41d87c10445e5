"""From the tables of the site to tidy rows: the only bridge between the two.

Rows are streamed session by session, so that memory stays flat however many there are.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet

from studyplatform.participation.models import Answer, Event, Session
from studyplatform.stimuli.models import StimulusSet, Task
from studyplatform.studies.models import Condition, Study, StudyVersion
from studyplatform.studies.spec import Spec

from . import columns, faithfulness
from .columns import EventRow, OtherAnswer, Person, TaskAnswer
from .exclusions import exclusion_reason

SOURCES = [*Session.Source.values, "all"]
CHUNK = 200
FAITHFULNESS = "faithfulness.csv"
"""The file that is about stimuli, not sessions."""

# The number before the words of a point of a scale: the report has it of its own.
_NUMBERED = re.compile(r"^\s*\d+\s*[-\u2013.:)]*\s*")
# Words for levels whose key is not how one would print it.
_WORDS = {"lrp": "LRP", "multiscale": "multi-scale", "gradcam": "Grad-CAM"}


class DatasetError(ValueError):
    """What was asked for cannot be exported; the message says why."""


class Dataset:
    """The sessions of one study and source as tidy rows.

    `tick` is called once per session and file, for whoever draws a progress bar. Answers of people
    who withdrew are in no file; their row of participants stays, for the flow.
    """

    def __init__(self, study: Study, source: str, tick: Callable[[], None] = lambda: None) -> None:
        if source not in SOURCES:
            raise DatasetError(f"no source {source!r}; there are: {', '.join(SOURCES)}")
        self.study = study
        self.source = source
        self.tick = tick
        versions = list(study.versions.order_by("number"))
        published = [version for version in versions if version.published_at]
        if not published:
            raise DatasetError(f"the study {study.slug!r} was never published: nothing to export")
        self.versions: dict[int, StudyVersion] = {version.pk: version for version in published}
        self.version = published[-1]
        self._conditions = {
            condition.pk: condition
            for condition in Condition.objects.filter(version__in=self.versions)
        }
        tasks = Task.objects.filter(stimulus_set__version__in=self.versions)
        self._tasks = {task.pk: task for task in tasks.select_related("image")}

    @property
    def specs(self) -> list[Spec]:
        return [version.spec for version in self.versions.values()]

    def sessions(self) -> QuerySet[Session]:
        found = Session.objects.filter(study=self.study, version__in=self.versions)
        if self.source != "all":
            found = found.filter(source=self.source)
        return found.order_by("pk")

    def tables(self) -> dict[str, tuple[list[columns.Column[Any]], Iterator[Any]]]:
        """Return file name -> (columns, rows) of every data file."""
        return {
            "participants.csv": (columns.person_columns(self.specs), self.participants()),
            "answers.csv": (columns.task_columns(self.specs), self.answers()),
            "other_answers.csv": (columns.OTHER, self.other_answers()),
            "events.csv": (columns.EVENTS, self.events()),
            FAITHFULNESS: (faithfulness.columns(), self.measured()),
        }

    def participants(self) -> Iterator[Person]:
        answered = Q(answers__task__isnull=False)
        sessions = self.sessions().select_related("reward")
        sessions = sessions.annotate(
            n_tasks=Count("answers", filter=answered),
            n_correct=Count("answers", filter=answered & Q(answers__correct=True)),
        )
        for session in sessions.iterator(chunk_size=CHUNK):
            condition = self._conditions.get(session.condition_id or 0)
            yield Person(
                session,
                self.versions[session.version_id],
                condition.levels if condition else {},
                condition.key if condition else "",
                getattr(session, "reward", None),
                session.n_tasks,
                session.n_correct,
                exclusion_reason(session, self.versions[session.version_id].spec),
            )
            self.tick()

    def answers(self) -> Iterator[TaskAnswer]:
        for session in self._with_answers(task=True):
            for answer in session.answers.all():
                version = self.versions[session.version_id]
                yield TaskAnswer(session, answer, self._tasks[answer.task_id or 0], version)
            self.tick()

    def other_answers(self) -> Iterator[OtherAnswer]:
        for session in self._with_answers(task=False):
            for answer in session.answers.all():
                for question, value in answer.values.items():
                    ticked = (value or [""]) if isinstance(value, list) else [value]
                    for one in ticked:
                        yield OtherAnswer(session, answer, question, one)
            self.tick()

    def events(self) -> Iterator[EventRow]:
        rows = Prefetch("events", Event.objects.order_by("at", "pk"))
        for session in self._still_here().prefetch_related(rows).iterator(chunk_size=CHUNK):
            for event in session.events.all():
                yield EventRow(session, event)
            self.tick()

    def measured(self) -> Iterator[faithfulness.Measured]:
        sets = StimulusSet.objects.filter(version__in=self.versions).order_by("version__number")
        for stimulus_set in sets.select_related("version", "classifier"):
            yield from faithfulness.rows(stimulus_set)

    def _with_answers(self, *, task: bool) -> Iterator[Session]:
        answers = Answer.objects.filter(task__isnull=not task).order_by("pk")
        sessions = self._still_here().prefetch_related(Prefetch("answers", answers))
        yield from sessions.iterator(chunk_size=CHUNK)

    def _still_here(self) -> QuerySet[Session]:
        return self.sessions().exclude(status=Session.Status.WITHDRAWN)

    def plan(self) -> dict[str, Any]:
        """Return what was fixed before the data came, as analysis.plan reads it."""
        spec = self.version.spec
        factors = {
            columns.factor_column(name): factor.levels
            for name, factor in spec.factors.items()
            if len(factor.levels) > 1
        }
        return {
            "title": spec.title,
            "study": self.study.slug,
            "version_number": self.version.number,
            "version_sha256": self.version.sha256,
            "factors": factors,
            "alpha": spec.analysis.alpha,
            "equivalence_bounds": spec.analysis.equivalence_bounds,
            "preregistered": [
                {
                    "key": hypothesis.key,
                    "outcome": hypothesis.outcome,
                    "factor": columns.factor_column(hypothesis.factor),
                    "text": hypothesis.text,
                }
                for hypothesis in spec.analysis.hypotheses
            ],
            "labels": {
                level: _WORDS[level]
                for levels in factors.values()
                for level in levels
                if level in _WORDS
            },
            **_scale(spec),
            "n_tasks": spec.tasks.total,
            "simulated": self.source == Session.Source.BOT,
        }


def _scale(spec: Spec) -> dict[str, list[str]]:
    """Return the words of the scale that the report's confidence is measured on."""
    for question in spec.questions:
        if question.key == "confidence" and question.type == "likert":
            labels = (_NUMBERED.sub("", option.label) for option in question.options)
            return {"confidence": [label[:1].lower() + label[1:] for label in labels]}
    return {}
