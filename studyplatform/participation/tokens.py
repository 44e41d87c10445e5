"""What a browser carries: the participant's cookie, a page's signed token, a signed entry link."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing

COOKIE = "participant"
_PAGE_SALT = "participation.page"
_ENTRY_SALT = "participation.entry"
ENTRY_LINK_AGE = timedelta(days=90)
_IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


class TokenError(ValueError):
    """A token that is missing, changed, or not ours."""


class ExpiredError(TokenError):
    """A token of ours that is too old."""


@dataclass(frozen=True)
class PageToken:
    """Which page of which session a form belongs to, and when that page was first served."""

    session: str
    item: str
    attempt: int
    served_at: datetime


def page_sign(token: PageToken) -> str:
    return signing.dumps(
        [token.session, token.item, token.attempt, token.served_at.isoformat()], salt=_PAGE_SALT
    )


def page_read(text: str) -> PageToken:
    """Return the token in `text`; TokenError unless this installation signed it."""
    try:
        session, item, attempt, served_at = signing.loads(text, salt=_PAGE_SALT)
    except (signing.BadSignature, ValueError) as error:
        raise TokenError("the page token is missing or was changed") from error
    return PageToken(session, item, attempt, datetime.fromisoformat(served_at))


def idempotency_key() -> str:
    """Return a key for one rendering of a form; whoever posts it twice has answered once."""
    return secrets.token_urlsafe(16)


def is_idempotency_key(text: str) -> bool:
    return _IDEMPOTENCY_KEY.fullmatch(text) is not None


def entry_sign(*, study_slug: str, source: str, condition: str) -> str:
    return signing.dumps([study_slug, source, condition], salt=_ENTRY_SALT)


def entry_read(text: str) -> tuple[str, str, str]:
    """Return (study slug, source, condition key or "") of a signed entry link.

    ExpiredError for one older than ENTRY_LINK_AGE: a link that was passed around, or lies in
    somebody's mail, does not open the study for ever.
    """
    try:
        study_slug, source, condition = signing.loads(
            text, salt=_ENTRY_SALT, max_age=ENTRY_LINK_AGE
        )
    except signing.SignatureExpired as error:
        raise ExpiredError("the link is too old") from error
    except (signing.BadSignature, ValueError) as error:
        raise TokenError("the link's token is missing or was changed") from error
    return study_slug, source, condition


def cookie_new() -> str:
    """Return a fresh cookie: 32 random bytes."""
    return secrets.token_urlsafe(32)


def cookie_hash(cookie: str) -> str:
    """Return what the database keeps of a cookie: who reads a backup cannot walk in with it."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def cookie_next(cookie: str, key: str) -> str:
    """Return the cookie that replaces `cookie` when the form with this idempotency key is posted.

    Derived and not random: when the reply that carried it is lost, the same post made again
    derives it again, and nobody is locked out. Without the old cookie, the key and SECRET_KEY it
    cannot be told.
    """
    message = f"{cookie}\n{key}".encode()
    secret = hashlib.sha256(b"participation.cookie" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()
