"""Every address of the site. Participants under /s/, researchers under /console/."""

from allauth.account import views as account
from django.contrib.auth.views import PasswordResetConfirmView
from django.urls import include, path, reverse_lazy

urlpatterns = [
    path("", include("studyplatform.operations.urls")),
    path("i/", include("studyplatform.stimuli.urls")),
    path("s/", include("studyplatform.participation.urls")),
    path("console/", include("studyplatform.console.urls")),
    # Of allauth these alone: accounts are made by the owners of teams, and there need be no mail
    # server that could send a new password.
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/password/", account.password_change, name="account_change_password"),
    path("accounts/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path(
        "accounts/welcome/<uidb64>/<token>/",
        PasswordResetConfirmView.as_view(
            template_name="account/welcome.html", success_url=reverse_lazy("account_login")
        ),
        name="account_welcome",
    ),
    path("accounts/second-step/", include("allauth.mfa.urls")),
]
