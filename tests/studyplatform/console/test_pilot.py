"""The pilot: its link, what it measured with known answers, and that it counts nowhere else."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from studyplatform.console.overview import counts_of
from studyplatform.console.pilot import pilot_of
from studyplatform.participation.models import Reward, Session
from studyplatform.participation.selectors import is_full
from studyplatform.studies.models import Study, StudyVersion

from ..factories import make_session, make_version

NOW = timezone.now()
PILOT_QUERIES = 7


@pytest.fixture
def version(db: None) -> StudyVersion:
    return make_version()


def make_pilot(
    version: StudyVersion, minutes: float, n_correct: int = 0, **values: object
) -> Session:
    """A pilot who took so many minutes and was right so often; 8.00 and 0.50 for each."""
    begun = NOW - timedelta(hours=5)
    session = make_session(
        version,
        0,
        **{"source": "pilot", "completed_at": begun + timedelta(minutes=minutes)} | values,
    )
    Session.objects.filter(pk=session.pk).update(arrived_at=begun)
    if session.status == "completed":
        bonus = Decimal("0.5") * n_correct
        Reward.objects.create(
            session=session, currency="GBP", base=8, bonus=bonus, n_correct=n_correct
        )
    return session


def gone(version: StudyVersion, item: str, hours: float = 2, **values: object) -> Session:
    """Somebody who was last seen on this page so many hours ago."""
    seen = {"status": "in_progress", "completed_at": None, "item": item, "source": "pilot"}
    return make_session(
        version, 0, **seen | {"last_seen_at": NOW - timedelta(hours=hours)} | values
    )


def test_duration_pay_and_projection_are_those_reckoned_by_hand(version: StudyVersion) -> None:
    for minutes, n_correct in ((20, 4), (30, 6), (40, 8), (50, 14), (90, 10)):
        make_pilot(version, minutes, n_correct)
    pilot = pilot_of(version, fee="33.3", now=NOW)

    assert pilot.minutes is not None
    assert (pilot.minutes.median, pilot.minutes.low, pilot.minutes.high) == (40, 30, 50)
    assert (pilot.minutes.shortest, pilot.minutes.longest) == (20, 90)
    # 10, 11, 12, 15, 13: 12.20 on average; the median of 12 for 40 minutes.
    assert pilot.paid is not None
    assert (pilot.paid.mean, pilot.paid.lowest, pilot.paid.highest) == (
        "£12.20",
        "£10.00",
        "£15.00",
    )
    assert (pilot.paid.altogether, pilot.paid.hourly) == ("£61.00", "£18.00")
    assert pilot.paid.hourly_base == "£12.00"
    # 96 places at 12.20 are 1171.20, a third of a per cent less than a third on top: 390.01.
    assert pilot.projection is not None
    assert (pilot.projection.places, pilot.projection.pay) == (96, "£1171.20")
    assert (pilot.projection.fee, pilot.projection.whole) == ("£390.01", "£1561.21")
    # At most 8 and 14 halves, 15.00, for 96: 1440 and 33.3 % on top.
    assert pilot.projection.at_most == "£1919.52"
    assert not pilot.is_few


def test_without_a_fee_there_is_none(version: StudyVersion) -> None:
    make_pilot(version, 30)
    for fee in ("", "much"):
        projection = pilot_of(version, fee=fee, now=NOW).projection
        assert projection is not None
        assert (projection.pay, projection.fee, projection.whole) == ("£768.00", "£0.00", "£768.00")


def test_who_left_and_who_is_on_the_way(version: StudyVersion) -> None:
    for _ in range(3):
        make_pilot(version, 30)
    gone(version, "task/2")
    gone(version, "task/2")
    gone(version, "consent", status="arrived", consented_at=None)
    gone(version, "task/3", hours=0.5)
    for status in ("device", "device", "declined"):
        gone(version, "exit", status=status, consented_at=None)
    pilot = pilot_of(version, fee="", now=NOW)
    assert (pilot.arrived, pilot.began, pilot.completed, pilot.active) == (10, 6, 3, 1)
    assert (pilot.left, pilot.dropped) == (3, "50")
    assert pilot.left_at == (("task/2", 2), ("consent", 1))
    assert pilot.turned_away == (("unsuitable device", 2), ("declined consent", 1))
    assert pilot.is_few


@pytest.mark.parametrize(
    ("minutes", "warned"), [(22, True), (23, False), (30, False), (37, False), (38, True)]
)
def test_a_duration_that_is_not_what_people_are_told_is_pointed_out(
    version: StudyVersion, minutes: float, warned: bool
) -> None:
    """They are told 30 minutes; a quarter of it is 7.5."""
    make_pilot(version, minutes)
    warnings = pilot_of(version, fee="", now=NOW).warnings
    assert any("told that it takes about 30 minutes" in text for text in warnings) == warned


@pytest.mark.parametrize(("minutes", "needed"), [(80, ""), (81, "£8.10"), (100, "£10.00")])
def test_pay_under_the_minimum_per_hour_is_pointed_out(
    version: StudyVersion, minutes: float, needed: str
) -> None:
    """8.00 for 80 minutes are 6.00 an hour; the bonus does not count."""
    make_pilot(version, minutes, 14)
    found = [text for text in pilot_of(version, fee="", now=NOW).warnings if "minimum" in text]
    assert len(found) == bool(needed)
    assert not needed or f"Raise pay.base to {needed} or more" in found[0]


def test_nothing_is_said_of_nobody(version: StudyVersion) -> None:
    pilot = pilot_of(version, fee="", now=NOW)
    assert (pilot.arrived, pilot.minutes, pilot.paid, pilot.projection) == (0, None, None, None)
    assert pilot.warnings == ()
    assert pilot.dropped == ""


def test_pilots_and_others_are_never_counted_together(version: StudyVersion) -> None:
    type(version).objects.filter(pk=version.pk).get().conditions.update(target=1)
    for condition in range(6):
        make_session(version, condition, source="pilot")
    assert counts_of(version, "real").arrived == 0
    assert counts_of(version, "pilot").completed == 6
    assert is_full(version, "pilot")
    assert not is_full(version, "real")

    before = pilot_of(version, fee="", now=NOW)
    for source in ("real", "preview", "bot"):
        make_session(version, 0, source=source)
    make_session(version, 0, source="pilot", excluded=True)
    assert pilot_of(version, fee="", now=NOW) == before


def text(client: Client, address: str = "/console/studies/demo/pilot/") -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_the_link_lets_in_a_pilot(study: Study, alice: Client, client: Client) -> None:
    call_command("createcachetable", verbosity=0)
    cache.clear()
    page = text(alice)
    assert "Nobody has come by the pilot link yet." in page
    link = page.partition('value="http://testserver')[2].partition('"')[0].replace("&amp;", "&")
    assert "PROLIFIC_PID={{%PROLIFIC_PID%}}&amp;STUDY_ID={{%STUDY_ID%}}" in page
    assert client.get(link).status_code == 303
    assert Session.objects.get().source == "pilot"
    assert "1; 0 began, 0 completed, 1 on their way" in text(alice)


def test_who_only_looks_on_does_not_get_the_link(study: Study, bob: Client) -> None:
    page = text(bob)
    assert "Owners and researchers find the link here." in page
    assert "token=" not in page


@pytest.mark.parametrize("state", ["paused", "closed"])
def test_there_is_no_link_that_would_not_open(study: Study, alice: Client, state: str) -> None:
    Study.objects.update(state=state)
    page = text(alice)
    assert f"The study is {state}" in page
    assert "token=" not in page


def test_a_draft_is_not_piloted(alice: Client) -> None:
    make_version("draft", published=False)
    page = text(alice, "/console/studies/draft/pilot/")
    assert "Only a published version can be piloted." in page
    assert "token=" not in page


def test_a_fee_that_is_none_is_said_so(study: Study, alice: Client) -> None:
    make_pilot(study.versions.get(), 30)
    assert "None is added now" in text(alice, "/console/studies/demo/pilot/?fee=much")
    page = text(alice, "/console/studies/demo/pilot/?fee=33.3")
    assert "None is added now" not in page
    assert "£1023.74" in page


@pytest.mark.parametrize("n", [1, 3])
def test_the_page_costs_the_same_however_many_pilots(
    study: Study, alice: Client, n: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(n):
        make_pilot(study.versions.get(), 30)
    with django_assert_num_queries(PILOT_QUERIES):
        text(alice)
