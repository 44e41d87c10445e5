"""Say what stands against publishing, and keep the reasons for warnings."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from studyplatform.stimuli import services
from studyplatform.stimuli.management.base import StimuliCommand, latest_version
from studyplatform.stimuli.services.linting import Judged


class Command(StimuliCommand):
    help = (
        "Print what the lint finds in a study's newest version, each with what to do about it. "
        "Exit code 1 where something stands against publishing: an error, or a warning nobody "
        "gave a reason for. --accept gives one, for all warnings of a code. docs/lint.md says "
        "what each code means."
    )
    example = 'demo --accept near-duplicate --reason "Two cats on the same sofa."'

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="the study's slug")
        parser.add_argument("--accept", metavar="CODE", help="the warnings that may stay")
        parser.add_argument("--reason", metavar="TEXT", help="why; it is kept and frozen")

    def run(self, **options: Any) -> None:
        version = latest_version(options["study"])
        code, reason = options["accept"], options["reason"]
        if (code is None) != (reason is None):
            raise CommandError(
                "--accept and --reason belong together: which warnings may stay, and why."
            )
        if code is not None:
            given = services.lint_reasons_give(version=version, code=code, reason=reason)
            self.say(f"The reason is kept; it holds for {len(given)} of the warnings ({code}).")
        report = services.version_lint(version=version)
        for one in report.explained:
            self.say(_explained(one))
        if report.blocking:
            raise CommandError("\n".join(_blocking(one) for one in report.blocking))
        self.say(f"Nothing blocks the publishing of {version}.")


def _blocking(one: Judged) -> str:
    return f"{one.finding.severity} {one.finding.code}: {one.sentence}"


def _explained(one: Judged) -> str:
    reason = one.reason
    said = f"{reason.reason} ({reason.by_name}, {reason.at:%Y-%m-%d})" if reason else ""
    return f"left standing {one.finding.code}: {one.finding.sentence}\n  {said}"
