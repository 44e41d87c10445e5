"""Say what blocks publishing."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from studyplatform.stimuli import services
from studyplatform.stimuli.management.base import StimuliCommand, latest_version


class Command(StimuliCommand):
    help = "Print what blocks the publishing of a study's draft; exit code 1 where something does."
    example = "demo"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="the study's slug")

    def run(self, **options: Any) -> None:
        version = latest_version(options["study"])
        problems = services.publish_problems(version=version)
        if problems:
            raise CommandError("\n".join(problems))
        self.say(f"Nothing blocks the publishing of {version}.")
