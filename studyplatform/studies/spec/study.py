"""The spec as a whole: its parts together, and what follows from them."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from .checks import problems_of
from .parts import (
    AnalysisPlan,
    Code,
    Consent,
    Contact,
    ExclusionRule,
    Exits,
    Factor,
    Figure,
    HeatmapMethod,
    InstructionPage,
    Key,
    Language,
    Level,
    Part,
    Question,
    Recruitment,
    Screening,
    Stimuli,
    Tasks,
    Text,
)
from .pay import Pay
from .targets import Targets, target_of
from .translation import Translation, translated


class Spec(Part):
    """The whole study; see `presets/forward_simulation.yaml` for a commented example."""

    slug: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=50)]
    title: Text
    language: Language = "en"
    contacts: Annotated[list[Contact], Field(min_length=1)]
    ethics_number: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    eligibility: list[Text] = []
    information: Text
    consent: Consent
    factors: Annotated[dict[Key, Factor], Field(min_length=1)]
    heatmaps: dict[Level, HeatmapMethod] = {}
    target_per_condition: Targets = 16
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
    label_names: Annotated[dict[str, Text], Field(exclude_if=lambda names: not names)] = {}
    translations: Annotated[
        dict[Language, Translation], Field(exclude_if=lambda languages: not languages)
    ] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(problems_of(self))
        if problems:
            raise ValueError("\n".join(problems))
        return self

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

    def target(self, levels: Mapping[str, str]) -> int:
        """Return how many participants the condition with these levels wants."""
        return target_of(self.target_per_condition, levels)

    @property
    def languages(self) -> list[str]:
        """The languages participants can read the study in, its own first."""
        return [self.language, *self.translations]

    def in_language(self, language: str) -> "Spec":
        """Return the spec with its texts in one of its languages; itself for any other."""
        texts = {str(name): found for name, found in self.translations.items()}.get(language)
        if texts is None:
            return self
        return translated(self, texts).model_copy(update={"language": language})

    def label_name(self, label: str) -> str:
        """Return a label as participants read it."""
        return self.label_names.get(label, label)

    @property
    def maximum_pay(self) -> Decimal:
        """What somebody earns whose predictions are all right."""
        return self.pay.total(self.tasks.total)

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
