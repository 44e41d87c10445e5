"""Every rule of the lint: a study that trips it, and one that does not."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from studyplatform.stimuli import fingerprints, media, pictures, services
from studyplatform.stimuli.lint import RULES
from studyplatform.stimuli.models import Example, Heatmap, Image, Prediction, StimulusSet
from studyplatform.stimuli.services.linting import LintReport
from studyplatform.studies.models import StudyVersion

from .chosen import make_draft, with_spec, write_picture

pytestmark = pytest.mark.django_db
Spoil = Callable[[StimulusSet], Any]


@pytest.fixture
def draft(media_root: Path) -> StudyVersion:
    return make_draft()


def lint(version: StudyVersion) -> LintReport:
    return services.version_lint(version=StudyVersion.objects.get(pk=version.pk))


def codes(version: StudyVersion) -> set[str]:
    return {one.finding.code for one in lint(version).judged}


def change_image(example: Example, **values: Any) -> None:
    Image.objects.filter(pk=example.image_id).update(**values)


def bring_near(stimulus_set: StimulusSet, apart: float) -> None:
    """Move the score of task 1's new image towards its threshold, on the side where it is."""
    task = stimulus_set.tasks.get(number=1)
    side = 1 if task.assigned else -1
    prediction = Prediction.objects.get(image=task.image)
    prediction.scores[task.label] = stimulus_set.thresholds[task.label] + side * apart
    prediction.save()


def look_alike(stimulus_set: StimulusSet, bits: int) -> None:
    """Let the first example's hash differ from the new image's in so many bits."""
    task = stimulus_set.tasks.select_related("image").get(number=1)
    other = int(task.image.fingerprint, 16) ^ (2**bits - 1)
    change_image(task.examples.get(position=1), fingerprint=f"{other:016x}")


def serve(stimulus_set: StimulusSet, name: str) -> None:
    change_image(stimulus_set.tasks.get(number=1).examples.get(position=1), display_sha256=name)


def overwrite(name: str, content: bytes) -> None:
    path = media.display_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def serve_under_a_telling_name(stimulus_set: StimulusSet) -> None:
    overwrite("cat-false-negative", media.display_path(write_picture()).read_bytes())
    serve(stimulus_set, "cat-false-negative")


def show_a_new_image(stimulus_set: StimulusSet) -> None:
    """The new image of one task becomes an example of the label's other task."""
    first, second = stimulus_set.tasks.filter(label="cat").order_by("number")
    example = second.examples.filter(outcome=first.outcome).first()
    Example.objects.filter(pk=example.pk).update(image=first.image)
    with_spec(stimulus_set.version)


def without(stimulus_set: StimulusSet, label: str) -> None:
    kept = {name: value for name, value in stimulus_set.thresholds.items() if name != label}
    StimulusSet.objects.filter(pk=stimulus_set.pk).update(thresholds=kept)


SPOILED: dict[str, Spoil] = {
    "stimuli-missing": lambda s: s.delete(),
    "tasks-missing": lambda s: s.tasks.get(number=4).delete(),
    "too-few-examples": lambda s: s.tasks.get(number=1).examples.get(position=5).delete(),
    "figure-missing": lambda s: s.illustrations.get(label="car", outcome="FN").delete(),
    "threshold-missing": lambda s: without(s, "boat"),
    "score-missing": lambda s: Prediction.objects.filter(
        image=s.tasks.get(number=1).examples.get(position=1).image_id
    ).delete(),
    "heatmap-missing": lambda s: s.needed_heatmaps.first().delete(),
    "heatmap-failed": lambda s: Heatmap.objects.filter(needed_by=s.needed_heatmaps.first()).update(
        state="failed"
    ),
    "heatmap-waiting": lambda s: s.needed_heatmaps.filter(pk=s.needed_heatmaps.first().pk).update(
        overlay_sha256=""
    ),
    "picture-missing": lambda s: serve(s, "0" * 64),
    "new-image-shown": show_a_new_image,
    "near-duplicate": lambda s: look_alike(s, fingerprints.NEAR),
    "trivial-strategy": lambda s: s.tasks.filter(outcome="FN").first().delete(),
    "outcome-wrong": lambda s: change_image(
        s.tasks.get(number=1).examples.get(position=1, outcome="TP"), labels=[]
    ),
    "near-threshold": lambda s: bring_near(s, 0.049),
    "picture-name": serve_under_a_telling_name,
    "picture-metadata": lambda s: serve(s, write_picture(exif=b"Exif\0\0a cat")),
    "picture-changed": lambda s: overwrite(write_picture(), b"another picture"),
    "screening-unclear": lambda s: s.needed_heatmaps.update(strongest=None, weakest=None),
}

BOAT = {"label": "boat", "outcome": "FN", "scores": True, "caption": ""}
CAR = {"label": "car", "outcome": "TP", "heatmap": True}


def item(key: str, answer: str, **values: Any) -> dict[str, Any]:
    prompt = {"key": key, "answer": answer, "prompt": f"Is it so? ({key})", "figure": BOAT}
    return {**prompt, **values}


BOTH = [item("a", "yes"), item("b", "no")]
FAULTY: dict[str, dict[str, Any]] = {
    "screening-one-answer": {"screening": {"items": [item("a", "yes"), item("b", "yes")]}},
    "caption-tells": {
        "screening": {
            "items": [item("a", "yes", figure={**BOAT, "caption": "A False Negative."}), BOTH[1]]
        }
    },
    "pay-too-low": {"pay": {"base": "2.99", "expected_minutes": 30}},
    "screening-one-try": {"screening": {"items": BOTH, "on_failure": "screen_out", "tries": 1}},
    "screened-out-unpaid": {"screening": {"items": BOTH, "on_failure": "screen_out", "tries": 2}},
    "screening-no-heatmap": {
        "screening": {"items": [item("a", "yes", figure=CAR, region="strongest"), BOTH[1]]}
    },
    "screening-contradiction": {
        "screening": {
            "items": [item("a", "yes", prompt="Is it?"), item("b", "no", prompt="Is it?")]
        }
    },
}
# What else the same study trips; everything else must stay silent.
ALSO = {
    "tasks-missing": {"trivial-strategy"},
    "screening-one-try": {"screened-out-unpaid"},
    "trivial-strategy": {"tasks-missing"},
}


def test_a_sound_study_trips_no_rule(draft: StudyVersion) -> None:
    assert [one.finding for one in lint(draft).judged] == []
    assert services.publish_problems(version=draft) == []


def test_every_rule_is_tried_here() -> None:
    known = [rule.code for rule in RULES]
    assert sorted(known) == sorted([*SPOILED, *FAULTY])


def check_found(version: StudyVersion, code: str) -> None:
    """This is found and nothing else; it says what to do, and stands against publishing."""
    report = lint(version)
    assert {one.finding.code for one in report.judged} == {code} | ALSO.get(code, set())
    for one in report.judged:
        assert one.finding.sentence.endswith(".")
        assert one.finding.fix.endswith(".")
    problems = services.publish_problems(version=StudyVersion.objects.get(pk=version.pk))
    assert problems == [one.sentence for one in report.judged]


@pytest.mark.parametrize("code", SPOILED)
def test_a_rule_finds_what_was_spoiled_and_nothing_else(draft: StudyVersion, code: str) -> None:
    SPOILED[code](draft.stimulus_set)
    check_found(draft, code)


@pytest.mark.parametrize("code", FAULTY)
def test_a_rule_finds_what_is_faulty_in_the_spec(draft: StudyVersion, code: str) -> None:
    check_found(with_spec(draft, **FAULTY[code]), code)


@pytest.mark.parametrize(
    ("spoil", "silent"),
    [
        (lambda s: look_alike(s, fingerprints.NEAR + 1), True),
        (lambda s: look_alike(s, fingerprints.NEAR), False),
        (lambda s: bring_near(s, 0.05), True),
        (lambda s: bring_near(s, 0.0499), False),
    ],
)
def test_limits_of_what_is_shown(draft: StudyVersion, spoil: Spoil, silent: bool) -> None:
    spoil(draft.stimulus_set)
    assert (codes(draft) == set()) is silent


def test_a_margin_of_nothing_still_keeps_scores_apart_that_read_alike(draft: StudyVersion) -> None:
    bring_near(draft.stimulus_set, 0.0049)
    assert codes(with_spec(draft, tasks={"margin": 0.0})) == {"near-threshold"}
    bring_near(draft.stimulus_set, 0.0051)
    assert codes(draft) == set()


@pytest.mark.parametrize(
    ("pay", "found"),
    [
        ({"base": "3.00"}, set()),
        ({"base": "2.99"}, {"pay-too-low"}),
        ({"base": "4.00", "currency": "USD"}, set()),
        ({"base": "3.99", "currency": "USD"}, {"pay-too-low"}),
        ({"base": "1.00", "currency": "EUR"}, set()),  # Prolific states no minimum in euros
        ({"base": "2.99", "bonus_per_correct": "5.00"}, {"pay-too-low"}),
    ],
)
def test_the_minimum_counts_what_is_certain(
    draft: StudyVersion, pay: dict[str, str], found: set[str]
) -> None:
    assert codes(with_spec(draft, pay=pay)) == found


@pytest.mark.parametrize(
    ("recruitment", "severity"),
    [
        ({"plain_links": False}, "error"),
        ({"plain_links": True}, "warning"),
        ({"plain_links": False, "return_url": "https://panel.example.org/{code}"}, "warning"),
        ({"plain_links": False, "return_url": "https://notprolific.com/{code}"}, "warning"),
    ],
)
def test_rules_of_the_platform_are_errors_where_everybody_comes_from_it(
    draft: StudyVersion, recruitment: dict[str, Any], severity: str
) -> None:
    [one] = lint(with_spec(draft, pay={"base": "1.00"}, recruitment=recruitment)).judged
    assert one.finding.severity == severity


@pytest.mark.parametrize(
    ("new_images", "found"),
    [
        ({"cat": {"TP": 1, "FP": 1}, "horse": {"FN": 1, "TN": 1}}, []),
        ({"cat": {"TP": 2, "FP": 1}, "horse": {"FN": 2}}, []),  # 60 % may be
        ({"cat": {"TP": 2, "FP": 2}, "horse": {"FN": 1}}, ["always answers yes"]),
        ({"cat": {"TN": 2, "FN": 2}, "horse": {"FP": 1}}, ["always answers no"]),
        (
            {"cat": {"TP": 2, "TN": 2}, "horse": {"FP": 1}},
            ["answers whether the thing is there"],
        ),
    ],
)
def test_each_trivial_strategy_is_tried(
    media_root: Path, new_images: dict[str, dict[str, int]], found: list[str]
) -> None:
    judged = lint(make_draft(tasks={"new_images": new_images})).judged
    assert {one.finding.code for one in judged} <= {"trivial-strategy"}
    assert [one.sentence.partition(" gets ")[0] for one in judged] == [
        f"Whoever {strategy}" for strategy in found
    ]


def test_hashes_are_computed_once_and_kept(draft: StudyVersion) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    stored = pictures.store_pixels(pixels, display=PillowImage.fromarray(pixels))
    image = draft.stimulus_set.tasks.get(number=1).image
    Image.objects.filter(pk=image.pk).update(fingerprint="", sha256=stored.sha256)
    for _ in range(2):
        lint(draft)
        image.refresh_from_db()
        assert image.fingerprint == fingerprints.fingerprint(pixels)
        media.image_path(stored.sha256).unlink(missing_ok=True)


def test_an_image_whose_file_is_gone_stays_without_a_hash(draft: StudyVersion) -> None:
    Image.objects.update(fingerprint="")
    assert codes(draft) == set()
    assert not Image.objects.exclude(fingerprint="").exists()


@pytest.mark.parametrize("tasks", [1, 3])
def test_the_lint_takes_as_many_queries_however_large_the_study(
    media_root: Path, tasks: int, django_assert_num_queries: Any
) -> None:
    version = make_draft(tasks={"new_images": {"cat": {"TP": tasks, "FN": tasks}}})
    with django_assert_num_queries(10):
        services.version_lint(version=version)


def test_every_rule_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "lint.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", text, re.MULTILINE)
    assert sorted(code for code, _ in rows) == sorted(rule.code for rule in RULES)
    for rule in RULES:
        assert str(rule.severity) in dict(rows)[rule.code]
