"""What pages get to see, and in how many queries."""

import dataclasses

import pytest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studyplatform.stimuli import media, selectors
from studyplatform.stimuli.models import Example, Heatmap, NeededHeatmap, StimulusSet, Task
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.spec import Figure

SHOWN = {"heatmap": "multiscale", "scores": "shown"}
HIDDEN = {"heatmap": "none", "scores": "hidden"}


def test_task_shows_twelve_examples_in_the_order_of_the_paper(published_study: StudyVersion):
    tasks = selectors.tasks_of(published_study)
    assert [task.number for task in tasks] == [1, 2, 3, 4]
    for task in tasks:
        groups = selectors.task_exhibits(task, SHOWN).groups
        assert [(outcome, len(found)) for outcome, found in groups] == [
            ("TP", 6),
            ("FP", 3),
            ("FN", 3),
        ]


@pytest.mark.parametrize("level", ["lrp", "multiscale"])
def test_every_example_has_its_own_overlay(published_study: StudyVersion, level: str):
    view = selectors.task_exhibits(
        selectors.tasks_of(published_study)[0], {"heatmap": level, "scores": "hidden"}
    )
    exhibits = [one for _, group in view.groups for one in group]
    urls = {one.heatmap.url for one in exhibits if one.heatmap}
    assert len(urls) == 12
    assert all(one.scores is None for one in exhibits)


def test_hidden_condition_gets_neither_heatmaps_nor_scores(published_study: StudyVersion):
    for task in selectors.tasks_of(published_study):
        for _, group in selectors.task_exhibits(task, HIDDEN).groups:
            assert all(one.heatmap is None and one.scores is None for one in group)


def test_the_new_image_is_a_picture_alone(published_study: StudyVersion):
    """Nothing of a TaskView but its groups of examples could tell the outcome."""
    view = selectors.task_exhibits(selectors.tasks_of(published_study)[0], SHOWN)
    assert [field.name for field in dataclasses.fields(view)] == [
        "number",
        "label",
        "new_image",
        "groups",
    ]
    assert isinstance(view.new_image, selectors.Picture)


def test_scores_agree_with_the_outcomes(published_study: StudyVersion):
    for task in selectors.tasks_of(published_study):
        for outcome, group in selectors.task_exhibits(task, SHOWN).groups:
            for one in group:
                [bar] = [bar for bar in one.scores or () if bar.is_question]
                assert bar.label == task.label
                assert bar.assigned is (outcome in {"TP", "FP"})
                assert bar.assigned is (bar.score > bar.threshold)


@pytest.mark.parametrize("count", [1, 3])
def test_queries_do_not_grow_with_tasks(
    published_study: StudyVersion, count: int, django_assert_num_queries
):
    tasks = selectors.tasks_of(published_study)[:count]
    with django_assert_num_queries(3 * count):
        for task in tasks:
            selectors.task_exhibits(task, SHOWN)


@pytest.mark.parametrize("count", [1, 12])
def test_queries_do_not_grow_with_examples(published_study: StudyVersion, count: int):
    from django.db import connection

    task = selectors.tasks_of(published_study)[0]
    Example.objects.filter(task=task, position__gt=count).delete()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        selectors.task_exhibits(task, SHOWN)
    assert len(captured) == 3


def test_illustration_follows_figure_and_condition(published_study: StudyVersion):
    bare = Figure(label="car", outcome="TP")
    full = Figure(label="car", outcome="TP", heatmap=True, scores=True)
    assert selectors.illustration(published_study, bare, SHOWN).heatmap is None
    shown = selectors.illustration(published_study, full, SHOWN)
    assert shown.heatmap is not None
    assert shown.scores is not None
    hidden = selectors.illustration(published_study, full, HIDDEN)
    assert hidden.heatmap is None
    assert hidden.scores is None


def test_regions_lie_apart_and_within_the_picture(published_study: StudyVersion):
    figure = Figure(label="car", outcome="TP", heatmap=True)
    strong = selectors.illustration(published_study, figure, SHOWN, "strongest").region
    weak = selectors.illustration(published_study, figure, SHOWN, "weakest").region
    assert strong is not None
    assert weak is not None
    for x, y, width, height in (strong, weak):
        assert x >= 0
        assert y >= 0
        assert x + width <= 1
        assert y + height <= 1
    apart_x = abs(strong[0] - weak[0]) >= strong[2]
    apart_y = abs(strong[1] - weak[1]) >= strong[3]
    assert apart_x or apart_y
    assert selectors.illustration(published_study, figure, HIDDEN, "strongest").region is None


def test_progress_counts_every_state(published_study: StudyVersion):
    before = selectors.render_progress(published_study)
    assert before.complete
    assert before.total == before.done == NeededHeatmap.objects.count() > 0
    first, second, third = Heatmap.objects.order_by("pk")[:3]
    Heatmap.objects.filter(pk=first.pk).update(state="failed", error="no memory")
    Heatmap.objects.filter(pk=second.pk).update(state="pending")
    NeededHeatmap.objects.filter(heatmap=third).update(overlay_sha256="")
    after = selectors.render_progress(published_study)
    assert (after.failed, after.pending, after.leased) == (1, 1, 0)
    assert after.rendered == after.total - 2
    assert after.done == after.total - 3
    assert not after.complete
    assert [one.error for one in selectors.failed_heatmaps(published_study)] == ["no memory"]


def test_progress_is_zero_before_there_are_stimuli(published_study: StudyVersion):
    StimulusSet.objects.all().delete()
    state = selectors.render_progress(published_study)
    assert (state.total, state.done, state.seconds_left) == (0, 0, 0)


def test_pictures_are_served_for_ever_and_nothing_else_is(
    published_study: StudyVersion, client: Client
):
    task = Task.objects.select_related("image").first()
    assert task is not None
    url = selectors.picture(task.image).url
    assert url == f"/i/{task.image.display_sha256}.webp"
    response = client.get(url)
    content = b"".join(response.streaming_content)
    assert content == media.display_path(task.image.display_sha256).read_bytes()
    assert response["Content-Type"] == "image/webp"
    assert "immutable" in response["Cache-Control"]
    assert not response.cookies
    assert client.post(url).status_code == 405
    absent = "0" * 64
    for wrong in (absent, "../" + absent, "..%2f..%2fdb", absent[:-1], absent.replace("0", "A")):
        assert client.get(f"/i/{wrong}.webp").status_code == 404


def test_a_task_page_stays_small(published_study: StudyVersion):
    """Twelve pictures, twelve overlays and the new image: platform.md allows 600 KB a page."""
    for task in selectors.tasks_of(published_study):
        view = selectors.task_exhibits(task, SHOWN)
        pictures = [view.new_image]
        for _, group in view.groups:
            for one in group:
                pictures += [one.picture, one.heatmap] if one.heatmap else [one.picture]
        names = [one.url.removeprefix("/i/").removesuffix(".webp") for one in pictures]
        assert sum(media.display_path(name).stat().st_size for name in names) < 400_000
