"""Every address of the site. Participants under /s/, researchers under /console/."""

from django.urls import include, path

urlpatterns = [
    path("", include("studyplatform.operations.urls")),
    path("i/", include("studyplatform.stimuli.urls")),
    path("s/", include("studyplatform.participation.urls")),
    path("console/", include("studyplatform.console.urls")),
    path("accounts/", include("allauth.urls")),
]
