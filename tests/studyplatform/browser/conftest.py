"""A real browser against a real server on a real small study."""

import os
from typing import Any

import pytest

from studyplatform.studies.models import StudyVersion

from . import chromium

# Playwright's event loop makes Django believe that tests run inside one; they do not.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {"executable_path": chromium.require(), "args": chromium.ARGUMENTS, "headless": True}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    return {
        "viewport": {"width": 1280, "height": 720},
        "screen": {"width": 1280, "height": 720},
        "locale": "en-GB",
    }


@pytest.fixture
def study(
    transactional_db: None, published_study: StudyVersion, live_server: Any
) -> tuple[StudyVersion, str]:
    """The small study and the address of the server that serves it."""
    return published_study, live_server.url
