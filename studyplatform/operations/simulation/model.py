"""The model by which simulated participants answer.

**Prediction.** Participant i predicts a task rightly with probability

    p = base[outcome of the task] + sum of the effects of the condition's levels + a_i,

cut to [.02, .98], with a_i ~ Normal(0, .08) the participant's own share. The base rates are what
people reached in paper 001 per task type: .772 (TP), .442 (FP), .385 (FN); .60 for TN is ours.
Effects are differences of probability, none by default: `heatmap=multiscale:+0.1`.

**Confidence** is a latent value 0.5 + .07 if right + b_i + Normal(0, .2), b_i ~ Normal(0, .12),
cut into equal steps between 0 and 1: weakly related to being right, as in the paper.

**Features** named as important: two or three codes of the codebook, different from each other,
each a saliency feature with a probability that depends on the heatmap: .546 without, .840 with
LRP, .711 with multi-scale (the mean ratios of paper 001), .65 with any other; c_i ~ Normal(0, .1)
is added. The features named as ignored are two others. The words are ours.

**Screening** items are answered rightly with probability .93 each (in the paper 8 of 32 failed).

Everything participant i does is drawn from (seed, i) and the page or task at hand, so that it
depends on neither the order of tasks nor on other participants; the condition is the site's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from studyplatform.studies.spec import Code, Question, Spec

BASE = {"TP": 0.772, "FP": 0.442, "FN": 0.385, "TN": 0.60}
SALIENCY = {"none": 0.546, "lrp": 0.840, "multiscale": 0.711}
SALIENCY_ELSEWHERE = 0.65
SCREENING_RIGHT = 0.93
_EFFECT = re.compile(r"([\w-]+)=([\w-]+):([+-]?\d*\.?\d+)")


@dataclass(frozen=True)
class Effect:
    """A difference in the probability of a right prediction at a level of a factor."""

    factor: str
    level: str
    difference: float


@dataclass(frozen=True)
class TaskFacts:
    """What the model has to know of a task; the participant never sees the outcome."""

    number: int
    outcome: str
    assigned: bool


@dataclass(frozen=True)
class TaskAnswer:
    """Answers per question key, as a form sends them, and the codes of the free text."""

    values: dict[str, str | list[str]]
    right: bool
    codes: tuple[Code, ...]


def read_effect(text: str, spec: Spec) -> Effect:
    """Return the effect in `heatmap=multiscale:+0.1`; ValueError says what is wrong with it."""
    match = _EFFECT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"cannot read the effect {text!r}; expected FACTOR=LEVEL:+0.1")
    factor, level, difference = match[1], match[2], float(match[3])
    if factor not in spec.factors:
        raise ValueError(f"no factor {factor!r}; there are: {', '.join(spec.factors)}")
    levels = spec.factors[factor].levels
    if level not in levels:
        raise ValueError(f"factor {factor!r} has no level {level!r}; it has: {', '.join(levels)}")
    if not -1 <= difference <= 1:
        raise ValueError(f"the effect {difference:+} is no difference of probabilities")
    return Effect(factor, level, difference)


class Participant:
    """Simulated participant `number` of the run with this `seed`."""

    def __init__(
        self, spec: Spec, *, seed: int, number: int, effects: Sequence[Effect] = ()
    ) -> None:
        self.spec = spec
        self.seed = seed
        self.number = number
        self.effects = effects
        own = self.random("participant")
        self.skill = own.gauss(0, 0.08)
        self.boldness = own.gauss(0, 0.12)
        self.focus = own.gauss(0, 0.1)

    def random(self, what: str) -> Random:
        """Return a stream of draws that belongs to this participant and to `what` alone."""
        return Random(f"{self.seed}/{self.number}/{what}")

    def probability(self, outcome: str, levels: Mapping[str, str]) -> float:
        """Return the probability of a right prediction in the condition with these levels."""
        shift = sum(e.difference for e in self.effects if levels.get(e.factor) == e.level)
        return min(max(BASE[outcome] + shift + self.skill, 0.02), 0.98)

    def answer_task(self, task: TaskFacts, levels: Mapping[str, str]) -> TaskAnswer:
        draw = self.random(f"task {task.number}")
        right = draw.random() < self.probability(task.outcome, levels)
        certainty = 0.5 + 0.07 * right + self.boldness + draw.gauss(0, 0.2)
        named = self._features(draw, levels)
        others = [code for code in self.spec.codebook if code not in named]
        ignored = draw.sample(others, min(2, len(others)))
        texts = iter([_words(named, draw), _words(ignored, draw)])
        values: dict[str, str | list[str]] = {}
        for question in self.spec.questions:
            if question.type == "prediction":
                values[question.key] = "yes" if right == task.assigned else "no"
            elif question.type == "likert":
                values[question.key] = _step(question, certainty)
            elif question.type == "text":
                values[question.key] = next(texts, "I am not sure")
            else:
                values[question.key] = _choose(question, draw)
        return TaskAnswer(values, right, tuple(named))

    def answer_screening(self) -> dict[str, str | list[str]]:
        draw = self.random("screening")
        values: dict[str, str | list[str]] = {}
        for item in self.spec.screening.items:
            wrong = "no" if item.answer == "yes" else "yes"
            values[item.key] = item.answer if draw.random() < SCREENING_RIGHT else wrong
        return values

    def answer_afterwards(self) -> dict[str, str | list[str]]:
        draw = self.random("afterwards")
        return {question.key: _choose(question, draw) for question in self.spec.afterwards}

    def _features(self, draw: Random, levels: Mapping[str, str]) -> list[Code]:
        share = SALIENCY.get(levels.get("heatmap", "none"), SALIENCY_ELSEWHERE) + self.focus
        pools = {
            True: [code for code in self.spec.codebook if code.group == "saliency"],
            False: [code for code in self.spec.codebook if code.group != "saliency"],
        }
        named: list[Code] = []
        for _ in range(draw.choice((2, 3))):
            salient = draw.random() < share
            pool = [code for code in pools[salient] if code not in named]
            if pool:
                named.append(draw.choice(pool))
        return named


def _words(codes: Sequence[Code], draw: Random) -> str:
    """Return codes as somebody might type them: with commas, line breaks, or in a sentence."""
    names = [code.code for code in codes] or ["nothing in particular"]
    style = draw.randrange(4)
    if style == 0:
        return "\n".join(names)
    if style == 1:
        return "I think " + " and ".join(f"the {name}" for name in names)
    return ", ".join(names)


def _step(question: Question, certainty: float) -> str:
    n = len(question.options)
    return question.options[min(max(int(certainty * n), 0), n - 1)].value


def _choose(question: Question, draw: Random) -> str | list[str]:
    values = [option.value for option in question.options]
    if question.type == "choices":
        ticked = [value for value in values if draw.random() < 0.5]
        return ticked or values[:1] if question.required else ticked
    if question.type == "prediction":
        return draw.choice(("yes", "no"))
    if values:
        return draw.choice(values)
    return draw.choice(
        (
            "It reacts to parts of the animal, mostly the head.",
            "Not much: it seems to look at the background, too.",
            "It is surer about some parts than about others,\nand I could not tell which.",
        )
    )
