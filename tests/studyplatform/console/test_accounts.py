"""Signing in with a password and a second step, and what of the account one can change."""

import base64
import hashlib
import hmac
import re
import struct
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from studyplatform.console.accounts import SecondStepAdapter

PASSWORD = "a long enough sentence"


@pytest.fixture(autouse=True)
def _quick_and_without_memory_of_other_tries(db: None, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MFA_TOTP_TOLERANCE = 1  # the half minute may end between an answer and its check
    call_command("createcachetable", verbosity=0)
    cache.clear()


@pytest.fixture
def ada(db: None) -> Client:
    """Signed in with her password, which she has just given once more."""
    User.objects.create_user("ada", password=PASSWORD)
    client = Client()
    sign_in(client)
    client.post("/accounts/confirm/", {"password": PASSWORD})
    return client


def sign_in(client: Client, password: str = PASSWORD) -> str:
    answer = client.post("/accounts/login/", {"login": "ada", "password": password})
    return answer.headers.get("Location", "")


def code_of(secret: str, *, at: float | None = None) -> str:
    """Return the code an app shows: RFC 6238 with SHA-1, 30 seconds, six digits."""
    counter = struct.pack(">Q", int((time.time() if at is None else at) // 30))
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    place = digest[-1] & 15
    number = struct.unpack(">I", digest[place : place + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06d}"


def test_the_app_of_these_tests_counts_as_the_standard_does() -> None:
    """RFC 6238, appendix B, its eight digits cut to six."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert [code_of(secret, at=at) for at in (59, 1111111109, 20000000000)] == [
        "287082", "081804", "353130",
    ]  # fmt: skip


def set_up(client: Client) -> str:
    """Set the second step up and return its secret."""
    page = client.get("/accounts/second-step/totp/activate/").content.decode()
    found = re.search(r'readonly value="([A-Z2-7]+)"', page)
    assert found
    answer = client.post("/accounts/second-step/totp/activate/", {"code": code_of(found[1])})
    assert answer.headers["Location"] == "/accounts/second-step/recovery-codes/"
    return found[1]


def test_a_password_alone_no_longer_opens_the_account(ada: Client, client: Client) -> None:
    secret = set_up(ada)
    assert sign_in(client) == "/accounts/second-step/authenticate/"
    assert client.get("/console/").status_code == 302
    wrong = client.post("/accounts/second-step/authenticate/", {"code": "no code"})
    assert wrong.status_code == 200
    assert b"Incorrect code" in wrong.content
    assert client.get("/console/").status_code == 302
    right = client.post("/accounts/second-step/authenticate/", {"code": code_of(secret)})
    assert right.headers["Location"] == "/console/"
    assert client.get("/console/").status_code == 200


def test_a_code_opens_once(ada: Client) -> None:
    code = code_of(set_up(ada))
    answers = []
    for _ in range(2):
        client = Client()
        sign_in(client)
        answers.append(client.post("/accounts/second-step/authenticate/", {"code": code}))
    assert [answer.status_code for answer in answers] == [302, 200]


def test_a_recovery_code_opens_once_in_its_place(ada: Client) -> None:
    set_up(ada)
    page = ada.get("/accounts/second-step/recovery-codes/").content.decode()
    codes = re.findall(r"<code>(\d{8})</code>", page)
    assert len(codes) == 10
    answers = []
    for _ in range(2):
        client = Client()
        sign_in(client)
        answers.append(client.post("/accounts/second-step/authenticate/", {"code": codes[3]}))
    assert [answer.status_code for answer in answers] == [302, 200]
    assert b"9 of 10 are left" in ada.get("/accounts/second-step/").content


def test_guessing_codes_is_braked(ada: Client, client: Client) -> None:
    secret = set_up(ada)
    sign_in(client)
    for _ in range(5):
        client.post("/accounts/second-step/authenticate/", {"code": "000000 no"})
    answer = client.post("/accounts/second-step/authenticate/", {"code": code_of(secret)})
    assert answer.status_code == 200
    assert b"Too many failed login attempts" in answer.content


def test_the_database_holds_no_secret_in_the_clear(ada: Client) -> None:
    secret = set_up(ada)
    held = Authenticator.objects.get(type="totp").data["secret"]
    assert secret not in held
    assert SecondStepAdapter().decrypt(held) == secret


def test_the_picture_stands_in_the_page_and_the_policy_stays_strict(ada: Client) -> None:
    response = ada.get("/accounts/second-step/totp/activate/")
    page = response.content.decode()
    assert '<svg class="qr"' in page
    assert "data:" not in page
    assert "data:" not in response["Content-Security-Policy"]


def test_changing_how_one_signs_in_asks_for_the_password_again(client: Client, db: None) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    sign_in(client)
    answer = client.get("/accounts/second-step/totp/activate/")
    assert answer.headers["Location"].startswith("/accounts/confirm/?next=")
    wrong = client.post(answer.headers["Location"], {"password": "a guess"})
    assert wrong.status_code == 200
    right = client.post(answer.headers["Location"], {"password": PASSWORD})
    assert right.headers["Location"] == "/accounts/second-step/totp/activate/"


def test_the_second_step_can_be_switched_off_again(ada: Client, client: Client) -> None:
    set_up(ada)
    assert ada.get("/accounts/second-step/totp/deactivate/").status_code == 200
    ada.post("/accounts/second-step/totp/deactivate/")
    assert not Authenticator.objects.exists()
    assert sign_in(client) == "/console/"


def test_where_it_is_demanded_nothing_opens_without_it(ada: Client, settings: Any) -> None:
    assert ada.get("/console/").status_code == 200
    settings.REQUIRE_TOTP = True
    for path in ("/console/", "/console/studies/any/"):
        answer = ada.get(path)
        assert answer.headers["Location"] == "/accounts/second-step/totp/activate/"
    set_up(ada)
    assert ada.get("/console/").status_code == 200
    page = ada.get("/accounts/second-step/totp/deactivate/").content
    assert b"it cannot be switched off" in page
    ada.post("/accounts/second-step/totp/deactivate/")
    assert Authenticator.objects.filter(type="totp").exists()


def test_where_it_is_demanded_participants_and_visitors_go_on(
    settings: Any, client: Client, db: None
) -> None:
    settings.REQUIRE_TOTP = True
    assert client.get("/").status_code == 200
    assert client.get("/console/").headers["Location"].startswith("/accounts/login/")


def test_new_recovery_codes_take_the_place_of_the_old(ada: Client) -> None:
    set_up(ada)
    before = ada.get("/accounts/second-step/recovery-codes/download/").content
    assert len(before.split()) == 10
    assert ada.get("/accounts/second-step/recovery-codes/generate/").status_code == 200
    ada.post("/accounts/second-step/recovery-codes/generate/")
    after = ada.get("/accounts/second-step/recovery-codes/download/").content
    assert not set(before.split()) & set(after.split())


def test_one_changes_ones_password(ada: Client, client: Client) -> None:
    new = "quite another sentence"
    form = {"oldpassword": "a guess", "password1": new, "password2": new}
    wrong = ada.post("/accounts/password/", form)
    assert wrong.status_code == 200
    weak = {"oldpassword": PASSWORD, "password1": "12345", "password2": "12345"}
    assert b"too short" in ada.post("/accounts/password/", weak).content
    right = ada.post("/accounts/password/", form | {"oldpassword": PASSWORD})
    assert right.headers["Location"] == "/accounts/second-step/"
    assert ada.get("/console/").status_code == 200
    assert sign_in(client, PASSWORD) == ""
    assert sign_in(client, new) == "/console/"
