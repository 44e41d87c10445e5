"""Each row of the ledger ends with exactly one published file, whoever is killed when."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Event, Thread
from threading import enumerate as enumerate_threads
from types import SimpleNamespace

import numpy as np
import pytest
from django.db import OperationalError, connection

from studyplatform.stimuli import media, runtime, tasks
from studyplatform.stimuli.models import (
    Heatmap,
    Image,
    ImageSet,
    NeededHeatmap,
    StimulusSet,
    TrainedClassifier,
)
from studyplatform.stimuli.pictures import store
from studyplatform.stimuli.services import ledger
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import study_create, team_get_or_create

from .. import factories

START = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def enter(count: int = 1) -> list[Heatmap]:
    """Rows that ask for heatmaps of one black picture, needed by a draft's stimuli."""
    from PIL import Image as PillowImage

    stored = store(PillowImage.new("RGB", (8, 8)), size=8)
    image = Image.objects.create(
        image_set=ImageSet.objects.create(name="set", labels=["cat"], size=8),
        name="1",
        split="train",
        labels=["cat"],
        sha256=stored.sha256,
        display_sha256=stored.display_sha256,
        display_size=8,
    )
    classifier = TrainedClassifier.objects.create(
        name="net", path="net", sha256="0" * 64, labels=["cat"], preprocess="unit", size=8
    )
    version = study_create(
        team=team_get_or_create(name="Ledger team"), spec_text=factories.PRESET.read_text()
    )
    stimulus_set = StimulusSet.objects.create(
        version=version, image_set=image.image_set, classifier=classifier, thresholds={}
    )
    rows = [
        Heatmap.objects.create(
            key=f"{number:064x}",
            classifier=classifier,
            image=image,
            label="cat",
            method="occlusion",
            parameters={"size": 4, "stride": 4},
        )
        for number in range(count)
    ]
    for row in rows:
        NeededHeatmap.objects.create(stimulus_set=stimulus_set, heatmap=row, level="lrp")
    return rows


@pytest.fixture
def row(db: None, media_root: Path) -> Heatmap:
    return enter()[0]


def map_of(value: float) -> np.ndarray:
    return np.full((8, 8), value, np.float32)


def claimed(clock: Clock) -> Heatmap:
    heatmap = ledger.heatmap_claim(clock=clock)
    assert heatmap is not None
    return heatmap


def files() -> list[Path]:
    return [path for path in (media.root() / "heatmaps").rglob("*") if path.is_file()]


def published_value(row: Heatmap) -> float:
    row.refresh_from_db()
    [path] = files()
    assert path == media.heatmap_path(row.key, row.content_sha256)
    assert row.content_sha256 == media.file_sha256(path)
    return float(np.load(path)[0, 0])


def test_a_row_is_claimed_once(row: Heatmap, clock: Clock):
    first = ledger.heatmap_claim(clock=clock)
    assert first is not None
    assert first.pk == row.pk
    assert ledger.heatmap_claim(clock=clock) is None


@pytest.mark.django_db
def test_rows_that_nothing_shows_any_more_are_left_alone(media_root: Path, clock: Clock):
    """What a draft leaves behind that got another spec; needed again, it is rendered."""
    left, shown = enter(2)
    need = NeededHeatmap.objects.get(heatmap=left)
    NeededHeatmap.objects.filter(pk=need.pk).delete()
    assert claimed(clock).pk == shown.pk
    assert ledger.heatmap_claim(clock=clock) is None
    assert not ledger.ledger_has_work()
    left.refresh_from_db()
    assert (left.state, left.attempts) == ("pending", 0)
    need.save(force_insert=True)
    assert ledger.ledger_has_work()
    assert claimed(clock).pk == left.pk


def test_of_two_that_saw_the_row_waiting_one_wins(
    row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """The second reaches in between the first one's look and its UPDATE."""
    tokens = iter(["slow", "quick"])
    winner: list[Heatmap | None] = []

    def token(_: int) -> str:
        mine = next(tokens)
        if mine == "slow":
            winner.append(ledger.heatmap_claim(clock=clock))
        return mine

    monkeypatch.setattr(ledger.secrets, "token_hex", token)
    assert ledger.heatmap_claim(clock=clock) is None
    assert winner[0] is not None
    assert winner[0].claim == "quick"
    row.refresh_from_db()
    assert (row.claim, row.attempts) == ("quick", 1)


@pytest.mark.django_db
def test_a_claim_lost_before_it_was_read_back_is_nobody_elses(media_root: Path, clock: Clock):
    """Held up between the UPDATE and the look at the row for longer than a lease."""
    lost, following = enter(2)

    def hold_up(execute: Callable[..., object], sql: str, *rest: object) -> object:
        result = execute(sql, *rest)
        if sql.startswith("UPDATE") and not other:
            other.append("other")
            clock.advance(61)
            ledger.ledger_sweep(clock=clock)
            other[0] = claimed(clock).claim
        return result

    other: list[str] = []
    with connection.execute_wrapper(hold_up):
        assert claimed(clock).pk == following.pk
    lost.refresh_from_db()
    assert (lost.claim, lost.attempts) == (other[0], 2)


@pytest.mark.django_db(transaction=True)
def test_racing_workers_share_the_rows(media_root: Path, clock: Clock):
    """Four connections take turns on twelve rows: every row goes to exactly one."""
    enter(12)
    start = Barrier(4)

    def work() -> list[int]:
        start.wait()
        try:
            return [heatmap.pk for heatmap in iter(lambda: ledger.heatmap_claim(clock=clock), None)]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        taken = [pk for future in [pool.submit(work) for _ in range(4)] for pk in future.result()]
    assert sorted(taken) == sorted(Heatmap.objects.values_list("pk", flat=True))
    assert set(Heatmap.objects.values_list("attempts", flat=True)) == {1}


def test_published_row_has_its_file(row: Heatmap, clock: Clock):
    ledger.heatmap_publish(heatmap=claimed(clock), raw=map_of(3), seconds=1.5, clock=clock)
    assert published_value(row) == 3
    assert (row.state, row.seconds, row.rendered_at) == ("done", 1.5, START)


def test_killed_worker_loses_its_row_to_the_next(row: Heatmap, clock: Clock):
    claimed(clock)  # and is killed here
    clock.advance(59)
    assert ledger.ledger_sweep(clock=clock) == 0
    assert ledger.heatmap_claim(clock=clock) is None
    clock.advance(2)
    assert ledger.ledger_sweep(clock=clock) == 1
    second = claimed(clock)
    assert second.attempts == 2
    ledger.heatmap_publish(heatmap=second, raw=map_of(2), seconds=1, clock=clock)
    assert published_value(row) == 2
    assert ledger.ledger_sweep(clock=clock) == 0


def test_killed_between_file_and_commit_leaves_one_file(
    row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """The file is in its place but the transaction is lost: the next worker's replaces it."""

    def replace_and_die(source: Path, target: Path) -> None:
        source.rename(target)
        raise KeyboardInterrupt

    first = claimed(clock)
    with monkeypatch.context() as patch:
        patch.setattr(ledger.os, "replace", replace_and_die)
        with pytest.raises(KeyboardInterrupt):
            ledger.heatmap_publish(heatmap=first, raw=map_of(1), seconds=1, clock=clock)
    row.refresh_from_db()
    assert row.state == Heatmap.State.LEASED
    clock.advance(61)
    ledger.ledger_sweep(clock=clock)
    ledger.heatmap_publish(heatmap=claimed(clock), raw=map_of(2), seconds=1, clock=clock)
    assert published_value(row) == 2


def publish_past_a_lost_connection(clock: Clock) -> None:
    """One publishes 1 and loses its connection before it places the file; another publishes 2.

    What the server rolls back of the first one's transaction is put back by hand: all
    connections of a test share one transaction.
    """
    first, replace = claimed(clock), os.replace

    def stall(source: Path, target: Path) -> None:
        patch.undo()
        Heatmap.objects.filter(pk=first.pk).update(
            state="leased", leased_until=clock() + ledger.LEASE, content_sha256=""
        )
        clock.advance(61)
        ledger.ledger_sweep(clock=clock)
        ledger.heatmap_publish(heatmap=claimed(clock), raw=map_of(2), seconds=1, clock=clock)
        replace(source, target)
        raise OperationalError("the server closed the connection")  # at its COMMIT

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.os, "replace", stall)
        patch.setattr(ledger, "transaction", SimpleNamespace(atomic=nullcontext))
        with pytest.raises(OperationalError):
            ledger.heatmap_publish(heatmap=first, raw=map_of(1), seconds=1, clock=clock)


def test_a_worker_that_lost_its_connection_spoils_nothing(row: Heatmap, clock: Clock):
    publish_past_a_lost_connection(clock)
    row.refresh_from_db()
    published = media.heatmap_path(row.key, row.content_sha256)
    assert media.file_sha256(published) == row.content_sha256
    assert float(np.load(published)[0, 0]) == 2


def test_with_one_name_per_row_it_would(
    row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """Negative control of the test above: it is the content in the name that protects it."""
    one_name = media.heatmap_path(row.key, "same")
    monkeypatch.setattr(media, "heatmap_path", lambda *_: one_name)
    publish_past_a_lost_connection(clock)
    row.refresh_from_db()
    assert media.file_sha256(one_name) != row.content_sha256


def test_what_a_lost_worker_published_goes_when_the_row_is(row: Heatmap, clock: Clock):
    left = media.heatmap_path(row.key, "0" * 64)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of another content")
    others = media.heatmap_path(f"{7:064x}", "0" * 64)
    others.write_bytes(b"of another row")
    ledger.heatmap_publish(heatmap=claimed(clock), raw=map_of(2), seconds=1, clock=clock)
    assert not left.exists()
    assert others.exists()
    others.unlink()
    assert published_value(row) == 2


def stale_and_fresh(clock: Clock) -> tuple[Heatmap, Heatmap]:
    """Two workers on one row: the first one's lease ran out while it was still at work."""
    stale = claimed(clock)
    clock.advance(61)
    ledger.ledger_sweep(clock=clock)
    return stale, claimed(clock)


@pytest.mark.parametrize("fresh_first", [True, False])
def test_stale_result_is_discarded(row: Heatmap, clock: Clock, fresh_first: bool):
    stale, fresh = stale_and_fresh(clock)
    if fresh_first:
        ledger.heatmap_publish(heatmap=fresh, raw=map_of(2), seconds=1, clock=clock)
    with pytest.raises(ledger.LeaseLostError):
        ledger.heatmap_publish(heatmap=stale, raw=map_of(1), seconds=1, clock=clock)
    if not fresh_first:
        assert files() == []
        ledger.heatmap_publish(heatmap=fresh, raw=map_of(2), seconds=1, clock=clock)
    assert published_value(row) == 2


def test_without_the_claim_check_the_stale_result_would_win(
    row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """Negative control of the test above: it is the claim that keeps the stale result out."""
    monkeypatch.setattr(ledger, "_mine", lambda one: Heatmap.objects.filter(pk=one.pk))
    stale, fresh = stale_and_fresh(clock)
    ledger.heatmap_publish(heatmap=fresh, raw=map_of(2), seconds=1, clock=clock)
    ledger.heatmap_publish(heatmap=stale, raw=map_of(1), seconds=1, clock=clock)
    assert published_value(row) == 1


def test_stale_worker_can_neither_renew_nor_fail_nor_release(row: Heatmap, clock: Clock):
    stale, fresh = stale_and_fresh(clock)
    with pytest.raises(ledger.LeaseLostError):
        ledger.heatmap_renew(heatmap=stale, clock=clock)
    ledger.heatmap_fail(heatmap=stale, reason="out of memory")
    ledger.heatmap_release(heatmap=stale)
    row.refresh_from_db()
    assert (row.state, row.claim, row.error) == ("leased", fresh.claim, "")


SOON = timedelta(milliseconds=5)


@pytest.fixture
def shared_row(transactional_db: None, media_root: Path) -> Heatmap:
    """A row that other connections see, too."""
    return enter()[0]


def renewed(row: Heatmap, clock: Clock) -> bool:
    """Wait until the lease is renewed to the clock's time; False where that does not happen."""
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        row.refresh_from_db()
        if row.leased_until == clock() + ledger.LEASE:
            return True
        Event().wait(0.002)
    return False


class StandIn:
    """Part of every stand-in for a method: its map has one value per pixel."""

    def support(self, heatmap: np.ndarray) -> np.ndarray:
        return heatmap


class OneLongStep(StandIn):
    """Before its only step five turns of 40 s pass: longer than three leases."""

    def __init__(self, row: Heatmap, clock: Clock, wait: bool = True) -> None:
        self.row, self.clock, self.wait = row, clock, wait
        self.requeued: list[int] = []

    def iter_explain(self, image: np.ndarray, target: str) -> Iterator[object]:
        from explainers.base import Partial

        for _ in range(5):
            self.clock.advance(40)
            if self.wait:
                assert renewed(self.row, self.clock)
            self.requeued.append(ledger.ledger_sweep(clock=self.clock))
        yield Partial(1, 1, lambda: map_of(4))


def test_lease_is_renewed_during_one_long_step(
    shared_row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    method = OneLongStep(shared_row, clock)
    monkeypatch.setattr(runtime, "explainer", lambda *_: method)
    ledger.heatmap_render(heatmap=claimed(clock), clock=clock, renew_every=SOON)
    assert method.requeued == [0] * 5
    assert published_value(shared_row) == 4
    assert shared_row.attempts == 1
    assert renewers() == []


def test_without_the_renewal_a_long_step_loses_its_row(
    shared_row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """Negative control of the test above: the same step, and a renewal that never comes."""
    method = OneLongStep(shared_row, clock, wait=False)
    monkeypatch.setattr(runtime, "explainer", lambda *_: method)
    with pytest.raises(ledger.LeaseLostError):
        ledger.heatmap_render(heatmap=claimed(clock), clock=clock, renew_every=timedelta(days=1))
    assert sum(method.requeued) == 1
    assert files() == []


def renewers() -> list[Thread]:
    return [thread for thread in enumerate_threads() if thread.name.startswith("lease of")]


def test_lost_claim_stops_the_work(
    shared_row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    steps: list[int] = []

    class Stalled(StandIn):
        def iter_explain(self, image: np.ndarray, target: str) -> Iterator[object]:
            from explainers.base import Partial

            for done in range(1, 11):
                steps.append(done)
                if done == 3:
                    Heatmap.objects.update(claim="of another worker")
                    [renewer] = renewers()
                    renewer.join(10)
                    assert not renewer.is_alive()
                yield Partial(done, 10, lambda: map_of(4))

    monkeypatch.setattr(runtime, "explainer", lambda *_: Stalled())
    with pytest.raises(ledger.LeaseLostError):
        ledger.heatmap_render(heatmap=claimed(clock), clock=clock, renew_every=SOON)
    assert steps == [1, 2, 3]
    assert files() == []


def test_a_renewal_that_fails_is_tried_again(
    shared_row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """The database is away for three turns, and back before the lease is over."""
    real, tries = ledger.heatmap_renew, []

    def away(**options: object) -> None:
        tries.append(1)
        if len(tries) <= 3:
            raise OperationalError("the server closed the connection")
        real(**options)

    monkeypatch.setattr(ledger, "heatmap_renew", away)
    mine = claimed(clock)
    clock.advance(40)
    with ledger.heatmap_lease_kept(heatmap=mine, clock=clock, every=SOON) as lost:
        assert renewed(shared_row, clock)
        assert not lost.is_set()
    assert len(tries) > 3


def test_three_failures_end_it_with_the_reason(
    row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    tries: list[int] = []

    def broken(*_: object) -> None:
        tries.append(1)
        raise RuntimeError("the network is upside down")

    monkeypatch.setattr(runtime, "explainer", broken)
    assert ledger.ledger_drain(clock=clock) == 0
    row.refresh_from_db()
    assert (row.state, len(tries)) == ("failed", ledger.MAX_ATTEMPTS)
    assert row.error == "RuntimeError: the network is upside down"
    assert files() == []


def gives(raw: np.ndarray) -> Callable[..., object]:
    """A stand-in for `runtime.explainer` whose method gives this map."""

    class Method(StandIn):
        def iter_explain(self, image: np.ndarray, target: str) -> Iterator[object]:
            from explainers.base import Partial

            yield Partial(1, 1, lambda: raw)

    return lambda *_: Method()


def with_one(value: float) -> np.ndarray:
    raw = map_of(1)
    raw[3, 5] = value
    return raw


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (with_one(np.nan), "ValueError: occlusion gave a map with values that are NaN"),
        (with_one(-np.inf), "ValueError: occlusion gave a map with values that are NaN"),
        (map_of(1)[:4], "ValueError: occlusion gave a map of shape (4, 8); expected (8, 8)"),
        (map_of(1)[None], "ValueError: occlusion gave a map of shape (1, 8, 8)"),
    ],
)
def test_a_map_that_is_none_is_not_published(
    row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch, raw: np.ndarray, reason: str
):
    monkeypatch.setattr(runtime, "explainer", gives(raw))
    assert ledger.ledger_drain(clock=clock) == 0
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("failed", ledger.MAX_ATTEMPTS)
    assert row.error.startswith(reason)
    assert files() == []
    assert not ledger.ledger_has_work()


def test_without_the_check_it_is_published_and_fails_at_its_overlay(
    row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """Negative control of the test above, and the way of rows published before there was one."""
    monkeypatch.setattr(ledger, "_check_map", lambda *_: None)
    monkeypatch.setattr(runtime, "explainer", gives(with_one(np.nan)))
    assert ledger.ledger_drain(clock=clock) == 1
    assert len(files()) == 1
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("failed", 1)
    assert row.error.startswith("No overlay can be made of it: ")
    assert not ledger.ledger_has_work()
    assert ledger.ledger_drain(clock=clock) == 0


def test_worker_lost_three_times_is_a_failure(row: Heatmap, clock: Clock):
    for _ in range(ledger.MAX_ATTEMPTS):
        claimed(clock)
        clock.advance(61)
        assert ledger.ledger_sweep(clock=clock) == 1
    row.refresh_from_db()
    assert row.state == Heatmap.State.FAILED
    assert "lost 3 times" in row.error


def test_interrupted_by_hand_gives_the_row_back(
    row: Heatmap, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runtime, "explainer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.ledger_drain(clock=clock)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.claim) == ("pending", 0, "")


def test_what_a_killed_writer_left_is_swept(row: Heatmap, clock: Clock):
    claimed(clock)
    folder = media.heatmap_path(row.key, "").parent
    folder.mkdir(parents=True)
    old, young = folder / ".draft-old.npy", folder / ".draft-young.npy"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    clock.advance(61)
    ledger.ledger_sweep(clock=clock)
    assert not old.exists()
    assert young.exists()


@pytest.mark.django_db
def test_a_drain_takes_over_what_was_lost_meanwhile(
    media_root: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    """The scheduled sweep may have to wait for this very drain: it has to look by itself."""
    enter(3)
    claimed(clock)  # by a worker that is killed while the drain below is at work

    class Slow(StandIn):
        def iter_explain(self, image: np.ndarray, target: str) -> Iterator[object]:
            from explainers.base import Partial

            clock.advance(40)
            yield Partial(1, 1, lambda: map_of(4))

    monkeypatch.setattr(runtime, "explainer", lambda *_: Slow())
    assert ledger.ledger_drain(clock=clock) == 3
    assert set(Heatmap.objects.values_list("state", flat=True)) == {"done"}


def test_draining_twice_does_nothing(published_study: StudyVersion):
    before = list(Heatmap.objects.order_by("pk").values())
    assert ledger.ledger_drain() == 0
    assert tasks.drain() == 0
    assert list(Heatmap.objects.order_by("pk").values()) == before


def test_every_row_of_the_study_has_exactly_one_file(published_study: StudyVersion):
    rows = Heatmap.objects.values_list("key", "content_sha256")
    assert sorted(files()) == sorted(media.heatmap_path(*row) for row in rows)
    for key, content in rows:
        assert media.file_sha256(media.heatmap_path(key, content)) == content


def test_sweep_pokes_only_while_there_is_work(row: Heatmap, monkeypatch: pytest.MonkeyPatch):
    pokes: list[dict[str, object]] = []
    monkeypatch.setattr(tasks.drain, "apply_async", lambda **options: pokes.append(options))
    tasks.sweep()
    assert len(pokes) == 1
    Heatmap.objects.update(state="failed")
    tasks.sweep()
    assert len(pokes) == 1


def test_a_drain_lets_other_tasks_have_their_turn(row: Heatmap, monkeypatch: pytest.MonkeyPatch):
    """Out of time it begins no row and pokes again; with nothing left to do it does not."""
    pokes: list[dict[str, object]] = []
    monkeypatch.setattr(tasks.drain, "apply_async", lambda **options: pokes.append(options))
    monkeypatch.setattr(tasks, "SLICE", timedelta(0))
    assert tasks.drain() == 0
    row.refresh_from_db()
    assert row.state == "pending"
    assert len(pokes) == 1
    monkeypatch.setattr(tasks, "SLICE", timedelta(seconds=20))
    monkeypatch.setattr(runtime, "explainer", gives(map_of(1)))
    assert tasks.drain() == 1  # the counterpart: with time, the row is rendered
    assert len(pokes) == 1


def test_retry_gives_failed_rows_all_attempts_again(published_study: StudyVersion):
    first, second = Heatmap.objects.order_by("pk")[:2]
    Heatmap.objects.filter(pk=first.pk).update(state="failed", attempts=3, error="why")
    assert ledger.heatmaps_retry(version=published_study) == 1
    first.refresh_from_db()
    assert (first.state, first.attempts, first.error) == ("pending", 0, "")
    second.refresh_from_db()
    assert second.state == "done"
