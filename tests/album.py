"""Screenshots of every page of every role and condition: `make album`.

    python -m tests.album --out var/album [--zoom]

Makes a small study on drawn scenes in a folder of its own, serves it, and drives Chromium through
it at 1280x720: each page as one first sees it and as a whole. `--zoom` adds the pages at 200 %.
"""

import argparse
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

VIEW = {"width": 1280, "height": 720}
ZOOMED = {"width": 640, "height": 360}


class Album:
    """Numbers the pictures in the order in which the pages are met."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen = 0
        self.console: Any

    def shoot(self, page: Any, name: str, *, whole: bool = True) -> None:
        self.seen += 1
        stem = f"{self.seen:03d}-{name.replace('/', '-')}"
        page.screenshot(path=self.folder / f"{stem}.png")
        tall = page.evaluate("document.documentElement.scrollHeight > window.innerHeight + 4")
        if whole and tall:
            page.screenshot(path=self.folder / f"{stem}-whole.png", full_page=True)
        self.console.print(f"  {stem}")


def participants(album: Album, browser: Any, server: str, version: Any, zoom: bool) -> None:
    """Every page of every condition; screens that differ only by condition once each."""
    from studyplatform.participation.services import entry_link

    from .studyplatform.browser.walk import walk

    views = [("", VIEW), *([("zoom-", ZOOMED)] if zoom else [])]
    for mark, view in views:
        for condition in version.conditions.all():
            name = "-".join(condition.levels.values())
            page = browser.new_page(viewport=view, screen=VIEW, locale="en-GB")
            page.goto(server + entry_link(version.study, "preview", condition.key))
            walk(
                page,
                version.study.slug,
                lambda stage, page=page, name=name, mark=mark: album.shoot(
                    page, f"{mark}{name}-{stage}"
                ),
            )
            page.close()


def side_ways(album: Album, browser: Any, server: str, version: Any) -> None:
    """Declining, missing answers, an enlarged example, phones, unknown addresses."""
    from studyplatform.participation.services import entry_link

    from .studyplatform.browser.walk import fill, stage

    slug = version.study.slug
    page = browser.new_page(viewport=VIEW, screen=VIEW, locale="en-GB")
    page.goto(server + entry_link(version.study, "preview", version.conditions.last().key))
    for _ in range(40):
        if stage(page, slug).startswith("task/"):
            break
        if stage(page, slug) in {"consent", "screening"}:
            page.evaluate("document.querySelector('form[data-page]').noValidate = true")
            page.locator("main .button-main").first.click()
            page.wait_for_load_state("load")
            album.shoot(page, f"{stage(page, slug)}-missing")
        fill(page)
        page.locator("main .button-main").first.click()
        page.wait_for_load_state("load")
    page.locator(".examples button, .examples a").first.click()
    album.shoot(page, "task-enlarged", whole=False)
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('form[data-page]').noValidate = true")
    page.locator("form[data-page] .button-main").click()
    page.wait_for_load_state("load")
    album.shoot(page, "task-missing")
    page.locator("footer summary").click()
    album.shoot(page, "report-a-problem")
    page.close()

    page = browser.new_page(viewport=VIEW, screen=VIEW, locale="en-GB")
    page.goto(server + entry_link(version.study, "preview", version.conditions.first().key))
    page.locator("main .button-main").first.click()
    page.wait_for_load_state("load")
    page.locator("button[value=decline]").click()
    page.wait_for_load_state("load")
    album.shoot(page, "declined")
    for name, address in [
        ("unknown-study", "/s/no-such-study/"),
        ("garbage", f"/s/{slug}/?PROLIFIC_PID=%00&STUDY_ID=x"),
        ("landing", "/"),
        ("not-found", "/no-such-page/"),
    ]:
        page.goto(server + address)
        album.shoot(page, name)
    page.close()

    phone = browser.new_context(
        viewport={"width": 390, "height": 780},
        screen={"width": 390, "height": 780},
        user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148",
    )
    page = phone.new_page()
    page.goto(f"{server}/s/{slug}/?PROLIFIC_PID=phone&STUDY_ID=s&SESSION_ID=t")
    album.shoot(page, "phone-arrives")
    phone.close()


def researchers(album: Album, browser: Any, server: str, version: Any) -> None:
    """The console, light and dark."""
    from .album_design import designing
    from .album_materials import materials
    from .album_tasks import tasks
    from .album_team import team

    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=VIEW, color_scheme=scheme, locale="en-GB")
        page.goto(server + "/console/")
        album.shoot(page, f"console-{scheme}-sign-in")
        page.get_by_label("Username").fill("researcher")
        page.get_by_label("Password").fill("wrong")
        page.locator("main button[type=submit]").first.click()
        page.wait_for_load_state("load")
        album.shoot(page, f"console-{scheme}-sign-in-refused")
        page.get_by_label("Username").fill("researcher")
        page.get_by_label("Password").fill("album-of-pages")
        page.locator("main button[type=submit]").first.click()
        page.wait_for_load_state("load")
        album.shoot(page, f"console-{scheme}-studies")
        page.goto(f"{server}/console/studies/{version.study.slug}/")
        album.shoot(page, f"console-{scheme}-study")
        designing(album, page, server, version.study.slug, scheme)
        page.goto(f"{server}/console/studies/{version.study.slug}/faithfulness/")
        if scheme == "light":
            album.shoot(page, "console-light-faithfulness-before")
            _measured(version)
            page.reload()
        album.shoot(page, f"console-{scheme}-faithfulness")
        materials(album, page, server, version, scheme)
        team(album, page, server, version, scheme)
        tasks(album, page, server, version, scheme)
        page.close()


def _measured(version: Any) -> None:
    """Measure the study's heatmaps, as a worker would."""
    from studyplatform.stimuli.services import faithfulness, jobs

    jobs.job_run(job_id=faithfulness.faithfulness_request(version=version).pk)


def make_site() -> tuple[Any, str]:
    """Make the database and the study, and serve them from a thread; return version and address."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)

    from django.contrib.auth import get_user_model
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    from studyplatform.studies.models import Membership

    from .studyplatform.published import make_small_study

    version = make_small_study()
    user = get_user_model().objects.create_user("researcher", password="album-of-pages")
    Membership.objects.create(team=version.study.team, user=user, role=Membership.Role.OWNER)

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return version, f"http://127.0.0.1:{server.server_port}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.album", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("var/album"))
    parser.add_argument("--zoom", action="store_true", help="also every page at 200 percent")
    options = parser.parse_args()

    from .studyplatform.browser import chromium

    path = chromium.executable()
    if path is None:
        print("No Chromium found; install Debian's package chromium.", file=sys.stderr)
        return 1
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="studyplatform.settings",
            VAR_DIR=folder,
            DJANGO_ALLOW_ASYNC_UNSAFE="true",
            LOG_LEVEL="ERROR",
        )
        from playwright.sync_api import sync_playwright
        from rich.console import Console

        album = Album(options.out)
        album.console = Console()
        album.console.print("Making a small study ...")
        version, server = make_site()
        # Their models need the settings.
        from .album_first import first_study
        from .album_languages import second_preset

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
            participants(album, browser, server, version, options.zoom)
            side_ways(album, browser, server, version)
            views = [("", VIEW), *([("zoom-", ZOOMED)] if options.zoom else [])]
            second_preset(album, browser, server, version.study.team, views)
            first_study(album, browser, server, VIEW)
            researchers(album, browser, server, version)
            browser.close()
        album.console.print(f"{album.seen} pages in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
