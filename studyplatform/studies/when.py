"""The small language of `when:` in a spec: which conditions see a page, a figure, an option.

`heatmap != none`, `scores == shown`, several joined by `and`. An empty text is always true.
"""

import re
from collections.abc import Mapping, Sequence

_CLAUSE = re.compile(r"^\s*(\w+)\s*(==|!=)\s*([\w-]+)\s*$")


def parse(text: str) -> list[tuple[str, str, str]]:
    """Return the clauses (factor, operator, level) of `text`; ValueError says what is wrong."""
    if not text.strip():
        return []
    clauses = []
    for part in re.split(r"\s+and\s+", text):
        match = _CLAUSE.match(part)
        if match is None:
            raise ValueError(
                f"cannot read {part.strip()!r}: expected FACTOR == LEVEL or FACTOR != LEVEL, "
                "several joined by 'and'"
            )
        clauses.append((match[1], match[2], match[3]))
    return clauses


def check(text: str, factors: Mapping[str, Sequence[str]]) -> None:
    """Raise ValueError unless every factor and level named in `text` exists."""
    for factor, _, level in parse(text):
        if factor not in factors:
            raise ValueError(f"no factor {factor!r}; there are: {', '.join(factors)}")
        if level not in factors[factor]:
            raise ValueError(
                f"factor {factor!r} has no level {level!r}; it has: {', '.join(factors[factor])}"
            )


def holds(text: str, levels: Mapping[str, str]) -> bool:
    """Return whether `text` is true in the condition with these `levels`."""
    return all(
        (levels.get(factor) == level) is (operator == "==")
        for factor, operator, level in parse(text)
    )
