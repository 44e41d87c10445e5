"""The house rules, held by tools: import directions, style, types, migrations, a light start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )


def test_rooms_import_in_one_direction() -> None:
    result = run("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("command", [("check", "."), ("format", "--check", ".")])
def test_style(command: tuple[str, ...]) -> None:
    result = run("-m", "ruff", *command)
    assert result.returncode == 0, result.stdout + result.stderr


def test_types() -> None:
    result = run("-m", "mypy")
    assert result.returncode == 0, result.stdout + result.stderr


def test_tables_and_migrations_agree() -> None:
    result = run("manage.py", "makemigrations", "--check", "--dry-run")
    assert result.returncode == 0, result.stdout + result.stderr


HEAVY = ("tensorflow", "keras", "matplotlib", "statsmodels", "skimage", "scipy", "pandas")


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    result = run("-c", code)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_site_starts_without_heavy_packages() -> None:
    """Importing TensorFlow costs seconds and breaks forked workers; see house.md's traps."""
    start = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'studyplatform.settings'\n"
        "import django; django.setup()\n"
        "import studyplatform.urls, studyplatform.celery\n"
        "from django.urls import get_resolver; get_resolver().url_patterns\n"
        "studyplatform.celery.app.loader.import_default_modules()"
    )
    assert loaded_after(start).isdisjoint(HEAVY)


def test_the_light_start_can_fail() -> None:
    """Negative control: the check does see a heavy package that was imported."""
    assert "scipy" in loaded_after("import scipy")


def test_explainers_lists_its_methods_without_tensorflow() -> None:
    assert loaded_after("import explainers; explainers.available()").isdisjoint(
        {"tensorflow", "keras"}
    )
