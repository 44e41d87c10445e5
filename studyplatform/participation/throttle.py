"""A brake on arrivals, per network address. Saving answers is never braked."""

import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest


def entry_allowed(request: HttpRequest) -> bool:
    """Count an arrival; False if its network address sent too many within this minute."""
    minute = int(time.time() // 60)
    key = f"entry:{_address(request)}:{minute}"
    cache.add(key, 0, timeout=120)
    try:
        return cache.incr(key) <= settings.ENTRIES_PER_MINUTE
    except ValueError:  # the entry was evicted between the two calls
        return True


def _address(request: HttpRequest) -> str:
    """Return the visitor's address; in production the one that the proxy in front has seen."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.PRODUCTION else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
