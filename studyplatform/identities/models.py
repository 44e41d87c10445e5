"""The vault: who a participant is at the panel they came from. Nothing else stores it."""

import uuid

from django.db import models


class Identity(models.Model):
    """A person of a study: their panel id, encrypted, found again by keyed hash.

    `study_slug` and not a foreign key: the vault knows no other room.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study_slug = models.SlugField(max_length=50)
    person_hmac = models.CharField(max_length=64)
    person_encrypted = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [
            models.UniqueConstraint(
                fields=["study_slug", "person_hmac"], name="one_identity_per_person_and_study"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class PanelSubmission(models.Model):
    """Every submission id (Prolific: SESSION_ID) under which a person came."""

    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="submissions")
    submission_hmac = models.CharField(max_length=64)
    submission_encrypted = models.BinaryField()
    panel_study_encrypted = models.BinaryField(default=bytes)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["identity", "submission_hmac"], name="submission_kept_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)
