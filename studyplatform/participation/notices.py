"""What participants are told in place of a page of the study, or above one: every such sentence.

Kept together, so that the print-out for an ethics board shows all of them.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Notice:
    """A page of one sentence or two; names in braces in `text` are filled in when it is shown."""

    status: int
    title: Promise
    text: Promise

    def filled(self, **values: Any) -> str:
        """Return the text in the language in use, with `values` in place of its names."""
        return str(self.text).format(**values)


_INCOMPLETE = _("This link is not complete")
_NOT_OPEN = _("The study is not open")

LINK_EXPIRED = Notice(
    HTTPStatus.GONE,
    _("This link has expired"),
    _("Such a link opens the study for {n} days. Please ask for a new one."),
)
LINK_CHANGED = Notice(
    HTTPStatus.BAD_REQUEST,
    _INCOMPLETE,
    _("Its token is missing or was changed. Please copy the whole link again."),
)
NOT_FROM_PANEL = Notice(
    HTTPStatus.BAD_REQUEST,
    _INCOMPLETE,
    _(
        "The address lacks {name}. Please open the study from the platform that "
        "invited you, so that it knows you took part."
    ),
)
NO_PERSON = Notice(HTTPStatus.BAD_REQUEST, _INCOMPLETE, _("The address lacks {name}."))
GIVEN_TWICE = Notice(HTTPStatus.BAD_REQUEST, _INCOMPLETE, _("The address gives {name} twice."))
NOT_USABLE = Notice(
    HTTPStatus.BAD_REQUEST,
    _INCOMPLETE,
    _("The address has no usable {name}: expected 1 to 100 letters, digits or . _ @ + -"),
)
TOO_MANY = Notice(
    HTTPStatus.TOO_MANY_REQUESTS,
    _("Please wait a moment"),
    _("Many people arrive from your network just now. Please try again in a minute."),
)
NOT_BEGUN = Notice(HTTPStatus.OK, _NOT_OPEN, _("The study has not begun yet."))
PAUSED = Notice(
    HTTPStatus.OK, _NOT_OPEN, _("The study is paused at the moment. Please come back later.")
)
CLOSED = Notice(
    HTTPStatus.OK, _NOT_OPEN, _("The study has ended and takes no more participants. Thank you.")
)
BEGUN_ALREADY = Notice(
    HTTPStatus.CONFLICT,
    _("You have begun this study already"),
    _("You came by another link then. Please go on by that one."),
)
TRIED_BEFORE = Notice(
    HTTPStatus.CONFLICT,
    _("You have already taken part in a trial of this study"),
    _(
        "This link is for people who do not know the study yet. Please do not take part a "
        "second time."
    ),
)
UNKNOWN_BROWSER = Notice(
    HTTPStatus.FORBIDDEN,
    _("This browser is not where you left"),
    _(
        "Please open the study by the link you were given. If you had begun, you will go on "
        "where you were."
    ),
)
FORM_CHANGED = Notice(
    HTTPStatus.BAD_REQUEST,
    _("This form cannot be used"),
    _("Its page token is missing or was changed, so nothing was saved."),
)
OTHER_PAGE = Notice(
    HTTPStatus.CONFLICT,
    _("This page is not the one you are on"),
    _("Nothing was saved from it. Please go on from the page you are on."),
)
NOTHING_SENT = Notice(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    _("Nothing was sent"),
    _("Please say in a few words what went wrong."),
)
PROBLEM_SENT = Notice(
    HTTPStatus.OK,
    _("Thank you for telling us"),
    _("Your report has been sent to the people who run this study."),
)

NOTICES = (
    NOT_BEGUN, PAUSED, CLOSED, TOO_MANY, LINK_EXPIRED, LINK_CHANGED, NOT_FROM_PANEL, NO_PERSON,
    GIVEN_TWICE, NOT_USABLE, BEGUN_ALREADY, TRIED_BEFORE, UNKNOWN_BROWSER, FORM_CHANGED,
    OTHER_PAGE, NOTHING_SENT, PROBLEM_SENT,
)  # fmt: skip

# Said above a page of the study.
NOT_ALL_RIGHT = _(
    "Not all of your answers were right. Please look at the instructions again, then try once more."
)
ANSWERED_ALREADY = _("You had answered that page already. Your first answer was kept.")
