"""Which condition and which order of blocks a participant gets.

Minimisation over seeded permuted blocks: the condition with the fewest participants for its
target, finished or on their way, and within it the order with the fewest; ties go by a permuted
sequence of all slots (condition x order) that follows from the version's seed alone. Permutations
are orders of SHA-256 digests, so that anyone can audit them in any language.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import Count, Max

from studyplatform.stimuli.models import Task
from studyplatform.studies.models import Condition, StudyVersion

from .. import selectors
from ..models import Assignment, Session

T = TypeVar("T")


@dataclass(frozen=True)
class Slot:
    """A condition with an order of the labels' blocks."""

    condition: Condition
    block_order: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.condition.key}/{','.join(self.block_order)}"


def permuted(values: Iterable[T], seed: str) -> list[T]:
    """Return `values` in an order that follows from `seed` alone."""
    return sorted(values, key=lambda value: hashlib.sha256(f"{seed}:{value}".encode()).digest())


def slot_choose(
    slots: Sequence[Slot],
    counts: Mapping[str, int],
    *,
    number: int,
    seed: str,
    limited: bool = True,
) -> Slot | None:
    """Return the least-filled slot for the `number`th assignment; None if all targets are met.

    `counts` is slot key -> participants, finished or on their way. Conditions are filled in
    proportion to their targets, so that all of them are filled at about the same time; unless
    `limited`, they go on to be beyond them.
    """
    by_condition: dict[int, int] = {}
    for slot in slots:
        held = by_condition.get(slot.condition.pk, 0)
        by_condition[slot.condition.pk] = held + counts.get(slot.key, 0)
    share = {slot: by_condition[slot.condition.pk] / slot.condition.target for slot in slots}
    free = [slot for slot in slots if share[slot] < 1 or not limited]
    block = (number - 1) // len(slots)
    sequence = permuted((slot.key for slot in slots), f"{seed}:{block}")
    return min(
        free,
        key=lambda slot: (
            share[slot],
            counts.get(slot.key, 0),
            sequence.index(slot.key),
        ),
        default=None,
    )


def session_assign(*, session: Session, now: datetime) -> bool:
    """Give a session its condition, its order of blocks and of tasks; False if all is taken.

    Runs inside the caller's transaction. Writes an Assignment and sets the session's fields,
    which the caller saves.
    """
    version_lock(session.version_id)
    slots = _slots(session)
    counts = slot_counts(session.version, session.source, now)
    previous = Assignment.objects.filter(version=session.version_id, source=session.source)
    number = (previous.aggregate(last=Max("number"))["last"] or 0) + 1
    spec = selectors.material(session.version).spec
    slot = slot_choose(
        slots,
        counts,
        number=number,
        seed=f"{spec.seed}:{session.version.number}:{session.source}",
        limited=session.source in selectors.BALANCED,
    )
    if slot is None:
        return False
    session.condition = slot.condition
    session.block_order = list(slot.block_order)
    session.task_order = _task_order(session)
    Assignment.objects.create(
        session=session,
        version=session.version,
        number=number,
        source=session.source,
        condition=slot.condition,
        block_order=session.block_order,
        counts={slot.key: counts.get(slot.key, 0) for slot in slots},
    )
    return True


def version_lock(version_id: int) -> None:
    """Let one assignment of a version happen at a time, until the transaction ends.

    Sessions that refer to the version can still be inserted meanwhile (NO KEY): nobody who arrives
    waits for those who consent. On SQLite the transaction itself, begun IMMEDIATE, is the lock.
    """
    StudyVersion.objects.select_for_update(no_key=True).only("pk").get(pk=version_id)


def slot_counts(version: StudyVersion, source: str, now: datetime) -> dict[str, int]:
    """Return slot key -> sessions that completed or are on their way."""
    rows = (
        selectors.holding_a_slot(version, source, now)
        .values_list("condition__key", "block_order")
        .annotate(Count("pk"))
        .order_by()
    )
    return {f"{key}/{','.join(order)}": n for key, order, n in rows}


def _slots(session: Session) -> list[Slot]:
    conditions = Condition.objects.filter(version=session.version_id).order_by("position")
    if session.condition_id is not None:
        # A preview asked for this condition.
        conditions = conditions.filter(pk=session.condition_id)
    orders = selectors.material(session.version).spec.block_orders()
    return [Slot(condition, tuple(order)) for condition in conditions for order in orders]


def _task_order(session: Session) -> list[int]:
    """Return the task numbers in the order shown: block after block, shuffled within each."""
    tasks = Task.objects.filter(stimulus_set__version=session.version_id)
    by_label: dict[str, list[int]] = {}
    for number, label in tasks.order_by("number").values_list("number", "label"):
        by_label.setdefault(label, []).append(number)
    return [
        number
        for label in session.block_order
        for number in permuted(by_label.get(label, []), str(session.seed))
    ]
