"""The lint: what would spoil a study, in plain words, each with what to do about it.

`docs/lint.md` says why each rule is there. A rule looks at a `Material` and reads nothing itself
but the files of pictures.
"""

from . import completeness, giveaways, likeness, participants, stability, strategies
from .finding import Finding, Rule, Severity
from .material import Material, material_of

RULES: tuple[Rule, ...] = (
    completeness.STIMULI,
    completeness.TASKS,
    completeness.EXAMPLES,
    completeness.FIGURES,
    completeness.THRESHOLDS,
    completeness.SCORES,
    likeness.SHOWN_ELSEWHERE,
    likeness.NEAR_DUPLICATE,
    stability.OUTCOME,
    stability.NEAR_THRESHOLD,
    strategies.TRIVIAL,
    strategies.ONE_ANSWER,
    giveaways.NAME,
    giveaways.METADATA,
    giveaways.CHANGED,
    giveaways.CAPTION,
    participants.PAY,
    participants.TRIES,
    participants.SCREENED_OUT,
    participants.REGIONS_SEEN,
    participants.REGIONS_CLEAR,
    participants.CONTRADICTIONS,
    completeness.ENTERED,
    completeness.FAILED,
    completeness.RENDERED,
    completeness.FILES,
)

__all__ = ["RULES", "Finding", "Material", "Rule", "Severity", "findings_of", "material_of"]


def findings_of(material: Material) -> list[Finding]:
    """Return all that the rules find, errors before warnings, else in the order of the rules."""
    found = [finding for rule in RULES for finding in rule.findings(material)]
    return sorted(found, key=lambda finding: not finding.is_error)
