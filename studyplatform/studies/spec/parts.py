"""The parts of a spec, each with the rules that concern it alone.

Source of the defaults: paper 001, section 5 and appendices; what the paper leaves open is ours.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Outcome = Literal["TP", "FP", "FN", "TN"]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Level = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
Text = Annotated[str, Field(min_length=1)]
Parameter = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$")]
Money = Annotated[Decimal, Field(ge=0, max_digits=8, decimal_places=2)]
Language = Literal["en", "de", "fr", "es", "nl", "it"]
Meaning = Literal["support", "influence", "answer", "edges"]


def repeated(values: Iterable[str]) -> str | None:
    """Return the first value that comes a second time, None where all differ."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


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
    """A level of the factor `heatmap`: the explainer's name and its hyper-parameters.

    `network: randomised` explains the classifier with all its weights drawn anew (from
    `network_seed`): a negative control. `meaning` is what participants read beside the heatmap;
    without it, what the method's values are.
    """

    method: Text
    parameters: dict[str, Any] = {}
    network: Annotated[
        Literal["trained", "randomised"], Field(exclude_if=lambda value: value == "trained")
    ] = "trained"
    network_seed: Annotated[int, Field(ge=0, lt=2**31, exclude_if=lambda value: value == 0)] = 0
    meaning: Annotated[Meaning | None, Field(exclude_if=lambda value: value is None)] = None

    @model_validator(mode="after")
    def _seed(self) -> Self:
        if self.network_seed and self.network == "trained":
            raise ValueError("network_seed is given, but network is 'trained'; expected randomised")
        return self

    @property
    def randomised_with(self) -> int | None:
        """The seed of the weights that are explained; None for the classifier as it was trained."""
        return self.network_seed if self.network == "randomised" else None


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
        values = [option.value for option in self.options]
        if twice := repeated(values):
            raise ValueError(f"two options have the value {twice!r}; expected one value per option")
        return self


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
    """Where participants come from; the defaults are Prolific's parameter names.

    `plain_links` lets in whoever opens the study's bare address: nobody can pay them, nor tell
    them apart when they come again.
    """

    person_parameter: Parameter = "PROLIFIC_PID"
    study_parameter: Parameter = "STUDY_ID"
    submission_parameter: Parameter = "SESSION_ID"
    return_url: Annotated[str, Field(pattern=r"^https://[^\s{}]+\{code\}[^\s{}]*$")] = (
        "https://app.prolific.com/submissions/complete?cc={code}"
    )
    plain_links: bool = True
    minimum_screen_width: Annotated[int, Field(ge=0, le=4000)] = 1024
    allow_phones: bool = False

    @model_validator(mode="after")
    def _parameters(self) -> Self:
        names = [self.person_parameter, self.study_parameter, self.submission_parameter]
        if twice := repeated(names):
            raise ValueError(f"two parameters are named {twice!r}; expected three different names")
        # Links carry parameters of these names: of previews, pilots and bots, and the language.
        if taken := {"source", "token", "lang"}.intersection(names):
            raise ValueError(
                f"a parameter is named {min(taken)!r}, which the site's own links use; "
                "expected another name"
            )
        return self

    def return_address(self, code: str) -> str:
        """Return the address that takes a participant back to the panel with this code."""
        return self.return_url.replace("{code}", code)


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

    @model_validator(mode="after")
    def _value(self) -> Self:
        if self.rule == "faster_than_minutes" and (self.value is None or self.value <= 0):
            raise ValueError("faster_than_minutes needs a value; expected minutes above 0")
        return self


class Code(Part):
    code: Annotated[str, Field(min_length=1, max_length=60)]
    group: Literal["saliency", "general", "both"]
    definition: Text
    origin: Literal["paper", "ours"] = "ours"
