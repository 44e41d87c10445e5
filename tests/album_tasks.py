"""The pages where tasks are chosen by hand: of the published study, and of a draft made like it."""

from typing import Any

SLUG = "chosen"


def tasks(album: Any, page: Any, server: str, version: Any, scheme: str) -> None:
    """Read-only, then as a draft: the list, a task, a swap, a threshold tried, a warning."""

    def shoot(name: str, path: str) -> None:
        page.goto(f"{server}/console/studies/{path}")
        album.shoot(page, f"console-{scheme}-tasks-{name}")

    shoot("published", f"{version.study.slug}/tasks/")
    _draft(version)
    shoot("draft", f"{SLUG}/tasks/")
    shoot("task", f"{SLUG}/tasks/1/")
    shoot("swap-example", f"{SLUG}/tasks/1/?place=2")
    shoot("swap-new-image", f"{SLUG}/tasks/1/?place=0")
    shoot("threshold", f"{SLUG}/tasks/threshold/?label=cat&threshold=0.4")
    shoot("threshold-too-few", f"{SLUG}/tasks/threshold/?label=cat&threshold=0.99")
    page.goto(f"{server}/console/studies/{SLUG}/tasks/1/?place=2")
    page.get_by_role("button", name="Take it").first.click()
    page.wait_for_load_state("load")
    album.shoot(page, f"console-{scheme}-tasks-swapped")
    page.locator("#lint summary").first.click()
    album.shoot(page, f"console-{scheme}-tasks-reason")


def _draft(version: Any) -> None:
    """Make a draft with the published study's tasks, and one thing to warn of."""
    from studyplatform.stimuli import services
    from studyplatform.studies.models import Study

    if Study.objects.filter(slug=SLUG).exists():
        return
    draft = services.draft_create(
        team=version.study.team,
        spec_text=version.written.replace(f"slug: {version.study.slug}", f"slug: {SLUG}"),
        origin=version,
    )
    task = draft.stimulus_set.tasks.get(number=1)
    example = task.examples.select_related("image").get(position=1)
    example.image.fingerprint = task.image.fingerprint
    example.image.save()
