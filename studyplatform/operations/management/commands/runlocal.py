"""`runlocal`: the site on this machine, web server and worker together."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from studyplatform.operations.local import LocalSite, default_renderers
from studyplatform.operations.processes import ProcessError


def add_site_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=8000)
    parser.add_argument("--workers", type=_count, default=2, help="processes of the web server")
    parser.add_argument(
        "--renderers", type=_count, default=default_renderers(), help="heatmaps rendered at a time"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise ArgumentTypeError(f"{text!r} is no port; expected 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of processes; expected at least 1")
    return int(text)


class Command(BaseCommand):
    help = (
        "Run the site at 127.0.0.1: the database is brought up to date, a web server and one "
        "Celery worker are started together and stopped together by Ctrl-C. "
        "Example: python manage.py runlocal --port 8001"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_site_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        site = LocalSite(
            port=options["port"],
            workers=options["workers"],
            renderers=options["renderers"],
            say=self.say,
        )
        try:
            site.run(ready=lambda: self.say(f"Console: {site.base}/console/   Ctrl-C stops."))
        except ProcessError as error:
            raise CommandError(f"Not running: {error}.") from error

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
