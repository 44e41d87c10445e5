"""Pages of the album on which a study is designed: begun, typed, in conflict, compared."""

from typing import Any


def designing(album: Any, page: Any, server: str, slug: str, scheme: str) -> None:
    """Shoot them, on an amendment of a published study that is discarded again."""
    from studyplatform.studies.models import StudyVersion

    def shoot(name: str) -> None:
        album.shoot(page, f"console-{scheme}-{name}")

    def press(name: str) -> None:
        page.get_by_role("button", name=name).click()
        page.wait_for_load_state("load")

    study = f"{server}/console/studies/{slug}"
    page.goto(f"{server}/console/new/?study={slug}")
    shoot("new-study")
    page.get_by_label("Address").fill(slug)
    press("Make the draft")
    shoot("new-study-refused")

    page.goto(f"{study}/design/")
    shoot("design-published")
    press("Amend")
    shoot("design")
    text = page.locator("#text")
    written = text.input_value()
    text.fill(written.replace("split: all", "split: most").replace("base: ", "bas: "))
    page.locator("#faults .error").wait_for()
    page.locator("#faults a").last.click()
    shoot("design-faults")
    text.fill(written.replace("seed: 1\n", "seed: 2\n"))
    press("Save")
    shoot("design-tasks-anew")
    page.get_by_role("link", name="Go back to what is saved").click()
    page.wait_for_load_state("load")

    text.fill(written.replace("title: How", "title: Why"))
    StudyVersion.objects.filter(study__slug=slug, published_at=None).update(
        text=written.replace("title: How", "title: When")
    )
    press("Save")
    shoot("design-conflict")
    press("Save mine in its place")
    shoot("design-saved")

    page.goto(f"{study}/")
    shoot("study-draft")
    page.goto(f"{study}/versions/")
    shoot("versions")
    press("Show how they differ")
    shoot("versions-compared")
    page.goto(f"{study}/versions/")
    page.get_by_text("Discard the draft…").click()
    shoot("versions-discard")
    press("Discard version 2")
