"""Stimuli chosen by hand: what may be swapped, what is recorded, and that the ledger follows."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from studyplatform.stimuli import choices, selection, services
from studyplatform.stimuli.models import (
    Example,
    HandChange,
    Heatmap,
    Image,
    NeededHeatmap,
    Prediction,
    Task,
)
from studyplatform.stimuli.services.preparation import shown_heatmaps
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import StudyError

from .chosen import make_draft, render, with_spec

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft(media_root: Path) -> StudyVersion:
    return make_draft()


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("alice")


def everything(version: StudyVersion) -> dict[str, object]:
    """Return all that is chosen and recorded, to see that nothing changed."""
    stimulus_set = StudyVersion.objects.get(pk=version.pk).stimulus_set
    return {
        "thresholds": stimulus_set.thresholds,
        "tasks": list(stimulus_set.tasks.order_by("number").values()),
        "examples": set(
            Example.objects.filter(task__stimulus_set=stimulus_set).values_list(
                "task__number", "position", "image", "outcome", "similarity"
            )
        ),
        "figures": list(stimulus_set.illustrations.order_by("pk").values()),
        "needed": set(stimulus_set.needed_heatmaps.values_list("level", "heatmap")),
        "changes": list(stimulus_set.hand_changes.values()),
    }


def chosen(version: StudyVersion, label: str) -> set[object]:
    tasks = version.stimulus_set.tasks.filter(label=label)
    return {
        (task.number, task.image_id, task.outcome, tuple(task.examples.values_list("image_id")))
        for task in tasks
    }


def candidate(version: StudyVersion, number: int, position: int, nth: int = 0) -> Image:
    """Return an image the page would offer for a place."""
    choice = choices.task_choice(version.stimulus_set, number)
    found = choices.candidates(version.stimulus_set, version.spec, choice, position, 1)
    return found.found[nth].image


def image_at(version: StudyVersion, number: int, position: int) -> int:
    return choices.task_choice(version.stimulus_set, number).places[position].chosen.image.pk


def swap(
    version: StudyVersion, number: int, position: int, image: Image | int, **options: Any
) -> None:
    """Swap as the page does, which says what it showed."""
    pk = image if isinstance(image, int) else image.pk
    if "instead_of" not in options:
        options["instead_of"] = image_at(version, number, position)
    if position:
        services.example_swap(
            version=version, number=number, position=position, image_id=pk, **options
        )
    else:
        services.new_image_swap(version=version, number=number, image_id=pk, **options)


def is_ledger_right(version: StudyVersion) -> bool:
    stimulus_set = version.stimulus_set
    needed = stimulus_set.needed_heatmaps.select_related("heatmap__image")
    rows = {(one.level, one.heatmap.image.sha256, one.heatmap.label) for one in needed}
    return rows == {
        (level, image.sha256, label) for level, image, label in shown_heatmaps(stimulus_set)
    }


def test_an_example_is_swapped_recorded_and_rendered(draft: StudyVersion, user: User) -> None:
    before = set(Heatmap.objects.values_list("pk", flat=True))
    task = draft.stimulus_set.tasks.get(number=2)
    old = task.examples.select_related("image").get(position=4)
    new = candidate(draft, 2, 4)
    swap(draft, 2, 4, new, user=user)
    example = task.examples.get(position=4)
    assert example.image == new
    assert example.outcome == old.outcome
    assert is_ledger_right(draft)
    fresh = Heatmap.objects.exclude(pk__in=before)
    assert [(one.image_id, one.label, one.state) for one in fresh] == [
        (new.pk, task.label, "pending")
    ]
    change = HandChange.objects.get()
    assert (change.by, change.by_name, change.task) == (user, "alice", 2)
    assert change.what == f"Task 2: another image as example 4, a {old.outcome}."
    assert change.details["before"] == old.image.sha256
    assert change.details["after"] == new.sha256
    assert [one.finding.code for one in services.version_lint(version=draft).judged] == [
        "heatmap-waiting"
    ]
    render(draft)
    frozen = services.version_publish(version=draft)
    [by_hand] = frozen.manifest["by_hand"]
    assert (by_hand["by"], by_hand["kind"], by_hand["after"]) == ("alice", "example", new.sha256)


def test_similarity_is_to_the_new_image(draft: StudyVersion) -> None:
    import numpy as np

    swap(draft, 1, 1, candidate(draft, 1, 1, nth=3))
    vectors = {
        one.image_id: np.frombuffer(one.embedding, "<f4") for one in Prediction.objects.all()
    }
    task = draft.stimulus_set.tasks.get(number=1)
    for example in task.examples.all():
        cosine = float(vectors[task.image_id] @ vectors[example.image_id])
        assert example.similarity == pytest.approx(cosine, abs=1e-6)


def test_a_new_image_is_swapped_with_examples_like_it(draft: StudyVersion) -> None:
    new = candidate(draft, 3, 0)
    before = draft.stimulus_set.tasks.get(number=3)
    swap(draft, 3, 0, new)
    task = draft.stimulus_set.tasks.get(number=3)
    assert task.image == new
    assert (task.outcome, task.label) == (before.outcome, before.label)
    assert task.score == Prediction.objects.get(image=new).scores[task.label]
    counts = Counter(task.examples.values_list("outcome", flat=True))
    assert counts == {"TP": 6, "FP": 3, "FN": 3}
    similar = list(task.examples.filter(outcome="TP").order_by("position"))
    assert [one.similarity for one in similar] == sorted(
        (one.similarity for one in similar), reverse=True
    )
    assert is_ledger_right(draft)
    render(draft)
    assert services.publish_problems(version=draft) == []


def test_a_new_image_can_keep_the_examples_there_are(draft: StudyVersion) -> None:
    task = draft.stimulus_set.tasks.get(number=3)
    before = list(task.examples.order_by("position").values_list("image", flat=True))
    needed = set(NeededHeatmap.objects.values_list("heatmap", flat=True))
    old = list(task.examples.order_by("position").values_list("similarity", flat=True))
    swap(draft, 3, 0, candidate(draft, 3, 0, nth=5), keep_examples=True)
    assert list(task.examples.order_by("position").values_list("image", flat=True)) == before
    assert list(task.examples.order_by("position").values_list("similarity", flat=True)) != old
    assert set(NeededHeatmap.objects.values_list("heatmap", flat=True)) == needed


def other_outcome(version: StudyVersion, number: int, position: int) -> int:
    places = choices.task_choice(version.stimulus_set, number).places
    outcome = places[position].outcome
    choice = choices.task_choice(version.stimulus_set, number)
    other = next(place for place in choice.places.values() if place.outcome != outcome)
    return candidate(version, number, other.position).pk


def same_outcome_new_image(version: StudyVersion) -> tuple[int, int]:
    """Return a place (task 1 or 2, position) and another task's new image of its outcome."""
    first, second = version.stimulus_set.tasks.filter(label="cat").order_by("number")
    example = second.examples.filter(outcome=first.outcome).first()
    assert example is not None
    return example.position, first.image_id


REFUSED: list[tuple[Callable[[StudyVersion], None], str]] = [
    (lambda v: swap(v, 1, 1, other_outcome(v, 1, 1)), "expected a TP, so that the number"),
    (lambda v: swap(v, 1, 0, other_outcome(v, 1, 0)), "so that the number of each outcome stays"),
    (
        lambda v: swap(
            v,
            v.stimulus_set.tasks.filter(label="cat").order_by("number")[1].number,
            *same_outcome_new_image(v),
        ),
        "is the new image of task",
    ),
    (lambda v: swap(v, 1, 1, image_at(v, 1, 2)), "is an example of task 1 already"),
    (lambda v: swap(v, 1, 1, image_at(v, 1, 1)), "is there already"),
    (
        lambda v: swap(v, 1, 1, candidate(v, 1, 1), instead_of=image_at(v, 1, 2)),
        "Somebody has changed this in the meantime",
    ),
    (
        lambda v: swap(v, 1, 0, candidate(v, 1, 0), instead_of=image_at(v, 1, 2)),
        "Somebody has changed this in the meantime",
    ),
    (lambda v: swap(v, 1, 1, 999_999), "is none of those the study takes its stimuli from"),
    (lambda v: swap(v, 9, 1, 1, instead_of=2), "There is no task 9"),
    (lambda v: swap(v, 1, 13, 1, instead_of=2), "Task 1 has no example 13"),
    (lambda v: services.threshold_set(version=v, label="cat", threshold=0.999), "needed"),
    (lambda v: services.threshold_set(version=v, label="cat", threshold=1.5), "between 0 and 1"),
    (lambda v: services.threshold_set(version=v, label="cat", threshold=float("nan")), "between"),
    (lambda v: services.threshold_set(version=v, label="zebra", threshold=0.5), "label 'zebra'"),
    (lambda v: services.label_choose_again(version=v, label="zebra"), "label 'zebra'"),
]


@pytest.mark.parametrize(("change", "sentence"), REFUSED)
def test_what_would_spoil_the_study_is_refused_and_changes_nothing(
    draft: StudyVersion, change: Callable[[StudyVersion], None], sentence: str
) -> None:
    before = everything(draft)
    with pytest.raises(StudyError, match=sentence) as caught:
        change(draft)
    assert len(caught.value.problems) == 1
    assert everything(draft) == before


def shown_elsewhere(version: StudyVersion, where: str) -> int:
    """Return an image of the outcome of task 1's new image that is shown already."""
    task = version.stimulus_set.tasks.get(number=1)
    new = candidate(version, 1, 0)
    if where == "example":
        other = version.stimulus_set.tasks.exclude(label=task.label).first()
        assert other is not None
        Example.objects.filter(task=other, position=1).update(image=new)
    elif where == "figure":
        figure = version.stimulus_set.illustrations.first()
        assert figure is not None
        figure.image = new
        figure.save()
    else:
        Task.objects.filter(pk=version.stimulus_set.tasks.get(number=3).pk).update(image=new)
    return new.pk


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("example", "is an example in task 3"),
        ("figure", "is a figure of the instructions"),
        ("task", "is the new image of task 3 already"),
    ],
)
def test_a_new_image_is_shown_nowhere_else(draft: StudyVersion, where: str, sentence: str) -> None:
    image = shown_elsewhere(draft, where)
    with pytest.raises(StudyError, match=sentence):
        swap(draft, 1, 0, image)
    choice = choices.task_choice(draft.stimulus_set, 1)
    for page in (1, 2, 3):
        offered = choices.candidates(draft.stimulus_set, draft.spec, choice, 0, page)
        assert image not in {one.image.pk for one in offered.found}


def test_a_threshold_set_by_hand_chooses_its_label_anew_and_no_other(
    draft: StudyVersion, user: User
) -> None:
    horses, old = chosen(draft, "horse"), draft.stimulus_set.thresholds["cat"]
    services.threshold_set(version=draft, label="cat", threshold=old + 0.03, user=user)
    stimulus_set = StudyVersion.objects.get(pk=draft.pk).stimulus_set
    assert stimulus_set.thresholds["cat"] == old + 0.03
    assert chosen(draft, "horse") == horses
    assert Counter(stimulus_set.tasks.values_list("label", "outcome")) == {
        ("cat", "TP"): 1,
        ("cat", "FN"): 1,
        ("horse", "FP"): 1,
        ("horse", "FN"): 1,
    }
    assert is_ledger_right(draft)
    render(draft)
    assert services.publish_problems(version=StudyVersion.objects.get(pk=draft.pk)) == []
    change = HandChange.objects.get()
    assert change.what == f"Threshold of cat set to {old + 0.03:.3f}; it was {old:.3f}."
    assert change.by == user


def test_automatic_again_gives_back_what_the_rules_chose(draft: StudyVersion) -> None:
    before = everything(draft)
    swap(draft, 1, 0, candidate(draft, 1, 0, nth=2))
    swap(draft, 2, 3, candidate(draft, 2, 3, nth=1))
    threshold = draft.stimulus_set.thresholds["cat"]
    services.threshold_set(version=draft, label="cat", threshold=threshold - 0.02)
    services.label_choose_again(version=draft, label="cat")
    after = everything(draft)
    assert after["thresholds"] == before["thresholds"]
    assert {(t["image_id"], t["outcome"]) for t in after["tasks"]} == {  # type: ignore[attr-defined]
        (t["image_id"], t["outcome"])
        for t in before["tasks"]  # type: ignore[attr-defined]
    }
    assert after["needed"] == before["needed"]
    assert [one.details["kind"] for one in HandChange.objects.order_by("pk")] == [
        "new image",
        "example",
        "threshold",
        "automatic",
    ]


def test_a_swap_alone_is_undone_in_its_place(draft: StudyVersion) -> None:
    before = everything(draft)
    swap(draft, 1, 0, candidate(draft, 1, 0, nth=2))
    assert everything(draft)["tasks"] != before["tasks"]
    services.label_choose_again(version=draft, label=draft.stimulus_set.tasks.get(number=1).label)
    after = everything(draft)
    assert (after["tasks"], after["examples"]) == (before["tasks"], before["examples"])


def test_a_label_chosen_anew_keeps_away_from_what_the_others_show(draft: StudyVersion) -> None:
    """The image the rules would take is an example of another label: another one is taken."""
    task = draft.stimulus_set.tasks.get(label="cat", outcome="TP")
    first = task.image_id
    swap(draft, task.number, 0, candidate(draft, task.number, 0))
    other = draft.stimulus_set.tasks.filter(label="horse").first()
    assert other is not None
    taken = other.examples.get(position=1)
    Example.objects.filter(pk=taken.pk).update(image=first)
    services.label_choose_again(version=draft, label="cat")
    task.refresh_from_db()
    assert task.image_id != first
    new = set(draft.stimulus_set.tasks.values_list("image_id", flat=True))
    assert new.isdisjoint(Example.objects.values_list("image_id", flat=True))


def test_a_figures_threshold_chooses_its_figures_anew(draft: StudyVersion) -> None:
    before = everything(draft)
    threshold = draft.stimulus_set.thresholds["car"] + 0.05
    services.threshold_set(version=draft, label="car", threshold=threshold)
    after = everything(draft)
    assert after["tasks"] == before["tasks"]
    assert after["figures"] != before["figures"]
    assert is_ledger_right(draft)
    render(draft)
    assert services.publish_problems(version=StudyVersion.objects.get(pk=draft.pk)) == []


def test_what_is_shown_no_more_is_not_rendered(draft: StudyVersion) -> None:
    new = candidate(draft, 2, 4)
    back = image_at(draft, 2, 4)
    swap(draft, 2, 4, new)
    entered = Heatmap.objects.get(image=new, label=draft.stimulus_set.tasks.get(number=2).label)
    assert entered.needed_by.count() == 1
    swap(draft, 2, 4, back)
    assert entered.needed_by.count() == 0
    assert services.ledger.heatmap_claim(version=draft) is None


@pytest.mark.parametrize(
    ("scale", "emptied"), [("map", "none"), ("label", "its label"), ("study", "all")]
)
def test_overlays_that_share_a_scale_are_composed_anew(
    draft: StudyVersion, scale: str, emptied: str
) -> None:
    version = with_spec(draft, stimuli={"overlay_scale": scale})
    task = version.stimulus_set.tasks.get(number=2)
    new = candidate(version, 2, 4)
    swap(version, 2, 4, new)
    rows = version.stimulus_set.needed_heatmaps.exclude(heatmap__image=new)
    waiting = set(rows.filter(overlay_sha256="").values_list("heatmap__label", flat=True))
    done = set(rows.exclude(overlay_sha256="").values_list("heatmap__label", flat=True))
    if emptied == "none":
        assert waiting == set()
    elif emptied == "its label":
        assert waiting == {task.label}
        assert task.label not in done
        assert done
    else:
        assert done == set()


def test_a_published_version_cannot_be_changed(draft: StudyVersion) -> None:
    label = draft.stimulus_set.tasks.get(number=1).label
    new, other = candidate(draft, 1, 0), candidate(draft, 1, 1)
    services.version_publish(version=draft)
    before = everything(draft)
    for change in (
        lambda: swap(draft, 1, 0, new),
        lambda: swap(draft, 1, 1, other),
        lambda: services.threshold_set(version=draft, label=label, threshold=0.5),
        lambda: services.label_choose_again(version=draft, label=label),
    ):
        with pytest.raises(StudyError, match="published already"):
            change()
    assert everything(draft) == before


def test_candidates_are_all_there_is_page_by_page_most_similar_first(draft: StudyVersion) -> None:
    choice = choices.task_choice(draft.stimulus_set, 1)
    found = []
    page = 1
    while True:
        part = choices.candidates(draft.stimulus_set, draft.spec, choice, 1, page)
        found += part.found
        if part.after is None:
            break
        page = part.after
    assert part.page == part.pages > 1
    assert len(found) == part.total == len({one.image.pk for one in found})
    similar = [one.similarity for one in found]
    assert similar == sorted(similar, reverse=True)
    label, threshold = choice.task.label, choice.threshold
    assert threshold is not None
    new = set(draft.stimulus_set.tasks.values_list("image_id", flat=True))
    own = set(choice.task.examples.values_list("image_id", flat=True))
    expected = {
        one.image_id
        for one in Prediction.objects.select_related("image")
        if label in one.image.labels and one.scores[label] > threshold
    }
    assert {one.image.pk for one in found} == expected - new - own
    beyond = choices.candidates(draft.stimulus_set, draft.spec, choice, 1, 99)
    assert beyond.page == part.pages


def test_the_curve_tells_what_a_threshold_gives(draft: StudyVersion) -> None:
    [first, *_] = choices.label_choices(draft.stimulus_set, draft.spec)
    assert (first.label, first.tasks) == ("cat", 2)
    assert sum(count.found for count in first.counts) == Image.objects.count()
    needed = {count.outcome: count.needed for count in first.counts}
    assert needed == {"TP": 7, "FP": 3, "FN": 4, "TN": 0}
    # The rules took the best threshold among those that leave enough: none on the curve is better.
    assert all(f1 <= first.f1 + 1e-9 for _, f1, enough in first.curve if enough)
    assert max(f1 for _, f1, _ in first.curve) >= first.f1 - 0.02
    assert first.curve[0][0] == 0
    assert first.curve[-1][0] == first.top <= 1
    assert len(first.curve) == selection.CURVE_POINTS
