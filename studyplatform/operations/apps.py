from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "studyplatform.operations"
    label = "operations"
