import pytest
from django.core.cache import cache

from studyplatform.participation import selectors
from studyplatform.studies.models import StudyVersion

from .study import make_study


@pytest.fixture(autouse=True)
def _fresh(db: None, settings) -> None:
    """Plain file names for static files, no memory of other tests' versions and arrivals."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.WHITENOISE_AUTOREFRESH = True  # needs no folder of collected files
    selectors._frozen_material.cache_clear()
    cache.clear()


@pytest.fixture
def version(db: None) -> StudyVersion:
    return make_study()
