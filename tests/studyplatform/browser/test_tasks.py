"""The page where tasks are chosen by hand, in a browser: accessible, by keyboard, live."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from studyplatform.stimuli.models import HandChange
from studyplatform.studies.models import Membership, StudyVersion

from ..stimuli.chosen import make_draft, render
from ..stimuli.test_lint import look_alike
from .test_console import PASSWORD, faults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def draft(transactional_db: None, media_root: Path) -> StudyVersion:
    version = make_draft()
    look_alike(version.stimulus_set, 2)
    user = User.objects.create_user("researcher", password=PASSWORD)
    Membership.objects.create(team=version.study.team, user=user, role="researcher")
    return version


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_example_is_swapped_by_keyboard_and_the_check_follows(
    browser: Any, live_server: Any, draft: StudyVersion, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 720})
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    tasks = f"{live_server.url}/console/studies/chosen/tasks/"
    page.goto(tasks)
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    assert faults(page) == []
    page.get_by_role("link", name="Task 2", exact=True).press("Enter")
    page.get_by_role("link", name="Swap example 4").press("Enter")
    assert faults(page) == []
    page.get_by_role("button", name="Take it (candidate 2)").press("Enter")
    page.get_by_text("The image is swapped.").wait_for()
    assert HandChange.objects.get().by_name == "researcher"
    check = page.locator("#lint")
    assert "heatmaps are not rendered yet" in check.inner_text()
    render(draft)
    check.get_by_text("0 errors, 1 warning").wait_for()
    check.locator("summary").press("Enter")
    assert faults(page) == []
    check.get_by_label("Why it may stay").fill("They are two animals.")
    check.get_by_role("button", name="Keep the reason").press("Enter")
    page.get_by_text("Nothing stands against publishing.").wait_for()
    assert faults(page) == []
    page.goto(f"{tasks}threshold/?label=cat&threshold=0.5")
    assert faults(page) == []
    assert complaints == []
    page.close()
