"""The pages of images and classifiers in a browser: accessible, and no wider than the window."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from studyplatform.stimuli.models import ImageSet, Job, TrainedClassifier
from studyplatform.stimuli.services import jobs
from studyplatform.studies.models import Membership
from studyplatform.studies.services import team_get_or_create

from ..stimuli.photographs import by_label, zipped
from .test_console import PASSWORD, faults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_from_a_zip_file_to_the_pictures(
    browser: Any, live_server: Any, tmp_path: Path, media_root: Path, scheme: str
) -> None:
    team = team_get_or_create(name="Lab")
    user = User.objects.create_user("researcher", password=PASSWORD)
    Membership.objects.create(team=team, user=user, role="researcher")
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 720})
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))

    def check() -> None:
        assert faults(page) == []
        for width in (640, 1280):  # 200 % zoom, and as it is
            page.set_viewport_size({"width": width, "height": 720})
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    page.goto(f"{live_server.url}/console/images/")
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    check()
    page.get_by_role("link", name="Import images").click()
    check()
    page.get_by_label("Name").fill("My Photos")
    page.get_by_label("A zip file").set_input_files(zipped(tmp_path / "a.zip", by_label()))
    page.get_by_role("button", name="Import").click()
    assert "expected up to 40 lowercase" in page.get_by_role("alert").inner_text()
    check()
    page.get_by_label("Name").fill("photos")
    page.get_by_label("A zip file").set_input_files(tmp_path / "a.zip")
    page.get_by_label("Side of the network").fill("32")
    page.get_by_role("button", name="Import").click()
    page.get_by_text("Waiting for a worker").wait_for()
    check()
    jobs.job_run(job_id=Job.objects.get().pk)
    page.get_by_role("link", name="photos").click()  # the page has loaded itself anew
    check()
    assert page.locator(".grid img").count() == 4
    page.get_by_label("Label", exact=True).select_option("cat")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**label=cat**")
    assert page.locator(".grid img").count() == 2

    TrainedClassifier.objects.create(
        team=team,
        name="colours",
        path="",
        sha256="ab" * 32,
        labels=["cat", "horse"],
        preprocess="unit",
        size=32,
        average_precision={"train": {"cat": 1.0, "horse": 0.9}, "val": {"cat": 0.5}},
        image_set=ImageSet.objects.get(),
    )
    page.get_by_role("link", name="Classifiers").click()
    check()
    page.get_by_role("link", name="colours").click()
    check()
    for name in ("Train one", "Bring a finished one"):
        page.goto(f"{live_server.url}/console/classifiers/")
        page.get_by_role("link", name=name).click()
        check()
    assert complaints == []
