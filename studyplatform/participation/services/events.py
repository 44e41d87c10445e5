"""What is recorded beside the answers: pages served, what the browser measured, problems."""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from .. import selectors
from ..models import Event, Session

MAX_CLIENT_CHARACTERS = 8_000
MAX_PROBLEM_CHARACTERS = 2_000
_LARGEST = 1e13  # milliseconds since 1970 fit, nonsense does not
_SEEN_EVERY = timedelta(seconds=60)
_NUMBERS = frozenset(
    {
        "opened_at",  # the browser's clock, ms since 1970
        "on_page_ms",
        "hidden_ms",
        "hidden_count",
        "blur_count",
        "window_width",
        "window_height",
        "screen_width",
        "screen_height",
        "pixel_ratio",
    }
)
_COUNTS = frozenset({"pastes", "keystrokes", "zooms"})


def page_serve(*, session: Session, item_key: str) -> datetime:
    """Record that a page is shown, once per attempt, and return when it was shown first."""
    now = timezone.now()
    if now - session.last_seen_at > _SEEN_EVERY:
        Session.objects.filter(pk=session.pk).update(last_seen_at=now)
    served_at = selectors.first_served_at(session, item_key, session.attempt)
    if served_at is None:
        event = Event.objects.create(
            session=session, kind="page_served", item=item_key, data={"attempt": session.attempt}
        )
        served_at = event.at
    return served_at


def problem_report(*, session: Session, text: str) -> None:
    """Keep what a participant says is wrong, with the page they were on."""
    text = text.strip()[:MAX_PROBLEM_CHARACTERS].replace("\x00", "")
    Event.objects.create(session=session, kind="problem", item=session.item, data={"text": text})


def client_read(text: str, fields: Collection[str] = ()) -> dict[str, Any]:
    """Return what a browser measured, reduced to known names and plausible numbers.

    Anything unreadable is left out and never an error: answers matter, measurements do not.
    Counts are kept per question (`fields`) or, for zooms, per example number.
    """
    if not text or len(text) > MAX_CLIENT_CHARACTERS:
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    kept: dict[str, Any] = {
        name: value for name, value in data.items() if name in _NUMBERS and _is_number(value)
    }
    if isinstance(data.get("mobile"), bool):
        kept["mobile"] = data["mobile"]
    for name in _COUNTS & data.keys():
        counts = data[name]
        if isinstance(counts, dict):
            known = {
                key: value
                for key, value in counts.items()
                if _is_number(value) and (key in fields or (name == "zooms" and _is_place(key)))
            }
            if known:
                kept[name] = known
    return kept


def _is_number(value: object) -> bool:
    # Compared and never converted: no comparison fails, and NaN and infinity hold none of these.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _is_place(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) <= 2
