"""Publish a study's draft."""

from typing import Any

from django.core.management.base import CommandParser

from studyplatform.stimuli import services
from studyplatform.stimuli.management.base import StimuliCommand, latest_version


class Command(StimuliCommand):
    help = (
        "Freeze a study's draft with its stimuli; participants are admitted from then on. Where "
        "something stands against it, says what is missing; `lint_study` says it too, and keeps "
        "reasons for warnings."
    )
    example = "demo"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="the study's slug")

    def run(self, **options: Any) -> None:
        version = services.version_publish(version=latest_version(options["study"]))
        self.say(f"{version} is published. SHA-256 {version.sha256}")
