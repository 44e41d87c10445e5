"""Who may sign in: accounts are made by the owner of the installation, never by a visitor."""

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


class ClosedSignUpAdapter(DefaultAccountAdapter):
    """Keeps to the pages there are: sign-in and sign-out."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        messages.error(request, "This account is closed. Ask whoever runs this installation.")
        return redirect("account_login")
