"""The one exception this package raises for input it cannot serve."""

from __future__ import annotations


class ExplainerError(ValueError):
    """Unusable input: the message says what is wrong, where, and what was expected."""
