"""Jobs: done once, cancelled at once or at the next step, taken up again after a crash."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import close_old_connections, connection

from studyplatform.stimuli.models import Job
from studyplatform.stimuli.services import StimuliError, jobs
from studyplatform.studies.models import Team
from studyplatform.studies.services import team_get_or_create

START = datetime(2030, 1, 1, tzinfo=UTC)
NEVER = timedelta(hours=1)  # between two renewals: none happens in a test


def at(seconds: float) -> jobs.Clock:
    return lambda: START + timedelta(seconds=seconds)


@pytest.fixture
def team(db: None) -> Team:
    return team_get_or_create(name="Alice's team")


def asked(team: Team, **parameters: Any) -> Job:
    return jobs.job_request(
        team=team, kind=Job.Kind.IMPORT, subject="photographs", parameters=parameters
    )


def run(job: Job, work: jobs.Work, seconds: float = 0) -> bool:
    ended = jobs.job_run(job_id=job.pk, work=work, clock=at(seconds), renew_every=NEVER)
    job.refresh_from_db()
    return ended


def counts(job: Job, tick: jobs.Tick) -> dict[str, Any]:
    for done in range(1, 4):
        tick(done, 3, "counting")
    return {"counted": 3}


def test_a_job_is_done_once_and_keeps_its_result(team: Team):
    job = asked(team)
    assert run(job, counts)
    assert (job.state, job.result, job.done, job.total) == ("done", {"counted": 3}, 3, 3)
    assert not run(job, counts), "nothing is left to do"


def test_the_same_job_is_not_entered_twice_while_it_is_open(team: Team):
    job = asked(team, folder="a")
    assert asked(team, folder="a") == job
    assert asked(team, folder="b") != job
    run(job, counts)
    assert asked(team, folder="a") != job


def test_a_job_that_is_being_cancelled_is_not_the_one_asked_for_anew(team: Team):
    job = asked(team)
    Job.objects.filter(pk=job.pk).update(state="running", cancel_asked=True)
    assert asked(team) != job


def test_an_error_made_for_people_is_kept_as_it_is(team: Team):
    def refuses(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        raise StimuliError(["a.jpg: it is no picture.", "b.jpg: it is no picture."])

    job = asked(team)
    assert run(job, refuses)
    assert job.state == "failed"
    assert job.problems == ["a.jpg: it is no picture.", "b.jpg: it is no picture."]


def test_any_other_error_is_named(team: Team):
    def breaks(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        raise ZeroDivisionError("division by zero")

    job = asked(team)
    run(job, breaks)
    assert (job.state, job.problems) == ("failed", ["ZeroDivisionError: division by zero"])


def test_a_waiting_job_is_cancelled_at_once_and_never_done(team: Team):
    job = asked(team)
    jobs.job_cancel(job=job)
    assert not run(job, counts)
    assert job.state == "cancelled"


def test_a_running_job_ends_at_its_next_step(team: Team):
    steps = []

    def goes_on(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        steps.append("before")
        jobs.job_cancel(job=job)
        tick(1, 1)
        steps.append("after")
        return {}

    job = asked(team)
    assert run(job, goes_on)
    assert (job.state, steps) == ("cancelled", ["before"])


def test_tried_again_it_has_all_attempts(team: Team):
    def refuses(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        raise StimuliError("No.")

    job = asked(team)
    run(job, refuses)
    jobs.job_retry(job=job)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.error) == ("pending", 0, "")
    assert run(job, counts)
    assert job.state == "done"


def test_a_job_under_way_is_not_tried_again(team: Team):
    job = asked(team)
    Job.objects.filter(pk=job.pk).update(state="running", attempts=1)
    jobs.job_retry(job=job)
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("running", 1)


def test_a_lost_workers_job_is_taken_up_and_its_own_result_discarded(team: Team):
    job = asked(team)

    def slow(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        assert not run(job, counts, seconds=59), "the lease still holds"
        assert run(job, counts, seconds=61)
        return {"counted": "by the slow one"}

    assert not run(job, slow)
    assert (job.state, job.result) == ("done", {"counted": 3})


def test_without_the_claim_the_slow_one_would_win(team: Team, monkeypatch: pytest.MonkeyPatch):
    """Negative control of the test above."""
    monkeypatch.setattr(jobs, "_mine", lambda job: Job.objects.filter(pk=job.pk))
    job = asked(team)

    def slow(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        run(job, counts, seconds=61)
        return {"counted": "by the slow one"}

    run(job, slow)
    assert job.result == {"counted": "by the slow one"}


def test_a_job_that_kills_its_workers_has_failed_in_the_end(team: Team):
    job = asked(team)
    lost = {"state": "running", "leased_until": START}
    Job.objects.filter(pk=job.pk).update(attempts=jobs.MAX_ATTEMPTS - 1, **lost)
    assert jobs.jobs_due(clock=at(1)) == [job.pk]
    Job.objects.filter(pk=job.pk).update(attempts=jobs.MAX_ATTEMPTS, **lost)
    assert jobs.jobs_due(clock=at(1)) == []
    job.refresh_from_db()
    assert job.state == "failed"
    assert "lost 3 times" in job.error


def test_stopped_by_hand_it_waits_again_as_if_it_had_not_begun(team: Team):
    def stopped(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        raise KeyboardInterrupt

    job = asked(team)
    with pytest.raises(KeyboardInterrupt):
        run(job, stopped)
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("pending", 0)


@pytest.mark.django_db(transaction=True)
def test_the_lease_is_renewed_while_one_step_takes_long():
    job = asked(team_get_or_create(name="Alice's team"))
    clock = {"now": START}
    renewed = []

    def long_step(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        clock["now"] = START + timedelta(seconds=50)
        close_old_connections()
        for _ in range(2000):
            until = Job.objects.get(pk=job.pk).leased_until
            if until is not None and until > START + timedelta(seconds=100):
                renewed.append(until)
                break
            connection.close()
        return {}

    jobs.job_run(
        job_id=job.pk,
        work=long_step,
        clock=lambda: clock["now"],
        renew_every=timedelta(milliseconds=1),
    )
    assert renewed == [START + timedelta(seconds=110)]
