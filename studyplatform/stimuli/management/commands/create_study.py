"""Make a study from a spec."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from studyplatform.progress import bar
from studyplatform.stimuli import selectors, services
from studyplatform.stimuli.management.base import StimuliCommand, latest_version
from studyplatform.studies.models import Team
from studyplatform.studies.spec import load


class Command(StimuliCommand):
    help = "Make a draft study from a spec (a YAML file): its conditions, tasks and examples."
    example = "studyplatform/studies/presets/forward_simulation.yaml --team Lab"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("spec", type=Path, help="the spec's file")
        parser.add_argument(
            "--team",
            default="",
            help="who owns the study; made if new. By default the only team there is, or Team",
        )
        parser.add_argument(
            "--replace", action="store_true", help="replace the draft of the same slug"
        )

    def run(self, **options: Any) -> None:
        try:
            text = options["spec"].read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise CommandError(f"{options['spec']} is no UTF-8 text; expected YAML.") from None
        draft = latest_version(load(text).slug) if options["replace"] else None
        if draft and options["team"] not in {"", draft.study.team.name}:
            raise CommandError(
                f"Study {draft.study.slug!r} belongs to the team {draft.study.team.name!r}; "
                "--replace changes its spec and not its team."
            )
        team = _team(options["team"])
        with bar("Scoring images") as progress:
            if draft:
                version = services.study_replace_draft(
                    version=draft, spec_text=text, progress=progress
                )
            else:
                version = services.study_create_with_stimuli(
                    team=team, spec_text=text, progress=progress
                )
        slug = version.study.slug
        heatmaps = selectors.render_progress(version).total
        self.say(
            f"Study {slug!r}: {version.conditions.count()} conditions, "
            f"{version.spec.tasks.total} tasks, {heatmaps} heatmaps to render.\n"
            f"Team: {version.study.team.name}.\n"
            f"Next: python manage.py render_heatmaps {slug}, then publish_study {slug}."
        )


def _team(name: str) -> Team:
    """Return the team of this name, or the only one there is; one not saved yet where none is."""
    teams = list(Team.objects.filter(name=name) if name else Team.objects.all()[:2])
    if len(teams) == 1:
        return teams[0]
    team = Team(name=name or "Team")
    try:
        team.clean_fields()
    except ValidationError as error:
        raise CommandError(f"--team: {' '.join(error.messages)}") from error
    return Team.objects.filter(name=team.name).first() or team
