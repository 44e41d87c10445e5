"""`export_study`: a study's data as tidy CSV with a data dictionary."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from studyplatform.progress import bar
from studyplatform.results.dataset import SOURCES, DatasetError
from studyplatform.results.services import ExportError, study_export
from studyplatform.studies.models import Study


class Command(BaseCommand):
    help = (
        "Write participants, answers and events as CSV, with a data dictionary, the plan for the "
        "analysis, the frozen spec and checksums.\n\n"
        "Example:  manage.py export_study demo --out export --source bot"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="the study's address, such as demo")
        parser.add_argument("--out", required=True, type=Path, help="a new or empty folder")
        parser.add_argument("--source", choices=SOURCES, default="real")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']!r}.")
        try:
            with bar("Exporting") as progress:
                export = study_export(
                    study=study,
                    source=options["source"],
                    out_dir=options["out"],
                    progress=progress,
                )
        except (ExportError, DatasetError) as error:
            raise CommandError(str(error)) from error
        for name, count in export.rows.items():
            self.stdout.write(f"{name}: {count} rows")
        self.stdout.write(f"{export.folder}  sha256 {export.sha256}")
