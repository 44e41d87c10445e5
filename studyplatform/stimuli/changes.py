"""How the stimuli of two versions differ, told from their manifests."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

Manifest = Mapping[str, Any]


def manifest_changes(old: Manifest, new: Manifest) -> list[str]:
    """Return one sentence for each thing that differs; empty where nothing does.

    old, new: what `services.publishing.manifest` returns, empty for a version without stimuli.
    """
    if not (old.get("tasks") and new.get("tasks")):
        return [] if old == new else ["One of the two versions has no stimuli yet."]
    return [
        *_sources(old, new),
        *_thresholds(old["thresholds"], new["thresholds"]),
        *_tasks(_numbered(old), _numbered(new)),
        *_illustrations(old, new),
        *_heatmaps(old["heatmaps"], new["heatmaps"]),
    ]


def _sources(old: Manifest, new: Manifest) -> Iterator[str]:
    if old["image_set"] != new["image_set"]:
        yield f"Images: {old['image_set']} before, {new['image_set']} now."
    before, now = old["classifier"], new["classifier"]
    if before["sha256"] != now["sha256"]:
        yield (
            f"Classifier: {before['name']} ({before['sha256'][:12]}) before, "
            f"{now['name']} ({now['sha256'][:12]}) now."
        )


def _thresholds(old: Mapping[str, float], new: Mapping[str, float]) -> Iterator[str]:
    for label in {**old, **new}:
        if old.get(label) != new.get(label):
            yield f"Threshold of {label}: {_value(old, label)} before, {_value(new, label)} now."


def _value(thresholds: Mapping[str, float], label: str) -> str:
    return f"{thresholds[label]:.3f}" if label in thresholds else "none"


def _numbered(manifest: Manifest) -> dict[int, Mapping[str, Any]]:
    return {task["number"]: task for task in manifest["tasks"]}


def _tasks(
    old: Mapping[int, Mapping[str, Any]], new: Mapping[int, Mapping[str, Any]]
) -> Iterator[str]:
    for number in sorted({*old, *new}):
        before, now = old.get(number), new.get(number)
        if before is None or now is None:
            yield f"Task {number} is {'new' if before is None else 'gone'}."
        elif before["label"] != now["label"]:
            yield f"Task {number} asks about {now['label']}, and asked about {before['label']}."
        elif before["image"] != now["image"]:
            yield f"Task {number} ({now['label']}) has another new image."
        elif before["outcome"] != now["outcome"]:
            yield f"Task {number} is {now['outcome']} now, and was {before['outcome']}."
        elif other := _others(before["examples"], now["examples"]):
            yield f"Task {number} ({now['label']}) has {other} other examples."


def _others(old: list[Mapping[str, str]], new: list[Mapping[str, str]]) -> int:
    """Return how many of the examples now were none before."""
    gone = Counter(one["image"] for one in new) - Counter(one["image"] for one in old)
    return sum(gone.values())


def _illustrations(old: Manifest, new: Manifest) -> Iterator[str]:
    before, now = (
        {(one["label"], one["outcome"]): one["image"] for one in manifest["illustrations"]}
        for manifest in (old, new)
    )
    for label, outcome in {**before, **now}:
        if before.get((label, outcome)) != now.get((label, outcome)):
            yield f"The {outcome} picture of {label} in the instructions is another one."


def _heatmaps(old: list[Mapping[str, Any]], new: list[Mapping[str, Any]]) -> Iterator[str]:
    for level in sorted({one["level"] for one in [*old, *new]}):
        before, now = (
            {(one["label"], one["image"]): one for one in heatmaps if one["level"] == level}
            for heatmaps in (old, new)
        )
        came, went = len(now.keys() - before.keys()), len(before.keys() - now.keys())
        changed = sum(_differ(before[key], now[key]) for key in before.keys() & now.keys())
        parts = [(came, "new"), (went, "gone"), (changed, "made or drawn otherwise")]
        if told := ", ".join(f"{n} {word}" for n, word in parts if n):
            yield f"Heatmaps of {level}: {told}; {len(now)} in all."


def _differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two heatmaps of an image differ; one not rendered yet is told by its method."""
    rendered = all(one["content"] and one["overlay"] for one in (old, new))
    left_out = set() if rendered else {"content", "overlay"}
    return any(old.get(key) != new.get(key) for key in {*old, *new} - left_out)
