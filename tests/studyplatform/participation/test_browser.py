"""The pages in Chromium: with scripts, measured by axe, and used as impatient people do."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from studyplatform.participation import services
from studyplatform.participation.models import Answer, Event, Session
from studyplatform.studies.models import StudyVersion

from .study import drawn, make_study, spec_data

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Playwright's loop runs in this thread, which makes Django's guard see danger where none is.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")


@pytest.fixture
def shown_version(db: None, settings, tmp_path) -> StudyVersion:
    settings.MEDIA_ROOT = tmp_path
    return make_study(spec_data(), draw=drawn)


def open_page(browser: Browser, **options: Any) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": 1280, "height": 720}, **options)
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


def fill(page: Page) -> None:
    """Fill what the page's form requires."""
    for area in page.locator("form[data-page] textarea").all():
        area.fill("ears and mane")
    for name in {box.get_attribute("name") for box in page.locator("[type=radio]").all()}:
        page.locator(f"[name={name}]").first.check()
    for box in page.locator("form[data-page] [type=checkbox][required]").all():
        box.check()


def go_on(page: Page) -> None:
    fill(page)
    with page.expect_navigation():
        page.click("form[data-page] .button-main")


def walk_to(page: Page, end: str) -> None:
    while f"/{end}/" not in page.url:
        go_on(page)


def test_every_page_is_accessible_and_breaks_no_policy(
    chromium: Browser, live_server, shown_version: StudyVersion
) -> None:
    """WCAG 2.2 AA as far as axe sees it; the content policy complains on the console."""
    page, complaints = open_page(chromium)
    link = services.entry_link(shown_version.study, "preview", "heatmap-lrp_scores-shown")
    page.goto(live_server.url + link)
    seen = 0
    while True:
        found = Axe().run(page).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in found] == [], page.url
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 1280
        seen += 1
        if page.url.endswith("/exit/"):
            break
        go_on(page)
    assert seen == 2 + 7 + 1 + 4 + 1 + 1 + 1
    assert complaints == []
    session = Session.objects.get()
    assert session.status == "completed"
    left = Event.objects.get(session=session, kind="page_left", item="task/1").data
    assert left["window_width"] == 1280
    assert left["on_page_ms"] >= 0
    page.close()


@pytest.mark.parametrize("condition", ["heatmap-none_scores-shown", "heatmap-lrp_scores-hidden"])
def test_the_examples_are_seen_together_and_light(
    chromium: Browser, live_server, shown_version: StudyVersion, condition: str
) -> None:
    page, _ = open_page(chromium)
    page.goto(live_server.url + services.entry_link(shown_version.study, "preview", condition))
    walk_to(page, "task/1")
    bottom = page.evaluate("document.querySelector('.examples').getBoundingClientRect().bottom")
    weight = page.evaluate(
        "performance.getEntries().reduce((sum, entry) => sum + (entry.encodedBodySize || 0), 0)"
    )

    assert bottom <= 720
    assert 10_000 < weight < 600_000
    # Zoomed to 200 %: one column, nothing beyond the right edge.
    page.set_viewport_size({"width": 640, "height": 360})
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    page.close()


def test_examples_are_enlarged_by_key_and_counted(
    chromium: Browser, live_server, shown_version: StudyVersion
) -> None:
    page, _ = open_page(chromium)
    link = services.entry_link(shown_version.study, "preview", "heatmap-lrp_scores-shown")
    page.goto(live_server.url + link)
    walk_to(page, "task/1")
    page.focus("a[data-zoom='3']")
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] img").count() == 2
    assert page.locator("dialog[open] .chart").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("dialog").count() == 0
    assert page.evaluate("document.activeElement.dataset.zoom") == "3"
    go_on(page)
    assert Event.objects.get(kind="page_left", item="task/1").data["zooms"] == {"3": 1}
    page.close()


def test_impatient_clicks_answer_once(
    chromium: Browser, live_server, shown_version: StudyVersion
) -> None:
    page, _ = open_page(chromium)
    page.goto(f"{live_server.url}/s/trial/?PROLIFIC_PID=impatient")
    while "/feedback/" not in page.url:
        fill(page)
        before = page.url
        page.dblclick("form[data-page] .button-main")
        page.wait_for_url(lambda url, before=before: url != before)
        page.wait_for_load_state()
    answers = list(Answer.objects.values_list("item", flat=True))
    assert len(answers) == len(set(answers)) == 1 + 1 + 4 + 1
    page.go_back()
    page.wait_for_load_state()
    assert "/feedback/" in page.url
    page.close()


def test_a_small_screen_is_told_at_once(
    chromium: Browser, live_server, shown_version: StudyVersion
) -> None:
    page, _ = open_page(chromium, screen={"width": 800, "height": 600})
    page.goto(f"{live_server.url}/s/trial/?PROLIFIC_PID=small")
    page.wait_for_url("**/exit/")
    assert "CDEMO04" in page.content()
    page.close()


def test_a_problem_is_reported_without_leaving_the_page(
    chromium: Browser, live_server, shown_version: StudyVersion, client: Client
) -> None:
    page, _ = open_page(chromium)
    page.goto(f"{live_server.url}/s/trial/?PROLIFIC_PID=reporter")
    address = page.url
    page.click(".problem summary")
    page.fill("#problem-text", "A picture is missing.")
    page.click("[data-problem] button")
    page.get_by_text("Your report has been sent").wait_for()
    assert page.url == address
    assert Event.objects.get(kind="problem").data == {"text": "A picture is missing."}
    page.close()
