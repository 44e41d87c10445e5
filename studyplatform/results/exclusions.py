"""Who is left out of the analysis, and why: by hand, or by a rule frozen with the study.

Rules are applied when data are read, not stored, so they follow from the frozen spec alone.
"""

from datetime import timedelta

from studyplatform.participation.models import Session
from studyplatform.studies.spec import ExclusionRule, Spec


def exclusion_reason(session: Session, spec: Spec) -> str | None:
    """Return why a session is excluded, None where it is not; rules concern completed ones."""
    if session.excluded:
        return session.exclusion_reason or "by hand, no reason given"
    if session.status != Session.Status.COMPLETED:
        return None
    rule = next((one for one in spec.exclusions if one.applies and _meets(session, one)), None)
    return f"rule {rule.key}" if rule else None


def _meets(session: Session, rule: ExclusionRule) -> bool:
    if rule.rule == "screening_failed":
        return session.screening_passed is False
    if session.consented_at is None or session.completed_at is None:
        return False
    return session.completed_at - session.consented_at < timedelta(minutes=rule.value or 0)
