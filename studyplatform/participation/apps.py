from django.apps import AppConfig


class ParticipationConfig(AppConfig):
    name = "studyplatform.participation"
    label = "participation"
