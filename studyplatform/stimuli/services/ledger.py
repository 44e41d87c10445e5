"""The ledger of heatmaps to render: the database is the queue's truth, messages are only pokes.

A worker claims a row by a conditional UPDATE that sets a lease and a fresh claim, renews the
lease while it works, and publishes only while the claim is its own. The file gets its name, which
tells its content, inside the transaction that marks the row done, and what earlier workers left
goes: whatever is killed when, each row ends with exactly one published file.
"""

import hashlib
import io
import logging
import os
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone
from numpy.typing import NDArray

from studyplatform.studies.models import StudyVersion

from .. import media, pictures, runtime
from ..models import Heatmap, NeededHeatmap
from . import overlays
from .leases import LeaseLostError, lease_renewed

if TYPE_CHECKING:
    from explainers.classifier import Target

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
LEASE = timedelta(seconds=60)
RENEW_AFTER = timedelta(seconds=15)
MAX_ATTEMPTS = 3


def heatmap_claim(
    *, version: StudyVersion | None = None, clock: Clock = timezone.now
) -> Heatmap | None:
    """Lease the first waiting row (of a version, or of all) and return it; None where none waits.

    Of workers that reach for the same row, the database lets one UPDATE win; the others try the
    next row.
    """
    waiting = _waiting(version)
    while True:
        candidate = waiting.order_by("pk").values_list("pk", flat=True).first()
        if candidate is None:
            return None
        claim = secrets.token_hex(16)
        won = Heatmap.objects.filter(pk=candidate, state=Heatmap.State.PENDING).update(
            state=Heatmap.State.LEASED,
            claim=claim,
            leased_until=clock() + LEASE,
            attempts=F("attempts") + 1,
        )
        # By the claim: where this process was held up here for a lease, the row is another's.
        rows = Heatmap.objects.select_related("classifier", "image")
        if won and (mine := rows.filter(pk=candidate, claim=claim).first()):
            return mine


def heatmap_renew(*, heatmap: Heatmap, clock: Clock = timezone.now) -> None:
    """Prolong the lease; LeaseLostError where the row went to another worker."""
    if not _mine(heatmap).update(leased_until=clock() + LEASE):
        raise LeaseLostError(str(heatmap))


def heatmap_publish(
    *, heatmap: Heatmap, raw: NDArray[np.float32], seconds: float, clock: Clock = timezone.now
) -> None:
    """Put the raw heatmap in its place and mark the row done, both or neither.

    LeaseLostError where the row went to another worker, ValueError for a map that is none;
    nothing of `raw` then stays.
    """
    _check_map(heatmap, raw)
    file = io.BytesIO()
    np.save(file, raw, allow_pickle=False)
    content = hashlib.sha256(file.getbuffer()).hexdigest()
    # Named by its content too: a worker that lost its connection, and with it the lock below,
    # cannot put another content where the row's file is.
    target = media.heatmap_path(heatmap.key, content)
    with media.draft(target) as draft:
        draft.write_bytes(file.getbuffer())
        media.flush_to_disk(draft)
        with transaction.atomic():
            # The UPDATE locks the row, so no other claim can publish until this one has.
            published = _mine(heatmap).update(
                state=Heatmap.State.DONE,
                leased_until=None,
                error="",
                content_sha256=content,
                seconds=seconds,
                rendered_at=clock(),
            )
            if not published:
                raise LeaseLostError(str(heatmap))
            os.replace(draft, target)
    for path in media.heatmap_files(heatmap.key):
        if path != target:
            path.unlink(missing_ok=True)


def heatmap_fail(*, heatmap: Heatmap, reason: str) -> None:
    """Note a failed attempt: the row waits again, or has failed for good after the last one."""
    last = heatmap.attempts >= MAX_ATTEMPTS
    _mine(heatmap).update(
        state=Heatmap.State.FAILED if last else Heatmap.State.PENDING,
        claim="",
        leased_until=None,
        error=reason,
    )


def heatmap_release(*, heatmap: Heatmap) -> None:
    """Give a row back unrendered, as if it had not been claimed."""
    _mine(heatmap).update(
        state=Heatmap.State.PENDING, claim="", leased_until=None, attempts=F("attempts") - 1
    )


def heatmap_lease_kept(
    *, heatmap: Heatmap, clock: Clock = timezone.now, every: timedelta = RENEW_AFTER
) -> AbstractContextManager[Event]:
    """Renew the lease while the block runs; yields what is set once the claim is lost."""
    return lease_renewed(
        lambda: heatmap_renew(heatmap=heatmap, clock=clock),
        name=f"heatmap {heatmap.pk}",
        every=every,
    )


def heatmap_render(
    *, heatmap: Heatmap, clock: Clock = timezone.now, renew_every: timedelta = RENEW_AFTER
) -> None:
    """Compute and publish a claimed row, renewing its lease on the way.

    Of a method whose map has several values per pixel, what supports the label is kept: what a
    study shows.
    Raises LeaseLostError, and whatever the method raises.
    """
    started = time.monotonic()
    last = None
    with heatmap_lease_kept(heatmap=heatmap, clock=clock, every=renew_every) as lost:
        explainer = runtime.explainer(
            heatmap.classifier, heatmap.method, heatmap.parameters, heatmap.network_seed
        )
        pixels = pictures.pixels_of(heatmap.image.sha256)
        for step in explainer.iter_explain(pixels, _target(heatmap)):
            last = step
            if lost.is_set():
                raise LeaseLostError(str(heatmap))
        if last is None:
            raise RuntimeError(f"{heatmap.method} ended without a heatmap")
        raw = explainer.support(last.heatmap)
    seconds = time.monotonic() - started
    heatmap_publish(heatmap=heatmap, raw=raw, seconds=seconds, clock=clock)


def ledger_drain(
    *,
    version: StudyVersion | None = None,
    clock: Clock = timezone.now,
    progress: Callable[[], None] = lambda: None,
    at_most: timedelta = timedelta.max,
) -> int:
    """Render until nothing waits (for a version, or at all); returns how many were rendered.

    `progress` is called after every row, rendered or failed. After `at_most` no further row is
    begun.
    """
    rendered, began = 0, clock()
    while clock() - began < at_most:
        # Before every row: with a single worker the scheduled sweep waits until this task ends.
        ledger_sweep(clock=clock)
        heatmap = heatmap_claim(version=version, clock=clock)
        if heatmap is None:
            break
        rendered += _attempt(heatmap, clock)
        progress()
    # Those whose worker was killed between heatmap and overlay, or that were rendered before.
    overlays.overlays_compose(needed=NeededHeatmap.objects.all())
    return rendered


def ledger_sweep(*, clock: Clock = timezone.now) -> int:
    """Let rows with an expired lease wait again; returns how many there were.

    A row whose workers were lost at every attempt has failed: it may be what kills them.
    """
    expired = Heatmap.objects.filter(state=Heatmap.State.LEASED, leased_until__lt=clock())
    keys = list(expired.values_list("key", flat=True))
    if not keys:
        return 0
    lost = expired.filter(attempts__gte=MAX_ATTEMPTS).update(
        state=Heatmap.State.FAILED,
        claim="",
        leased_until=None,
        error=f"The worker was lost {MAX_ATTEMPTS} times while it rendered this.",
    )
    requeued = expired.update(state=Heatmap.State.PENDING, claim="", leased_until=None)
    for key in keys:
        media.discard_old_drafts(media.heatmap_path(key, "").parent, LEASE)
    return lost + requeued


def ledger_has_work() -> bool:
    """Return whether a row waits, or an overlay is to be composed."""
    return _waiting().exists() or bool(overlays.composable(NeededHeatmap.objects.all()))


def heatmaps_retry(*, version: StudyVersion) -> int:
    """Let a version's failed heatmaps wait again, with all attempts; returns how many."""
    failed = Heatmap.objects.filter(
        state=Heatmap.State.FAILED, needed_by__stimulus_set__version=version
    )
    return Heatmap.objects.filter(pk__in=failed.values("pk")).update(
        state=Heatmap.State.PENDING, attempts=0, error="", claim="", leased_until=None
    )


def _waiting(version: StudyVersion | None = None) -> QuerySet[Heatmap]:
    """Return the rows to render: of a version, or all that some stimuli show.

    A draft that got another spec leaves rows behind that nothing shows any more.
    """
    needed = NeededHeatmap.objects.filter(heatmap=OuterRef("pk"))
    if version is not None:
        needed = needed.filter(stimulus_set__version=version)
    return Heatmap.objects.filter(Exists(needed), state=Heatmap.State.PENDING)


def _target(heatmap: Heatmap) -> "Target":
    """Return what is explained: a row without a label is that of a class-agnostic method."""
    from explainers import CLASS_AGNOSTIC

    return heatmap.label or CLASS_AGNOSTIC


def _check_map(heatmap: Heatmap, raw: NDArray[np.float32]) -> None:
    """Raise ValueError for what no overlay can be made of: it would be found out too late."""
    side = heatmap.classifier.size
    if raw.shape != (side, side):
        raise ValueError(
            f"{heatmap.method} gave a map of shape {raw.shape}; expected {(side, side)}."
        )
    if not np.isfinite(raw).all():
        raise ValueError(f"{heatmap.method} gave a map with values that are NaN or infinite.")


def _attempt(heatmap: Heatmap, clock: Clock) -> int:
    try:
        heatmap_render(heatmap=heatmap, clock=clock)
    except LeaseLostError:
        logger.warning("Heatmap %s went to another worker; this result is discarded", heatmap.pk)
        return 0
    except Exception as error:
        logger.exception("Heatmap %s: attempt %s failed", heatmap.pk, heatmap.attempts)
        heatmap_fail(heatmap=heatmap, reason=f"{type(error).__name__}: {error}")
        return 0
    except BaseException:
        # Stopped by hand: no fault of the row.
        heatmap_release(heatmap=heatmap)
        raise
    overlays.overlays_compose(needed=NeededHeatmap.objects.filter(heatmap=heatmap))
    return 1


def _mine(heatmap: Heatmap) -> QuerySet[Heatmap]:
    """Return the row while this claim holds it, and nothing once another one does."""
    return Heatmap.objects.filter(pk=heatmap.pk, claim=heatmap.claim, state=Heatmap.State.LEASED)
