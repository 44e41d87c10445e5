"""Every address of the site. Participants under /s/, researchers under /console/."""

from allauth.account import views as account
from django.urls import include, path

urlpatterns = [
    path("", include("studyplatform.operations.urls")),
    path("i/", include("studyplatform.stimuli.urls")),
    path("s/", include("studyplatform.participation.urls")),
    path("console/", include("studyplatform.console.urls")),
    # Of allauth these two alone: accounts and passwords are made by the owner of the installation,
    # and there need be no mail server that could send a new one.
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
]
