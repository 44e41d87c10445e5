"""A real small study, made once per test run and put back as rows for every test that asks."""

import fcntl
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.test import override_settings

import studyplatform.studies
from studyplatform.stimuli import models as stimuli
from studyplatform.stimuli import services
from studyplatform.studies import models as studies
from studyplatform.studies.services import team_get_or_create

PRESET = Path(studyplatform.studies.__file__).parent / "presets" / "forward_simulation.yaml"
SLUG = "small"
SMALL = {
    "slug": SLUG,
    "stimuli": {"split": "all"},
    "heatmaps": {"multiscale": {"parameters": {"depth": 2}}},
    "tasks": {"new_images": {"cat": {"TP": 1, "FN": 1}, "horse": {"FP": 1, "FN": 1}}},
}
SCENES_PER_SPLIT = 80

# In the order in which rows need each other.
_TABLES: tuple[type[models.Model], ...] = (
    studies.Team,
    studies.Study,
    studies.StudyVersion,
    studies.Condition,
    stimuli.ImageSet,
    stimuli.Image,
    stimuli.TrainedClassifier,
    stimuli.Prediction,
    stimuli.StimulusSet,
    stimuli.Task,
    stimuli.Example,
    stimuli.Illustration,
    stimuli.Heatmap,
    stimuli.NeededHeatmap,
)

Rows = list[tuple[type[models.Model], list[models.Model]]]


def preset_with(**changes: Any) -> str:
    """Return the preset as YAML, with `changes` laid over it key by key; `...` removes a key.

    `new_images`, `examples` and lists are replaced whole: what they hold is the choice itself.
    """
    data = _laid_over(yaml.safe_load(PRESET.read_text()), changes)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def make_small_study() -> studies.StudyVersion:
    """Import, register, prepare, render in this process, publish."""
    services.image_set_import_demo(count=SCENES_PER_SPLIT)
    services.classifier_register_demo()
    version = services.study_create_with_stimuli(
        team=team_get_or_create(name="Small team"), spec_text=preset_with(**SMALL)
    )
    services.ledger_drain()
    return services.version_publish(version=version)


def shared_rows(folder: Path, unblock: Callable[[], Any]) -> Rows:
    """Return the study's rows; the first process of a test run makes them, with their files."""
    folder.mkdir(exist_ok=True)
    rows = folder / "rows.pickle"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not rows.exists():
            with override_settings(MEDIA_ROOT=folder / "media"), unblock(), transaction.atomic():
                make_small_study()
                content = pickle.dumps([(table, list(table.objects.all())) for table in _TABLES])
                transaction.set_rollback(True)
            rows.write_bytes(content)
    loaded: Rows = pickle.loads(rows.read_bytes())
    return loaded


def put_back(rows: Rows) -> studies.StudyVersion:
    """Write the rows, with their keys, into an empty database."""
    for table, instances in rows:
        table._default_manager.bulk_create(instances, batch_size=100)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(_TABLES)):
            cursor.execute(statement)
    return studies.StudyVersion.objects.select_related("study").get(study__slug=SLUG)


def _laid_over(data: Any, changes: Any) -> Any:
    if not (isinstance(data, dict) and isinstance(changes, dict)):
        return changes
    merged = dict(data)
    for key, value in changes.items():
        if value is ...:
            merged.pop(key, None)
        elif key in {"new_images", "examples"}:
            merged[key] = value
        else:
            merged[key] = _laid_over(merged.get(key), value)
    return merged
