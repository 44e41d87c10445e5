"""Pages of the album that a new team meets, from the empty list to its published study."""

import tempfile
from pathlib import Path
from typing import Any

from .studyplatform.published import SMALL, preset_with

SPEC: dict[str, Any] = SMALL | {
    "slug": "first",
    "factors": {"heatmap": {"levels": ["none", "cam"]}},
    "heatmaps": {"lrp": ..., "multiscale": ..., "cam": {"method": "grad-cam"}},
    # A warning, where not everybody comes from a platform.
    "pay": {"base": 1},
    "recruitment": {"plain_links": True},
}


def first_study(album: Any, browser: Any, server: str, view: Any) -> None:
    """Shoot them, as a researcher of a team without studies; a worker's part is done in between."""
    from studyplatform.stimuli.models import Job
    from studyplatform.stimuli.services import jobs, ledger_drain

    page = browser.new_page(viewport=view, locale="en-GB")

    def shoot(name: str, **how: Any) -> None:
        page.evaluate("scrollTo(0, 0)")
        album.shoot(page, f"first-{name}", **how)

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_load_state("load")

    _sign_in(page, server)
    shoot("studies")
    page.goto(f"{server}/console/new/")
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "study.yaml"
        spec.write_text(preset_with(**SPEC))
        page.get_by_label("a file of your own").check()
        page.get_by_label("Which file").set_input_files(spec)
        page.get_by_label("Address of the study").fill("first")
        press("Make the draft")
    shoot("design-waiting", whole=False)
    study = f"{server}/console/studies/first/"
    page.goto(study)
    shoot("study-waiting")
    page.goto("about:blank")  # a page that waits loads itself anew, maybe in between
    jobs.job_run(job_id=Job.objects.get(study__slug="first").pk)
    page.goto(study)
    shoot("study-rendering")
    page.goto("about:blank")
    ledger_drain()
    page.goto(study)
    shoot("study-warned")
    page.goto(f"{study}tasks/")
    page.locator("#lint summary").click()
    page.get_by_label("Why it may stay").fill("A course of ours, without pay by the hour.")
    press("Keep the reason")
    shoot("reason-kept")
    page.goto(study)
    shoot("study-ready")
    press("Publish version 1")
    shoot("study-published")
    page.close()


def _sign_in(page: Any, server: str) -> None:
    from django.contrib.auth import get_user_model

    from studyplatform.studies.models import Membership
    from studyplatform.studies.services import team_get_or_create

    user = get_user_model().objects.create_user("newcomer", password="album-of-pages")
    team = team_get_or_create(name="New team")
    Membership.objects.create(team=team, user=user, role=Membership.Role.RESEARCHER)
    page.goto(f"{server}/console/")
    page.get_by_label("Username").fill("newcomer")
    page.get_by_label("Password").fill("album-of-pages")
    page.locator("main button[type=submit]").first.click()
    page.wait_for_load_state("load")
