"""`demo`: from nothing to a running study, its heatmaps rendered while one looks on."""

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from studyplatform.operations import demo
from studyplatform.operations.local import LocalSite, prepare
from studyplatform.operations.processes import ProcessError
from studyplatform.progress import bar
from studyplatform.stimuli.selectors import RenderProgress, render_progress
from studyplatform.stimuli.services import version_publish
from studyplatform.stimuli.tasks import drain
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import StudyError

from .runlocal import add_site_arguments

TELL_EVERY = 30  # seconds, where there is no terminal to draw a bar on


class Command(BaseCommand):
    help = (
        "Set up the demo study (scenes, classifier, tasks), run the site, render the heatmaps, "
        "publish the study, and print the addresses. Run again it goes on where it stopped. "
        "Example: python manage.py demo --port 8000"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_site_arguments(parser)
        parser.add_argument(
            "--setup-only", action="store_true", help="make the study, start nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["setup_only"]:
                prepare()
                with bar("Setting up") as progress:
                    demo.study_ensure(lambda what, done, total: progress(done, total, what))
            else:
                self._run(options)
        except StudyError as error:
            raise CommandError("\n".join(error.problems)) from error
        except ProcessError as error:
            raise CommandError(f"Not running: {error}.") from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped; the next start goes on where this one was.") from error

    def _run(self, options: dict[str, Any]) -> None:
        site = LocalSite(
            port=options["port"],
            workers=options["workers"],
            renderers=options["renderers"],
            say=self.say,
        )
        with bar("Rendering heatmaps") as progress:
            opening = _Opening(site.base, options["renderers"], self.say, progress)
            site.run(before=self._set_up, ready=opening.ready, tick=opening.tick)

    def _set_up(self) -> None:
        self.say("Setting up the demo study ...")
        # In a process of its own: this one forks later, and must not have touched TensorFlow.
        command = [sys.executable, "manage.py", "demo", "--setup-only"]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment)
        if done.returncode:
            raise ProcessError(f"the set-up ended with exit code {done.returncode}")

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


class _Opening:
    """Waits for the heatmaps, publishes the study, and tells the addresses, once."""

    def __init__(
        self,
        base: str,
        renderers: int,
        say: Callable[[str], None],
        progress: Callable[..., None],
    ) -> None:
        self.base = base
        self.renderers = renderers
        self.say = say
        self.progress = progress
        self.told_at = time.monotonic()
        self.done = False

    @property
    def version(self) -> StudyVersion:
        return demo.study_ensure(lambda what, done, total: None)

    def ready(self) -> None:
        account = demo.account_ensure()
        self.say(f"The site runs at {self.base}/")
        self.say(
            f"Console: {self.base}/console/   name {account.name}, password {account.password}"
        )
        if self.version.published_at is None:
            self.say("The heatmaps are being rendered; the study opens when all are there.")
            for _ in range(self.renderers):
                drain.delay()
        self.tick()

    def tick(self) -> None:
        if self.done:
            return
        version = self.version
        found = render_progress(version)
        if version.published_at is None:
            self._tell(found)
            if found.failed and not (found.pending or found.leased):
                self.done = True
                self.say(
                    f"{found.failed} heatmaps could not be rendered. The console says why, and "
                    "lets you try again."
                )
                return
            if not found.complete:
                return
            version = version_publish(version=version)
        self.done = True
        for line in demo.addresses(version, self.base):
            self.say(line)
        self.say(
            f"Console: {self.base}/console/studies/{version.study.slug}/   Ctrl-C stops the site."
        )

    def _tell(self, found: RenderProgress) -> None:
        self.progress(found.done, found.total)
        now = time.monotonic()
        if not sys.stderr.isatty() and now - self.told_at > TELL_EVERY:
            self.told_at = now
            left = "" if found.seconds_left is None else f", about {found.seconds_left} s left"
            self.say(f"{found.done} of {found.total} heatmaps{left}")
