"""Arrival: who gets in, who goes on, who is turned away and how it is said."""

import itertools
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from studyplatform.identities import services as vault
from studyplatform.identities.models import Identity
from studyplatform.participation import selectors, services, tokens
from studyplatform.participation.models import Session
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import study_close, study_pause, study_resume

from .study import make_study, spec_data
from .walker import PERSON, entered, read, text_of, walk


def test_the_cookie_is_the_participants_own(client: Client, version: StudyVersion) -> None:
    cookie = entered(client).cookies[tokens.COOKIE]

    assert cookie["path"] == "/s/trial/"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert len(cookie.value) >= 43  # 32 bytes, base64
    assert Session.objects.get().cookie_sha256 == tokens.cookie_hash(cookie.value)


def test_the_cookie_is_secure_in_production(
    client: Client, version: StudyVersion, settings
) -> None:
    settings.PRODUCTION = True
    assert entered(client).cookies[tokens.COOKIE]["secure"]


def test_the_same_person_in_another_browser_goes_on(client: Client, version: StudyVersion) -> None:
    address = walk(client, entered(client)["Location"], until="task/2")[-1]
    elsewhere = Client()
    reply = entered(elsewhere, SESSION_ID="sub-second")

    assert reply["Location"] == address
    assert elsewhere.get(address).status_code == 200
    assert Session.objects.count() == 1
    assert client.get(address).status_code == 403  # the cookie moved with the person
    identity = Session.objects.get().identity
    assert identity is not None
    assert vault.submissions_reveal(identity=identity) == [f"sub-{PERSON}", "sub-second"]


def test_arriving_again_in_the_same_browser_keeps_its_cookie(
    client: Client, version: StudyVersion
) -> None:
    entered(client)
    before = client.cookies[tokens.COOKIE].value
    entered(client)
    assert client.cookies[tokens.COOKIE].value == before
    assert Session.objects.count() == 1


def test_coming_back_never_moves_the_position(client: Client, version: StudyVersion) -> None:
    """A page may be submitted at the same moment: writing the position here would undo it."""
    walk(client, entered(client)["Location"], until="task/2")
    with CaptureQueriesContext(connection) as queries:
        entered(Client())
    updates = [q["sql"] for q in queries if q["sql"].startswith('UPDATE "participation_session"')]
    assert len(updates) == 1
    assert '"cookie_sha256" =' in updates[0]
    assert '"item" =' not in updates[0]
    assert '"status" =' not in updates[0]


def test_the_bare_address_is_refused_where_a_platform_sends_everybody(
    version: StudyVersion,
) -> None:
    """Nobody could be paid, nor told apart; whoever has arrived before goes on."""
    reply = Client().get("/s/trial/")
    assert reply.status_code == 400
    assert "The address lacks PROLIFIC_PID." in text_of(reply)
    assert not Session.objects.exists()
    known = Client()
    entered(known)
    assert known.get("/s/trial/")["Location"] == "/s/trial/information/"


@pytest.mark.django_db
def test_a_plain_link_makes_a_session_per_browser() -> None:
    make_study(spec_data(recruitment={"plain_links": True}))
    one, other = Client(), Client()
    assert one.get("/s/trial/")["Location"] == "/s/trial/information/"
    walk(one, "/s/trial/information/", until="consent")
    assert one.get("/s/trial/")["Location"] == "/s/trial/consent/"
    assert other.get("/s/trial/")["Location"] == "/s/trial/information/"

    assert Session.objects.count() == 2
    assert not Identity.objects.exists()
    # Nobody to send back to a panel: a code, and no link.
    walk(one, "/s/trial/consent/")
    exit_page = read(one.get("/s/trial/exit/"))
    assert not any("prolific" in link for link in exit_page.links)


@pytest.mark.parametrize(
    "query",
    [
        "PROLIFIC_PID=",
        "PROLIFIC_PID=" + "a" * 101,
        "PROLIFIC_PID={{%25PROLIFIC_PID%25}}",
        "PROLIFIC_PID=%3Cscript%3E",
        "PROLIFIC_PID=a%00b",
        "PROLIFIC_PID=one&PROLIFIC_PID=two",
        "SESSION_ID=only-the-submission",
        "PROLIFIC_PID=fine&SESSION_ID=not%20fine",
        "source=real&token=x",
        "source=bot",
        "source=bot&token=forged:by:hand",
        "token=x",
    ],
)
def test_parameters_that_are_no_participants(
    client: Client, version: StudyVersion, query: str
) -> None:
    reply = client.get(f"/s/trial/?{query}")

    assert reply.status_code == 400
    assert "This link is not complete" in text_of(reply)
    assert tokens.COOKIE not in reply.cookies
    assert not Session.objects.exists()
    assert not Identity.objects.exists()
    for value in itertools.chain(*parse_qs(query).values()):
        assert len(value) < 6 or value not in reply.content.decode()


def test_unknown_studies_and_pages(client: Client, version: StudyVersion) -> None:
    entered(client)
    for address in ("/s/nothing/", "/s/nothing/task/1/", "/s/trial/nonsense/", "/s/trial/task/0/"):
        assert client.get(address).status_code == 404
    assert client.head("/s/trial/").status_code == 405
    assert client.delete("/s/trial/consent/").status_code == 405


@pytest.mark.parametrize("cookie", ["", "forged", "x" * 5000, "é"])
def test_a_forged_cookie_is_none(client: Client, version: StudyVersion, cookie: str) -> None:
    entered(client)
    client.cookies[tokens.COOKIE] = cookie
    reply = client.get("/s/trial/consent/")

    assert reply.status_code == 403
    assert "This browser is not where you left" in text_of(reply)
    assert client.post("/s/trial/consent/", {}).status_code == 403


def test_a_cookie_opens_one_study_only(client: Client, version: StudyVersion) -> None:
    make_study(spec_data(slug="other"))
    entered(client)
    assert client.get("/s/trial/information/").status_code == 200
    client.cookies[tokens.COOKIE]["path"] = "/"
    assert client.get("/s/other/information/").status_code == 403


def test_studies_not_running_let_in_previews_only(client: Client) -> None:
    draft = make_study(publish=False)
    assert "opens soon" in text_of(entered(client))
    for source in ("pilot", "bot"):
        link = services.entry_link(draft.study, source)
        assert "opens soon" in text_of(client.get(link))
    assert not Session.objects.exists()
    link = services.entry_link(draft.study, "preview")
    assert client.get(link)["Location"] == "/s/trial/information/"
    walk(client, "/s/trial/information/")


def test_a_pause_lets_those_inside_go_on(client: Client, version: StudyVersion) -> None:
    walk(client, entered(client)["Location"], until="task/1")
    arrived = Client()
    consent = walk(arrived, entered(arrived, person="early")["Location"], until="consent")[-1]
    study_pause(study=version.study)

    late = Client()
    assert "paused" in text_of(entered(late, person="late"))
    assert not Identity.objects.filter(person_hmac=vault.keyed_hash("late")).exists()
    form = read(arrived.get(consent))
    assert "paused" in text_of(arrived.post(consent, form.filled()))
    walk(client, "/s/trial/task/1/")

    study_resume(study=version.study)
    assert arrived.post(consent, form.filled()).status_code == 303
    study_close(study=version.study)
    assert "has ended" in text_of(entered(late, person="late"))
    assert entered(client)["Location"] == "/s/trial/exit/"


def test_previews_pilots_and_bots_are_marked_and_kept_apart(version: StudyVersion) -> None:
    for source in ("preview", "pilot", "bot"):
        client = Client()
        reply = client.get(services.entry_link(version.study, source), {})
        walk(client, reply["Location"], until="instructions/1")
    counts = {source: selectors.session_counts(version, source) for source in Session.Source.values}

    def total(source: str) -> int:
        return sum(sum(of.values()) for of in counts[source].values())

    assert {source: total(source) for source in counts} == {
        "real": 0, "preview": 1, "pilot": 1, "bot": 1,
    }  # fmt: skip
    assert {session.assignment.number for session in Session.objects.all()} == {1}


def test_a_preview_is_a_fresh_look_each_time(client: Client, version: StudyVersion) -> None:
    link = services.entry_link(version.study, "preview", "heatmap-lrp_scores-shown")
    walk(client, client.get(link)["Location"], until="task/1")
    assert client.get(link)["Location"] == "/s/trial/information/"
    assert "Preview: nothing here counts" in text_of(client.get("/s/trial/information/"))
    assert Session.objects.count() == 2


def test_a_bot_goes_on_by_its_cookie(client: Client, version: StudyVersion) -> None:
    link = services.entry_link(version.study, "bot")
    address = walk(client, client.get(link)["Location"], until="task/2")[-1]
    assert client.get(link)["Location"] == address
    assert Session.objects.count() == 1


def panel(link: str, person: str = PERSON) -> str:
    """Return a signed link as a panel gives it out, with its parameters added."""
    return f"{link}&PROLIFIC_PID={person}&SESSION_ID=sub-{person}"


@pytest.mark.parametrize(
    ("first", "then", "title"),
    [
        ("pilot", "real", "You have already taken part in a trial of this study"),
        ("bot", "real", "You have already taken part in a trial of this study"),
        ("bot", "pilot", "You have already taken part in a trial of this study"),
        ("real", "pilot", "You have begun this study already"),
    ],
)
def test_nobody_is_counted_under_the_source_of_another_link(
    version: StudyVersion, first: str, then: str, title: str
) -> None:
    def arrive(client: Client, source: str) -> HttpResponse:
        if source == "real":
            return entered(client)
        return client.get(panel(services.entry_link(version.study, source)))

    address = arrive(Client(), first)["Location"]
    reply = arrive(Client(), then)

    assert reply.status_code == 409
    assert title in text_of(reply)
    assert tokens.COOKIE not in reply.cookies
    session = Session.objects.get()
    assert session.source == first
    assert session.events.get(kind="refused").data == {"source": then}
    # The control: by a link of the first kind they go on.
    assert arrive(Client(), first)["Location"] == address


def test_a_browser_keeps_to_the_source_it_began_with(client: Client, version: StudyVersion) -> None:
    """Without a panel the cookie tells who comes; the way on is offered."""
    pilot = services.entry_link(version.study, "pilot")
    address = walk(client, client.get(pilot)["Location"], until="consent")[-1]
    reply = client.get("/s/trial/")

    assert reply.status_code == 409
    assert "already taken part in a trial" in text_of(reply)
    assert address in read(reply).links
    assert Session.objects.get().events.filter(kind="refused").count() == 1
    assert client.get(pilot)["Location"] == address


def test_a_preview_keeps_nobody_from_taking_part(client: Client, version: StudyVersion) -> None:
    preview = services.entry_link(version.study, "preview")
    client.get(preview)
    assert client.get("/s/trial/")["Location"] == "/s/trial/information/"
    assert entered(client)["Location"] == "/s/trial/information/"
    assert client.get(preview)["Location"] == "/s/trial/information/"
    sources = Session.objects.order_by("pk").values_list("source", flat=True)
    assert list(sources) == ["preview", "real", "preview"]


def test_an_entry_link_opens_for_ninety_days(
    client: Client, version: StudyVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = services.entry_link(version.study, "pilot")
    made = time.time()
    monkeypatch.setattr(time, "time", lambda: made + 91 * 24 * 3600)
    reply = client.get(link)

    assert reply.status_code == 410
    assert "This link has expired" in text_of(reply)
    assert "90 days" in text_of(reply)
    assert not Session.objects.exists()
    monkeypatch.setattr(time, "time", lambda: made + 89 * 24 * 3600)
    assert client.get(link)["Location"] == "/s/trial/information/"


def test_an_entry_link_holds_for_its_study_and_source(
    client: Client, version: StudyVersion
) -> None:
    other = make_study(spec_data(slug="other"))
    token = parse_qs(urlsplit(services.entry_link(other.study, "bot")).query)["token"][0]

    assert client.get("/s/trial/", {"source": "bot", "token": token}).status_code == 400
    assert client.get("/s/other/", {"source": "preview", "token": token}).status_code == 400
    assert client.get("/s/other/", {"source": "bot", "token": token}).status_code == 303


@pytest.mark.parametrize(
    ("source", "condition"),
    [("real", None), ("robot", None), ("preview", "no-such"), ("bot", "heatmap-lrp_scores-shown")],
)
def test_entry_links_that_cannot_be(
    version: StudyVersion, source: str, condition: str | None
) -> None:
    with pytest.raises(ValueError, match=r"source|condition"):
        services.entry_link(version.study, source, condition)


PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) Chrome/125.0"


def test_a_phone_is_turned_away_and_may_come_back_on_a_laptop(version: StudyVersion) -> None:
    phone = Client(headers={"user-agent": PHONE})
    reply = entered(phone)
    assert reply["Location"] == "/s/trial/exit/"
    assert "CDEMO04" in text_of(phone.get(reply["Location"]))

    laptop = Client(headers={"user-agent": DESKTOP})
    assert entered(laptop)["Location"] == "/s/trial/information/"
    assert Session.objects.get().status == "arrived"


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ('{"screen_width": 800}', "exit"),
        ('{"screen_width": 1440, "mobile": true}', "exit"),
        ('{"screen_width": 1024, "mobile": false, "window_width": 512}', "consent"),
        ("", "consent"),
        ('{"screen_width": "wide"}', "consent"),
    ],
)
def test_the_screen_decides_and_not_the_window(
    client: Client, version: StudyVersion, hint: str, expected: str
) -> None:
    address = entered(client)["Location"]
    data = {**read(client.get(address)).filled(), "client": hint}
    assert client.post(address, data)["Location"] == f"/s/trial/{expected}/"


def test_a_study_may_allow_phones(client: Client) -> None:
    data = spec_data()
    data["recruitment"] = {"allow_phones": True, "minimum_screen_width": 0}
    make_study(data)
    phone = Client(headers={"user-agent": PHONE})
    assert entered(phone)["Location"] == "/s/trial/information/"


def test_arrivals_are_braked_and_answers_are_not(
    client: Client, version: StudyVersion, settings
) -> None:
    settings.ENTRIES_PER_MINUTE = 2
    # All within one minute unless the clock turns over in between: then there is room for more.
    statuses = [entered(Client(), person=f"p{n}").status_code for n in range(6)]
    assert 429 in statuses
    assert statuses[:2] == [303, 303]
    bot = client.get(services.entry_link(version.study, "bot"))
    assert bot.status_code == 303
    walk(client, bot["Location"])


def test_the_panels_id_is_nowhere_but_in_the_vault(client: Client, version: StudyVersion) -> None:
    """Every row of every table, and every page, is searched for the ids the panel gave."""
    secrets = [PERSON, f"sub-{PERSON}", "st-secret"]
    reply = entered(client, STUDY_ID="st-secret")
    address = reply["Location"]
    while True:
        page = client.get(address)
        everything = page.content.decode() + str(page.headers) + str(client.cookies)
        assert not any(secret in everything for secret in secrets)
        if address.endswith("/exit/"):
            break
        form = read(page)
        address = client.post(form.action, form.filled())["Location"]
        assert not any(secret in address for secret in secrets)

    encoder = DjangoJSONEncoder()
    rows = 0
    for model in apps.get_models():
        for row in model._default_manager.values():
            rows += 1
            text = encoder.encode({key: _plain(value) for key, value in row.items()})
            assert not any(secret in text for secret in secrets), model
    assert rows > 100
    # The search would have found it: the vault itself gives it back.
    identity = Session.objects.get().identity
    assert identity is not None
    assert vault.person_reveal(identity=identity) == PERSON


def _plain(value: object) -> object:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else value
