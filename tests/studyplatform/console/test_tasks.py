"""Where tasks are chosen by hand: what is shown, what buttons do, who may press them."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from studyplatform.stimuli import choices, services
from studyplatform.stimuli.models import HandChange, LintReason, NeededHeatmap, StimulusSet
from studyplatform.studies.models import StudyVersion

from ..stimuli.chosen import make_draft, render, with_spec
from ..stimuli.test_lint import look_alike

PAGE = "/console/studies/chosen/tasks/"
LINT = "/console/studies/chosen/lint/"
LIST_QUERIES, TASK_QUERIES, SWAP_QUERIES = 20, 20, 25


@pytest.fixture
def draft(db: None, media_root: Path) -> StudyVersion:
    return make_draft()


def text(client: Client, path: str, **options: Any) -> str:
    response = client.get(path, **options)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def offered(client: Client, task: int, place: int) -> dict[str, str]:
    """Return the form of the first candidate, as the page has it."""
    page = text(client, f"{PAGE}{task}/?place={place}")
    image = re.search(r'name="image" value="(\d+)"', page)
    before = re.search(r'name="instead_of" value="(\d+)"', page)
    assert image
    assert before
    return {"place": str(place), "image": image[1], "instead_of": before[1]}


def test_the_list_shows_every_task_and_threshold(draft: StudyVersion, alice: Client) -> None:
    page = text(alice, PAGE)
    for task in draft.stimulus_set.tasks.all():
        assert f'<a href="{PAGE}{task.number}/">Task {task.number}</a>' in page
        assert f"{task.score:.3f}" in page
    for label in ("cat", "horse", "car", "boat"):
        assert f"F1 of {label} over thresholds" in page
    assert "Nothing stands against publishing." in page
    assert "None: all of it was chosen by the spec's rules." in page
    assert " style=" not in page


def test_a_swap_is_one_post_and_shows_in_the_history(draft: StudyVersion, alice: Client) -> None:
    form = offered(alice, 2, 4)
    response = alice.post(f"{PAGE}2/swap/", form)
    assert (response.status_code, response["Location"]) == (302, f"{PAGE}2/#place-4")
    example = draft.stimulus_set.tasks.get(number=2).examples.get(position=4)
    assert str(example.image_id) == form["image"]
    page = text(alice, PAGE)
    assert "Task 2: another image as example 4" in page
    assert "<td>alice</td>" in page
    assert "1 heatmap still to be rendered." in page


def test_the_new_image_is_swapped_and_its_examples_kept_if_asked(
    draft: StudyVersion, alice: Client
) -> None:
    task = draft.stimulus_set.tasks.get(number=3)
    before = list(task.examples.order_by("position").values_list("image", flat=True))
    form = offered(alice, 3, 0)
    alice.post(f"{PAGE}3/swap/", form | {"keep_examples": "on"})
    task.refresh_from_db()
    assert str(task.image_id) == form["image"]
    assert list(task.examples.order_by("position").values_list("image", flat=True)) == before
    alice.post(f"{PAGE}3/swap/", offered(alice, 3, 0))
    assert list(task.examples.order_by("position").values_list("image", flat=True)) != before


def test_what_is_refused_is_said_on_the_page(draft: StudyVersion, alice: Client) -> None:
    new = draft.stimulus_set.tasks.get(number=1).image_id
    form = offered(alice, 2, 4)
    page = alice.post(f"{PAGE}2/swap/", form | {"image": new}, follow=True).content.decode()
    assert "expected a" in page or "is the new image of task 1" in page
    page = alice.post(f"{PAGE}2/swap/", {"place": "4"}, follow=True).content.decode()
    assert "Choose an image to take its place." in page
    assert not HandChange.objects.exists()


def test_a_threshold_is_tried_before_it_is_set(draft: StudyVersion, alice: Client) -> None:
    before = draft.stimulus_set.thresholds["cat"]
    tried = f"{PAGE}threshold/?label=cat&threshold={before + 0.03:.4f}"
    assert "The 2 tasks of cat and their examples are chosen anew" in text(alice, tried)
    assert StimulusSet.objects.get().thresholds["cat"] == before
    assert "leaves too few images" in text(alice, f"{PAGE}threshold/?label=cat&threshold=0.98")
    alice.post(f"{PAGE}threshold/", {"label": "cat", "threshold": f"{before + 0.03:.4f}"})
    assert StimulusSet.objects.get().thresholds["cat"] == pytest.approx(before + 0.03, abs=1e-4)
    alice.post(f"{PAGE}again/", {"label": "cat"})
    assert StimulusSet.objects.get().thresholds["cat"] == before
    assert "All of cat chosen automatically again" in text(alice, PAGE)


@pytest.mark.parametrize(
    ("label", "threshold", "sentence"),
    [
        ("cat", "a half", "Give the threshold as a number between 0 and 1"),
        ("cat", "1.5", "Give a threshold between 0 and 1"),
        ("cat", "nan", "Give the threshold as a number between 0 and 1"),
        ("tree", "0.5", "Give a threshold between 0 and 1 for one of"),
        ("", "0.5", "Choose a label."),
    ],
)
def test_a_threshold_that_is_none_is_refused_in_a_sentence(
    draft: StudyVersion, alice: Client, label: str, threshold: str, sentence: str
) -> None:
    address = f"{PAGE}threshold/?label={label}&threshold={threshold}"
    assert sentence in text(alice, address, follow=True)


def test_a_warning_gets_its_reason_on_the_page(draft: StudyVersion, alice: Client) -> None:
    look_alike(draft.stimulus_set, 2)
    page = text(alice, PAGE)
    assert "0 errors, 1 warning" in page
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert digest
    form = {"digest": digest[1], "reason": "Two <b>different</b> cats."}
    answer = alice.post(f"{LINT}reason/", form, headers={"referer": f"http://testserver{PAGE}1/"})
    assert answer["Location"] == f"http://testserver{PAGE}1/"
    page = text(alice, PAGE)
    assert "Two &lt;b&gt;different&lt;/b&gt; cats." in page
    assert "Nothing stands against publishing." in page
    assert LintReason.objects.get().by_name == "alice"
    empty = alice.post(f"{LINT}reason/", form | {"reason": " "}, follow=True).content.decode()
    assert "Say in a sentence why" in empty
    alice.post(f"{LINT}withdraw/", {"digest": digest[1]})
    assert "0 errors, 1 warning" in text(alice, PAGE)


def test_the_lint_is_looked_at_again_once_all_is_rendered(
    draft: StudyVersion, alice: Client
) -> None:
    NeededHeatmap.objects.filter(pk__in=NeededHeatmap.objects.values("pk")[:2]).update(
        overlay_sha256=""
    )
    page = text(alice, LINT)
    assert "heatmaps are not rendered yet" in page
    assert f'hx-get="{LINT}?waiting=1"' in page
    waiting = alice.get(f"{LINT}?waiting=1")
    assert b"2 heatmaps still to be rendered." in waiting.content
    assert "HX-Trigger" not in waiting
    render(draft)
    done = alice.get(f"{LINT}?waiting=1")
    assert done.content.strip() == b""
    assert done["HX-Trigger"] == "lint-changed"
    assert 'hx-trigger="lint-changed from:body"' in text(alice, LINT)


def test_a_published_version_is_only_looked_at(draft: StudyVersion, alice: Client) -> None:
    form = offered(alice, 2, 4)
    services.version_publish(version=draft)
    for path in (PAGE, f"{PAGE}2/", f"{PAGE}2/?place=4"):
        page = text(alice, path)
        assert "Swap" not in page
        assert "Try it" not in page
        assert "Take it" not in page
    page = alice.post(f"{PAGE}2/swap/", form, follow=True).content.decode()
    assert "published already and cannot change" in page
    assert not HandChange.objects.exists()


def test_a_viewer_sees_the_tasks_and_no_button(draft: StudyVersion, bob: Client) -> None:
    for path in (PAGE, f"{PAGE}2/", f"{PAGE}2/?place=4"):
        page = text(bob, path)
        assert "Swap" not in page
        assert "Take it" not in page
        assert "It may stay" not in page
    for path in ("2/swap/", "again/", "threshold/"):
        assert bob.post(f"{PAGE}{path}").status_code == 403
    assert bob.post(f"{LINT}reason/").status_code == 403


@pytest.mark.parametrize("path", ["", "2/", "2/?place=4", "threshold/?label=cat&threshold=0.5"])
def test_another_teams_tasks_do_not_exist(draft: StudyVersion, charlie: Client, path: str) -> None:
    assert charlie.get(f"{PAGE}{path}").status_code == 404
    assert charlie.get(LINT).status_code == 404


def test_what_is_not_there_is_not_found(draft: StudyVersion, alice: Client) -> None:
    assert alice.get(f"{PAGE}9/").status_code == 404
    assert "Instead of" not in text(alice, f"{PAGE}2/?place=99")
    assert "Instead of" not in text(alice, f"{PAGE}2/?place=x")
    assert "Page 1 of" in text(alice, f"{PAGE}2/?place=4&page=x")


def test_a_draft_without_stimuli_has_a_page(draft: StudyVersion, alice: Client) -> None:
    draft.stimulus_set.delete()
    page = text(alice, PAGE)
    assert "No tasks yet" in page
    assert "The stimuli are not prepared" in page
    assert alice.get(f"{PAGE}1/").status_code == 404


@pytest.mark.parametrize("n", [1, 3])
def test_pages_take_as_many_queries_however_much_there_is(
    media_root: Path, alice: Client, n: int, django_assert_num_queries: Any
) -> None:
    draft = make_draft(tasks={"new_images": {"cat": {"TP": n, "FN": n}}})
    for _ in range(n):
        stimulus_set = draft.stimulus_set
        HandChange.objects.create(stimulus_set=stimulus_set, label="cat", what="x", by_name="alice")
    for path, queries in (
        ("", LIST_QUERIES),
        ("1/", TASK_QUERIES),
        ("1/?place=1", SWAP_QUERIES),
    ):
        with django_assert_num_queries(queries):
            text(alice, f"{PAGE}{path}")


def test_candidates_are_paged_with_plain_links(draft: StudyVersion, alice: Client) -> None:
    page = text(alice, f"{PAGE}1/?place=1")
    assert 'href="?place=1&amp;page=2#candidates"' in page
    choice = choices.task_choice(draft.stimulus_set, 1)
    second = choices.candidates(draft.stimulus_set, draft.spec, choice, 1, 2)
    page = text(alice, f"{PAGE}1/?place=1&page=2")
    for one in second.found:
        assert f'name="image" value="{one.image.pk}"' in page


def test_an_error_of_the_spec_is_shown_without_a_field_for_reasons(
    draft: StudyVersion, alice: Client
) -> None:
    with_spec(draft, pay={"base": "1.00"})
    page = text(alice, PAGE)
    assert "1 error, 0 warnings" in page
    assert "Raise pay.base to at least 3.00" in page
    assert "Why it may stay" not in page
