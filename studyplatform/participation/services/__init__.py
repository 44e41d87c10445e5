"""Everything that writes a participant's way, one module per moment of it."""

from .entry import (
    Arrival,
    EntryError,
    NotOpenError,
    OtherSourceError,
    arrival_read,
    arrival_refuse,
    entry_link,
    session_enter,
)
from .events import client_read, page_serve, problem_report
from .previews import previews_discard
from .progress import Reply, Submission, Turn, page_submit, session_recover

__all__ = [
    "Arrival",
    "EntryError",
    "NotOpenError",
    "OtherSourceError",
    "Reply",
    "Submission",
    "Turn",
    "arrival_read",
    "arrival_refuse",
    "client_read",
    "entry_link",
    "page_serve",
    "page_submit",
    "previews_discard",
    "problem_report",
    "session_enter",
    "session_recover",
]
