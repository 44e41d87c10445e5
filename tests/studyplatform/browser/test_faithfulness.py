"""The page on faithfulness in a browser: accessible, in both schemes, and at 200 % zoom."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client

from studyplatform.stimuli.faithfulness.summary import summary_make
from studyplatform.stimuli.models import StimulusSet
from studyplatform.studies.models import Membership

from ..console.test_faithfulness import ADDRESS, VALUES, add_job, add_map
from ..factories import make_version

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def cookie(transactional_db: None) -> str:
    """The session of a researcher whose study is measured, all kinds of cells on the page."""
    version = make_version()
    stimuli = StimulusSet.objects.select_related("version__study", "classifier").get()
    for number in range(21):
        add_map(stimuli, number, **VALUES)
        add_map(stimuli, number, level="multiscale", **(VALUES | {"deletion": "constant curve"}))
    add_map(stimuli, 21, level="fem", label="", dauc=0.25)
    add_map(stimuli, 22)
    add_job(stimuli, "done", result=summary_make(stimuli))
    add_job(stimuli, "failed", error="The network gives scores that are NaN.")
    user = User.objects.create_user("researcher")
    Membership.objects.create(team=version.study.team, user=user, role="researcher")
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 640)])
def test_the_page_is_accessible(
    browser: Any, live_server: Any, cookie: str, scheme: str, width: int
) -> None:
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": width * 9 // 16}
    )
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page = context.new_page()
    page.goto(live_server.url + ADDRESS)
    assert page.get_by_role("heading", name="Image by image").is_visible()
    found = Axe().run(page).response["violations"]
    assert [f"{fault['id']}: {fault['nodes'][0]['html']}" for fault in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="Next").click()
    assert page.get_by_text("Page 2 of 2").is_visible()
    context.close()
