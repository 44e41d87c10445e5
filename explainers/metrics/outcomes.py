"""From one number per image to means: what is undefined is counted, and left out by a rule.

Over images in the same order for every method:

    found = {name: [outcome(dauc, curve) for curve in curves[name]] for name in methods}
    in_common(found)["rise"].mean, in_common(found)["rise"].left_out
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from explainers.errors import ExplainerError
from explainers.metrics import Reason, Undefined

T = TypeVar("T")
Outcome = float | Reason
"""A metric's value for one image and map, or why there is none."""


@dataclass(frozen=True)
class Summary:
    """The values of one metric and method over the images that count, and how many do not.

    left_out: the number of images per reason.
    """

    values: tuple[float, ...]
    left_out: dict[Reason, int]

    @property
    def mean(self) -> float:
        """NaN where no image counts."""
        return sum(self.values) / len(self.values) if self.values else float("nan")


def outcome(function: Callable[..., T], *arguments: Any, **options: Any) -> T | Reason:
    """What a function returns, or the reason why it is undefined.

    A Reason among the arguments is handed on: what is made of nothing is nothing.
    """
    for argument in arguments:
        if isinstance(argument, Reason):
            return argument
    try:
        return function(*arguments, **options)
    except Undefined as undefined:
        return undefined.reason


def summary(outcomes: Sequence[Outcome]) -> Summary:
    """Over the images for which this method has a value."""
    values = tuple(float(one) for one in outcomes if not isinstance(one, Reason))
    return Summary(values, dict(Counter(one for one in outcomes if isinstance(one, Reason))))


def in_common(by_method: Mapping[str, Sequence[Outcome]]) -> dict[str, Summary]:
    """Over the images for which all methods have a value, so that their means can be compared.

    by_method: per method its outcomes, of the same images in the same order. An image is counted
    under the method's own reason, or OTHER_METHOD where only another method has none.
    """
    counts = {name: len(outcomes) for name, outcomes in by_method.items()}
    if len(set(counts.values())) > 1:
        raise ExplainerError(
            "The methods have outcomes of "
            f"{', '.join(f'{count} ({name})' for name, count in counts.items())} images; "
            "expected the same images for all."
        )
    missing = [
        any(isinstance(one, Reason) for one in image)
        for image in zip(*by_method.values(), strict=True)
    ]
    return {
        name: summary(
            [
                Reason.OTHER_METHOD if gone and not isinstance(one, Reason) else one
                for one, gone in zip(outcomes, missing, strict=True)
            ]
        )
        for name, outcomes in by_method.items()
    }
