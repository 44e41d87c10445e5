"""A participant's way through a study: session, assignment, answers, events, reward."""

import secrets

from django.db import models

from studyplatform.identities.models import Identity
from studyplatform.stimuli.models import Task
from studyplatform.studies.models import Condition, Study, StudyVersion


def random_public_id() -> str:
    """Return the random id under which a participant appears in data: 12 letters and digits."""
    alphabet = "23456789abcdefghjkmnpqrstuvwxyz"
    return "".join(secrets.choice(alphabet) for _ in range(12))


class Session(models.Model):
    """One participant in one study. The server owns the position (`item`)."""

    class Source(models.TextChoices):
        REAL = "real", "participant"
        PREVIEW = "preview", "preview"
        PILOT = "pilot", "pilot"
        BOT = "bot", "simulated"

    class Status(models.TextChoices):
        ARRIVED = "arrived", "arrived"
        ACTIVE = "in_progress", "in progress"
        COMPLETED = "completed", "completed"
        DECLINED = "declined", "declined consent"
        SCREENED_OUT = "screened_out", "screened out"
        DEVICE = "device", "unsuitable device"
        FULL = "full", "study full"
        WITHDRAWN = "withdrawn", "withdrawn"

    public_id = models.CharField(max_length=12, unique=True, default=random_public_id)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sessions")
    version = models.ForeignKey(StudyVersion, on_delete=models.PROTECT, related_name="sessions")
    identity = models.OneToOneField(
        Identity, on_delete=models.SET_NULL, null=True, blank=True, related_name="session"
    )
    source = models.CharField(max_length=8, choices=Source.choices, default=Source.REAL)
    status = models.CharField(max_length=14, choices=Status.choices, default=Status.ARRIVED)
    cookie_sha256 = models.CharField(max_length=64, unique=True)
    item = models.CharField(max_length=60, help_text="key of the page the participant is on")
    attempt = models.PositiveSmallIntegerField(default=1)
    condition = models.ForeignKey(
        Condition, on_delete=models.PROTECT, null=True, blank=True, related_name="sessions"
    )
    block_order = models.JSONField(default=list, help_text="labels in the order of their blocks")
    task_order = models.JSONField(default=list, help_text="task numbers in the order shown")
    seed = models.BigIntegerField(help_text="of everything random in this session")
    language = models.CharField(
        max_length=8, blank=True, default="", help_text="the study is read in; blank: its own"
    )
    screening_passed = models.BooleanField(null=True, blank=True)
    excluded = models.BooleanField(default=False)
    exclusion_reason = models.TextField(blank=True, default="")
    exit_code_shown_at = models.DateTimeField(null=True, blank=True)
    arrived_at = models.DateTimeField(auto_now_add=True)
    consented_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["version", "status"], name="session_balance"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(status="completed") | models.Q(completed_at__isnull=False),
                name="completed_session_has_time",
            )
        ]

    def __str__(self) -> str:
        return self.public_id


class Assignment(models.Model):
    """The log of assignments: which cell and order, and the counts it was chosen from."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="assignment")
    version = models.ForeignKey(StudyVersion, on_delete=models.PROTECT, related_name="assignments")
    number = models.PositiveIntegerField(help_text="1.. in the order of assignment")
    source = models.CharField(max_length=8, choices=Session.Source.choices)
    condition = models.ForeignKey(Condition, on_delete=models.PROTECT)
    block_order = models.JSONField()
    counts = models.JSONField(help_text="slot -> completed plus recently active, at that instant")
    assigned_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "source", "number"], name="one_assignment_per_number"
            )
        ]
        ordering = ["version", "source", "number"]

    def __str__(self) -> str:
        return f"{self.version_id} {self.number}"


class Answer(models.Model):
    """What was submitted on one page. Append-only: nothing updates or deletes a row."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="answers")
    item = models.CharField(max_length=60)
    attempt = models.PositiveSmallIntegerField(default=1)
    task = models.ForeignKey(Task, on_delete=models.PROTECT, null=True, blank=True)
    values = models.JSONField(help_text="question key -> answer")
    correct = models.BooleanField(null=True, help_text="tasks: prediction equals the classifier's")
    idempotency_key = models.CharField(max_length=64)
    page_served_at = models.DateTimeField(help_text="when the server first showed the page")
    submitted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["session", "item", "attempt"], name="one_answer_per_attempt"
            ),
            models.UniqueConstraint(
                fields=["session", "idempotency_key"], name="one_answer_per_key"
            ),
        ]
        ordering = ["session", "submitted_at", "id"]

    def __str__(self) -> str:
        return f"{self.session_id} {self.item}"


class Event(models.Model):
    """Something that happened on the way, beside the answers: pages served, focus, problems."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=40)
    item = models.CharField(max_length=60, blank=True, default="")
    data = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["session", "at", "id"]
        indexes = [models.Index(fields=["session", "item", "kind"], name="event_by_item")]

    def __str__(self) -> str:
        return f"{self.session_id} {self.kind}"


class Reward(models.Model):
    """What a participant is owed, how it was computed; written once, with the last answer."""

    session = models.OneToOneField(Session, on_delete=models.PROTECT, related_name="reward")
    currency = models.CharField(max_length=3)
    base = models.DecimalField(max_digits=8, decimal_places=2)
    bonus = models.DecimalField(max_digits=8, decimal_places=2)
    n_correct = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.base} + {self.bonus} {self.currency}"
