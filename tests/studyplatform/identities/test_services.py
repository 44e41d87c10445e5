"""The vault: what goes in comes out with the right key only, and is found without decrypting."""

import pytest

from studyplatform.identities import services
from studyplatform.identities.models import Identity, PanelSubmission

PERSON = "5f3c1a9be0d4c7713f2a6b88"

pytestmark = pytest.mark.django_db


def test_a_person_is_kept_encrypted_and_found_again() -> None:
    first = services.identity_open(study_slug="horses", person=PERSON)
    again = services.identity_open(study_slug="horses", person=PERSON)

    assert again.pk == first.pk
    assert services.person_reveal(identity=Identity.objects.get()) == PERSON
    assert PERSON.encode() not in bytes(first.person_encrypted)
    assert PERSON not in first.person_hmac


def test_two_people_and_two_studies_are_kept_apart() -> None:
    one = services.identity_open(study_slug="horses", person=PERSON)
    other = services.identity_open(study_slug="horses", person=PERSON[::-1])
    elsewhere = services.identity_open(study_slug="cats", person=PERSON)

    assert len({one.pk, other.pk, elsewhere.pk}) == 3
    assert one.person_hmac == elsewhere.person_hmac != other.person_hmac


def test_encrypting_twice_gives_different_bytes() -> None:
    """Equal ciphertexts would tell that two rows belong to the same person."""
    one = services.identity_open(study_slug="horses", person=PERSON)
    other = services.identity_open(study_slug="cats", person=PERSON)

    assert bytes(one.person_encrypted) != bytes(other.person_encrypted)


def test_every_submission_is_kept_once() -> None:
    identity = services.identity_open(study_slug="horses", person=PERSON)
    for submission in ("sub-1", "sub-2", "sub-1"):
        services.submission_keep(identity=identity, submission=submission, panel_study="st-9")

    assert services.submissions_reveal(identity=identity) == ["sub-1", "sub-2"]
    assert PanelSubmission.objects.count() == 2


def test_another_key_neither_finds_nor_reads(settings) -> None:
    identity = services.identity_open(study_slug="horses", person=PERSON)
    settings.VAULT_KEY = "another key altogether"

    assert services.keyed_hash(PERSON) != identity.person_hmac
    with pytest.raises(services.VaultError, match="VAULT_KEY"):
        services.person_reveal(identity=identity)


def test_lookup_and_encryption_use_different_keys(settings) -> None:
    key = settings.VAULT_KEY
    assert services._derived(key, b"lookup") != services._derived(key, b"encryption")
