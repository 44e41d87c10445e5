"""The lint run on a version, and the reasons for which its warnings are left standing."""

from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.db import transaction

from studyplatform.studies.models import StudyVersion

from ..lint import Finding, findings_of, material_of
from ..models import LintReason
from .errors import StimuliError
from .fingerprints import fingerprints_ensure
from .preparation import shown_heatmaps

LONGEST_REASON = 1_000
COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Judged:
    """A finding, and why it is left standing where somebody said so."""

    finding: Finding
    reason: LintReason | None

    @property
    def blocks(self) -> bool:
        return self.finding.is_error or self.reason is None

    @property
    def sentence(self) -> str:
        """The finding and what to do about it."""
        asked = "" if self.finding.is_error else " Or say why it may stay: a reason is kept."
        return f"{self.finding.sentence} {self.finding.fix}{asked}"


@dataclass(frozen=True)
class LintReport:
    """What the lint found, errors first."""

    judged: list[Judged]

    @property
    def errors(self) -> list[Judged]:
        return [one for one in self.judged if one.finding.is_error]

    @property
    def warnings(self) -> list[Judged]:
        """Warnings nobody gave a reason for."""
        return [one for one in self.judged if one.blocks and not one.finding.is_error]

    @property
    def explained(self) -> list[Judged]:
        return [one for one in self.judged if not one.blocks]

    @property
    def blocking(self) -> list[Judged]:
        return [*self.errors, *self.warnings]


def version_lint(*, version: StudyVersion) -> LintReport:
    """Return what the lint finds in a version, in as many queries however large it is.

    Perceptual hashes that are missing are computed and kept.
    """
    material = material_of(version)
    if material.stimulus_set is not None:
        fingerprints_ensure(images=material.images)
        shown = shown_heatmaps(material.stimulus_set)
        wanted = frozenset((level, image.sha256, label) for level, image, label in shown)
        material = replace(material, wanted=wanted)
    reasons = {reason.digest: reason for reason in LintReason.objects.filter(version=version)}
    return LintReport(
        [
            Judged(finding, None if finding.is_error else reasons.get(finding.digest))
            for finding in findings_of(material)
        ]
    )


@transaction.atomic
def lint_reason_give(
    *, version: StudyVersion, digest: str, reason: str, user: User | None = None
) -> LintReason:
    """Keep why a warning may stay, in place of an earlier reason for it.

    Raises StimuliError for a published version, an empty reason, an error, and for a warning that
    is not there (any more).
    """
    locked = draft_lock(version=version)
    found = [one.finding for one in version_lint(version=locked).judged]
    finding = next((one for one in found if one.digest == digest), None)
    if finding is None:
        raise StimuliError("This warning is gone, or the study has changed: look at it again.")
    return _give(locked, finding, reason, user)


@transaction.atomic
def lint_reasons_give(
    *, version: StudyVersion, code: str, reason: str, user: User | None = None
) -> list[LintReason]:
    """Keep one reason for all warnings of a code that have none. Raises as `lint_reason_give`."""
    locked = draft_lock(version=version)
    report = version_lint(version=locked)
    found = [one.finding for one in report.blocking if one.finding.code == code]
    if not found:
        codes = ", ".join(sorted({one.finding.code for one in report.warnings})) or "none"
        raise StimuliError(f"No warning {code!r} needs a reason; these do: {codes}.")
    return [_give(locked, finding, reason, user) for finding in found]


@transaction.atomic
def lint_reason_withdraw(*, version: StudyVersion, digest: str) -> None:
    """Take a reason back: the warning blocks publishing again. StimuliError once published."""
    LintReason.objects.filter(version=draft_lock(version=version), digest=digest).delete()


def draft_lock(*, version: StudyVersion) -> StudyVersion:
    """Return the version read anew under its lock; StimuliError where it is published."""
    locked = StudyVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
    if locked.published_at is not None:
        raise StimuliError(f"Version {locked.number} is published already and cannot change.")
    return locked


def name_of(user: User | None) -> str:
    """Return who did something, as it is kept."""
    return user.get_username() if user else COMMAND_LINE


def _give(version: StudyVersion, finding: Finding, reason: str, user: User | None) -> LintReason:
    text = reason.strip()
    if finding.is_error:
        raise StimuliError(f"{finding.sentence} This is an error: it has to be mended.")
    if not text:
        raise StimuliError("The reason is empty; expected why the warning may stay.")
    if len(text) > LONGEST_REASON:
        raise StimuliError(
            f"The reason has {len(text):,} characters; expected at most {LONGEST_REASON:,}."
        )
    given, _ = LintReason.objects.update_or_create(
        version=version,
        digest=finding.digest,
        defaults={
            "code": finding.code,
            "sentence": finding.sentence,
            "reason": text,
            "by": user,
            "by_name": name_of(user),
        },
    )
    return given
