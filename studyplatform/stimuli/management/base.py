"""What every command of this room shares: an example in --help, one sentence per error."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.selectors import version_latest
from studyplatform.studies.services import StudyError
from studyplatform.studies.spec import SpecError


class StimuliCommand(BaseCommand):
    """A command whose errors are sentences: exit code 1, or 2 where the call itself is wrong."""

    example = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["epilog"] = f"Example: python manage.py {subcommand} {self.example}"
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        from explainers import ExplainerError

        try:
            self.run(**options)
        except (SpecError, StudyError) as error:
            raise CommandError("\n".join(error.problems)) from error
        except ExplainerError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise CommandError(f"{where}{error.strerror or error}.") from error

    def run(self, **options: Any) -> None:
        raise NotImplementedError

    def say(self, text: str) -> None:
        self.stdout.write(text)


def latest_version(slug: str) -> StudyVersion:
    """Return the newest version of a study, draft or published; CommandError for none."""
    study = Study.objects.filter(slug=slug).first()
    version = version_latest(study) if study else None
    if version is None:
        known = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no study {slug!r}; there are: {known}.")
    return version
