"""`analyse_study`: export a study's data and write the report on them."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from studyplatform.progress import bar
from studyplatform.results.dataset import SOURCES, DatasetError
from studyplatform.results.services import ExportError, study_analyse
from studyplatform.studies.models import Study


class Command(BaseCommand):
    help = (
        "Export a study into DIR/data and write the report into DIR/report.\n\n"
        "Example:  manage.py analyse_study demo --out analysis-demo --source bot "
        "--codes codes.csv"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="the study's address, such as demo")
        parser.add_argument("--out", required=True, type=Path, help="folder of data and report")
        parser.add_argument("--source", choices=SOURCES, default="real")
        parser.add_argument("--codes", type=Path, help="codes of the free text, as CSV")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']!r}.")
        try:
            with bar("Exporting") as progress, bar("Analysing") as step:
                study_analyse(
                    study=study,
                    source=options["source"],
                    out_dir=options["out"],
                    codes=options["codes"],
                    progress=progress,
                    step=lambda share, words: step(share, 1, words),
                )
        except (ExportError, DatasetError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(options["out"] / "report" / "report.html"))
