"""Reports made at the console's asking."""

from django.conf import settings
from django.db import models

from studyplatform.participation.models import Session
from studyplatform.studies.models import Study


class AnalysisRun(models.Model):
    """One report asked for: a row of a ledger that a worker takes up.

    As for heatmaps the database is the queue's truth: a worker claims a row by a conditional
    UPDATE, and a row whose lease ran out is taken up again.
    """

    class State(models.TextChoices):
        PENDING = "pending", "waiting"
        RUNNING = "running", "being made"
        DONE = "done", "ready"
        FAILED = "failed", "failed"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="analysis_runs")
    source = models.CharField(max_length=8, choices=Session.Source.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    claim = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True, blank=True)
    progress = models.FloatField(default=0, help_text="0 to 1")
    step = models.CharField(max_length=120, blank=True, default="")
    error = models.TextField(blank=True, default="")
    snapshot_sha256 = models.CharField(
        max_length=64, blank=True, default="", help_text="of the data it was made from"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="done") | ~models.Q(snapshot_sha256=""),
                name="finished_run_names_its_data",
            )
        ]

    def __str__(self) -> str:
        return f"report {self.pk} on {self.study_id}: {self.state}"
