"""`simulate_participants`: bots that walk through a study's real pages."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.models import F, Max, Min

from studyplatform.operations import processes
from studyplatform.operations.simulation import model
from studyplatform.operations.simulation.run import (
    CodesError,
    Run,
    check_codes_path,
    simulate,
    write_codes,
)
from studyplatform.participation.models import Reward
from studyplatform.participation.services import entry_link
from studyplatform.progress import bar
from studyplatform.studies.models import Study
from studyplatform.studies.selectors import version_published
from studyplatform.studies.spec import Spec

FAILURES_SHOWN = 5


class Command(BaseCommand):
    help = (
        "Let simulated participants walk through a study over HTTP, from the entry link to the "
        "completion code. They are marked as simulated (source bot) and never counted.\n"
        "Without --url a web server is started for the time it takes.\n\n" + (model.__doc__ or "")
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(
            *args,
            formatter_class=RawDescriptionHelpFormatter,
            epilog="Example: python manage.py simulate_participants demo --participants 96 "
            "--effect heatmap=multiscale:+0.2 --seed 1 --codes-out codes.csv",
            **kwargs,
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="the study's address, such as demo")
        parser.add_argument("--participants", type=int, required=True, metavar="N")
        parser.add_argument(
            "--effect", action="append", default=[], metavar="FACTOR=LEVEL:+0.1",
            help="difference in the probability of a right prediction; may be given several times",
        )  # fmt: skip
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--url", default="", help="a running site with this database")
        parser.add_argument("--concurrency", type=int, default=8, help="how many at a time")
        parser.add_argument("--language", default="", help="read the study in, such as de")
        parser.add_argument("--codes-out", type=Path, help="write the codes of the texts there")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        version = version_published(study) if study else None
        if study is None or version is None:
            raise CommandError(f"There is no published study {options['study']!r}.")
        if options["participants"] < 1 or options["concurrency"] < 1:
            raise CommandError("--participants and --concurrency must be at least 1.")
        spec = version.spec
        try:
            effects = [model.read_effect(text, spec) for text in options["effect"]]
        except ValueError as error:
            raise CommandError(f"--effect: {error}.") from error
        try:
            entry = entry_link(study, "bot", language=options["language"])
        except ValueError as error:
            there = ", ".join(spec.languages)
            raise CommandError(f"--language: {error}; there are: {there}.") from error
        if options["codes_out"]:
            try:
                check_codes_path(options["codes_out"])
            except CodesError as error:
                raise CommandError(f"--codes-out: {error}.") from error
        with ExitStack() as stack:
            run = simulate(
                spec,
                base=self._base(options["url"], stack),
                entry=entry,
                participants=options["participants"],
                seed=options["seed"],
                effects=effects,
                concurrency=options["concurrency"],
                progress=stack.enter_context(bar("Participants")),
            )
        if options["codes_out"]:
            rows = write_codes(options["codes_out"], run.walks)
            self.stdout.write(f"{options['codes_out']}: {rows} codes")
        self._tell(run, options["participants"], spec)

    def _base(self, url: str, stack: ExitStack) -> str:
        if not url:
            call_command("collectstatic", interactive=False, verbosity=0)
            connection.close()
            try:
                return stack.enter_context(processes.web_server())
            except processes.ProcessError as error:
                raise CommandError(f"No web server: {error}.") from error
        base = _site(url)
        if not processes.answers(f"{base}/healthz"):
            raise CommandError(f"Nobody answers at {base}/healthz.")
        return base

    def _tell(self, run: Run, participants: int, spec: Spec) -> None:
        for condition, n in sorted(run.by_condition.items()):
            self.stdout.write(f"{condition}: {n}")
        self.stdout.write(
            f"{len(run.walks)} of {participants} reached their code in {run.seconds:.1f} s, "
            f"{run.turns / max(run.seconds, 0.001):.0f} page turns a second."
        )
        if run.walks:
            paid = Reward.objects.filter(
                session__public_id__in=[one.participant_id for one in run.walks]
            ).aggregate(low=Min(F("base") + F("bonus")), high=Max(F("base") + F("bonus")))
            self.stdout.write(
                f"They earned {paid['low']:.2f} to {paid['high']:.2f} {spec.pay.currency}; all "
                f"right would earn {spec.maximum_pay:.2f}."
            )
        if run.failed:
            for sentence in run.failed[:FAILURES_SHOWN]:
                self.stderr.write(sentence)
            raise CommandError(f"{len(run.failed)} simulated participants did not reach a code.")


def _site(url: str) -> str:
    """Return the scheme, host and port of an address; CommandError where it has none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        # Both raise ValueError: a port that is none, a host that no name server is asked for.
        _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError:
        usable = False
    if not usable or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise CommandError(f"--url {url!r} is no address; expected http://127.0.0.1:8000.")
    return f"{parts.scheme}://{parts.netloc}"
