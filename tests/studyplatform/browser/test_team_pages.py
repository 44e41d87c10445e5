"""Teams, accounts, the print-out and the pilot in a browser: accessible, without complaints."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from studyplatform.participation.models import Session

from .test_console import PASSWORD, faults, researcher

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["researcher"]


@pytest.mark.parametrize(
    ("scheme", "width", "height"), [("light", 1280, 720), ("dark", 1280, 720), ("light", 640, 360)]
)
def test_the_pages_around_people_are_accessible(
    browser: Any, live_server: Any, researcher: User, scheme: str, width: int, height: int
) -> None:
    """640 x 360 is what is left of 1280 x 720 at 200 %."""
    researcher.memberships.update(role="owner")
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))

    def look() -> None:
        assert faults(page) == [], page.url
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url

    page.goto(f"{live_server.url}/console/teams/")
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/teams/")
    look()
    page.locator("main").get_by_role("link").click()
    page.get_by_label("Name to sign in with").fill("ada")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_text("Remove…").first.click()
    look()
    welcome = page.get_by_label("Link for ada").input_value()
    page.get_by_role("link", name="your account").click()
    look()
    page.get_by_role("link", name="Set it up").click()
    look()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    look()
    page.get_by_label("Authenticator code").fill("no code")
    page.get_by_role("button", name="Switch it on").click()
    assert page.get_by_role("alert").is_visible()
    look()
    page.goto(f"{live_server.url}/console/studies/trial/pilot/")
    look()
    page.goto(welcome)
    look()
    page.goto(f"{live_server.url}/console/studies/trial/pages/")
    look()
    assert complaints == []
    page.close()


def test_the_print_out_is_accessible_and_begins_no_session(
    page: Any, live_server: Any, researcher: User
) -> None:
    before = Session.objects.count()
    page.goto(f"{live_server.url}/console/studies/trial/pages/heatmap-multiscale_scores-shown/")
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/pages/heatmap-multiscale_scores-shown/")
    assert faults(page) == []
    assert page.locator(".sheet :enabled:not(fieldset)").count() == 0
    assert Session.objects.count() == before
