import pytest
from django.core.cache import cache

from studyplatform.participation import selectors
from studyplatform.studies.models import StudyVersion

from .study import make_study


@pytest.fixture(autouse=True)
def _fresh(db: None) -> None:
    """No memory of other tests' versions and arrivals."""
    selectors._frozen_material.cache_clear()
    cache.clear()


@pytest.fixture
def version(db: None) -> StudyVersion:
    return make_study()
