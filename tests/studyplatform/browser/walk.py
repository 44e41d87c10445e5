"""A person in a browser: reads the page, fills what must be filled, goes on, up to the code."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

MAXIMUM_PAGES = 80


def stage(page: Any, slug: str) -> str:
    """Return which item of the study the browser is on: `task/3`, `exit`."""
    return urlsplit(page.url).path.removeprefix(f"/s/{slug}/").strip("/")


def fill(page: Any) -> None:
    """Answer every required question of the page's form, as one does by mouse and keyboard."""
    form = page.locator("form[data-page]")
    for text in form.locator("textarea:visible").all():
        text.fill("the ears,\nthe mane and the fence")
    for tick in form.locator("input[type=checkbox]:visible").all():
        tick.check()
    for group in form.locator("fieldset").all():
        choices = group.locator("input[type=radio]")
        if choices.count():
            choices.first.check()


def walk(page: Any, slug: str, on_page: Callable[[str], None] = lambda name: None) -> list[str]:
    """Go from the page the browser is on to the exit; return the stages met on the way."""
    met = []
    for _ in range(MAXIMUM_PAGES):
        name = stage(page, slug)
        met.append(name)
        on_page(name)
        if name == "exit":
            return met
        if page.locator("form[data-page]").count():
            fill(page)
        page.locator("main .button-main").first.click()
        page.wait_for_load_state("load")
    raise AssertionError(f"no exit after {MAXIMUM_PAGES} pages; met {met}")
