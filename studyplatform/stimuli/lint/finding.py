"""What the lint says: a finding, and the rule it comes from."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .material import Material


class Severity(StrEnum):
    """An error blocks publishing; a warning does until somebody gives a reason for it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Trouble:
    """One place where a rule does not hold.

    sentence: what is wrong; fix: what to do about it. where: the place, in the words of the page
    or the spec. evidence: what the sentence does not say but what it is about, such as hashes of
    pictures. severity: only where it is not the rule's own.
    """

    sentence: str
    fix: str
    where: str = ""
    evidence: tuple[str, ...] = ()
    task: int | None = None
    severity: Severity | None = None


@dataclass(frozen=True)
class Finding:
    """A trouble with the code and the severity of its rule."""

    code: str
    severity: Severity
    sentence: str
    fix: str
    where: str
    evidence: tuple[str, ...]
    task: int | None

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def digest(self) -> str:
        """SHA-256 of what was found: a reason holds for this and for nothing else."""
        content = [self.code, self.where, self.sentence, *self.evidence]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


Check = Callable[["Material"], Iterator[Trouble]]


@dataclass(frozen=True)
class Rule:
    code: str
    severity: Severity
    check: Check

    def findings(self, material: "Material") -> Iterator[Finding]:
        for trouble in self.check(material):
            yield Finding(
                code=self.code,
                severity=trouble.severity or self.severity,
                sentence=trouble.sentence,
                fix=trouble.fix,
                where=trouble.where,
                evidence=trouble.evidence,
                task=trouble.task,
            )
