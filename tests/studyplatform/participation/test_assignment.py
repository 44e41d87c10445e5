"""Who gets which condition and order: balance, audit, and the lock that keeps both."""

import json
import os
import random
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from studyplatform.participation import selectors, services
from studyplatform.participation.models import Assignment, Session
from studyplatform.participation.services.assignment import (
    Slot,
    permuted,
    slot_choose,
    version_lock,
)
from studyplatform.studies.models import Condition, StudyVersion

from .study import make_study, spec_data
from .walker import entered, read, text_of, walk

ORDERS = [("cat", "horse"), ("horse", "cat")]
Choose = Callable[[dict[str, int], int], Slot | None]


def slots_of(n_conditions: int, target: int = 16) -> list[Slot]:
    return [
        Slot(Condition(pk=n, key=f"c{n}", position=n, target=target), order)
        for n in range(1, n_conditions + 1)
        for order in ORDERS
    ]


def imbalance(choose: Choose, slots: list[Slot], n: int) -> int:
    """Return the largest difference between two conditions at any instant of n assignments."""
    counts: dict[str, int] = {}
    worst = 0
    for number in range(1, n + 1):
        slot = choose(counts, number)
        assert slot is not None
        counts[slot.key] = counts.get(slot.key, 0) + 1
        of = Counter({each.condition.key: 0 for each in slots})
        for each in slots:
            of[each.condition.key] += counts.get(each.key, 0)
        worst = max(worst, max(of.values()) - min(of.values()))
    return worst


def test_conditions_never_differ_by_more_than_one() -> None:
    slots = slots_of(6)

    def minimised(counts: dict[str, int], number: int) -> Slot | None:
        return slot_choose(slots, counts, number=number, seed="1")

    assert imbalance(minimised, slots, 96) == 1
    # The check finds what simple randomisation does to balance.
    rng = random.Random(1)
    assert imbalance(lambda counts, number: rng.choice(slots), slots, 96) > 1


def test_every_block_of_assignments_fills_every_slot_once() -> None:
    slots = slots_of(6)
    counts: dict[str, int] = {}
    chosen = []
    for number in range(1, 97):
        slot = slot_choose(slots, counts, number=number, seed="7")
        assert slot is not None
        counts[slot.key] = counts.get(slot.key, 0) + 1
        chosen.append(slot.key)

    blocks = [chosen[start : start + 12] for start in range(0, 96, 12)]
    assert all(len(set(block)) == 12 for block in blocks)
    assert len({tuple(block) for block in blocks}) == 8  # each in an order of its own


def test_the_sequence_follows_from_the_seed_alone() -> None:
    """SHA-256 of "seed:value" in order, as anybody can compute it."""
    assert permuted(["a", "b", "c"], "1") == permuted(["c", "b", "a"], "1")
    assert permuted(range(20), "1") != permuted(range(20), "2")
    assert permuted(["a", "b"], "0") == sorted(["a", "b"], key=lambda v: _sha(f"0:{v}"))


def _sha(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def test_a_slot_given_back_is_filled_first() -> None:
    slots = slots_of(3)
    counts = {slot.key: 4 for slot in slots} | {"c2/horse,cat": 3}
    chosen = slot_choose(slots, counts, number=24, seed="1")
    assert chosen is not None
    assert chosen.key == "c2/horse,cat"


def test_conditions_at_their_target_take_nobody() -> None:
    slots = slots_of(2, target=2)
    counts = {"c1/cat,horse": 1, "c1/horse,cat": 1, "c2/cat,horse": 1}
    chosen = slot_choose(slots, counts, number=4, seed="1")
    assert chosen is not None
    assert chosen.key == "c2/horse,cat"
    assert slot_choose(slots, {**counts, "c2/horse,cat": 1}, number=5, seed="1") is None


@pytest.mark.parametrize("limited", [True, False])
def test_conditions_fill_in_proportion_to_their_targets(limited: bool) -> None:
    targets = {1: 24, 2: 12, 3: 6}
    slots = [
        Slot(Condition(pk=n, key=f"c{n}", position=n, target=target), order)
        for n, target in targets.items()
        for order in ORDERS
    ]
    counts: dict[str, int] = {}
    held: Counter[int] = Counter()
    for number in range(1, 43):
        slot = slot_choose(slots, counts, number=number, seed="1", limited=limited)
        assert slot is not None
        counts[slot.key] = counts.get(slot.key, 0) + 1
        held[slot.condition.pk] += 1
        # Without its last participant, no condition is fuller than the emptiest.
        emptiest = min(held[n] / target for n, target in targets.items())
        assert all((held[n] - 1) / target <= emptiest for n, target in targets.items())
    assert held == targets
    beyond = slot_choose(slots, counts, number=43, seed="1", limited=limited)
    assert (beyond is None) is limited


@pytest.mark.django_db
def test_the_log_proves_that_the_least_filled_slot_was_taken(version: StudyVersion) -> None:
    for n in range(14):
        client = Client()
        walk(client, entered(client, person=f"p{n}")["Location"], until="instructions/1")
        if n == 5:  # one who was last seen too long ago gives the slot back
            Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=61))
    log = list(Assignment.objects.order_by("number"))

    assert [row.number for row in log] == list(range(1, 15))
    for row in log:
        by_condition: Counter[str] = Counter()
        for slot, n in row.counts.items():
            by_condition[slot.split("/")[0]] += n
        taken = row.condition.key
        assert by_condition[taken] == min(by_condition.values())
        within = {s: n for s, n in row.counts.items() if s.split("/")[0] == taken}
        assert within[f"{taken}/{','.join(row.block_order)}"] == min(within.values())
    assert sum(log[5].counts.values()) == 5
    assert sum(log[6].counts.values()) == 0


@pytest.mark.django_db
def test_completed_ones_count_for_ever_and_excluded_ones_do_not(version: StudyVersion) -> None:
    client = Client()
    walk(client, entered(client)["Location"])
    long_ago = timezone.now() - timedelta(days=9)
    Session.objects.update(last_seen_at=long_ago)
    now = timezone.now()
    assert selectors.holding_a_slot(version, "real", now).count() == 1
    Session.objects.update(excluded=True)
    assert selectors.holding_a_slot(version, "real", now).count() == 0


@pytest.mark.django_db
def test_a_full_study_says_so_to_participants_and_not_to_bots() -> None:
    version = make_study(spec_data(target_per_condition=1))
    waiting = Client()
    consent = walk(waiting, entered(waiting, person="waiting")["Location"], until="consent")[-1]
    for n in range(6):
        client = Client()
        walk(client, entered(client, person=f"p{n}")["Location"], until="instructions/1")
    held = Session.objects.filter(status="in_progress").values_list("condition__key", flat=True)
    assert len(set(held)) == 6

    # Too late by the length of the information sheet, and too late from the start.
    reply = waiting.post(consent, read(waiting.get(consent)).filled())
    assert "CDEMO05" in text_of(waiting.get(reply["Location"]))
    late = Client()
    assert entered(late, person="late")["Location"] == "/s/trial/exit/"
    bot = Client()
    reply = bot.get(services.entry_link(version.study, "bot"))
    walk(bot, reply["Location"], until="instructions/1")
    assert Assignment.objects.filter(source="real").count() == 6

    # One leaves: whoever was turned away may come again.
    gone = Session.objects.filter(status="in_progress", source="real").values("pk")[:1]
    Session.objects.filter(pk__in=gone).update(status="withdrawn")
    assert entered(late, person="late")["Location"] == "/s/trial/information/"


def _at_once(tmp_path: Path, *arguments: str) -> dict[str, int]:
    """Run 24 consents at once in a process of its own, on a fresh database of the same kind."""
    with _fresh_database(tmp_path) as address:
        return _run(tmp_path, address, *arguments)


@contextmanager
def _fresh_database(tmp_path: Path) -> Iterator[str]:
    """Yield the address of an empty database: a file, or one more on the tests' PostgreSQL."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path / 'db.sqlite3'}"
        return
    server = os.environ["DATABASE_URL"]
    name = f"consents_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, dbname="postgres", autocommit=True) as postgres:
        postgres.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _run(tmp_path: Path, address: str, *arguments: str) -> dict[str, int]:
    environment = {
        **os.environ,
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": address,
        "PLAIN_STATIC": "1",
        "LOG_LEVEL": "CRITICAL",
    }
    script = "tests.studyplatform.participation.consents_at_once"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", script, *arguments],
        capture_output=True, text=True, env=environment, check=False,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_consents_at_once_are_split_evenly(tmp_path: Path) -> None:
    slots = _at_once(tmp_path)
    assert len(slots) == 12
    assert set(slots.values()) == {2}


def test_without_the_lock_consents_at_once_go_wrong(tmp_path: Path) -> None:
    """The negative control: each reads the counts before any other has written."""
    slots = _at_once(tmp_path, "--unlocked")
    assert sum(slots.values()) < 24 or set(slots.values()) != {2}


@pytest.mark.django_db(transaction=True)
def test_arrivals_do_not_wait_for_consents() -> None:
    """While a version is locked for an assignment, a row that refers to it can be inserted."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no row locks; test_postgresql.py runs this")
    version = make_study()

    def other_may(mode: str) -> bool:
        """Whether another connection gets this lock on the version's row at once."""
        settings = connection.get_connection_params()
        keys = ("host", "port", "user", "password", "dbname")
        with psycopg.connect(**{key: settings[key] for key in keys if key in settings}) as other:
            row = f"SELECT 1 FROM studies_studyversion WHERE id = %s FOR {mode} NOWAIT"
            try:
                other.execute(row, [version.pk])
            except psycopg.errors.LockNotAvailable:
                return False
            return True

    # KEY SHARE is what PostgreSQL takes to check a reference (its manual, section 13.3.2).
    with transaction.atomic():
        version_lock(version.pk)
        assert other_may("KEY SHARE")
        assert not other_may("NO KEY UPDATE")  # a second assignment waits
    # The control: a lock of the whole row would have kept arrivals out.
    with transaction.atomic():
        StudyVersion.objects.select_for_update().get(pk=version.pk)
        assert not other_may("KEY SHARE")
