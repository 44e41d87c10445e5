"""Whether one can do well without having understood anything."""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from studyplatform.studies import when
from studyplatform.studies.spec import ScreeningItem

from .finding import Rule, Severity, Trouble
from .material import Material

MOST = Fraction(3, 5)
_STRATEGIES = {
    "always answers yes": ("TP", "FP"),
    "always answers no": ("FN", "TN"),
    "answers whether the thing is there": ("TP", "TN"),
}


def _trivial(material: Material) -> Iterator[Trouble]:
    found = Counter(task.outcome for task in material.tasks)
    for strategy, right in _STRATEGIES.items():
        n = sum(found[outcome] for outcome in right)
        if n > MOST * found.total():
            yield Trouble(
                f"Whoever {strategy} gets {n} of {found.total()} predictions right "
                f"({n / found.total():.0%}); expected at most {float(MOST):.0%}.",
                "Change tasks.new_images in the spec: fewer tasks of "
                f"{' and '.join(right)}, more of the other outcomes.",
                where="tasks.new_images",
            )


def _one_answer(material: Material) -> Iterator[Trouble]:
    """Screening that whoever ticks one column passes."""
    found: dict[str, list[str]] = {}
    for levels in material.spec.conditions():
        asked = [item for item in material.spec.screening.items if when.holds(item.when, levels)]
        if len(asked) > 1 and (answer := _same_answer(asked)):
            found.setdefault(answer, []).append(", ".join(levels.values()))
    for answer, conditions in found.items():
        yield Trouble(
            f"Whoever always answers {answer} passes the screening ({'; '.join(conditions)}).",
            "Let one of the items have the other answer.",
            where="screening.items",
        )


def _same_answer(items: list[ScreeningItem]) -> str:
    answers = {item.answer for item in items}
    return answers.pop() if len(answers) == 1 else ""


TRIVIAL = Rule("trivial-strategy", Severity.WARNING, _trivial)
ONE_ANSWER = Rule("screening-one-answer", Severity.WARNING, _one_answer)
