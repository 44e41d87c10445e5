"""Composites: which rule every kind of layer with weights follows.

`preset-a` and `preset-b` are the recommendations of Kohlbrenner et al. 2020 (IJCNN, section III)
and Lapuschkin et al. 2019 (Nature Communications 10, supplement) as customary in practice:
epsilon for dense layers, alpha-beta for convolutions, and with `-flat` the flat rule for the
layers that see the image first. `epsilon-plus` and `epsilon-gamma-box` carry the names and the
parameters by which they are known in the literature (epsilon 1e-6, gamma 0.25).

Depthwise convolutions follow the rule of convolutions: every output has its own few inputs, and
the rule is applied to those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from explainers.errors import ExplainerError
from explainers.lrp import rules
from explainers.lrp.operations import Kind
from explainers.lrp.rules import Rule


@dataclass(frozen=True)
class Composite:
    """A table kind of layer -> rule, and the rule of the layers nearest the image (None: same)."""

    table: Mapping[Kind, Rule]
    first: Rule | None = None

    def rule(self, kind: Kind, *, first: bool) -> Rule:
        return self.first if first and self.first is not None else self.table[kind]

    @property
    def needs_bounds(self) -> bool:
        return self.first is rules.bounded_box


def _composite(dense: Rule, convolution: Rule, first: Rule | None = None) -> Composite:
    return Composite({"dense": dense, "convolution": convolution, "depthwise": convolution}, first)


_ALPHA1_BETA0 = partial(rules.alpha_beta, alpha=1.0, beta=0.0)
_ALPHA2_BETA1 = partial(rules.alpha_beta, alpha=2.0, beta=1.0)

# name: (epsilon where none is given, rule of convolutions, rule nearest the image)
_PRESETS: dict[str, tuple[float, Rule, Rule | None]] = {
    "preset-a": (0.1, _ALPHA1_BETA0, None),
    "preset-a-flat": (0.1, _ALPHA1_BETA0, rules.flat),
    "preset-b": (0.1, _ALPHA2_BETA1, None),
    "preset-b-flat": (0.1, _ALPHA2_BETA1, rules.flat),
    "epsilon-plus": (1e-6, rules.z_plus, None),
    "epsilon-gamma-box": (1e-6, partial(rules.gamma, gamma=0.25), rules.bounded_box),
}

NAMES: tuple[str, ...] = tuple(_PRESETS)


def named(name: str, *, epsilon: float | None = None) -> Composite:
    """The composite of that name; `epsilon` of its dense layers where it is not to be its own."""
    if not isinstance(name, str) or name not in _PRESETS:
        raise ExplainerError(
            f"There is no LRP composite {name!r}; it is one of {', '.join(NAMES)}."
        )
    usual, convolution, first = _PRESETS[name]
    chosen = usual if epsilon is None else epsilon
    return _composite(partial(rules.epsilon, epsilon=chosen), convolution, first)


def uniform(rule: Rule) -> Composite:
    """One rule for every layer with weights."""
    return _composite(rule, rule)
