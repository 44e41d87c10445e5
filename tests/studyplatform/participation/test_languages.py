"""One study in two languages: who reads which, on every page, and what is kept of it."""

import re

import pytest
from django.test import Client

from studyplatform.participation import services
from studyplatform.participation.models import Session
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.spec import from_data

from .study import make_study, spec_data
from .translated import MARK, in_german_too
from .walker import entered, step, text_of, walk


@pytest.fixture
def german(db: None) -> StudyVersion:
    return make_study(in_german_too())


@pytest.mark.parametrize(
    ("link", "accepts", "language"),
    [
        ({"lang": "de"}, "en", "de"),
        ({"lang": "en"}, "de", "en"),
        ({"lang": "DE-at"}, "", "de"),
        ({}, "de", "de"),
        ({}, "fr-CH, de-CH;q=0.9, en;q=0.8", "de"),
        ({}, "en;q=0.3, de;q=0.7", "de"),
        ({}, "fr, *;q=0.5", "en"),
        ({}, "", "en"),
        ({}, ";;q=ü" * 200, "en"),
        ({"lang": "fr"}, "de", "de"),  # the study has no French
        ({"lang": "<b>"}, "", "en"),
    ],
)
def test_link_then_browser_then_the_studys_own(
    german: StudyVersion, link: dict[str, str], accepts: str, language: str
) -> None:
    client = Client(headers={"accept-language": accepts.encode().decode("latin-1")})
    address = entered(client, **link)["Location"]
    page = client.get(address)
    assert Session.objects.get().language == language
    assert f'<html lang="{language}">' in page.content.decode()
    assert page["Content-Language"] == language
    assert (MARK in text_of(page)) is (language == "de")


def test_a_study_in_one_language_is_read_in_it_whatever_is_asked(client: Client, db: None) -> None:
    make_study()
    address = entered(client, lang="de")["Location"]
    assert '<html lang="en">' in client.get(address).content.decode()
    assert Session.objects.get().language == "en"


def test_every_page_is_in_the_language_of_the_session(german: StudyVersion) -> None:
    """No sentence of the study's own language is left, on any page of the fullest condition."""
    spec = from_data(spec_data())
    link = services.entry_link(german.study, "preview", "heatmap-lrp_scores-shown", language="de")
    client = Client(headers={"accept-language": "en"})
    way = walk(client, client.get(link)["Location"], until="information")
    seen = ""
    while not way[-1].endswith("/exit/"):
        page = client.get(way[-1])
        assert '<html lang="de">' in page.content.decode(), way[-1]
        seen += text_of(page)
        way.append(step(client, way[-1]))
    seen += text_of(client.get(way[-1]))
    for text in (
        spec.title, spec.eligibility[0], spec.consent.statements[0],
        spec.consent.tick, *(page.title for page in spec.instructions),
        *(question.prompt for question in spec.afterwards), spec.questions[0].help,
        *(option.label for option in spec.questions[3].options), spec.exits.completed.message,
    ):  # fmt: skip
        assert MARK + text in seen, text
        # The control: without the mark it is nowhere.
        assert text not in seen.replace(MARK + text, ""), text
    for words in (
        "Aufgabe 1 von 4", "Spricht für das Label:", "„Katze“ ist da, und das Programm sagt es",
        "Ihre Einwilligung", "für die Teilnahme und", "0,50 £", "Ihr Code:", "Pferd",
    ):  # fmt: skip
        assert words in seen, words
    assert not re.search(r"Skip to|Send and|Report a problem|Example \d|Task \d", seen)


def test_labels_are_named_and_stored_as_they_are(german: StudyVersion) -> None:
    client = Client()
    link = services.entry_link(
        german.study, "preview", "heatmap-none_scores-shown", language="de"
    )  # fmt: skip
    way = walk(client, client.get(link)["Location"], until="task/1")
    task = client.get(way[-1]).content.decode()
    [session] = Session.objects.all()
    shown = {"cat": "Katze", "horse": "Pferd"}[session.block_order[0]]
    assert f"„{shown}“" in task
    assert f'font-weight="700">{shown}</text>' in task  # in the chart, too
    assert "tree</text>" in task  # has no name of its own
    assert session.block_order[0] in {"cat", "horse"}
    step(client, way[-1], prediction="no", confidence="slightly_confident")
    stored = session.answers.get(task__isnull=False).values
    assert (stored["prediction"], stored["confidence"]) == ("no", 3)


def test_who_comes_back_reads_on_in_the_language_they_began_in(german: StudyVersion) -> None:
    client = Client()
    walk(client, entered(client, lang="de")["Location"], until="instructions/1")
    other = Client(headers={"accept-language": "en"})
    address = entered(other, lang="en")["Location"]
    assert address.endswith("/instructions/1/")
    assert MARK in text_of(other.get(address))
    assert Session.objects.get().language == "de"


def test_errors_and_refusals_are_in_the_language_too(german: StudyVersion) -> None:
    client = Client(headers={"accept-language": "de"})
    assert "In der Adresse fehlt PROLIFIC_PID" in text_of(client.get("/s/trial/?STUDY_ID=1"))
    address = entered(client, lang="de")["Location"]
    consent = step(client, address)
    form = client.get(consent)
    reply = client.post(consent, {**_hidden(form.content.decode())})
    assert "Setzen Sie das Häkchen" in text_of(reply)
    assert "Danke, dass Sie es uns sagen" in text_of(client.get("/s/trial/problem/"))


def _hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def test_a_link_names_only_languages_the_study_has(german: StudyVersion) -> None:
    assert services.entry_link(german.study, "bot", language="de").endswith("&lang=de")
    for language in ("fr", "xx"):
        with pytest.raises(ValueError, match=f"'trial' is not in the language '{language}'"):
            services.entry_link(german.study, "preview", language=language)
