from django.apps import AppConfig


class ResultsConfig(AppConfig):
    name = "studyplatform.results"
    label = "results"
