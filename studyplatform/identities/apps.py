from django.apps import AppConfig


class IdentitiesConfig(AppConfig):
    name = "studyplatform.identities"
    label = "identities"
