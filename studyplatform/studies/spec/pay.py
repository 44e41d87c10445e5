"""What participants are paid: the rules, and what follows from a number of right predictions."""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .parts import Money, Part


class BonusStep(Part):
    """A bonus for `correct` or more right predictions."""

    correct: Annotated[int, Field(ge=1)]
    bonus: Money


class Pay(Part):
    """A base, a bonus for each right prediction, and the highest step of `bonus_from` reached.

    How confident somebody says they are is no part of it: the words of a scale are no
    probabilities, and only those can be paid so that an honest answer pays best.
    """

    currency: Literal["GBP", "USD", "EUR"] = "GBP"
    base: Money
    bonus_per_correct: Money = Decimal("0")
    bonus_from: Annotated[list[BonusStep], Field(exclude_if=lambda steps: not steps)] = []
    expected_minutes: Annotated[int, Field(ge=1, le=600)] = 30

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for low, high in pairwise(self.bonus_from):
            if high.correct <= low.correct or high.bonus <= low.bonus:
                raise ValueError(
                    f"bonus_from goes from {low.bonus} for {low.correct} right to {high.bonus} "
                    f"for {high.correct}; expected steps that rise in both"
                )
        return self

    def bonus(self, n_correct: int) -> Decimal:
        """Return what `n_correct` right predictions earn beside the base; never less for more."""
        reached = [step.bonus for step in self.bonus_from if step.correct <= n_correct]
        return n_correct * self.bonus_per_correct + max(reached, default=Decimal("0"))

    def total(self, n_correct: int) -> Decimal:
        """Return base and bonus for `n_correct` right predictions."""
        return self.base + self.bonus(n_correct)
