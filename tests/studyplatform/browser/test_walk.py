"""A person goes from the Prolific-style address to the completion code, in every condition."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from studyplatform.participation.models import Session
from studyplatform.participation.services import entry_link

from .walk import stage, walk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CONDITIONS = [
    (heatmap, scores) for heatmap in ("none", "lrp", "multiscale") for scores in ("hidden", "shown")
]


def keep_complaints(page: Any) -> list[str]:
    """Collect what the browser complains about: script errors, refused inline styles."""
    complaints: list[str] = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def test_from_the_panels_address_to_the_code_in_each_condition(
    browser: Any, browser_context_args: dict[str, Any], study: Any
) -> None:
    """Six participants, one after the other: balance gives each a condition of their own."""
    version, server = study
    slug = version.study.slug
    met: list[tuple[str, str]] = []
    for number in range(len(CONDITIONS)):
        context = browser.new_context(**browser_context_args)
        page = context.new_page()
        complaints = keep_complaints(page)
        violations: dict[str, list[str]] = {}
        page_bytes: dict[str, int] = {}
        page.on("response", lambda response, sums=page_bytes: weigh(response, sums))
        page.goto(
            f"{server}/s/{slug}/?PROLIFIC_PID=walker{number}&STUDY_ID=s1&SESSION_ID=w{number}"
        )
        session = Session.objects.latest("pk")

        def look(
            name: str, page: Any = page, session: Session = session, found: Any = violations
        ) -> None:
            faults = Axe().run(page).response["violations"]
            if faults:
                found[name] = [f"{fault['id']}: {fault['nodes'][0]['html']}" for fault in faults]
            if name.startswith("task/"):
                heatmap, scores = assigned(session)
                has_heatmaps = page.locator(".examples img").count() > 12
                assert has_heatmaps is (heatmap != "none"), name
                assert page.locator(".legend").count() == (heatmap != "none"), name
                assert bool(page.locator(".examples svg").count()) is (scores == "shown"), name

        names = walk(page, slug, look)
        met.append(assigned(session))
        session.refresh_from_db()

        tasks = [name for name in names if name.startswith("task/")]
        assert tasks == [f"task/{i}" for i in (1, 2, 3, 4)]
        assert page.locator(".code").inner_text() == version.spec.exits.completed.code
        assert (session.source, session.status) == ("real", "completed")
        assert violations == {}
        assert complaints == []
        assert max(page_bytes.values()) < 600_000
        context.close()
    assert sorted(met) == sorted(CONDITIONS)


def assigned(session: Session) -> tuple[str, str]:
    """Return the levels of heatmap and scores that a session was given."""
    condition = Session.objects.select_related("condition").get(pk=session.pk).condition
    assert condition is not None
    return condition.levels["heatmap"], condition.levels["scores"]


def weigh(response: Any, sums: dict[str, int]) -> None:
    """Add a response's body to the page it belongs to."""
    if response.status == 200:
        owner = response.frame.url
        sums[owner] = sums.get(owner, 0) + len(response.body())


def test_from_the_panels_address_to_the_code(page: Any, study: Any) -> None:
    version, server = study
    page.goto(f"{server}/s/{version.study.slug}/?PROLIFIC_PID=abc123&STUDY_ID=s1&SESSION_ID=u1")
    assert "abc123" not in page.url
    walk(page, version.study.slug)

    link = page.get_by_role("link", name="Return").get_attribute("href")
    code = version.spec.exits.completed.code
    assert link == version.spec.recruitment.return_url.replace("{code}", code)
    session = Session.objects.get(study=version.study)
    assert session.status == Session.Status.COMPLETED
    assert session.source == Session.Source.REAL
    # Consent, the tasks, and what comes after: line breaks of typed answers are kept.
    tasks = session.answers.filter(task__isnull=False)
    assert tasks.count() == version.spec.tasks.total
    assert {answer.values["sensitive"] for answer in tasks} == {"the ears,\nthe mane and the fence"}


def test_back_reload_and_double_click_change_nothing(page: Any, study: Any) -> None:
    version, server = study
    slug = version.study.slug
    page.goto(f"{server}/s/{slug}/?PROLIFIC_PID=abc124&STUDY_ID=s1&SESSION_ID=u2")

    def disturb(name: str) -> None:
        if name == "task/2":
            page.go_back()
            page.wait_for_load_state("load")
            page.goto(f"{server}/s/{slug}/task/1/")
            assert stage(page, slug) == "task/2"
            page.reload()
            assert stage(page, slug) == "task/2"
        if name == "task/3":
            # A second press before the reply comes: both are sent, one counts.
            page.evaluate(
                """() => document.querySelector('main .button-main').addEventListener(
                       'click', event => event.target.click(), {once: true})"""
            )

    met = walk(page, slug, disturb)
    assert met.count("task/3") == 1
    session = Session.objects.get(study=version.study)
    assert session.answers.filter(task__isnull=False).count() == version.spec.tasks.total


def test_returning_in_another_browser_goes_on_there(
    page: Any, browser: Any, browser_context_args: dict[str, Any], study: Any
) -> None:
    version, server = study
    slug = version.study.slug
    address = f"{server}/s/{slug}/?PROLIFIC_PID=abc125&STUDY_ID=s1&SESSION_ID=u3"
    page.goto(address)

    class LeaveError(Exception):
        pass

    def leave(name: str) -> None:
        if name == "task/2":
            raise LeaveError

    with pytest.raises(LeaveError):
        walk(page, slug, leave)
    other = browser.new_context(**browser_context_args).new_page()
    other.goto(address.replace("u3", "u4"))
    assert stage(other, slug) == "task/2"
    walk(other, slug)
    assert Session.objects.filter(study=version.study).count() == 1


def test_the_study_works_without_javascript(
    browser: Any, browser_context_args: dict[str, Any], study: Any
) -> None:
    version, server = study
    context = browser.new_context(**browser_context_args, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}/s/{version.study.slug}/?PROLIFIC_PID=abc126&STUDY_ID=s1&SESSION_ID=u5")
    assert walk(page, version.study.slug)[-1] == "exit"
    context.close()


def test_nothing_is_cut_off_at_200_percent_zoom(
    browser: Any, browser_context_args: dict[str, Any], study: Any
) -> None:
    """Zoom of 200 % at 1280x720 leaves 640x360 CSS pixels; no page may scroll sideways."""
    version, server = study
    context = browser.new_context(
        **{**browser_context_args, "viewport": {"width": 640, "height": 360}}
    )
    page = context.new_page()
    wide: list[str] = []

    def measure(name: str) -> None:
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(name)

    key = version.conditions.get(levels={"heatmap": "multiscale", "scores": "shown"}).key
    page.goto(server + entry_link(version.study, "preview", key))
    walk(page, version.study.slug, measure)
    assert wide == []
    context.close()
