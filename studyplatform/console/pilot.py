"""What a pilot measured: how long the study takes, who leaves it, what the whole of it will cost.

Blind to outcomes but for what they cost: pay tells how many predictions were right on average.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import mean, median, quantiles

from django.db.models import F, Sum

from studyplatform.participation.models import Session
from studyplatform.participation.selectors import ACTIVE_WINDOW
from studyplatform.participation.texts import money
from studyplatform.stimuli.lint.participants import HOURLY_MINIMUM
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.spec import Spec

from .design import fee_read

FEW = 5  # below this the numbers say little
TOLERANCE = 0.25  # of the minutes that the spec tells participants
_Status = Session.Status
_UNDER_WAY = (_Status.ARRIVED, _Status.ACTIVE)


@dataclass(frozen=True)
class Minutes:
    """From arrival to the last answer: the median, the middle half, the extremes."""

    median: float
    low: float
    high: float
    shortest: float
    longest: float


@dataclass(frozen=True)
class Paid:
    """What those who completed are owed, per person and together, as people read amounts."""

    mean: str
    lowest: str
    highest: str
    altogether: str
    hourly: str
    hourly_base: str


@dataclass(frozen=True)
class Projection:
    """What all places cost: at the mean that was measured, and if everybody is always right."""

    places: int
    pay: str
    fee: str
    whole: str
    at_most: str


@dataclass(frozen=True)
class Pilot:
    """What the pilots of one version did. `left_at` is page -> people, of those who left.

    `turned_away` is outcome -> people, of those who ended before or instead of completing.
    """

    arrived: int
    began: int
    completed: int
    active: int
    left: int
    left_at: tuple[tuple[str, int], ...]
    turned_away: tuple[tuple[str, int], ...]
    minutes: Minutes | None
    paid: Paid | None
    projection: Projection | None
    warnings: tuple[str, ...]

    @property
    def is_few(self) -> bool:
        return 0 < self.completed < FEW

    @property
    def dropped(self) -> str:
        """Who left among those who are no longer on their way, in per cent; "" for nobody."""
        over = self.left + self.completed
        return f"{100 * self.left / over:.0f}" if over else ""


@dataclass(frozen=True)
class _Row:
    status: str
    item: str
    arrived_at: datetime
    consented_at: datetime | None
    completed_at: datetime | None
    last_seen_at: datetime
    base: Decimal | None
    bonus: Decimal | None

    @property
    def minutes(self) -> float:
        assert self.completed_at is not None  # a constraint of the table
        return (self.completed_at - self.arrived_at).total_seconds() / 60

    @property
    def pay(self) -> Decimal:
        return (self.base or Decimal(0)) + (self.bonus or Decimal(0))


def pilot_of(version: StudyVersion, *, fee: str, now: datetime) -> Pilot:
    """Return what the version's pilots measured; two queries.

    fee: the platform's share in per cent as it was typed, "" for none. Excluded sessions are left
    out; sessions of any other source are never in it.
    """
    rows = _rows(version)
    done = [row for row in rows if row.status == _Status.COMPLETED]
    open_rows = [row for row in rows if row.status in _UNDER_WAY]
    gone = [row for row in open_rows if row.last_seen_at < now - ACTIVE_WINDOW]
    ended = Counter(
        _Status(row.status).label
        for row in rows
        if row.status not in (_Status.COMPLETED, *_UNDER_WAY)
    )
    minutes = _minutes([row.minutes for row in done])
    places = version.conditions.aggregate(all=Sum("target"))["all"] or 0
    return Pilot(
        arrived=len(rows),
        began=sum(row.consented_at is not None for row in rows),
        completed=len(done),
        active=len(open_rows) - len(gone),
        left=len(gone),
        left_at=tuple(Counter(row.item for row in gone).most_common()),
        turned_away=tuple(ended.most_common()),
        minutes=minutes,
        paid=_paid(version.spec, done, minutes) if minutes else None,
        projection=_projection(version.spec, done, places, fee) if done else None,
        warnings=tuple(_warnings(version.spec, minutes)) if minutes else (),
    )


def _rows(version: StudyVersion) -> list[_Row]:
    sessions = Session.objects.filter(version=version, source=Session.Source.PILOT, excluded=False)
    named = sessions.annotate(base=F("reward__base"), bonus=F("reward__bonus"))
    names = _Row.__dataclass_fields__
    return [_Row(**row) for row in named.order_by("pk").values(*names)]


def _minutes(measured: Sequence[float]) -> Minutes | None:
    if not measured:
        return None
    # Of one person alone there are no quarters.
    known = [*measured, *measured] if len(measured) == 1 else measured
    low, middle, high = quantiles(known, n=4, method="inclusive")
    return Minutes(middle, low, high, min(measured), max(measured))


def _paid(spec: Spec, done: Sequence[_Row], minutes: Minutes) -> Paid:
    amounts = [row.pay for row in done]
    hours = Decimal(minutes.median) / 60

    def said(amount: Decimal) -> str:
        return money(amount, spec.pay.currency)

    return Paid(
        mean=said(mean(amounts)),
        lowest=said(min(amounts)),
        highest=said(max(amounts)),
        altogether=said(sum(amounts, Decimal(0))),
        hourly=said(median(amounts) / hours) if hours else "",
        hourly_base=said(spec.pay.base / hours) if hours else "",
    )


def _projection(spec: Spec, done: Sequence[_Row], places: int, fee: str) -> Projection:
    pay = places * mean(row.pay for row in done)
    rate = (fee_read(fee) or Decimal(0)) / 100
    most = places * spec.maximum_pay
    currency = spec.pay.currency
    return Projection(
        places=places,
        pay=money(pay, currency),
        fee=money(pay * rate, currency),
        whole=money(pay * (1 + rate), currency),
        at_most=money(most * (1 + rate), currency),
    )


def _warnings(spec: Spec, minutes: Minutes) -> Iterator[str]:
    told = spec.pay.expected_minutes
    if abs(minutes.median - told) > TOLERANCE * told:
        yield (
            f"Participants are told that it takes about {told} minutes; half of the pilots took "
            f"{minutes.median:.0f} or more. Say so in the spec (pay.expected_minutes), or change "
            "the study."
        )
    minimum = HOURLY_MINIMUM.get(spec.pay.currency)
    hourly = spec.pay.base * 60 / Decimal(minutes.median) if minutes.median else None
    if minimum is not None and hourly is not None and hourly < minimum:
        needed = minimum * Decimal(minutes.median) / 60
        yield (
            f"At that duration the pay without bonus is {money(hourly, spec.pay.currency)} an "
            f"hour; Prolific's minimum is {money(minimum, spec.pay.currency)}. Raise pay.base to "
            f"{money(needed.quantize(Decimal('0.01'), 'ROUND_UP'), spec.pay.currency)} or more."
        )
