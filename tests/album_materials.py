"""Pages of the album on which images are imported and classifiers trained."""

import io
import zipfile
from typing import Any


def materials(album: Any, page: Any, server: str, version: Any, scheme: str) -> None:
    """Shoot the pages, with a job that waits and one that was refused."""
    from studyplatform.stimuli.models import Job
    from studyplatform.stimuli.services import jobs

    def shoot(name: str) -> None:
        album.shoot(page, f"console-{scheme}-{name}")

    def press(name: str) -> None:
        page.get_by_role("button", name=name).click()
        page.wait_for_load_state("load")

    team = f"{server}/console/teams/{version.study.team_id}"
    page.goto(f"{team}/images/import/")
    shoot("import")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("cat/1.jpg", "none")
        file.writestr("horse/drawing.svg", "<svg/>")
    content = {"name": "photos.zip", "mimeType": "application/zip", "buffer": archive.getvalue()}
    page.get_by_label("Name").fill("My Photos")
    page.get_by_label("A zip file").set_input_files(content)
    press("Import")
    shoot("import-refused")
    page.get_by_label("Name").fill("photos")
    page.get_by_label("A zip file").set_input_files(content)
    press("Import")
    shoot("images-waiting")
    jobs.job_run(job_id=Job.objects.get(subject="photos").pk)
    page.goto(f"{server}/console/images/")
    shoot("images")
    page.get_by_role("link", name="demo").click()
    page.wait_for_load_state("networkidle")
    shoot("image-set")
    page.goto(f"{server}/console/classifiers/")
    shoot("classifiers")
    page.get_by_role("link", name="demo").click()
    shoot("classifier")
    for name in ("train", "register"):
        page.goto(f"{team}/classifiers/{name}/")
        shoot(f"classifier-{name}")
    Job.objects.filter(subject="photos").delete()
