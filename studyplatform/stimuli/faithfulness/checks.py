"""That heatmaps can be measured as the settings say, before a worker tries to."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, register
from django.core.checks.messages import CheckMessage


@register
def steps(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Say where the number of a curve's steps is none."""
    found = settings.FAITHFULNESS_STEPS
    if isinstance(found, int) and not isinstance(found, bool) and found >= 1:
        return []
    return [
        Error(
            f"FAITHFULNESS_STEPS is {found!r}; expected a whole number of 1 or more.",
            hint="It is the number of steps of a heatmap's insertion and deletion curves.",
            id="stimuli.E001",
        )
    ]
