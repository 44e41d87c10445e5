"""What a study is, once stored: teams, studies, their versions and conditions."""

from django.conf import settings
from django.db import models

from .fields import OrderedJSONField
from .spec import Spec, from_data, plain_yaml


class Team(models.Model):
    """People who share studies."""

    name = models.CharField(max_length=120, unique=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's place in a team."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        RESEARCHER = "researcher", "Researcher"
        CODER = "coder", "Coder"
        VIEWER = "viewer", "Viewer"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=12, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="one_role_per_team")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}: {self.role}"


class Study(models.Model):
    """A study: its address and state. What it asks is in its versions."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="studies")
    slug = models.SlugField(max_length=50, unique=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.slug


class StudyVersion(models.Model):
    """One state of the spec. Once `published_at` is set nothing of it changes any more.

    `sha256` is of the canonical spec together with the list of stimuli (content hashes); it
    travels with every session, answer, export row and report.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    data = OrderedJSONField(help_text="the spec as plain data")
    text = models.TextField(
        blank=True, default="", help_text="the spec as it was written, with its comments"
    )
    manifest = models.JSONField(
        default=dict, help_text="stimuli with content hashes, at publishing"
    )
    sha256 = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="one_version_per_number"),
            models.CheckConstraint(
                condition=models.Q(published_at__isnull=True) | ~models.Q(sha256=""),
                name="published_version_has_hash",
            ),
        ]
        ordering = ["study", "number"]

    def __str__(self) -> str:
        return f"{self.study.slug} v{self.number}"

    @property
    def spec(self) -> Spec:
        """The spec of this version, parsed once per instance."""
        cached = self.__dict__.get("_spec")
        if cached is None:
            cached = self.__dict__["_spec"] = from_data(self.data)
        return cached

    @property
    def written(self) -> str:
        """The spec as YAML: as it was written, or written anew where only its data were kept."""
        return self.text or plain_yaml.dump(self.data)


class Condition(models.Model):
    """A cell of the design."""

    version = models.ForeignKey(StudyVersion, on_delete=models.PROTECT, related_name="conditions")
    key = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField()
    levels = OrderedJSONField(help_text="factor -> level, in the order of the spec")
    target = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "key"], name="one_condition_per_key")
        ]
        ordering = ["version", "position"]

    def __str__(self) -> str:
        return self.key
