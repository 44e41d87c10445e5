"""Requests that pages should not have to deal with are answered before any page sees them."""

import pytest
from django.http import HttpResponse
from django.test import Client

from studyplatform.middleware import PlainRequests

pytestmark = pytest.mark.django_db
ADDRESS = "/s/no-such-study/problem/"


def multipart(charset: str, text: bytes) -> dict[str, object]:
    body = b'--XX\r\nContent-Disposition: form-data; name="text"\r\n\r\n' + text + b"\r\n--XX--\r\n"
    return {"data": body, "content_type": f"multipart/form-data; boundary=XX; charset={charset}"}


def post(client: Client, request: dict[str, object]) -> HttpResponse:
    # As it is: Client.post would encode the bytes once more.
    return client.generic("POST", ADDRESS, **request)


@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "hex", "idna", "undefined", "no-such"])
def test_a_body_in_another_encoding_is_refused(client: Client, charset: str) -> None:
    reply = post(client, multipart(charset, b"hello +2AA- x"))
    assert reply.status_code == 400
    assert b"could not be understood" in reply.content


def test_utf_8_reaches_the_page(client: Client) -> None:
    """The counterpart: the page is asked, and knows no such study."""
    assert post(client, multipart("UTF-8", b"hello")).status_code == 404


def test_a_huge_body_is_refused_unread(client: Client) -> None:
    large = b"x" * 2_600_000
    reply = post(client, multipart("utf-8", large))
    assert reply.status_code == 413
    assert b"too much at once" in reply.content


def test_without_the_middleware_utf_7_would_be_believed(client: Client, settings) -> None:
    """Negative control: the same request then reaches the page."""
    name = f"{PlainRequests.__module__}.{PlainRequests.__qualname__}"
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != name]
    assert post(client, multipart("utf-7", b"hello")).status_code == 404
