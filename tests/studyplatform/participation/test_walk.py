"""The whole way through the pages, from the panel's address to the exit code."""

from decimal import Decimal

import pytest
from django.test import Client

from studyplatform.participation import services
from studyplatform.participation.models import Answer, Assignment, Event, Reward, Session
from studyplatform.stimuli.models import Task
from studyplatform.studies.models import StudyVersion

from .study import make_study, spec_data
from .walker import entered, read, step, text_of, walk

CONDITIONS = [
    f"heatmap-{heatmap}_scores-{scores}"
    for heatmap in ("none", "lrp", "multiscale")
    for scores in ("hidden", "shown")
]
PAGES = {  # number of instruction pages: five for all, one more for heatmaps, one for scores
    "heatmap-none_scores-hidden": 5,
    "heatmap-none_scores-shown": 6,
    "heatmap-lrp_scores-hidden": 6,
    "heatmap-lrp_scores-shown": 7,
    "heatmap-multiscale_scores-hidden": 6,
    "heatmap-multiscale_scores-shown": 7,
}


def test_from_the_panels_address_to_the_exit_code(client: Client, version: StudyVersion) -> None:
    reply = entered(client)
    assert (reply.status_code, reply["Location"]) == (303, "/s/trial/information/")

    way = walk(client, reply["Location"], prediction="yes")
    session = Session.objects.get()

    assert way[:3] == ["/s/trial/information/", "/s/trial/consent/", "/s/trial/instructions/1/"]
    assert way[-7:] == [
        *(f"/s/trial/task/{n}/" for n in (1, 2, 3, 4)),
        "/s/trial/afterwards/", "/s/trial/feedback/", "/s/trial/exit/",
    ]  # fmt: skip
    assert session.status == "completed"
    assert session.completed_at is not None
    assert session.exit_code_shown_at is None
    page = client.get(way[-1])
    assert "CDEMO01" in text_of(page)
    assert "https://app.prolific.com/submissions/complete?cc=CDEMO01" in read(page).links
    session.refresh_from_db()
    assert session.exit_code_shown_at is not None


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_shows_what_it_says(
    client: Client, version: StudyVersion, condition: str
) -> None:
    link = services.entry_link(version.study, "preview", condition)
    way = walk(client, client.get(link)["Location"], until="task/1")
    task = client.get(way[-1]).content.decode()
    session = Session.objects.get()

    assert session.condition is not None
    assert session.condition.key == condition
    assert sum("/instructions/" in address for address in way) == PAGES[condition]
    assert task.count('class="chart"') == (12 if "scores-shown" in condition else 0)
    # Twelve examples, each with its heatmap or without, and the new image.
    assert task.count("<img ") == (13 if "heatmap-none" in condition else 25)
    assert task.count('class="framed"') == (0 if "heatmap-none" in condition else 12)
    assert "style=" not in task
    walk(client, way[-1])
    assert Session.objects.get(status="completed").source == "preview"


def test_answers_are_stored_as_the_spec_says(client: Client, version: StudyVersion) -> None:
    address = walk(client, entered(client)["Location"], until="task/1")[-1]
    step(
        client, address,
        sensitive="ears\r\nmane", ignores="sky", prediction="no", confidence="slightly_confident",
    )  # fmt: skip
    session = Session.objects.get()
    answer = Answer.objects.get(item="task/1")

    assert answer.values == {
        "sensitive": "ears\nmane",
        "ignores": "sky",
        "prediction": "no",
        "confidence": 3,
    }
    assert answer.task is not None
    assert answer.task.number == session.task_order[0]
    assert answer.correct is not answer.task.assigned
    assert answer.page_served_at <= answer.submitted_at
    assert Answer.objects.filter(item="consent").get().values == {"consent": "yes"}


def test_blocks_are_kept_together_in_the_assigned_order(version: StudyVersion) -> None:
    orders = set()
    for n in range(4):
        client = Client()
        walk(client, entered(client, person=f"person-{n}")["Location"], until="task/1")
    labels = dict(Task.objects.values_list("number", "label"))
    for session in Session.objects.all():
        blocks = [labels[number] for number in session.task_order]
        assert blocks == [label for label in session.block_order for _ in range(2)]
        assert sorted(session.task_order) == [1, 2, 3, 4]
        orders.add(tuple(session.block_order))
    assert orders <= {("cat", "horse"), ("horse", "cat")}


@pytest.mark.parametrize(("predicted", "right"), [("yes", 2), ("no", 2)])
def test_the_reward_counts_right_predictions(
    client: Client, version: StudyVersion, predicted: str, right: int
) -> None:
    """The small study has one TP, one FP and two FN tasks: yes and no are right twice each."""
    walk(client, entered(client)["Location"], until="feedback", prediction=predicted)
    reward = Reward.objects.get()

    assert (reward.n_correct, reward.base, reward.bonus) == (right, Decimal(8), Decimal("1.00"))
    feedback = text_of(client.get("/s/trial/feedback/"))
    assert f"{right} of 4" in feedback
    assert "£9.00" in feedback
    assert feedback.count("The program said:") == 4


def test_exit_code_is_not_reachable_before_the_last_answer(
    client: Client, version: StudyVersion
) -> None:
    codes = ["CDEMO01", "CDEMO02", "CDEMO03", "CDEMO04", "CDEMO05"]
    address = entered(client)["Location"]
    while "/feedback/" not in address:
        for ahead in ("/s/trial/exit/", "/s/trial/feedback/"):
            reply = client.get(ahead)
            assert (reply.status_code, reply["Location"]) == (303, address)
        page = client.get(address).content.decode()
        assert not any(code in page for code in codes)
        assert not Reward.objects.exists()
        address = step(client, address)
    assert Session.objects.get().status == "completed"
    assert not any(code in client.get(address).content.decode() for code in codes)


def test_declining_has_its_own_exit(client: Client, version: StudyVersion) -> None:
    address = walk(client, entered(client)["Location"], until="consent")[-1]
    form = read(client.get(address))
    data = {**form.filled(), "decision": "decline"}
    data.pop("q-consent")
    reply = client.post(form.action, data)

    assert reply["Location"] == "/s/trial/exit/"
    page = text_of(client.get(reply["Location"]))
    assert "CDEMO02" in page
    assert "CDEMO01" not in page
    session = Session.objects.get()
    assert (session.status, session.condition, session.consented_at) == ("declined", None, None)
    assert not Assignment.objects.exists()


def test_consent_without_the_tick_is_asked_again(client: Client, version: StudyVersion) -> None:
    address = walk(client, entered(client)["Location"], until="consent")[-1]
    form = read(client.get(address))
    data = form.filled()
    data.pop("q-consent")
    reply = client.post(form.action, data)

    assert reply.status_code == 422
    assert "Tick the box" in text_of(reply)
    assert Session.objects.get().item == "consent"
    assert not Answer.objects.exists()


def test_missing_answers_are_named_and_what_was_typed_is_kept(
    client: Client, version: StudyVersion
) -> None:
    address = walk(client, entered(client)["Location"], until="task/1")[-1]
    form = read(client.get(address))
    data = form.filled(sensitive="the long mane", confidence="slightly_confident")
    data.pop("q-ignores")
    data.pop("q-prediction")
    reply = client.post(form.action, data)
    page = reply.content.decode()

    assert reply.status_code == 422
    assert "the long mane" in page
    assert 'href="#id_q-ignores"' in page
    assert 'id="id_q-ignores_error"' in page
    assert 'href="#id_q-prediction_0"' in page
    assert not Answer.objects.filter(item="task/1").exists()
    # The page shown again is complete and takes the rest.
    again = read(reply)
    assert again.fields["key"].value != form.fields["key"].value
    reply = client.post(again.action, again.filled())
    assert reply["Location"] == "/s/trial/task/2/"


@pytest.mark.parametrize(
    ("on_failure", "tries", "expected"),
    [
        ("flag", 1, ["task/1"]),
        ("retry", 2, ["screening", "task/1"]),
        ("screen_out", 1, ["exit"]),
        ("screen_out", 2, ["screening", "exit"]),
    ],
)
def test_failing_the_screening_follows_the_rule(
    client: Client, on_failure: str, tries: int, expected: list[str]
) -> None:
    data = spec_data()
    data["screening"] |= {"on_failure": on_failure, "tries": tries}
    make_study(data)
    address = walk(client, entered(client)["Location"], until="screening")[-1]
    reached = []
    for _ in expected:
        address = step(client, address, outcome_a="no", outcome_b="no")
        reached.append(address.removeprefix("/s/trial/").rstrip("/"))

    session = Session.objects.get()
    assert reached == expected
    assert session.screening_passed is False
    assert Answer.objects.filter(item="screening").count() == len(expected)
    if "exit" in expected:
        assert session.status == "screened_out"
        assert "CDEMO03" in text_of(client.get(address))
        assert "£" not in text_of(client.get(address))


def test_passing_the_second_try_clears_the_flag(client: Client) -> None:
    data = spec_data()
    data["screening"] |= {"on_failure": "retry", "tries": 2}
    data["factors"] = {"heatmap": {"levels": ["none"]}, "scores": {"levels": ["hidden"]}}
    data["heatmaps"] = {}
    for item in data["screening"]["items"]:
        item.pop("when", None)
    data["screening"]["items"] = data["screening"]["items"][:2]
    for page in data["instructions"]:
        page["when"] = ""
    data["afterwards"] = []
    data["analysis"] = {}
    make_study(data)
    address = walk(client, entered(client)["Location"], until="screening")[-1]
    address = step(client, address, outcome_a="no", outcome_b="no")
    page = client.get(address)
    assert "Not all of your answers were right" in text_of(page)
    assert "/s/trial/instructions/" in " ".join(read(page).links)
    address = step(client, address, outcome_a="yes", outcome_b="no")

    assert address == "/s/trial/task/1/"
    assert Session.objects.get().screening_passed is True
    # Without a page of questions afterwards the last task is the last answer.
    walk(client, address, until="feedback")
    assert Session.objects.get().status == "completed"
    assert Reward.objects.count() == 1


def test_one_may_turn_back_to_the_instructions_until_the_tasks(
    client: Client, version: StudyVersion
) -> None:
    address = walk(client, entered(client)["Location"], until="screening")[-1]
    assert client.get("/s/trial/instructions/1/").status_code == 200
    assert client.get("/s/trial/instructions/5/").status_code == 200
    assert "/s/trial/instructions/2/" in read(client.get("/s/trial/instructions/1/")).links
    assert client.get("/s/trial/information/")["Location"] == address
    assert client.get("/s/trial/instructions/99/")["Location"] == address

    address = step(client, address)
    assert client.get("/s/trial/instructions/1/")["Location"] == "/s/trial/task/1/"


def test_pages_measure_and_report(client: Client, version: StudyVersion) -> None:
    address = walk(client, entered(client)["Location"], until="task/1")[-1]
    form = read(client.get(address))
    client.get(address)
    data = form.filled()
    data["client"] = (
        '{"on_page_ms": 5300, "window_width": 1280, "pastes": {"sensitive": 2, "other": 9},'
        '"zooms": {"3": 1, "x": 1}, "typed": "my secret", "hidden_ms": "no number"}'
    )
    client.post(form.action, data)
    client.post("/s/trial/problem/", {"text": "The picture is missing."})

    served = Event.objects.filter(kind="page_served", item="task/1")
    assert served.count() == 1
    assert Answer.objects.get(item="task/1").page_served_at == served.get().at
    assert Event.objects.get(kind="page_left", item="task/1").data == {
        "attempt": 1,
        "on_page_ms": 5300,
        "window_width": 1280,
        "pastes": {"sensitive": 2},
        "zooms": {"3": 1},
    }
    problem = Event.objects.get(kind="problem")
    assert (problem.item, problem.data) == ("task/2", {"text": "The picture is missing."})


def test_nothing_is_cached_and_the_content_policy_is_strict(
    client: Client, version: StudyVersion
) -> None:
    page = client.get(entered(client)["Location"])

    assert page["Cache-Control"] == "no-store"
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "<script>" not in page.content.decode()
    assert "<style" not in page.content.decode()
