"""Who may sign in, and how: accounts are made by owners, never by a visitor.

Signing in takes a password and, for those who set it up, a second step: a code from an app. Where
REQUIRE_TOTP is set the console opens to nobody without it.
"""

import base64
from collections.abc import Callable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.html import format_html
from django.utils.http import urlsafe_base64_encode
from django.utils.safestring import SafeString

_QUIET_ZONE = 4  # modules of white around a QR code, as its standard asks


class ClosedSignUpAdapter(DefaultAccountAdapter):
    """Keeps to the pages there are: no sign-up, no mail."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        messages.error(request, "This account is closed. Ask whoever runs this installation.")
        return redirect("account_login")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("mfa_index")


class SecondStepAdapter(DefaultMFAAdapter):
    """Keeps the secrets of second steps encrypted, and draws their QR codes into the page."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return not settings.REQUIRE_TOTP

    def build_totp_svg(self, url: str) -> SafeString:
        """Return the code as an <svg> element: the content policy allows no `data:` picture."""
        from qrcode import QRCode

        code = QRCode(border=_QUIET_ZONE)
        code.add_data(url)
        code.make(fit=True)
        rows = code.get_matrix()
        dark = "".join(
            f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, on in enumerate(row) if on
        )
        return format_html(
            '<svg class="qr" role="img" aria-label="QR code for the app" viewBox="0 0 {0} {0}">'
            '<path fill="#fff" d="M0 0h{0}v{0}h-{0}z"/><path fill="#000" d="{1}"/></svg>',
            len(rows),
            dark,
        )


class RequireSecondStep:
    """Where REQUIRE_TOTP is set, sends whoever has no second step to the page that sets it up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        if not settings.REQUIRE_TOTP or match is None or match.app_name != "console":
            return None
        if not request.user.is_authenticated or _has_second_step(request.user):
            return None
        messages.info(request, "Everybody signs in with a second step here. Please set it up now.")
        return redirect("mfa_activate_totp")


def welcome_address(user: User) -> str:
    """Return the address where a new account's first password is set, once and within days.

    How many: PASSWORD_RESET_TIMEOUT. It is made anew each time and nothing of it is kept.
    """
    return reverse(
        "account_welcome",
        kwargs={
            "uidb64": urlsafe_base64_encode(force_bytes(user.pk)),
            "token": default_token_generator.make_token(user),
        },
    )


def _has_second_step(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()


def _fernet() -> Fernet:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=b"accounts", info=b"second step")
    return Fernet(base64.urlsafe_b64encode(derivation.derive(settings.VAULT_KEY.encode())))
