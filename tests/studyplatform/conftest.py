"""What every test of the site has: files of its own, and on demand a real small study."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from studyplatform.celery import app
from studyplatform.studies.models import StudyVersion

from . import published


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file, as in use: in memory, threads would share one connection's locks."""
    default = connections["default"]
    if default.vendor == "sqlite":
        path = tmp_path_factory.mktemp("database") / "test.sqlite3"
        default.settings_dict["TEST"]["NAME"] = str(path)


@pytest.fixture(scope="session", autouse=True)
def _own_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that tests write or poke reaches the developer's var/."""
    app.conf.update(broker_url="memory://", broker_transport_options={})
    with override_settings(
        MEDIA_ROOT=tmp_path_factory.mktemp("media"),
        WHITENOISE_AUTOREFRESH=True,  # needs no folder of collected files
        STORAGES={
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
    ):
        yield


@pytest.fixture
def media_root(settings: Any, tmp_path: Path) -> Path:
    """An empty folder for this test's files."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def spec_text() -> Callable[..., str]:
    """`spec_text(slug="x", pay={"base": 3})`: the preset with changes, as YAML."""
    return published.preset_with


@pytest.fixture(scope="session")
def _published_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The workers of one run share their parent folder, and with it the study.
    base = tmp_path_factory.getbasetemp()
    return (base.parent if base.name.startswith("popen-") else base) / "published"


@pytest.fixture(scope="session")
def _published_rows(
    django_db_setup: None, django_db_blocker: Any, _published_folder: Path
) -> published.Rows:
    return published.shared_rows(_published_folder, django_db_blocker.unblock)


@pytest.fixture
def published_study(
    db: None, settings: Any, _published_folder: Path, _published_rows: published.Rows
) -> StudyVersion:
    """A published study, drawn scenes and the bundled network: real tasks, scores, heatmaps.

    Its slug is "small"; two tasks for cat, two for horse; multiscale at depth 2, and LRP. Its
    files are shared between tests: read them, change none.
    """
    settings.MEDIA_ROOT = _published_folder / "media"
    return published.put_back(_published_rows)
