"""The rules across the parts of a spec: what one part says must fit what another says."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .. import when as conditions_when
from .parts import Exits
from .placeholders import PLACEHOLDER, STUDY_PLACEHOLDERS, TASK_PLACEHOLDERS, listed
from .targets import target_problems
from .translation import translation_problems

if TYPE_CHECKING:
    from .study import Spec

MAX_CONDITIONS = 100
MAX_CONDITION_KEY = 120  # characters of factor-level_factor-level, as addresses and data name it

# Exports name a column `answer_correct` where a question's key is that of a column they have
# already (here `correct`), and `factor_status` likewise: no key may lay claim to such a name.
QUESTION_PREFIX = "answer_"
FACTOR_PREFIX = "factor_"


def problems_of(spec: "Spec") -> Iterator[str]:
    """Yield one sentence for each thing that does not fit."""
    levels = {name: factor.levels for name, factor in spec.factors.items()}
    if (n := math.prod(len(names) for names in levels.values())) > MAX_CONDITIONS:
        yield f"factors: they make {n:,} conditions; expected at most {MAX_CONDITIONS}"
        return
    longest = max(
        sum(len(name) + len(level) + 2 for name, level in condition.items())
        for condition in spec.conditions()
    )
    if longest > MAX_CONDITION_KEY:
        yield "factors: the names of factors and levels are too long together; shorten them"
    shown = [level for level in levels.get("heatmap", []) if level != "none"]
    for level in shown:
        if level not in spec.heatmaps:
            yield f"factors.heatmap has the level {level!r} but heatmaps.{level} is missing"
    for level in spec.heatmaps:
        if level not in shown:
            yield f"heatmaps.{level} is no level of factors.heatmap"
    if extra := set(levels.get("scores", [])) - {"hidden", "shown"}:
        yield f"factors.scores has {sorted(extra)[0]!r}; expected hidden and shown"
    yield from target_problems(spec.target_per_condition, levels, spec.conditions())
    for path, text in _whens(spec):
        try:
            conditions_when.check(text, levels)
        except ValueError as error:
            yield f"{path}: {error}"
    for path, text, known in _texts(spec):
        for name in PLACEHOLDER.findall(text):
            if name not in known:
                yield f"{path}: {{{name}}} stands for nothing; there are: {listed(known)}"
    for path, figure in spec.figures():
        if figure.label in spec.tasks.new_images:
            yield f"{path}.label: {figure.label!r} is a task's label; expected one no task uses"
    predictions = [question for question in spec.questions if question.type == "prediction"]
    if len(predictions) != 1:
        yield f"questions has {len(predictions)} of type prediction; expected exactly one"
    for i, question in enumerate(spec.questions):
        # Without a prediction an answer counts neither as right nor as wrong, and is not paid.
        if question.type == "prediction" and (question.when or not question.required):
            yield (
                f"questions.{i}: the prediction is asked of everybody and has to be answered; "
                "take out its `when` and `required`"
            )
        if question.key.startswith(QUESTION_PREFIX):
            yield (
                f"questions.{i}.key: {question.key!r} begins with {QUESTION_PREFIX!r}, which "
                "exports put before a key whose name is taken; expected another key"
            )
    for name in spec.factors:
        if name.startswith(FACTOR_PREFIX):
            yield (
                f"factors.{name}: the name begins with {FACTOR_PREFIX!r}, which exports put "
                "before a factor whose name is taken; expected another name"
            )
    for name, questions in (("questions", spec.questions), ("afterwards", spec.afterwards)):
        keys = [question.key for question in questions]
        if len(set(keys)) != len(keys):
            yield f"{name}: two questions have the same key"
    if len({item.key for item in spec.screening.items}) != len(spec.screening.items):
        yield "screening.items: two items have the same key"
    codes = [getattr(spec.exits, name).code for name in Exits.model_fields]
    if len(set(codes)) != len(codes):
        yield "exits: two outcomes have the same code; expected one code per outcome"
    for hypothesis in spec.analysis.hypotheses:
        if hypothesis.factor not in spec.factors:
            yield f"analysis.hypotheses.{hypothesis.key}: no factor {hypothesis.factor!r}"
    yield from _pay_problems(spec)
    yield from translation_problems(spec)


def _pay_problems(spec: "Spec") -> Iterator[str]:
    for i, step in enumerate(spec.pay.bonus_from):
        if step.correct > (n := spec.tasks.total):
            yield f"pay.bonus_from.{i}.correct: {step.correct} of {n} tasks cannot be right"
    told = "{bonus_steps}" in spec.information
    if spec.pay.bonus_from and not told:
        yield "information: lacks {bonus_steps}, which tells participants of pay.bonus_from"
    elif told and not spec.pay.bonus_from:
        yield "information: {bonus_steps} tells of pay.bonus_from, which is missing"


def _texts(spec: "Spec") -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield path, text and the names in braces it may use, of every text with placeholders."""
    yield "information", spec.information, STUDY_PLACEHOLDERS
    yield "task_prompt", spec.task_prompt, TASK_PLACEHOLDERS
    for i, page in enumerate(spec.instructions):
        yield f"instructions.{i}.body", page.body, STUDY_PLACEHOLDERS
    for i, question in enumerate(spec.questions):
        yield f"questions.{i}.prompt", question.prompt, TASK_PLACEHOLDERS
        yield f"questions.{i}.help", question.help, TASK_PLACEHOLDERS


def _whens(spec: "Spec") -> Iterator[tuple[str, str]]:
    for i, page in enumerate(spec.instructions):
        yield f"instructions.{i}.when", page.when
    for i, item in enumerate(spec.screening.items):
        yield f"screening.items.{i}.when", item.when
    for path, figure in spec.figures():
        yield f"{path}.when", figure.when
    for name, questions in (("questions", spec.questions), ("afterwards", spec.afterwards)):
        for i, question in enumerate(questions):
            yield f"{name}.{i}.when", question.when
            for j, option in enumerate(question.options):
                yield f"{name}.{i}.options.{j}.when", option.when
