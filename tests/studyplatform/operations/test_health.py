"""What monitors are told."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from studyplatform.operations import health
from studyplatform.operations.checks import deployment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_heartbeat() -> None:
    cache.delete(health.HEARTBEAT_KEY)


def test_the_process_answers_whatever_else_is_wrong(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"


def test_ready_with_a_worker(client: Client) -> None:
    health.heartbeat_write()
    response = client.get("/readyz")
    assert response.json() == {
        "ready": True,
        "checks": dict.fromkeys(["database", "migrations", "disk", "broker", "worker"], "ok"),
    }
    assert response.status_code == 200


def test_not_ready_without_a_worker(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["worker"] == "no worker has given a sign of life"


def test_a_worker_that_fell_silent_is_noticed(client: Client) -> None:
    import time

    cache.set(health.HEARTBEAT_KEY, time.time() - health.HEARTBEAT_LOST_AFTER - 5)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "is 65 s old" in response.json()["checks"]["worker"]


def test_a_folder_that_cannot_be_written_is_noticed_and_not_named(
    client: Client, settings: Any, tmp_path: Any
) -> None:
    health.heartbeat_write()
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["disk"] == "failed with NotADirectoryError"


def test_a_full_disk_is_noticed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    health.heartbeat_write()
    monkeypatch.setattr(health, "FREE_DISK", 2**80)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "MB are free" in response.json()["checks"]["disk"]


def test_the_landing_page_leads_to_the_console(client: Client) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert b'href="/console/"' in response.content


def test_equal_keys_are_a_deployment_error(settings: Any) -> None:
    settings.PRODUCTION = True
    settings.VAULT_KEY = settings.SECRET_KEY
    assert "operations.E001" in {found.id for found in deployment(None)}
    settings.VAULT_KEY = settings.SECRET_KEY + "x"
    settings.CELERY_BROKER_URL = "redis://localhost"
    assert deployment(None) == []
