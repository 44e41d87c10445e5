"""Own deploy checks: `manage.py check --deploy`, with the environment of the deployment."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Tags, Warning, register
from django.core.checks.messages import CheckMessage


@register(Tags.security, deploy=True)
def deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Say what of the embedded default is no choice in earnest."""
    found: list[CheckMessage] = []
    if not settings.PRODUCTION:
        found.append(
            Warning(
                "PRODUCTION is not set: keys may be generated and cookies sent without TLS.",
                hint="Set PRODUCTION=true, SECRET_KEY and VAULT_KEY in the environment.",
                id="operations.W001",
            )
        )
    if settings.SECRET_KEY == settings.VAULT_KEY:
        found.append(
            Error(
                "SECRET_KEY and VAULT_KEY are the same: a leak of one opens the vault.",
                id="operations.E001",
            )
        )
    if settings.CELERY_BROKER_URL.startswith("filesystem") and settings.PRODUCTION:
        found.append(
            Warning(
                "The broker is a folder: workers on other machines do not see it.",
                hint="Set REDIS_URL or CELERY_BROKER_URL.",
                id="operations.W002",
            )
        )
    return found
