"""The only way into and out of the vault.

Panel ids are encrypted (Fernet: AES-128-CBC with HMAC-SHA256) and found again by a keyed hash.
Both keys are derived from `settings.VAULT_KEY` by HKDF with different labels, so that whoever
learns one of them has not learnt the other. The hash covers the panel id alone, not the study:
the vault can tell that a person came to two studies, and nothing outside it can.
"""

import base64
import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from .models import Identity, PanelSubmission


class VaultError(RuntimeError):
    """What is stored cannot be read with this installation's VAULT_KEY."""


@lru_cache(maxsize=8)
def _derived(vault_key: str, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"vault", info=label).derive(vault_key.encode())


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derived(settings.VAULT_KEY, b"encryption")))


def keyed_hash(value: str) -> str:
    """Return the HMAC-SHA256 of a panel's id, as 64 hexadecimal digits."""
    key = _derived(settings.VAULT_KEY, b"lookup")
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


def _decrypted(ciphertext: bytes | memoryview) -> str:
    try:
        return _fernet().decrypt(bytes(ciphertext)).decode()
    except InvalidToken as error:
        raise VaultError(
            "the vault cannot be read: VAULT_KEY is not the one it was written with"
        ) from error


def identity_open(*, study_slug: str, person: str) -> Identity:
    """Return the identity of `person` in this study, made on the first visit."""
    identity, _ = Identity.objects.get_or_create(
        study_slug=study_slug,
        person_hmac=keyed_hash(person),
        defaults={"person_encrypted": _fernet().encrypt(person.encode())},
    )
    return identity


def submission_keep(*, identity: Identity, submission: str, panel_study: str = "") -> None:
    """Keep the panel's submission id, once; a person may come under several."""
    fernet = _fernet()
    PanelSubmission.objects.get_or_create(
        identity=identity,
        submission_hmac=keyed_hash(submission),
        defaults={
            "submission_encrypted": fernet.encrypt(submission.encode()),
            "panel_study_encrypted": fernet.encrypt(panel_study.encode()) if panel_study else b"",
        },
    )


def person_reveal(*, identity: Identity) -> str:
    """Return the panel's id of a person; VaultError where VAULT_KEY has changed since."""
    return _decrypted(identity.person_encrypted)


def submissions_reveal(*, identity: Identity) -> list[str]:
    """Return every submission id the person came under, the first one first."""
    rows = identity.submissions.order_by("first_seen_at", "pk")
    return [_decrypted(row.submission_encrypted) for row in rows]
