"""Whether the outcomes shown are the classifier's, and would be so again."""

from collections.abc import Iterator

from .finding import Rule, Severity, Trouble
from .material import Material, Shown

# Scores and thresholds are shown with two decimals: nearer than half a hundredth they read alike.
LEAST_DISTANCE = 0.005
_ROUNDING = 1e-9


def _outcomes(material: Material) -> Iterator[Trouble]:
    for shown in material.shown():
        found = _outcome(material, shown)
        if found is not None and found != shown.outcome:
            yield Trouble(
                f"{shown.where} is shown as {shown.outcome}, but by its score and labels the "
                f"image is {found} for {shown.label!r}.",
                f"Choose the tasks of {shown.label!r} automatically again.",
                where=shown.where,
                evidence=(shown.image.sha256,),
                task=shown.task,
            )


def _near_threshold(material: Material) -> Iterator[Trouble]:
    margin = max(material.spec.tasks.margin, LEAST_DISTANCE)
    for task in material.tasks:
        score = material.scores.get(task.image_id, {}).get(task.label)
        threshold = _threshold(material, task.label)
        if score is None or threshold is None:
            continue
        if (apart := abs(score - threshold)) < margin - _ROUNDING:
            yield Trouble(
                f"The score of task {task.number}'s new image is {apart:.3f} from the threshold "
                f"of {task.label!r} ({score:.3f}, {threshold:.3f}); expected at least {margin:g}. "
                "So near, the outcome hangs on chance.",
                "Take a new image whose score is farther from the threshold.",
                where=f"Task {task.number}",
                evidence=(task.image.sha256,),
                task=task.number,
            )


def _outcome(material: Material, shown: Shown) -> str | None:
    score = material.scores.get(shown.image.pk, {}).get(shown.label)
    threshold = _threshold(material, shown.label)
    if score is None or threshold is None:
        return None  # rules of their own
    there, assigned = shown.label in shown.image.labels, score > threshold
    return {(1, 1): "TP", (1, 0): "FN", (0, 1): "FP", (0, 0): "TN"}[there, assigned]


def _threshold(material: Material, label: str) -> float | None:
    return material.stimulus_set.thresholds.get(label) if material.stimulus_set else None


OUTCOME = Rule("outcome-wrong", Severity.ERROR, _outcomes)
NEAR_THRESHOLD = Rule("near-threshold", Severity.WARNING, _near_threshold)
