from django.apps import AppConfig


class StimuliConfig(AppConfig):
    name = "studyplatform.stimuli"
    label = "stimuli"
