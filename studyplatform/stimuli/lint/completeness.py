"""Whether all is there: tasks, examples, figures, scores, thresholds, heatmaps, files."""

from collections import Counter
from collections.abc import Iterator

from .. import media
from ..models import Heatmap
from .finding import Rule, Severity, Trouble
from .material import Material

NAMES = {
    "TP": "true positive",
    "FP": "false positive",
    "FN": "false negative",
    "TN": "true negative",
}
_AGAIN = "Choose the tasks of {label!r} automatically again, or ask for others in the spec's tasks."


def _stimuli(material: Material) -> Iterator[Trouble]:
    if material.stimulus_set is None:
        yield Trouble(
            "The stimuli are not prepared: there are no tasks yet.",
            "Wait until they are chosen, or give the draft its spec again.",
        )


def _tasks(material: Material) -> Iterator[Trouble]:
    if material.stimulus_set is None:
        return
    found = Counter((task.label, task.outcome) for task in material.tasks)
    for label, counts in material.spec.tasks.new_images.items():
        for outcome, count in counts.items():
            if found[label, outcome] != count:
                yield Trouble(
                    f"There are {found[label, outcome]} {outcome} tasks for {label!r}; "
                    f"the spec asks for {count}.",
                    _AGAIN.format(label=label),
                    where=f"tasks.new_images.{label}.{outcome}",
                )


def _examples(material: Material) -> Iterator[Trouble]:
    wanted = material.spec.tasks.examples
    for task in material.tasks:
        found = Counter(example.outcome for example in task.examples.all())
        for outcome in NAMES:
            count = wanted.get(outcome, 0)  # type: ignore[call-overload]
            if found[outcome] != count:
                yield Trouble(
                    f"Task {task.number} has {found[outcome]} examples of a {NAMES[outcome]}; "
                    f"the spec asks for {count}.",
                    _AGAIN.format(label=task.label),
                    where=f"Task {task.number}",
                    task=task.number,
                )


def _figures(material: Material) -> Iterator[Trouble]:
    if material.stimulus_set is None:
        return
    found = {(one.label, one.outcome) for one in material.illustrations}
    for path, figure in material.spec.figures():
        if (figure.label, figure.outcome) not in found:
            yield Trouble(
                f"{path}: there is no {figure.outcome} image of {figure.label!r} chosen for it.",
                "Give the draft its spec again, so that its figures are chosen anew.",
                where=path,
            )


def _thresholds(material: Material) -> Iterator[Trouble]:
    if material.stimulus_set is None:
        return
    for label in material.stimulus_set.classifier.labels:
        if label not in material.stimulus_set.thresholds:
            yield Trouble(
                f"The label {label!r} has no threshold.",
                f"Set one, or give one in the spec: stimuli.thresholds.{label}.",
                where=f"stimuli.thresholds.{label}",
            )


def _scores(material: Material) -> Iterator[Trouble]:
    missing = [image.sha256 for image in material.images if image.pk not in material.scores]
    if missing:
        yield Trouble(
            f"{len(missing)} of {len(material.images)} images have no scores.",
            "Give the draft its spec again: the classifier then scores what is missing.",
            evidence=tuple(missing),
        )


def _heatmaps_entered(material: Material) -> Iterator[Trouble]:
    entered = {(row.level, row.heatmap.image.sha256, row.heatmap.label) for row in material.needed}
    if missing := len(material.wanted - entered):
        yield Trouble(
            f"{missing} of {len(material.wanted)} heatmaps are not in the ledger.",
            "Give the draft its spec again, so that they are asked for.",
        )


def _heatmaps_failed(material: Material) -> Iterator[Trouble]:
    if failed := sum(row.heatmap.state == Heatmap.State.FAILED for row in material.needed):
        yield Trouble(
            f"{failed} of {len(material.needed)} heatmaps failed; see why and retry them.",
            "The study's page says why, and has the button that tries them again.",
        )


def _heatmaps_rendered(material: Material) -> Iterator[Trouble]:
    waiting = sum(
        not row.overlay_sha256 and row.heatmap.state != Heatmap.State.FAILED
        for row in material.needed
    )
    if waiting:
        yield Trouble(
            f"{waiting} of {len(material.needed)} heatmaps are not rendered yet.",
            "Wait for them; where nothing moves, start a worker.",
        )


def _files(material: Material) -> Iterator[Trouble]:
    paths = [media.display_path(image.display_sha256) for image in material.images]
    paths += [
        media.display_path(row.overlay_sha256) for row in material.needed if row.overlay_sha256
    ]
    if missing := sum(not path.is_file() for path in paths):
        yield Trouble(
            f"{missing} of {len(paths)} picture files are missing on disk.",
            "Put them back from the backup of the media folder, or import the images again.",
        )


STIMULI = Rule("stimuli-missing", Severity.ERROR, _stimuli)
TASKS = Rule("tasks-missing", Severity.ERROR, _tasks)
EXAMPLES = Rule("too-few-examples", Severity.ERROR, _examples)
FIGURES = Rule("figure-missing", Severity.ERROR, _figures)
THRESHOLDS = Rule("threshold-missing", Severity.ERROR, _thresholds)
SCORES = Rule("score-missing", Severity.ERROR, _scores)
ENTERED = Rule("heatmap-missing", Severity.ERROR, _heatmaps_entered)
FAILED = Rule("heatmap-failed", Severity.ERROR, _heatmaps_failed)
RENDERED = Rule("heatmap-waiting", Severity.ERROR, _heatmaps_rendered)
FILES = Rule("picture-missing", Severity.ERROR, _files)
