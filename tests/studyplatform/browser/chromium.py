"""Which browser the tests drive, and what to do where there is none."""

import os
import shutil

import pytest

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def executable() -> str | None:
    """Return the path of an installed Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def require() -> str:
    """Return the browser's path; skip with a reason, or fail where a browser is demanded."""
    path = executable()
    if path is None:
        reason = "no Chromium here; install Debian's package chromium"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
