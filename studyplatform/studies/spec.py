"""What a study is: one YAML file, checked here before anything is made from it.

`Spec.model_json_schema()` is the schema for editors; `load` turns a file's text into a Spec or
raises SpecError, whose lines each name the path in the file and what was expected.
Source of the defaults: paper 001, section 5 and appendices; what the paper leaves open is ours.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from . import when as conditions_when

Outcome = Literal["TP", "FP", "FN", "TN"]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Level = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
Text = Annotated[str, Field(min_length=1)]
Money = Annotated[Decimal, Field(ge=0, max_digits=8, decimal_places=2)]


class SpecError(ValueError):
    """A spec that cannot be used; `problems` holds one sentence per fault."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class Part(BaseModel):
    """Base of every part of the spec: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Contact(Part):
    name: Text
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Consent(Part):
    statements: Annotated[list[Text], Field(min_length=1)]
    tick: Text


class Factor(Part):
    levels: Annotated[list[Level], Field(min_length=1)]

    @field_validator("levels")
    @classmethod
    def _distinct(cls, levels: list[str]) -> list[str]:
        if len(set(levels)) != len(levels):
            raise ValueError("levels must differ from each other")
        return levels


class HeatmapMethod(Part):
    """A level of the factor `heatmap`: the explainer's name and its hyper-parameters."""

    method: Text
    parameters: dict[str, Any] = {}


class Stimuli(Part):
    images: Key
    classifier: Key
    split: Literal["train", "val", "all"] = "train"
    thresholds: Literal["f1"] | dict[str, Annotated[float, Field(gt=0, lt=1)]] = "f1"
    overlay_scale: Literal["map", "label", "study"] = "map"
    overlay_percentile: Annotated[float, Field(gt=50, le=100)] = 99.5


class Tasks(Part):
    """How many tasks of each label and outcome, and the examples each of them shows."""

    new_images: Annotated[
        dict[str, dict[Outcome, Annotated[int, Field(ge=0)]]], Field(min_length=1)
    ]
    examples: dict[Outcome, Annotated[int, Field(ge=0)]] = {"TP": 6, "FP": 3, "FN": 3}
    examples_per_task: Annotated[int, Field(ge=1, le=12)] = 12
    margin: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    counterbalance: bool = True

    @model_validator(mode="after")
    def _counts(self) -> Self:
        total = sum(self.examples.values())
        if total != self.examples_per_task:
            parts = " + ".join(f"{outcome} {n}" for outcome, n in self.examples.items())
            raise ValueError(
                f"examples {parts} make {total}, expected {self.examples_per_task} "
                "(examples_per_task)"
            )
        if empty := [
            label for label, counts in self.new_images.items() if not sum(counts.values())
        ]:
            raise ValueError(f"no task for label {empty[0]!r}; expected at least one new image")
        return self

    @property
    def labels(self) -> list[str]:
        return list(self.new_images)

    @property
    def total(self) -> int:
        return sum(sum(counts.values()) for counts in self.new_images.values())


class Figure(Part):
    """An example shown in the instructions or in screening; its label is that of no task."""

    label: Text
    outcome: Outcome
    caption: str = ""
    heatmap: bool = False
    scores: bool = False
    when: str = ""


class InstructionPage(Part):
    title: Text
    body: Text
    figures: list[Figure] = []
    task_preview: bool = False
    when: str = ""


class ScreeningItem(Part):
    """A yes/no item on a figure.

    `answer` is the right one. With `region` the figure's heatmap gets a frame around its most
    (`strongest`) or least (`weakest`) supporting part, so that the right answer follows from the
    heatmap shown and holds for every method.
    """

    key: Key
    prompt: Text
    figure: Figure
    answer: Literal["yes", "no"]
    region: Literal["strongest", "weakest"] | None = None
    when: str = ""

    @field_validator("answer", mode="before")
    @classmethod
    def _unquoted(cls, answer: Any) -> Any:
        # YAML reads a bare yes or no as true or false.
        return {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else answer


class Screening(Part):
    items: list[ScreeningItem] = []
    on_failure: Literal["flag", "retry", "screen_out"] = "flag"
    tries: Annotated[int, Field(ge=1, le=5)] = 1

    @model_validator(mode="after")
    def _tries(self) -> Self:
        if self.on_failure == "retry" and self.tries < 2:
            raise ValueError("on_failure is 'retry' but tries is 1; expected at least 2")
        return self


class Option(Part):
    value: Annotated[str, Field(min_length=1, max_length=60)]
    label: Text
    when: str = ""


class Question(Part):
    """One question of a form. `prediction` asks whether the classifier assigns the label.

    `likert` answers are stored as 1..n in the order of its options.
    """

    key: Key
    type: Literal["text", "prediction", "likert", "choice", "choices"]
    prompt: Text
    help: str = ""
    options: list[Option] = []
    required: bool = True
    max_length: Annotated[int, Field(ge=1, le=10_000)] = 2_000
    when: str = ""

    @model_validator(mode="after")
    def _options(self) -> Self:
        needs = self.type in {"likert", "choice", "choices"}
        if needs and len(self.options) < 2:
            raise ValueError(f"a {self.type} question needs at least two options")
        if not needs and self.options:
            raise ValueError(f"a {self.type} question takes no options")
        return self


class Pay(Part):
    currency: Literal["GBP", "USD", "EUR"] = "GBP"
    base: Money
    bonus_per_correct: Money = Decimal("0")
    expected_minutes: Annotated[int, Field(ge=1, le=600)] = 30


class Exit(Part):
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{4,40}$")]
    message: Text


class Exits(Part):
    completed: Exit
    declined: Exit
    screened_out: Exit
    device: Exit
    full: Exit


class Recruitment(Part):
    """Where participants come from; the defaults are Prolific's parameter names."""

    person_parameter: str = "PROLIFIC_PID"
    study_parameter: str = "STUDY_ID"
    submission_parameter: str = "SESSION_ID"
    return_url: Annotated[str, Field(pattern=r"^https://[^\s]+\{code\}[^\s]*$")] = (
        "https://app.prolific.com/submissions/complete?cc={code}"
    )
    minimum_screen_width: Annotated[int, Field(ge=0, le=4000)] = 1024
    allow_phones: bool = False


class Hypothesis(Part):
    key: Level
    text: Text
    outcome: Literal["accuracy", "confidence", "saliency_ratio"]
    factor: Key


class AnalysisPlan(Part):
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    hypotheses: list[Hypothesis] = []
    equivalence_bounds: dict[str, Annotated[float, Field(gt=0)]] = {}


class ExclusionRule(Part):
    key: Key
    rule: Literal["screening_failed", "faster_than_minutes"]
    value: float | None = None
    applies: bool = True


class Code(Part):
    code: Annotated[str, Field(min_length=1, max_length=60)]
    group: Literal["saliency", "general", "both"]
    definition: Text
    origin: Literal["paper", "ours"] = "ours"


class Spec(Part):
    """The whole study; see `presets/forward_simulation.yaml` for a commented example."""

    slug: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=50)]
    title: Text
    language: Literal["en", "de", "fr", "es", "nl", "it"] = "en"
    contacts: Annotated[list[Contact], Field(min_length=1)]
    ethics_number: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    eligibility: list[Text] = []
    information: Text
    consent: Consent
    factors: Annotated[dict[Key, Factor], Field(min_length=1)]
    heatmaps: dict[Level, HeatmapMethod] = {}
    target_per_condition: Annotated[int, Field(ge=1, le=100_000)] = 16
    stimuli: Stimuli
    tasks: Tasks
    instructions: list[InstructionPage] = []
    screening: Screening = Screening()
    task_prompt: str = ""
    questions: Annotated[list[Question], Field(min_length=1)]
    afterwards: list[Question] = []
    pay: Pay
    exits: Exits
    recruitment: Recruitment = Recruitment()
    exclusions: list[ExclusionRule] = []
    analysis: AnalysisPlan = AnalysisPlan()
    codebook: list[Code] = []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        levels = {name: factor.levels for name, factor in self.factors.items()}
        shown = [level for level in levels.get("heatmap", []) if level != "none"]
        for level in shown:
            if level not in self.heatmaps:
                yield f"factors.heatmap has the level {level!r} but heatmaps.{level} is missing"
        for level in self.heatmaps:
            if level not in shown:
                yield f"heatmaps.{level} is no level of factors.heatmap"
        if extra := set(levels.get("scores", [])) - {"hidden", "shown"}:
            yield f"factors.scores has {sorted(extra)[0]!r}; expected hidden and shown"
        for path, text in self._whens():
            try:
                conditions_when.check(text, levels)
            except ValueError as error:
                yield f"{path}: {error}"
        for path, figure in self.figures():
            if figure.label in self.tasks.new_images:
                yield f"{path}.label: {figure.label!r} is a task's label; expected one no task uses"
        predictions = [question for question in self.questions if question.type == "prediction"]
        if len(predictions) != 1:
            yield f"questions has {len(predictions)} of type prediction; expected exactly one"
        for name, questions in (("questions", self.questions), ("afterwards", self.afterwards)):
            keys = [question.key for question in questions]
            if len(set(keys)) != len(keys):
                yield f"{name}: two questions have the same key"
        if len({item.key for item in self.screening.items}) != len(self.screening.items):
            yield "screening.items: two items have the same key"
        codes = [getattr(self.exits, name).code for name in Exits.model_fields]
        if len(set(codes)) != len(codes):
            yield "exits: two outcomes have the same code; expected one code per outcome"
        for hypothesis in self.analysis.hypotheses:
            if hypothesis.factor not in self.factors:
                yield f"analysis.hypotheses.{hypothesis.key}: no factor {hypothesis.factor!r}"

    def _whens(self) -> Iterator[tuple[str, str]]:
        for i, page in enumerate(self.instructions):
            yield f"instructions.{i}.when", page.when
        for i, item in enumerate(self.screening.items):
            yield f"screening.items.{i}.when", item.when
        for path, figure in self.figures():
            yield f"{path}.when", figure.when
        for name, questions in (("questions", self.questions), ("afterwards", self.afterwards)):
            for i, question in enumerate(questions):
                yield f"{name}.{i}.when", question.when
                for j, option in enumerate(question.options):
                    yield f"{name}.{i}.options.{j}.when", option.when

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Yield (path, figure) of every figure in the instructions and in screening."""
        for i, page in enumerate(self.instructions):
            for j, figure in enumerate(page.figures):
                yield f"instructions.{i}.figures.{j}", figure
        for i, item in enumerate(self.screening.items):
            yield f"screening.items.{i}.figure", item.figure

    def conditions(self) -> list[dict[str, str]]:
        """Return every combination of levels, in the order of the file."""
        names = list(self.factors)
        return [
            dict(zip(names, combination, strict=True))
            for combination in itertools.product(*(self.factors[name].levels for name in names))
        ]

    def block_orders(self) -> list[list[str]]:
        """Return the orders of the labels' blocks: each label first once, if counterbalanced."""
        labels = self.tasks.labels
        if not self.tasks.counterbalance:
            return [labels]
        return [labels[i:] + labels[:i] for i in range(len(labels))]

    @property
    def prediction(self) -> Question:
        return next(question for question in self.questions if question.type == "prediction")

    def canonical(self) -> str:
        """Return the spec as canonical JSON: no spaces, money as text, keys in a fixed order.

        That is the order of the models here and, inside `factors`, `heatmaps` and the like, the
        order of the file: it decides about conditions, blocks and numbers of tasks.
        """
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"), ensure_ascii=False)

    def sha256(self) -> str:
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def load(text: str) -> Spec:
    """Return the Spec in this YAML text; SpecError lists every fault with its path."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SpecError([f"{where}this is no YAML: {getattr(error, 'problem', error)}"]) from error
    if not isinstance(data, dict):
        raise SpecError(["the file is empty or no mapping; expected keys such as title, factors"])
    return from_data(data)


def from_data(data: dict[str, Any]) -> Spec:
    """Return the Spec made from plain data (a parsed file, a frozen version's JSON)."""
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        faults = [fault for fault in error.errors() if not _is_other_branch(fault)]
        # The checks across parts report all their findings as one fault, a line each.
        lines = [line for fault in faults for line in _sentence(fault).splitlines()]
        raise SpecError(lines) from error


def _is_other_branch(fault: Any) -> bool:
    """Whether the fault is that a mapping is not the word that could stand in its place."""
    return fault["type"] == "literal_error" and isinstance(fault.get("input"), dict)


def _sentence(fault: Any) -> str:
    # Where a value may be one of several types, pydantic adds the type's name to the path.
    path = ".".join(str(step) for step in fault["loc"] if "[" not in str(step))
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key; check its spelling or take it out"
    if fault["type"] == "missing":
        return f"{path}: missing; expected here"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    if isinstance(given, str | int | float | Decimal) and fault["type"] != "value_error":
        message = f"{message} (found {given!r})"
    return f"{path}: {message}" if path else message
