from django.apps import AppConfig


class StimuliConfig(AppConfig):
    name = "studyplatform.stimuli"
    label = "stimuli"

    def ready(self) -> None:
        from .faithfulness import checks  # noqa: F401
