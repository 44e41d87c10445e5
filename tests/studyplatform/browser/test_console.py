"""The console in a browser: accessible, without complaints, updating itself."""

from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils import timezone

from studyplatform.participation.services import problem_report
from studyplatform.stimuli.models import Heatmap, NeededHeatmap
from studyplatform.studies.models import Membership

from ..factories import make_session
from ..participation.study import make_study

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a long enough sentence"


@pytest.fixture
def researcher(transactional_db: None) -> User:
    version = make_study()
    user = User.objects.create_user("researcher", password=PASSWORD)
    Membership.objects.create(team=version.study.team, user=user, role="researcher")
    reporter = make_session(version, None, status="arrived", completed_at=None)
    problem_report(session=reporter, text="A picture is missing.")
    return user


def faults(page: Any) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{fault['id']}: {fault['nodes'][0]['html']}" for fault in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_the_browser_has_no_complaint(
    browser: Any, live_server: Any, researcher: User, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 720})
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.goto(f"{live_server.url}/")
    assert faults(page) == []
    page.get_by_role("link", name="Open the console").click()
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill("a guess")
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_role("alert").is_visible()
    assert faults(page) == []
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/")
    assert faults(page) == []
    page.get_by_role("link", name="How does an image classifier decide?").click()
    assert page.get_by_role("heading", name="Reported problems (1)").is_visible()
    assert faults(page) == []
    page.get_by_text("Close…").click()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="Pause").click()
    assert "The study is paused: nobody new is let in." in page.get_by_role("status").inner_text()
    assert faults(page) == []
    assert complaints == []


def test_counts_and_progress_update_themselves(
    page: Any, live_server: Any, researcher: User
) -> None:
    version = researcher.memberships.get().team.studies.get().versions.get()
    first = list(NeededHeatmap.objects.values_list("heatmap", flat=True)[:3])
    Heatmap.objects.update(rendered_at=timezone.now() - timedelta(hours=1))
    Heatmap.objects.filter(pk__in=first).update(state="pending", content_sha256="")
    page.goto(f"{live_server.url}/console/studies/trial/")
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    total = version.stimulus_set.needed_heatmaps.count()
    assert f"{total - 3} of {total}" in page.locator("#rendering").inner_text()
    assert "Nobody is rendering" in page.locator("#rendering").inner_text()
    make_session(version, 0)
    page.get_by_text("1 of 96 completed").wait_for(timeout=15_000)
    Heatmap.objects.update(state="done", content_sha256="0" * 64)
    page.get_by_text(f"All {total} are rendered.").wait_for(timeout=15_000)
