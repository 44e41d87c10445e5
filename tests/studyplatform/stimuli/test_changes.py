"""What differs between the stimuli of two versions is told in sentences."""

from copy import deepcopy
from typing import Any

import pytest

from studyplatform.stimuli.changes import manifest_changes


def task(number: int, label: str, image: str, outcome: str, examples: str) -> dict[str, Any]:
    return {
        "number": number,
        "label": label,
        "image": image,
        "outcome": outcome,
        "score": 0.5,
        "examples": [{"image": one, "outcome": "TP"} for one in examples],
    }


def heatmap(level: str, image: str, **changes: Any) -> dict[str, Any]:
    return {
        "level": level,
        "label": "cat",
        "image": image,
        "method": level,
        "parameters": {"depth": 2},
        "content": f"content of {image}",
        "overlay": f"overlay of {image}",
        **changes,
    }


MANIFEST = {
    "classifier": {"name": "demo", "sha256": "0" * 64, "labels": ["cat"], "preprocess": ""},
    "image_set": "demo",
    "thresholds": {"cat": 0.25, "dog": 0.5},
    "tasks": [task(1, "cat", "a", "TP", "xyz"), task(2, "cat", "b", "FN", "xyz")],
    "illustrations": [{"label": "car", "outcome": "TP", "image": "c"}],
    "heatmaps": [heatmap("lrp", "x"), heatmap("lrp", "y"), heatmap("rise", "x")],
}


def other(**changes: Any) -> dict[str, Any]:
    return deepcopy(MANIFEST) | changes


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"image_set": "voc"}, ["Images: demo before, voc now."]),
        (
            {"classifier": {"name": "new", "sha256": "1" * 64}},
            ["Classifier: demo (000000000000) before, new (111111111111) now."],
        ),
        (
            {"thresholds": {"cat": 0.3, "fox": 0.5}},
            [
                "Threshold of cat: 0.250 before, 0.300 now.",
                "Threshold of dog: 0.500 before, none now.",
                "Threshold of fox: none before, 0.500 now.",
            ],
        ),
        (
            {"tasks": [task(1, "cat", "a", "TP", "xqr"), task(2, "cat", "d", "FN", "xyz")]},
            ["Task 1 (cat) has 2 other examples.", "Task 2 (cat) has another new image."],
        ),
        (
            {
                "tasks": [
                    task(1, "cat", "a", "FN", "xyz"),
                    task(2, "dog", "b", "FN", "xyz"),
                    task(3, "cat", "e", "FN", "xyz"),
                ]
            },
            [
                "Task 1 is FN now, and was TP.",
                "Task 2 asks about dog, and asked about cat.",
                "Task 3 is new.",
            ],
        ),
        ({"tasks": MANIFEST["tasks"][:1]}, ["Task 2 is gone."]),
        (
            {"illustrations": [{"label": "car", "outcome": "TP", "image": "d"}]},
            ["The TP picture of car in the instructions is another one."],
        ),
        (
            {"heatmaps": [heatmap("lrp", "x", content="new"), heatmap("lrp", "z")]},
            [
                "Heatmaps of lrp: 1 new, 1 gone, 1 made or drawn otherwise; 2 in all.",
                "Heatmaps of rise: 1 gone; 0 in all.",
            ],
        ),
        (
            {"heatmaps": [*MANIFEST["heatmaps"][:2], heatmap("rise", "x", parameters={})]},
            ["Heatmaps of rise: 1 made or drawn otherwise; 1 in all."],
        ),
        # Not rendered yet: the same method will give the same heatmap.
        ({"heatmaps": [heatmap(one["level"], one["image"], content="", overlay="")
                       for one in MANIFEST["heatmaps"]]}, []),
    ],
)  # fmt: skip
def test_a_difference_is_told(changes: dict[str, Any], told: list[str]) -> None:
    assert manifest_changes(MANIFEST, other(**changes)) == told


def test_a_version_without_stimuli() -> None:
    assert manifest_changes({}, {}) == []
    assert manifest_changes({}, MANIFEST) == ["One of the two versions has no stimuli yet."]
