"""Render a study's heatmaps and show how far they are."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from studyplatform.progress import bar
from studyplatform.stimuli import selectors, services, tasks
from studyplatform.stimuli.management.base import StimuliCommand, latest_version
from studyplatform.studies.models import StudyVersion

_IDLE_SECONDS = 60


class Command(StimuliCommand):
    help = (
        "Render what is missing of a study's heatmaps. Celery workers do the work and this "
        "command shows their progress (interrupting it stops nothing); --here renders in this "
        "process. Run it again after an interruption: it goes on where it stopped."
    )
    example = "demo --here"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="the study's slug")
        parser.add_argument("--here", action="store_true", help="render in this process")
        parser.add_argument("--retry", action="store_true", help="try failed ones again")

    def run(self, **options: Any) -> None:
        version = latest_version(options["study"])
        if options["retry"]:
            self.say(f"{services.heatmaps_retry(version=version)} failed heatmaps wait again.")
        with bar("Rendering") as tick:
            if options["here"]:
                self._render(version, tick)
            else:
                self._watch(version, tick)
        state = selectors.render_progress(version)
        if failed := selectors.failed_heatmaps(version):
            reasons = "\n".join(
                f"{one.image.name}, {one.label or 'all labels'}: {one.error}" for one in failed
            )
            raise CommandError(f"{state.failed} of {state.total} heatmaps failed.\n{reasons}")
        self.say(f"{state.done} of {state.total} heatmaps are rendered.")

    def _render(self, version: StudyVersion, tick: Any) -> None:
        def show() -> None:
            state = selectors.render_progress(version)
            tick(state.rendered + state.failed, state.total)

        show()
        services.ledger_drain(version=version, progress=show)
        show()

    def _watch(self, version: StudyVersion, tick: Any) -> None:
        tasks.drain.delay()
        last, changed = None, time.monotonic()
        while True:
            state = selectors.render_progress(version)
            tick(state.done + state.failed, state.total)
            if state.done + state.failed == state.total:
                return
            # Heatmaps of another study may come first.
            if (state.done, state.leased) != last or selectors.anything_is_rendered():
                last, changed = (state.done, state.leased), time.monotonic()
            elif time.monotonic() - changed > _IDLE_SECONDS:
                raise CommandError(
                    f"Nothing was rendered for {_IDLE_SECONDS} seconds: is a Celery worker "
                    "running? Start one, or render in this process with --here."
                )
            time.sleep(0.5)
