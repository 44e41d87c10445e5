"""Every page a participant can meet in one condition, one after another, for an ethics board.

The pages are made by the participant's own templates from a session that exists in memory alone:
what is changed there is changed here, and nothing is written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from studyplatform.participation import notices, pages, selectors, tokens
from studyplatform.participation.items import CONSENT, EXIT, INFORMATION, Item, Stage
from studyplatform.participation.models import Answer, Reward, Session
from studyplatform.stimuli.selectors import tasks_of
from studyplatform.studies.models import Condition, StudyVersion
from studyplatform.studies.spec import Exits, Spec

from .inert import inert

# Both are no row's: what is asked of the database for them is not there.
_NOBODY = -1
# Shown in place of a page where an address or a form is not as it should be, or the site is not.
_FAULTS = ("404", "400", "403_csrf", "413", "500")
_PERCENT = 40  # of the heatmaps, on the page that waits for them


@dataclass(frozen=True)
class Sheet:
    """One page, or several small ones: caption and what is seen. `note` says what is an example."""

    name: str
    title: str
    parts: tuple[tuple[str, SafeString], ...]
    note: str = ""


def sheets_of(version: StudyVersion, condition: Condition, language: str) -> list[Sheet]:
    """Return the sheets of a condition in one of the study's languages, in the order of the study.

    Tasks come in the first of the orders that participants get. Nothing is written. The version
    needs its stimuli; heatmaps that are not rendered yet are missing.
    """
    with translation.override(language):
        printer = _Printer(version, condition, language)
        found = list(printer.sheets())
        return [*found, printer.everywhere()]


class _Printer:
    def __init__(self, version: StudyVersion, condition: Condition, language: str) -> None:
        self.version, self.condition, self.language = version, condition, language
        self.spec: Spec = selectors.material(version, language).spec
        self.tasks = tasks_of(version)
        self.spoken: dict[str, None] = {}
        order = {label: place for place, label in enumerate(self.spec.block_orders()[0])}
        self.tasks.sort(key=lambda task: (order[task.label], task.number))

    def sheets(self) -> Iterator[Sheet]:
        way = selectors.way_of(self.session(INFORMATION))
        for item in way.items:
            if item.stage is Stage.FEEDBACK:
                yield self.feedback(item)
            elif item.stage is not Stage.EXIT:
                yield self.page(item)
                if item.asks and self.is_first_of_label(item):
                    yield from self.faulty(item)
        yield self.exits()
        yield self.notices()

    def is_first_of_label(self, item: Item) -> bool:
        """Return whether this is no task, or the first whose questions name its label."""
        if item.number <= 1:
            return True
        before, task = self.tasks[item.number - 2 : item.number]
        return before.label != task.label

    def session(self, item: Item, **values: Any) -> Session:
        """Return a participant on the page of this item, known to no table."""
        given: dict[str, Any] = {
            "status": Session.Status.ACTIVE,
            "consented_at": timezone.now(),
            # As one who came from a panel, and has a submission to return to.
            "identity_id": _NOBODY,
        }
        return Session(
            pk=_NOBODY,
            study=self.version.study,
            version=self.version,
            condition=self.condition,
            language=self.language,
            item=item.key,
            seed=0,
            block_order=self.spec.block_orders()[0],
            task_order=[task.number for task in self.tasks],
            **(given | values),
        )

    def page(self, item: Item) -> Sheet:
        form = pages.form_of(self.session(item), item)
        return Sheet(_name(item), _title(item), (("", self.shown(item, form)),))

    def faulty(self, item: Item) -> Iterator[Sheet]:
        """The page again, as it comes back where nothing was answered, or not rightly."""
        form = pages.form_of(self.session(item), item, {})
        if form is not None and not form.is_valid():
            seen = self.shown(item, form, name=f"{_name(item)}-missing")
            title = f"{_title(item)}, sent without answers"
            yield Sheet(f"{_name(item)}-missing", title, (("", seen),))
        screening = self.spec.screening
        if item.stage is Stage.SCREENING and screening.on_failure != "flag" and screening.tries > 1:
            seen = self.shown(
                item,
                pages.form_of(self.session(item), item),
                name="screening-again",
                messages=[Message(constants.WARNING, str(notices.NOT_ALL_RIGHT))],
            )
            yield Sheet("screening-again", f"{_title(item)}, after a wrong answer", (("", seen),))

    def feedback(self, item: Item) -> Sheet:
        """As for somebody who was right in every other task."""
        session = self.session(item, status=Session.Status.COMPLETED, completed_at=timezone.now())
        answers = []
        for place, task in enumerate(self.tasks):
            predicted = task.assigned == (place % 2 == 0)
            values = {self.spec.prediction.key: "yes" if predicted else "no"}
            answers.append(
                Answer(session=session, task=task, values=values, correct=place % 2 == 0)
            )
        n_correct = sum(bool(answer.correct) for answer in answers)
        pay = self.spec.pay
        reward = Reward(
            session=session,
            currency=pay.currency,
            base=pay.base,
            bonus=pay.bonus(n_correct),
            n_correct=n_correct,
        )
        told = pages.feedback_context(session, reward, answers)
        seen = self.shown(item, None, session=session, **told)
        return Sheet(
            _name(item),
            _title(item),
            (("", seen),),
            note="An example: every other prediction was right.",
        )

    def exits(self) -> Sheet:
        parts = []
        for status in map(Session.Status, Exits.model_fields):
            ended = timezone.now() if status is Session.Status.COMPLETED else None
            session = self.session(EXIT, status=status, completed_at=ended)
            seen = self.shown(EXIT, None, session=session, name=f"exit-{status}")
            parts.append((status.label.capitalize(), seen))
        return Sheet("exit", "The end, by outcome", tuple(parts))

    def notices(self) -> Sheet:
        """In place of a page: where the study is not open, a link or a form not as it should be."""
        recruitment = self.spec.recruitment
        person = recruitment.person_parameter
        others = (recruitment.study_parameter, recruitment.submission_parameter)
        parts = []
        for number, notice in enumerate(notices.NOTICES, start=1):
            of_any = notice in {notices.GIVEN_TWICE, notices.NOT_USABLE}
            for name in (person, *others) if of_any else (person,):
                context = {
                    "title": notice.title,
                    "text": notice.filled(name=name, n=tokens.ENTRY_LINK_AGE.days),
                    "onward": pages.address(self.session(EXIT), EXIT.key),
                }
                told = f"notice-{number}-{name}"
                parts.append(("", self.kept("participation/message.html", context, told)))
        waiting = {"percent": _PERCENT}
        parts.append(("", self.kept("participation/preparing.html", waiting, "preparing")))
        parts += [("", self.kept(f"{name}.html", {}, f"fault-{name}")) for name in _FAULTS]
        return Sheet(
            "notices",
            "In place of a page",
            tuple(parts),
            note="The button that goes on is there for those whose browser is known.",
        )

    def everywhere(self) -> Sheet:
        """What stands above and below every page, and what its script says; made last."""
        answered = self.shown(
            CONSENT,
            pages.form_of(self.session(CONSENT), CONSENT),
            name="answered",
            messages=[Message(constants.INFO, str(notices.ANSWERED_ALREADY))],
        )
        session = self.session(INFORMATION)
        page = self.whole(INFORMATION, pages.form_of(session, INFORMATION), session)
        frame = inert(page, prefix="everywhere", keep={"header", "footer"})
        self.spoken |= dict.fromkeys(frame.spoken)
        said = render_to_string("console/_pages_said.html", {"spoken": list(self.spoken)})
        return Sheet(
            "everywhere",
            "On every page",
            (
                ("Above and below the page", frame.html),
                (
                    "For the keyboard and screen readers, and what a page's script says",
                    SafeString(said),
                ),
                ("After going back to a page that was answered", answered),
            ),
        )

    def shown(
        self,
        item: Item,
        form: Any,
        *,
        session: Session | None = None,
        name: str = "",
        **more: Any,
    ) -> SafeString:
        """Return what is seen of a page, inert; `more` is laid over its context."""
        page = self.whole(item, form, session or self.session(item), **more)
        return self.inert(page, name or _name(item))

    def whole(self, item: Item, form: Any, session: Session, **more: Any) -> str:
        token = tokens.PageToken(session.public_id, item.key, 1, timezone.now())
        context = pages.page_context(session, item, token, form) | more
        return render_to_string(pages.template_of(item), context, request=_request())

    def kept(self, template: str, context: Mapping[str, Any], name: str) -> SafeString:
        return self.inert(render_to_string(template, dict(context), request=_request()), name)

    def inert(self, page: str, name: str) -> SafeString:
        seen = inert(page, prefix=name, keep={"header", "main"})
        skip = strip_tags(inert(page, prefix=name, keep={"skip"}).html)
        self.spoken |= dict.fromkeys((*([skip] if skip else []), *seen.spoken))
        return seen.html


def _request() -> HttpRequest:
    """Return a request of nobody: a page must not show what is meant for the researcher."""
    request = HttpRequest()
    request.user = AnonymousUser()
    return request


def _name(item: Item) -> str:
    return item.key.replace("/", "-")


def _title(item: Item) -> str:
    words = str(item.stage).capitalize()
    return f"{words} {item.number}" if item.number else words
