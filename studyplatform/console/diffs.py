"""Two texts beside each other: which lines went, which came."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_AROUND = 3  # unchanged lines shown before and after a change


@dataclass(frozen=True)
class DiffLine:
    """A line of a diff; a number is None where the line is not in that text.

    "gap" stands for the unchanged lines that are left out.
    """

    kind: Literal["same", "gone", "new", "gap"]
    old: int | None = None
    new: int | None = None
    text: str = ""


def diff_lines(old: str, new: str) -> list[DiffLine]:
    """Return the changed lines with a few around them; empty where the texts are the same."""
    if old == new:
        return []
    return list(_lines(old.splitlines(), new.splitlines()))


def _lines(old: list[str], new: list[str]) -> Iterator[DiffLine]:
    # Without "junk": in a spec, lines that come often count as others do.
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    end = 0
    for group in matcher.get_grouped_opcodes(_AROUND):
        if group[0][1] > end:
            yield DiffLine("gap")
        for kind, a, b, c, d in group:
            if kind == "equal":
                for i, j in zip(range(a, b), range(c, d), strict=True):
                    yield DiffLine("same", i + 1, j + 1, old[i])
                continue
            for i in range(a, b):
                yield DiffLine("gone", i + 1, None, old[i])
            for j in range(c, d):
                yield DiffLine("new", None, j + 1, new[j])
        end = group[-1][2]
    if end < len(old):
        yield DiffLine("gap")
