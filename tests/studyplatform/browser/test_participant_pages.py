"""The participant's pages as used: seen at a glance, zoomed, enlarged, clicked twice."""

from typing import Any

import pytest

from studyplatform.participation.models import Answer, Event, Session
from studyplatform.participation.services import entry_link

from .walk import fill, stage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def go_to_task(page: Any, study: Any, condition: str) -> None:
    version, server = study
    page.goto(server + entry_link(version.study, "preview", condition))
    while stage(page, version.study.slug) != "task/1":
        fill(page)
        page.locator("main .button-main").first.click()
        page.wait_for_load_state("load")


@pytest.mark.parametrize(
    "condition",
    [
        "heatmap-none_scores-hidden",
        "heatmap-none_scores-shown",
        "heatmap-lrp_scores-hidden",
        "heatmap-lrp_scores-shown",
    ],
)
def test_the_examples_are_seen_together_and_reflow_when_zoomed(
    page: Any, study: Any, condition: str
) -> None:
    go_to_task(page, study, condition)
    examples = page.locator(".examples")
    box = examples.bounding_box()
    pictures = [picture.bounding_box() for picture in examples.locator("img").all()]

    assert box["y"] + box["height"] <= 720
    assert page.locator(".legend").count() == ("heatmap-lrp" in condition)
    assert all(
        abs(picture["width"] - picture["height"]) < 1 and picture["width"] >= 90
        for picture in pictures
    )
    # At 200 % a 1280 px window is 640 px wide: one column, nothing beyond the edge.
    page.set_viewport_size({"width": 640, "height": 360})
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    assert page.locator("#questions").bounding_box()["y"] > examples.bounding_box()["y"] + 360


def test_an_example_is_enlarged_by_key_and_the_keyboard_returns_to_it(
    page: Any, study: Any
) -> None:
    go_to_task(page, study, "heatmap-lrp_scores-shown")
    page.focus("a[data-zoom='3']")
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] img").count() == 2
    assert page.locator("dialog[open] .chart").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog").count() == 0
    assert page.evaluate("document.activeElement.dataset.zoom") == "3"

    fill(page)
    page.locator("main .button-main").click()
    page.wait_for_url("**/task/2/")
    left = Event.objects.get(kind="page_left", item="task/1").data
    assert left["zooms"] == {"3": 1}
    assert left["window_width"] == 1280


def test_impatient_clicks_answer_once(page: Any, study: Any) -> None:
    version, server = study
    page.goto(f"{server}/s/{version.study.slug}/?PROLIFIC_PID=impatient")
    while stage(page, version.study.slug) != "feedback":
        fill(page)
        before = page.url
        page.locator("main .button-main").first.dblclick()
        page.wait_for_url(lambda url, before=before: url != before)
        page.wait_for_load_state("load")
    answered = list(Answer.objects.values_list("item", flat=True))
    assert len(answered) == len(set(answered)) == 1 + 1 + 4 + 1  # consent ... afterwards


def test_errors_take_the_keyboard_to_what_is_missing(page: Any, study: Any) -> None:
    go_to_task(page, study, "heatmap-none_scores-hidden")
    page.fill("#id_q-sensitive", "the ears")
    page.evaluate("document.querySelector('form[data-page]').noValidate = true")
    page.locator("main .button-main").click()
    page.locator(".error-summary").wait_for()

    assert page.evaluate("document.activeElement.className") == "error-summary"
    page.locator(".error-summary a").first.click()
    assert page.evaluate("document.activeElement.id") == "id_q-ignores"
    assert page.input_value("#id_q-sensitive") == "the ears"
    described = page.get_attribute("#id_q-ignores", "aria-describedby")
    assert "id_q-ignores_error" in described.split()


def test_a_small_screen_is_told_at_once(browser: Any, study: Any) -> None:
    version, server = study
    page = browser.new_context(screen={"width": 800, "height": 600}).new_page()
    page.goto(f"{server}/s/{version.study.slug}/?PROLIFIC_PID=small")
    page.wait_for_url("**/exit/")
    assert version.spec.exits.device.code in page.content()
    assert Session.objects.get().status == "device"


def test_a_problem_is_reported_without_leaving_the_page(page: Any, study: Any) -> None:
    version, server = study
    page.goto(f"{server}/s/{version.study.slug}/?PROLIFIC_PID=reporter")
    address = page.url
    page.locator(".problem summary").click()
    page.fill("#problem-text", "A picture is missing.")
    page.locator("[data-problem] button").click()
    page.get_by_text("Your report has been sent").wait_for()
    assert page.url == address
    assert Event.objects.get(kind="problem").data == {"text": "A picture is missing."}
