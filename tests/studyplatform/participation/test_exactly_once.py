"""Nothing is stored twice, out of order, or from a form that is not ours."""

import pytest
from django.test import Client

from studyplatform.participation import services, tokens
from studyplatform.participation.models import Answer, Assignment, Event, Reward, Session
from studyplatform.studies.models import StudyVersion

from .study import make_study, spec_data
from .walker import entered, read, step, text_of, walk

TASK = "/s/trial/task/1/"


@pytest.fixture
def at_task(client: Client, version: StudyVersion) -> Client:
    """A client whose session is at the first task."""
    walk(client, entered(client)["Location"], until="task/1")
    return client


def test_the_same_form_twice_is_one_answer(at_task: Client) -> None:
    form = read(at_task.get(TASK))
    data = form.filled(sensitive="ears")
    replies = [at_task.post(TASK, data) for _ in range(3)]

    assert [(r.status_code, r["Location"]) for r in replies] == [(303, "/s/trial/task/2/")] * 3
    assert Answer.objects.filter(item="task/1").count() == 1
    assert "already" not in text_of(at_task.get("/s/trial/task/2/"))


def test_another_tab_cannot_change_an_answer(at_task: Client) -> None:
    first, second = (read(at_task.get(TASK)) for _ in range(2))
    at_task.post(TASK, first.filled(sensitive="ears", prediction="yes"))
    reply = at_task.post(TASK, second.filled(sensitive="tail", prediction="no"))

    assert (reply.status_code, reply["Location"]) == (303, "/s/trial/task/2/")
    answer = Answer.objects.get(item="task/1")
    assert (answer.values["sensitive"], answer.values["prediction"]) == ("ears", "yes")
    page = text_of(at_task.get("/s/trial/task/2/"))
    assert "You had answered that page already. Your first answer was kept." in page


def test_reload_and_back_change_nothing(at_task: Client) -> None:
    before = list(Answer.objects.values_list("pk", flat=True))
    for _ in range(3):
        assert at_task.get(TASK).status_code == 200
    step(at_task, TASK)
    for address in (TASK, "/s/trial/consent/", "/s/trial/information/", "/s/trial/screening/"):
        reply = at_task.get(address)
        assert (reply.status_code, reply["Location"]) == (303, "/s/trial/task/2/")
    assert Answer.objects.exclude(pk__in=before).count() == 1
    assert Event.objects.filter(kind="page_served", item="task/1").count() == 1


def test_instructions_left_behind_go_on_from_where_they_were_read(
    client: Client, version: StudyVersion
) -> None:
    """A second tab still on page 1 leads to page 2, whatever was reached elsewhere."""
    address = walk(client, entered(client)["Location"], until="instructions/1")[-1]
    stale = read(client.get(address))
    walk(client, address, until="instructions/3")
    reply = client.post(address, stale.filled())

    assert (reply.status_code, reply["Location"]) == (303, "/s/trial/instructions/2/")
    assert Session.objects.get().item == "instructions/3"


@pytest.mark.parametrize("token", ["", "nonsense", "a:b:c", None])
def test_a_forged_or_missing_page_token_saves_nothing(at_task: Client, token: str | None) -> None:
    data = read(at_task.get(TASK)).filled()
    if token is None:
        data.pop("token")
    else:
        data["token"] = token
    reply = at_task.post(TASK, data)

    assert reply.status_code == 400
    assert "missing or was changed, so nothing was saved" in text_of(reply)
    assert not Answer.objects.filter(item="task/1").exists()
    assert Session.objects.get().item == "task/1"


def test_a_changed_signature_is_no_token(at_task: Client) -> None:
    data = read(at_task.get(TASK)).filled()
    last = data["token"][-2]
    data["token"] = data["token"][:-2] + ("A" if last != "A" else "B") + data["token"][-1]

    assert at_task.post(TASK, data).status_code == 400


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "<script>alert(1)</script>"])
def test_a_form_without_a_proper_key_saves_nothing(at_task: Client, key: str) -> None:
    data = {**read(at_task.get(TASK)).filled(), "key": key}

    assert at_task.post(TASK, data).status_code == 400
    assert not Answer.objects.filter(item="task/1").exists()


def test_a_post_out_of_order_is_refused_with_the_way_on(at_task: Client) -> None:
    data = read(at_task.get(TASK)).filled()
    for address in ("/s/trial/task/3/", "/s/trial/afterwards/", "/s/trial/task/99/"):
        reply = at_task.post(address, data)
        assert reply.status_code == 409
        assert TASK in read(reply).links
    assert not Answer.objects.filter(item__startswith="task").exists()


def test_a_token_of_another_session_is_refused(at_task: Client) -> None:
    other = Client()
    walk(other, entered(other, person="somebody-else")["Location"], until="task/1")
    reply = other.post(TASK, read(at_task.get(TASK)).filled())

    assert reply.status_code == 409
    assert not Answer.objects.filter(item="task/1").exists()


def test_a_token_for_a_page_ahead_is_refused(at_task: Client) -> None:
    """Even one that is signed: the position is the server's."""
    session = Session.objects.get()
    data = read(at_task.get(TASK)).filled()
    ahead = tokens.PageToken(session.public_id, "task/4", 1, session.last_seen_at)
    data["token"] = tokens.page_sign(ahead)

    assert at_task.post("/s/trial/task/4/", data).status_code == 409
    assert Answer.objects.filter(item__startswith="task").count() == 0


def test_a_form_of_the_first_try_is_not_the_second(client: Client) -> None:
    data = spec_data()
    data["screening"] |= {"on_failure": "retry", "tries": 2}
    make_study(data)
    address = walk(client, entered(client)["Location"], until="screening")[-1]
    stale = read(client.get(address))
    step(client, address, outcome_a="no", outcome_b="no")
    reply = client.post(address, stale.filled(outcome_a="yes", outcome_b="no"))

    assert (reply.status_code, reply["Location"]) == (303, address)
    assert Answer.objects.filter(item="screening").count() == 1
    assert Session.objects.get().screening_passed is None


def test_consent_twice_assigns_once_and_keeps_the_participant_in(
    client: Client, version: StudyVersion
) -> None:
    """The browser may drop the first reply, with the new cookie in it: the second brings it."""
    address = walk(client, entered(client)["Location"], until="consent")[-1]
    old = client.cookies[tokens.COOKIE].value
    data = read(client.get(address)).filled()
    first = client.post(address, data)
    new = client.cookies[tokens.COOKIE].value
    client.cookies[tokens.COOKIE] = old
    second = client.post(address, data)

    assert new != old
    assert first["Location"] == second["Location"] == "/s/trial/instructions/1/"
    assert client.cookies[tokens.COOKIE].value == new
    assert client.get(second["Location"]).status_code == 200
    assert Assignment.objects.count() == 1


def test_the_cookie_from_before_consent_opens_nothing(
    client: Client, version: StudyVersion
) -> None:
    address = walk(client, entered(client)["Location"], until="consent")[-1]
    old = client.cookies[tokens.COOKIE].value
    data = read(client.get(address)).filled()
    client.post(address, data)
    intruder = Client()
    intruder.cookies[tokens.COOKIE] = old

    assert intruder.get("/s/trial/instructions/1/").status_code == 403
    assert intruder.post(address, {**data, "key": "a" * 22}).status_code == 403


def test_the_last_answer_twice_pays_once(at_task: Client) -> None:
    address = walk(at_task, TASK, until="afterwards")[-1]
    data = read(at_task.get(address)).filled()
    for _ in range(3):
        assert at_task.post(address, data)["Location"] == "/s/trial/feedback/"
    assert Reward.objects.count() == 1


def test_nothing_is_half_saved_when_the_last_step_fails(
    at_task: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answer, completion and reward are one transaction: a fault in the last undoes the first."""
    address = walk(at_task, TASK, until="afterwards")[-1]
    data = read(at_task.get(address)).filled()

    def fault(session: Session) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(services.progress, "_reward", fault)
        with pytest.raises(RuntimeError, match="disk is full"):
            at_task.post(address, data)
    session = Session.objects.get()
    assert (session.status, session.item) == ("in_progress", "afterwards")
    assert not Answer.objects.filter(item="afterwards").exists()
    # The same form, sent again, is then taken.
    assert at_task.post(address, data)["Location"] == "/s/trial/feedback/"
    assert Session.objects.get().status == "completed"


def test_a_form_needs_its_csrf_token(version: StudyVersion) -> None:
    client = Client(enforce_csrf_checks=True)
    address = entered(client)["Location"]
    data = read(client.get(address)).filled()

    assert client.post(address, {**data, "csrfmiddlewaretoken": ""}).status_code == 403
    assert client.post(address, data).status_code == 303


@pytest.mark.parametrize(
    "answers",
    [
        {"prediction": "maybe"},
        {"confidence": "5"},
        {"sensitive": "x" * 2001},
        {"sensitive": "a\x00b"},
        {"ignores": "   "},
    ],
)
def test_answers_that_no_browser_sends_are_refused(
    at_task: Client, answers: dict[str, str]
) -> None:
    reply = at_task.post(TASK, read(at_task.get(TASK)).filled(**answers))

    assert reply.status_code == 422
    assert not Answer.objects.filter(item="task/1").exists()


def test_markup_in_an_answer_stays_text(at_task: Client) -> None:
    data = read(at_task.get(TASK)).filled(sensitive="<script>alert(1)</script>")
    data.pop("q-prediction")
    reply = at_task.post(TASK, data)

    assert reply.status_code == 422
    assert "<script>alert" not in reply.content.decode()
    assert "&lt;script&gt;alert(1)" in reply.content.decode()


@pytest.mark.parametrize(
    "client_field",
    [
        "{",
        "[]",
        '"x"',
        "9" * 9000,
        "9" * 5000,  # more digits than Python reads
        '{"on_page_ms": NaN}',
        '{"on_page_ms": 1e400}',
        '{"on_page_ms": ' + "9" * 400 + "}",  # an integer beyond every float
        '{"zooms": {"3": -' + "9" * 400 + "}}",
        "{}" * 5000,
        "[" * 7000,
        '{"zooms":' * 800,
    ],
)
def test_unreadable_measurements_never_cost_an_answer(at_task: Client, client_field: str) -> None:
    data = {**read(at_task.get(TASK)).filled(), "client": client_field}

    assert at_task.post(TASK, data)["Location"] == "/s/trial/task/2/"
    assert not Event.objects.filter(kind="page_left", item="task/1").exists()
