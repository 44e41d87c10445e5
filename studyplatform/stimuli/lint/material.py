"""All that the rules look at, read at once: as many queries however large the study."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from studyplatform.studies.models import StudyVersion
from studyplatform.studies.spec import Spec

from ..models import Illustration, Image, NeededHeatmap, Prediction, StimulusSet, Task

Place = Literal["task", "example", "figure"]


@dataclass(frozen=True)
class Shown:
    """An image where it is shown as having an outcome for a label."""

    where: str
    place: Place
    label: str
    outcome: str
    image: Image
    task: int | None = None


@dataclass(frozen=True)
class Material:
    """A version and its stimuli; empty lists before they are prepared.

    scores: image id -> label -> score, of the images shown. wanted: level, image's hash and label
    of every heatmap that some condition shows.
    """

    version: StudyVersion
    stimulus_set: StimulusSet | None = None
    tasks: list[Task] = field(default_factory=list)
    illustrations: list[Illustration] = field(default_factory=list)
    needed: list[NeededHeatmap] = field(default_factory=list)
    scores: dict[int, dict[str, float]] = field(default_factory=dict)
    wanted: frozenset[tuple[str, str, str]] = frozenset()

    @property
    def spec(self) -> Spec:
        return self.version.spec

    @cached_property
    def images(self) -> list[Image]:
        """Every image shown, once, by its content."""
        return shown_images(self.tasks, self.illustrations)

    def shown(self) -> Iterator[Shown]:
        """Yield every place of an image: new images, examples, figures."""
        for task in self.tasks:
            name = f"Task {task.number}"
            yield Shown(name, "task", task.label, task.outcome, task.image, task.number)
            for one in task.examples.all():
                where = f"{name}, example {one.position}"
                yield Shown(where, "example", task.label, one.outcome, one.image, task.number)
        for figure in self.illustrations:
            where = f"Figure {figure.label} {figure.outcome}"
            yield Shown(where, "figure", figure.label, figure.outcome, figure.image)


def material_of(version: StudyVersion) -> Material:
    """Read a version's stimuli, in seven queries at most; `wanted` is left to whoever knows it."""
    stimulus_set = (
        StimulusSet.objects.filter(version=version)
        .select_related("version", "classifier", "image_set")
        .first()
    )
    if stimulus_set is None:
        return Material(version)
    tasks = list(
        stimulus_set.tasks.select_related("image")
        .prefetch_related("examples__image")
        .order_by("number")
    )
    illustrations = list(
        stimulus_set.illustrations.select_related("image").order_by("label", "outcome")
    )
    predictions = Prediction.objects.filter(
        classifier=stimulus_set.classifier_id, image__in=shown_images(tasks, illustrations)
    )
    return Material(
        version=version,
        stimulus_set=stimulus_set,
        tasks=tasks,
        illustrations=illustrations,
        needed=list(stimulus_set.needed_heatmaps.select_related("heatmap__image")),
        scores=dict(predictions.values_list("image_id", "scores")),
    )


def shown_images(tasks: Iterable[Task], illustrations: Iterable[Illustration]) -> list[Image]:
    """Return every image these show, once, by its content."""
    shown = {task.image_id: task.image for task in tasks}
    shown |= {one.image_id: one.image for task in tasks for one in task.examples.all()}
    shown |= {one.image_id: one.image for one in illustrations}
    return sorted(shown.values(), key=lambda image: image.sha256)
