"""How many participants each condition wants: one number, or numbers by condition."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from .. import when as conditions_when

Count = Annotated[int, Field(ge=1, le=100_000)]
OTHERWISE = "otherwise"
_NUMBER, _MAPPING = "[number]", "[by condition]"


def _kind(value: Any) -> str:
    return _MAPPING if isinstance(value, Mapping) else _NUMBER


Targets = Annotated[
    Annotated[Count, Tag(_NUMBER)] | Annotated[dict[str, Count], Tag(_MAPPING)],
    Discriminator(_kind),
]
"""A number for all, or `when` text -> number; `otherwise` is for the conditions that are left."""


def target_of(targets: int | Mapping[str, int], levels: Mapping[str, str]) -> int:
    """Return how many participants the condition with these levels wants."""
    if isinstance(targets, int):
        return targets
    return targets[_matching(targets, levels)[0]]


def target_problems(
    targets: int | Mapping[str, int],
    factors: Mapping[str, Sequence[str]],
    conditions: Sequence[Mapping[str, str]],
) -> Iterator[str]:
    """Yield a sentence for each thing that keeps a condition from having one number."""
    if isinstance(targets, int):
        return
    faults = []
    for text in targets:
        try:
            if not text.strip():
                raise ValueError("the name is empty; expected FACTOR == LEVEL, or 'otherwise'")
            if text != OTHERWISE:
                conditions_when.check(text, factors)
        except ValueError as error:
            faults.append(f"target_per_condition.{text}: {error}")
    if faults:
        yield from faults
        return
    used = set()
    for levels in conditions:
        found = _matching(targets, levels)
        used.update(found)
        name = ", ".join(f"{factor} {level}" for factor, level in levels.items())
        if not found:
            yield f"target_per_condition: no number for {name}; add it, or 'otherwise'"
        elif len(found) > 1:
            both = " and by ".join(repr(text) for text in found)
            yield f"target_per_condition: {name} gets a number by {both}; expected one"
    for text in targets:
        if text not in used:
            yield f"target_per_condition.{text}: stands for no condition; take it out"


def _matching(targets: Mapping[str, int], levels: Mapping[str, str]) -> list[str]:
    named = [text for text in targets if text != OTHERWISE and conditions_when.holds(text, levels)]
    return named or [OTHERWISE] * (OTHERWISE in targets)
