"""A simulated participant's way through the site, over HTTP, from the entry link to the code."""

import http.client
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

from django.db import connection

from studyplatform.participation.models import Session
from studyplatform.participation.tokens import COOKIE, cookie_hash
from studyplatform.stimuli.models import Task
from studyplatform.studies.spec import Code

from .forms import Page, filled, read_page
from .model import Participant, TaskFacts

TIMEOUT = 60  # seconds
MORE_PAGES_THAN_ANY_STUDY = 300


class WalkError(Exception):
    """A simulated participant who did not reach a code; the message says where and why."""


@dataclass(frozen=True)
class Walk:
    """How it ended: the participant's id in the data, the code, the turns, the codes of texts."""

    participant_id: str
    condition: str
    code: str
    turns: int
    codes: list[tuple[int, Code]]


class Browser:
    """The little of a browser that the site needs: one connection, cookies, redirects."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else None
        self.connection = (kind or http.client.HTTPConnection)(parts.netloc, timeout=TIMEOUT)
        self.base = base
        self.cookies: dict[str, str] = {}
        self.path = ""

    def get(self, path: str) -> Page:
        return self._follow("GET", path, None)

    def post(self, path: str, fields: Sequence[tuple[str, str]]) -> Page:
        return self._follow("POST", path, urlencode(fields))

    def close(self) -> None:
        self.connection.close()

    def _follow(self, method: str, path: str, body: str | None) -> Page:
        for _ in range(10):
            status, location, html = self._request(method, path, body)
            if status in {301, 302, 303}:
                target = urlsplit(urljoin(urljoin(self.base, path), location))
                path = target.path + (f"?{target.query}" if target.query else "")
                method, body = "GET", None
                continue
            page = read_page(html)
            self.path = path
            if status != 200:
                told = "; ".join(page.errors) or page.title
                raise WalkError(f"{method} {urlsplit(path).path} gave {status}: {told}")
            return page
        raise WalkError(f"{urlsplit(path).path} redirects in a circle")

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, str, str]:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Origin"] = self.base
        try:
            response = self._send(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            # The server ended an idle connection. Sending again is safe: a page has a key.
            self.connection.close()
            response = self._send(method, path, body, headers)
        html = response.read().decode()
        for value in response.headers.get_all("Set-Cookie") or []:
            self.cookies.update({k: morsel.value for k, morsel in SimpleCookie(value).items()})
        return response.status, response.headers.get("Location", ""), html

    def _send(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        self.connection.request(method, path, body, headers)
        return self.connection.getresponse()


def walk(
    participant: Participant,
    *,
    base: str,
    entry: str,
    turned: Callable[[], None] = lambda: None,
) -> Walk:
    """Walk from the entry link to the exit code, filling every form with the model's answers.

    `entry` is a signed link for bots, to which a made-up panel id is added; `turned` is called
    after every page turn. Raises WalkError where there is no way on, and OSError where there is
    no server.
    """
    browser = Browser(base)
    steps = _Steps(participant, browser)
    name = participant.spec.recruitment.person_parameter
    separator = "&" if "?" in entry else "?"
    try:
        page = browser.get(f"{entry}{separator}{urlencode({name: 'bot' + secrets.token_hex(10)})}")
        turns = 0
        while not page.code:
            turns += 1
            form = page.main
            if form is None or turns > MORE_PAGES_THAN_ANY_STUDY:
                raise WalkError(f"no way on from {urlsplit(browser.path).path}: {page.title}")
            page = browser.post(form.action, filled(form, steps.answers()))
            turned()
        session = steps.session
        if session is None:
            raise WalkError(f"the way ended before the study began, with the code {page.code}")
        condition = session.condition.key if session.condition else ""
        return Walk(session.public_id, condition, page.code, turns, steps.codes)
    finally:
        browser.close()
        connection.close()


class _Steps:
    """What the participant answers on the page the browser is on."""

    def __init__(self, participant: Participant, browser: Browser) -> None:
        self.participant = participant
        self.browser = browser
        self.session: Session | None = None
        self.tasks: dict[int, TaskFacts] = {}
        self.codes: list[tuple[int, Code]] = []

    def answers(self) -> dict[str, str | list[str]]:
        # /s/<study>/<stage>/ or /s/<study>/<stage>/<number>/
        stage, _, number = "/".join(self.browser.path.strip("/").split("/")[2:]).partition("/")
        values: dict[str, str | list[str]] = {}
        if stage == "task":
            values = self._task(int(number))
        elif stage == "screening":
            values = self.participant.answer_screening()
        elif stage == "afterwards":
            values = self.participant.answer_afterwards()
        # The site's forms put q- before a question's key.
        return {f"q-{key}": value for key, value in values.items()}

    def _task(self, position: int) -> dict[str, str | list[str]]:
        if self.session is None:
            self._look_up()
        assert self.session is not None
        task = self.tasks[self.session.task_order[position - 1]]
        levels = self.session.condition.levels if self.session.condition else {}
        answer = self.participant.answer_task(task, levels)
        self.codes += [(task.number, code) for code in answer.codes]
        return answer.values

    def _look_up(self) -> None:
        """Ask the database what no page tells: the order of tasks and what is right."""
        found = Session.objects.select_related("condition").filter(
            cookie_sha256=cookie_hash(self.browser.cookies.get(COOKIE, ""))
        )
        self.session = found.first()
        if self.session is None:
            raise WalkError(f"the site at {self.browser.base} has another database than this")
        tasks = Task.objects.filter(stimulus_set__version=self.session.version_id)
        self.tasks = {
            task.number: TaskFacts(task.number, task.outcome, task.assigned) for task in tasks
        }
