"""Designing a study in a browser: begun, typed, a fault met at its line, saved."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from studyplatform.stimuli.models import Job
from studyplatform.studies.models import Membership, StudyVersion
from studyplatform.studies.services import team_get_or_create

from .test_console import PASSWORD, faults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def researcher(transactional_db: None) -> User:
    user = User.objects.create_user("researcher", password=PASSWORD)
    team = team_get_or_create(name="Alice's team")
    Membership.objects.create(team=team, user=user, role="researcher")
    return user


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_study_is_begun_mended_and_saved(
    browser: Any, live_server: Any, researcher: User, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 720})
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.goto(f"{live_server.url}/console/new/")
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="New study").wait_for()
    assert faults(page) == []
    page.get_by_label("Which preset").select_option("forward_simulation.yaml")
    page.get_by_label("Address of the study").fill("mine")
    page.get_by_role("button", name="Make the draft").click()

    # Nothing is imported here, so there is something in the way of tasks; it is no fault.
    page.get_by_text("no tasks can be chosen from it yet").wait_for()
    assert faults(page) == []
    text = page.get_by_label("The study as YAML")
    written = text.input_value()
    lines = written.split("\n")
    last = page.locator(".line-numbers span").last
    assert last.inner_text() == str(len(lines))

    text.fill(written.replace("base: 8.00", "base: much"))
    page.get_by_text("1 fault to mend before it can be saved").wait_for()
    line = next(i for i, one in enumerate(lines, 1) if "base: 8.00" in one)
    assert page.locator(".line-numbers .faulty").inner_text() == str(line)
    page.get_by_role("link", name=f"Line {line}").click()
    start, end = text.evaluate("text => [text.selectionStart, text.selectionEnd]")
    assert text.input_value()[start:end] == "  base: much"
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    text.fill(written.replace("base: 8.00", "base: 9.00  # more"))
    page.get_by_text("£16.00").wait_for()  # nine, and seven for fourteen right
    Job.objects.update(state="failed", error="stimuli.images: there is no image set 'demo'.")
    page.get_by_text("It could not be done:").wait_for()
    assert "base: 9.00  # more" in text.input_value(), "the end of a job leaves the page alone"
    page.get_by_label("Page", exact=True).select_option("en/consent")
    page.get_by_text("I agree to all of the statements above.").wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved.").wait_for()
    assert "base: 9.00  # more\n" in StudyVersion.objects.get().text
    page.goto("about:blank")
    # htmx tells of a panel it was asking for when the page was left; the browser, of all else.
    assert [one for one in complaints if not one.startswith("htmx:")] == []


def test_another_page_is_left_only_on_purpose_while_text_is_unsaved(
    page: Any, live_server: Any, researcher: User
) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(f"{live_server.url}/console/new/")
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Address of the study").fill("mine")
    page.get_by_role("button", name="Make the draft").click()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("heading", name="Make another").wait_for()
    assert asked == []
    page.go_back()
    page.get_by_label("The study as YAML").fill("title: Gone?")
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("heading", name="Make another").wait_for()
    assert asked == ["beforeunload"]
