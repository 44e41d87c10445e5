"""The second preset in the album: its conditions, and the whole way in German."""

from typing import Any

from .studyplatform.browser.walk import fill, walk
from .studyplatform.published import PRESET

SHOWN = ("instructions/3", "screening", "task/1")


def second_preset(
    album: Any, browser: Any, server: str, team: Any, views: list[tuple[str, Any]]
) -> None:
    """What differs between its conditions in English, and every page of one in German."""
    from studyplatform.participation.services import entry_link

    version = _published(team)
    slug = version.study.slug

    def shoot(page: Any, mark: str, shown: tuple[str, ...] = ()) -> Any:
        def on_page(stage: str) -> None:
            if stage in shown if shown else not stage.startswith("task/") or stage == "task/1":
                album.shoot(page, f"{mark}-{stage}")

        return on_page

    for mark, view in views:
        for condition in version.conditions.all():
            page = browser.new_page(viewport=view, screen=views[0][1], locale="en-GB")
            page.goto(server + entry_link(version.study, "preview", condition.key, "en"))
            on_page = shoot(page, f"{mark}second-{condition.levels['heatmap']}", SHOWN)
            while True:
                stage = page.url.partition(f"/s/{slug}/")[2].strip("/")
                on_page(stage)
                if stage == SHOWN[-1]:
                    break
                fill(page)
                page.locator("main .button-main").first.click()
                page.wait_for_load_state("load")
            page.close()
        page = browser.new_page(viewport=view, screen=views[0][1], locale="de-DE")
        page.goto(server + entry_link(version.study, "preview", "heatmap-gradient"))
        walk(page, slug, shoot(page, f"{mark}second-german"))
        page.close()


def _published(team: Any) -> Any:
    """Return the preset as a published study, on the few images of the album's other one."""
    from studyplatform.stimuli import services

    text = PRESET.with_stem("compare_methods").read_text().replace("split: train", "split: all")
    version = services.study_create_with_stimuli(team=team, spec_text=text)
    services.ledger_drain(version=version)
    return services.version_publish(version=version)
