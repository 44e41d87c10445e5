"""Images, what the classifier makes of them, the tasks chosen from them, the heatmap ledger."""

from django.conf import settings
from django.db import models

from studyplatform.studies.models import Study, StudyVersion, Team


class Outcome(models.TextChoices):
    """What the classifier did on an image, for one label."""

    TP = "TP", "true positive"
    FP = "FP", "false positive"
    FN = "FN", "false negative"
    TN = "TN", "true negative"


class ImageSet(models.Model):
    """Images imported together, cropped to exactly what the network sees."""

    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="image_sets",
        help_text="none: shared with all",
    )
    name = models.SlugField(max_length=40)
    labels = models.JSONField(help_text="every label an image of the set can carry")
    size = models.PositiveIntegerField(help_text="side of the square images, in pixels")
    origin = models.JSONField(default=dict, help_text="how it was imported, by which job")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="one_image_set_name_per_team"),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(team__isnull=True),
                name="one_shared_image_set_per_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Image(models.Model):
    """One image. Its file is named by its content, so no name tells an answer."""

    image_set = models.ForeignKey(ImageSet, on_delete=models.CASCADE, related_name="images")
    name = models.CharField(max_length=200, help_text="the file's name before import")
    split = models.CharField(max_length=5, choices=[("train", "train"), ("val", "val")])
    labels = models.JSONField(help_text="the labels it truly carries")
    sha256 = models.CharField(max_length=64, help_text="of the pixels the network sees")
    display_sha256 = models.CharField(max_length=64, help_text="of the WebP file people see")
    display_size = models.PositiveSmallIntegerField(help_text="side of that file, in pixels")
    fingerprint = models.CharField(
        max_length=16, blank=True, default="", help_text="perceptual hash; computed when needed"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image_set", "name"], name="one_image_per_name"),
            models.UniqueConstraint(fields=["image_set", "sha256"], name="one_image_per_content"),
        ]

    def __str__(self) -> str:
        return self.name


class TrainedClassifier(models.Model):
    """A classifier's file and what is needed to load it."""

    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="classifiers",
        help_text="none: shared with all",
    )
    name = models.SlugField(max_length=40)
    path = models.CharField(max_length=500, help_text="relative to MEDIA_ROOT")
    sha256 = models.CharField(max_length=64, help_text="of the file")
    labels = models.JSONField()
    preprocess = models.CharField(max_length=20)
    size = models.PositiveIntegerField(help_text="side of its square input, in pixels")
    average_precision = models.JSONField(default=dict, help_text="split -> label -> value")
    image_set = models.ForeignKey(
        ImageSet,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="classifiers",
        help_text="the images it was trained or judged on",
    )
    origin = models.JSONField(default=dict, help_text="how it was made, by which job")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="one_classifier_name_per_team"),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(team__isnull=True),
                name="one_shared_classifier_per_name",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Prediction(models.Model):
    """The classifier's scores and penultimate activations for one image."""

    classifier = models.ForeignKey(
        TrainedClassifier, on_delete=models.CASCADE, related_name="predictions"
    )
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="predictions")
    scores = models.JSONField(help_text="label -> probability")
    embedding = models.BinaryField(help_text="float32, little endian, scaled to length 1")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["classifier", "image"], name="one_prediction_per_image")
        ]

    def __str__(self) -> str:
        return f"{self.classifier_id}: {self.image_id}"


class StimulusSet(models.Model):
    """The stimuli of one study version: thresholds, tasks, illustrations, overlays."""

    version = models.OneToOneField(
        StudyVersion, on_delete=models.CASCADE, related_name="stimulus_set"
    )
    image_set = models.ForeignKey(ImageSet, on_delete=models.PROTECT)
    classifier = models.ForeignKey(TrainedClassifier, on_delete=models.PROTECT)
    thresholds = models.JSONField(help_text="label -> score above which it is assigned")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"stimuli of {self.version}"


class Task(models.Model):
    """A new image and the label the participant predicts."""

    stimulus_set = models.ForeignKey(StimulusSet, on_delete=models.CASCADE, related_name="tasks")
    label = models.CharField(max_length=80)
    number = models.PositiveSmallIntegerField(help_text="1.. over all labels; fixed per version")
    image = models.ForeignKey(Image, on_delete=models.PROTECT)
    outcome = models.CharField(max_length=2, choices=Outcome.choices)
    score = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stimulus_set", "number"], name="one_task_per_number"),
            models.UniqueConstraint(
                fields=["stimulus_set", "label", "image"], name="new_image_once_per_label"
            ),
        ]
        ordering = ["stimulus_set", "number"]

    def __str__(self) -> str:
        return f"task {self.number} ({self.label})"

    @property
    def assigned(self) -> bool:
        """Whether the classifier assigned the label: the right answer."""
        return self.outcome in {Outcome.TP, Outcome.FP}


class Example(models.Model):
    """One of a task's examples, in the order shown within its outcome."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="examples")
    image = models.ForeignKey(Image, on_delete=models.PROTECT)
    outcome = models.CharField(max_length=2, choices=Outcome.choices)
    position = models.PositiveSmallIntegerField()
    similarity = models.FloatField(help_text="cosine to the new image's embedding")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "image"], name="example_once_per_task"),
            models.UniqueConstraint(fields=["task", "position"], name="one_example_per_position"),
        ]
        ordering = ["task", "position"]

    def __str__(self) -> str:
        return f"{self.task_id}.{self.position}"


class Illustration(models.Model):
    """An example for the instructions and screening, of a label that no task uses."""

    stimulus_set = models.ForeignKey(
        StimulusSet, on_delete=models.CASCADE, related_name="illustrations"
    )
    label = models.CharField(max_length=80)
    outcome = models.CharField(max_length=2, choices=Outcome.choices)
    image = models.ForeignKey(Image, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stimulus_set", "label", "outcome"], name="one_illustration_per_outcome"
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.outcome}"


class Heatmap(models.Model):
    """A row of the render ledger: one raw heatmap to compute, once, whoever asks for it.

    The database is the queue's truth. A worker claims a row by a conditional UPDATE that sets a
    lease and a fresh `claim`; it publishes only if the claim is still its own, so that each row
    has exactly one published file.
    """

    class State(models.TextChoices):
        PENDING = "pending", "waiting"
        LEASED = "leased", "being rendered"
        DONE = "done", "rendered"
        FAILED = "failed", "failed"

    key = models.CharField(
        max_length=64,
        unique=True,
        help_text="SHA-256 of classifier, image, label, method, settings",
    )
    classifier = models.ForeignKey(TrainedClassifier, on_delete=models.CASCADE)
    image = models.ForeignKey(Image, on_delete=models.CASCADE)
    label = models.CharField(max_length=80)
    method = models.CharField(max_length=40)
    parameters = models.JSONField(default=dict)
    network_seed = models.PositiveIntegerField(
        null=True, blank=True, help_text="of weights drawn anew; empty: the classifier as it is"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    claim = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    content_sha256 = models.CharField(
        max_length=64, blank=True, default="", help_text="of the raw heatmap's file"
    )
    seconds = models.FloatField(null=True)
    rendered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["state", "leased_until"], name="heatmap_queue")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="done") | ~models.Q(content_sha256=""),
                name="rendered_heatmap_has_content",
            )
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.label} {self.image_id}: {self.state}"


class NeededHeatmap(models.Model):
    """That a stimulus set shows a heatmap, at which level, and the overlay made from it."""

    stimulus_set = models.ForeignKey(
        StimulusSet, on_delete=models.CASCADE, related_name="needed_heatmaps"
    )
    heatmap = models.ForeignKey(Heatmap, on_delete=models.PROTECT, related_name="needed_by")
    level = models.CharField(max_length=40, help_text="level of the factor heatmap")
    overlay_sha256 = models.CharField(max_length=64, blank=True, default="")
    strongest = models.JSONField(null=True, help_text="box x, y, w, h in fractions of the side")
    weakest = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stimulus_set", "heatmap", "level"], name="needed_once_per_level"
            )
        ]

    def __str__(self) -> str:
        return f"{self.level}: {self.heatmap_id}"


class MeasuredMap(models.Model):
    """That a map's faithfulness was measured: a rendered heatmap's, or a random map's beside it.

    Its values are those of the content named here; a heatmap rendered anew is measured anew.
    """

    key = models.CharField(
        max_length=64,
        unique=True,
        help_text="the heatmap's; of a random map SHA-256 of classifier, image, label",
    )
    heatmap = models.OneToOneField(
        Heatmap, on_delete=models.CASCADE, null=True, related_name="measured"
    )
    classifier = models.ForeignKey(TrainedClassifier, on_delete=models.CASCADE)
    image = models.ForeignKey(Image, on_delete=models.CASCADE)
    label = models.CharField(max_length=80, blank=True)
    content_sha256 = models.CharField(
        max_length=64, blank=True, default="", help_text="of the raw heatmap's file"
    )
    recipe = models.CharField(max_length=80, help_text="how it was measured")
    problem = models.TextField(blank=True, default="", help_text="why it cannot be used")
    measured_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.heatmap_id or 'random'} {self.label} {self.image_id}"


class MeasuredValue(models.Model):
    """One metric of a measured map: its value, or the reason why there is none."""

    measured = models.ForeignKey(MeasuredMap, on_delete=models.CASCADE, related_name="values")
    metric = models.CharField(max_length=40)
    value = models.FloatField(null=True)
    reason = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["measured", "metric"], name="one_value_per_metric"),
            models.CheckConstraint(
                condition=models.Q(value__isnull=False, reason="")
                | (models.Q(value__isnull=True) & ~models.Q(reason="")),
                name="value_or_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric}: {self.reason or self.value}"


class HandChange(models.Model):
    """A choice of stimuli that somebody made by hand, or took back."""

    stimulus_set = models.ForeignKey(
        StimulusSet, on_delete=models.CASCADE, related_name="hand_changes"
    )
    label = models.CharField(max_length=80)
    task = models.PositiveSmallIntegerField(null=True, help_text="its number, where it is of one")
    what = models.CharField(max_length=300, help_text="one sentence")
    details = models.JSONField(default=dict, help_text="what was there before, and what is now")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    by_name = models.CharField(max_length=150, help_text="kept when the account goes")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return self.what


class LintReason(models.Model):
    """Why a warning of the lint is left standing; of what was found then, and of nothing else."""

    version = models.ForeignKey(StudyVersion, on_delete=models.CASCADE, related_name="lint_reasons")
    code = models.CharField(max_length=40)
    digest = models.CharField(max_length=64, help_text="of the finding's content")
    sentence = models.TextField(help_text="the warning, as it read")
    reason = models.TextField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    by_name = models.CharField(max_length=150, help_text="kept when the account goes")
    at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "digest"], name="one_reason_per_finding")
        ]
        ordering = ["code", "pk"]

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"


class Job(models.Model):
    """Long work somebody asked for in the console: a row of a ledger that a worker takes up.

    As for heatmaps the database is the queue's truth: a worker claims a row by a conditional
    UPDATE and keeps a lease; a row whose lease ran out is taken up again.
    """

    class Kind(models.TextChoices):
        IMPORT = "import", "Import of images"
        TRAIN = "train", "Training of a classifier"
        PREPARE = "prepare", "Choice of tasks"
        MEASURE = "measure", "Faithfulness of the heatmaps"

    class State(models.TextChoices):
        PENDING = "pending", "waiting"
        RUNNING = "running", "under way"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="jobs")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, null=True, related_name="jobs")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    subject = models.CharField(max_length=120, help_text="what it is about, as people see it")
    parameters = models.JSONField(default=dict)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    claim = models.CharField(max_length=32, blank=True, default="")
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_asked = models.BooleanField(default=False)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0, help_text="0 while it is unknown")
    step = models.CharField(max_length=120, blank=True, default="")
    error = models.TextField(blank=True, default="", help_text="one sentence per line")
    result = models.JSONField(default=dict, help_text="what it made, for the page that shows it")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["state", "leased_until"], name="job_queue")]
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject}: {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in {self.State.PENDING, self.State.RUNNING}

    @property
    def problems(self) -> list[str]:
        return self.error.splitlines()
