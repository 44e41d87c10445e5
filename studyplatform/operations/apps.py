from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "studyplatform.operations"
    label = "operations"

    def ready(self) -> None:
        # Whoever sends a task must know the site's Celery application, and its checks its rules.
        from studyplatform import celery  # noqa: F401

        from . import checks  # noqa: F401
