"""The demo study, set up from nothing; every step is skipped where it was done before."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

import studyplatform.studies
from studyplatform.participation.services import entry_link
from studyplatform.stimuli import services as stimuli
from studyplatform.stimuli.models import ImageSet
from studyplatform.studies.models import Membership, Study, StudyVersion
from studyplatform.studies.selectors import version_latest
from studyplatform.studies.services import team_get_or_create

SLUG = "demo"
USER = "demo"
TEAM = "Demo team"
PRESET = Path(studyplatform.studies.__file__).parent / "presets" / "forward_simulation.yaml"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Account:
    name: str
    password: str


def account_ensure() -> Account:
    """Return the demo's console account, its password random and kept beside the database.

    A lost password file gives a new password.
    """
    path = Path(settings.VAR_DIR) / "demo-password"
    password = path.read_text().strip() if path.exists() else ""
    with transaction.atomic():
        user, _ = User.objects.get_or_create(username=USER)
        if not password or not user.check_password(password):
            password = password or secrets.token_urlsafe(9)
            user.set_password(password)
            user.save()
        Membership.objects.get_or_create(
            team=team_get_or_create(name=TEAM),
            user=user,
            defaults={"role": Membership.Role.OWNER},
        )
    # Readable by its owner only, from the first byte on.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(password + "\n")
    return Account(USER, password)


def study_ensure(progress: Progress) -> StudyVersion:
    """Return the demo study's version: images, classifier and tasks, its heatmaps in the ledger."""
    study = Study.objects.filter(slug=SLUG).first()
    if study and (found := version_latest(study)):
        return found
    if not ImageSet.objects.filter(name="demo", team=None).exists():
        stimuli.image_set_import_demo(
            progress=lambda done, total: progress("Drawing the scenes", done, total)
        )
    stimuli.classifier_register_demo()
    return stimuli.study_create_with_stimuli(
        team=team_get_or_create(name=TEAM),
        spec_text=PRESET.read_text(encoding="utf-8"),
        progress=lambda done, total: progress("Scoring the scenes", done, total),
    )


def addresses(version: StudyVersion, base: str) -> list[str]:
    """Return lines that name every address worth opening."""
    study = version.study
    names = version.spec.recruitment
    lines = ["", "As a participant, by condition (previews, never counted):"]
    for condition in version.conditions.order_by("position"):
        levels = ", ".join(f"{factor} {level}" for factor, level in condition.levels.items())
        link = entry_link(study, "preview", condition=condition.key)
        lines += [f"  {levels}:", f"    {base}{link}"]
    query = (
        f"{names.person_parameter}=try-1&{names.study_parameter}=try"
        f"&{names.submission_parameter}=try-1"
    )
    lines += [
        "As a participant from Prolific (another PROLIFIC_PID is another participant):",
        f"  {base}/s/{study.slug}/?{query}",
    ]
    return lines
