"""From a file's text to a Spec, or to sentences that say what is wrong where."""

from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from . import plain_yaml
from .study import Spec


class SpecError(ValueError):
    """A spec that cannot be used; `problems` holds one sentence per fault."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def load(text: str) -> Spec:
    """Return the Spec in this YAML text; SpecError lists every fault with its path."""
    try:
        data = plain_yaml.load(text)
    except plain_yaml.PlainYamlError as error:
        raise SpecError([str(error)]) from error
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
