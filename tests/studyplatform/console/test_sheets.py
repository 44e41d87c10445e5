"""The print-out holds every sentence and picture that a participant meets, and leaves no row."""

import re
from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.core.cache import cache
from django.core.management import call_command
from django.template.loader import render_to_string
from django.test import Client

from studyplatform.console import sheets
from studyplatform.participation import notices, selectors
from studyplatform.participation.items import Stage
from studyplatform.participation.services import entry_link
from studyplatform.stimuli.models import NeededHeatmap
from studyplatform.studies.models import StudyVersion

from ..participation.study import make_study, spec_data
from ..participation.walker import entered, read
from .conftest import person

CONDITIONS = ["heatmap-none_scores-hidden", "heatmap-multiscale_scores-shown"]


class Seen(HTMLParser):
    """The texts and pictures inside a page's body; numbers count as equal."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self.pictures: set[str] = set()
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        self._inside |= tag == "body"
        attributes = dict(pairs)
        if tag == "img":
            self.pictures.add(attributes.get("src") or "")
        for name in ("alt", "aria-label", "data-sent", "data-failed", "data-close"):
            self.handle_data(attributes.get(name) or "")

    def handle_data(self, data: str) -> None:
        text = re.sub(r"\d+([.,]\d+)*", "#", " ".join(data.split()))
        if self._inside and text:
            self.texts.add(text)


@pytest.fixture(autouse=True)
def _fresh(db: None) -> None:
    selectors._frozen_material.cache_clear()
    call_command("createcachetable", verbosity=0)
    cache.clear()


@pytest.fixture
def version(db: None) -> StudyVersion:
    return make_study()


@pytest.fixture
def alice(db: None) -> Client:
    return person("alice", "Alice's team", "researcher")


def printed(client: Client, key: str, slug: str = "trial", language: str = "") -> Seen:
    query = {"lang": language} if language else {}
    response = client.get(f"/console/studies/{slug}/pages/{key}/", query)
    assert response.status_code == 200
    return Seen(response.content.decode())


def met(client: Client, address: str) -> list[tuple[str, Seen]]:
    """Walk to the end; send every form empty first. Return (address, what is seen) of all pages."""
    pages = []
    for _ in range(60):
        page = client.get(address)
        assert page.status_code == 200
        pages.append((address, Seen(page.content.decode())))
        if address.endswith("/exit/"):
            return pages
        form = read(page)
        hidden = {f.name: f.value for f in form.fields.values() if f.type == "hidden"}
        if any(field.required for field in form.fields.values()):
            refused = client.post(form.action, hidden)
            assert refused.status_code == 422
            pages.append((address, Seen(refused.content.decode())))
        address = client.post(form.action, form.filled())["Location"]
    raise AssertionError("the way does not end")


@pytest.mark.parametrize("key", CONDITIONS)
def test_all_that_is_met_on_the_way_is_printed(
    alice: Client, client: Client, version: StudyVersion, key: str
) -> None:
    document = printed(alice, key)
    entry = entry_link(version.study, "preview", key)
    way = met(client, client.get(entry)["Location"])
    assert len(way) > 15
    for address, page in way:
        # Previews say so on every page, and nobody else sees it.
        missing = page.texts - document.texts - {"Preview: nothing here counts"}
        assert not missing, address
        assert page.pictures <= document.pictures, address


def test_what_another_condition_shows_is_not_printed(alice: Client, version: StudyVersion) -> None:
    plain, rich = (printed(alice, key) for key in CONDITIONS)
    assert "What the heatmap shows" in rich.texts - plain.texts
    assert rich.pictures > plain.pictures


@pytest.mark.parametrize("stage", [Stage.CONSENT, Stage.SCREENING, Stage.TASK, Stage.AFTERWARDS])
def test_a_page_left_out_would_be_noticed(
    alice: Client,
    client: Client,
    version: StudyVersion,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: without a stage, or without its faults, something met is not printed."""
    key = CONDITIONS[1]
    way = met(client, client.get(entry_link(version.study, "preview", key))["Location"])
    seen = set().union(*(page.texts for _, page in way)) - {"Preview: nothing here counts"}
    whole = sheets._Printer.sheets
    monkeypatch.setattr(
        sheets._Printer,
        "sheets",
        lambda self: (sheet for sheet in whole(self) if not sheet.name.startswith(stage)),
    )
    if stage is Stage.CONSENT:  # it is shown on the last sheet, too
        monkeypatch.setattr(sheets._Printer, "everywhere", lambda self: next(whole(self)))
    assert seen - printed(alice, key).texts


def test_nothing_is_written(alice: Client, version: StudyVersion) -> None:
    alice.get("/console/")  # the session of the researcher is a row
    before = {model: model._default_manager.count() for model in apps.get_models()}
    printed(alice, CONDITIONS[1])
    alice.get("/console/studies/trial/pages/")
    assert {model: model._default_manager.count() for model in apps.get_models()} == before


def test_every_exit_refusal_and_fault_is_printed(alice: Client, version: StudyVersion) -> None:
    document = printed(alice, CONDITIONS[0])
    spec = version.spec
    for name in type(spec.exits).model_fields:
        leave = getattr(spec.exits, name)
        assert {leave.code, leave.message} & document.texts or re.sub(
            r"\d+", "#", leave.code
        ) in document.texts, name
    for notice in notices.NOTICES:
        told = notice.filled(name="PROLIFIC_PID", n=90)
        assert {str(notice.title), re.sub(r"\d+", "#", told)} <= document.texts
    assert str(notices.ANSWERED_ALREADY) in document.texts
    for fault in ("400", "403_csrf", "404", "413", "500"):
        page = Seen(render_to_string(f"{fault}.html"))
        assert page.texts - {"Skip to the content"} <= document.texts, fault


def test_what_a_wrong_answer_brings_is_printed_where_one_may_try_again(
    alice: Client, version: StudyVersion
) -> None:
    assert str(notices.NOT_ALL_RIGHT) not in printed(alice, CONDITIONS[0]).texts
    screening = spec_data()["screening"] | {"on_failure": "retry", "tries": 2}
    make_study(spec_data(slug="again", screening=screening))
    assert str(notices.NOT_ALL_RIGHT) in printed(alice, CONDITIONS[0], "again").texts


@pytest.mark.parametrize(
    ("state", "parameters"),
    [
        ("paused", {}),
        ("closed", {}),
        ("draft", {}),
        ("running", {"STUDY_ID": "?"}),
        ("running", {"PROLIFIC_PID": "??"}),
        ("running", {"PROLIFIC_PID": ["a", "b"]}),
        ("running", {"token": "x"}),
    ],
)
def test_refusals_at_the_door_are_those_printed(
    alice: Client,
    client: Client,
    version: StudyVersion,
    state: str,
    parameters: dict[str, str],
) -> None:
    document = printed(alice, CONDITIONS[0])
    type(version.study).objects.update(state=state)
    page = client.get("/s/trial/", {"PROLIFIC_PID": "p", **parameters})
    assert page.status_code != 303
    assert Seen(page.content.decode()).texts <= document.texts


def test_it_is_printed_in_the_language_that_participants_read(alice: Client) -> None:
    make_study(spec_data(slug="deutsch", language="de"))
    document = printed(alice, CONDITIONS[0], "deutsch")
    assert "Ihre Einwilligung" in document.texts
    assert "Your consent" not in document.texts


def test_nothing_in_it_acts(alice: Client, version: StudyVersion) -> None:
    response = alice.get(f"/console/studies/trial/pages/{CONDITIONS[1]}/")
    page = response.content.decode()
    sheet = page[page.index('<section class="sheet"') :]
    assert "<form" not in sheet
    assert 'type="hidden"' not in sheet
    assert "csrfmiddlewaretoken" not in page
    assert not re.search(r' href="(?!mailto:)', sheet)
    assert not re.findall(r"<(?:input|textarea|button|select)\b(?![^>]* disabled)", sheet)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'\bfor="([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)
    assert "<script" not in page
    assert " style=" not in page


def test_a_participant_is_not_told_what_the_researcher_is(
    alice: Client, version: StudyVersion
) -> None:
    alice.post("/console/studies/trial/pause/")
    page = alice.get(f"/console/studies/trial/pages/{CONDITIONS[0]}/").content.decode()
    assert "nobody new is let in" not in page
    assert "To your studies" not in page


def test_heatmaps_that_are_not_there_yet_are_told_of(alice: Client, version: StudyVersion) -> None:
    NeededHeatmap.objects.filter(pk=NeededHeatmap.objects.first().pk).update(overlay_sha256="")
    page = alice.get(f"/console/studies/trial/pages/{CONDITIONS[1]}/").content.decode()
    assert "heatmaps are not rendered yet" in page


def test_a_draft_is_printed_and_one_without_stimuli_is_not(alice: Client) -> None:
    draft = make_study(spec_data(slug="draft"), publish=False)
    page = alice.get(f"/console/studies/draft/pages/{CONDITIONS[0]}/").content.decode()
    assert "a draft: it can still change" in page
    draft.stimulus_set.delete()
    assert alice.get(f"/console/studies/draft/pages/{CONDITIONS[0]}/").status_code == 404
    page = alice.get("/console/studies/draft/pages/").content.decode()
    assert "nothing to print before the stimuli are prepared" in page


@pytest.mark.parametrize("path", ["no-such-condition/", f"{CONDITIONS[0]}/?lang=fi"])
def test_what_the_study_has_not_is_not_there(
    alice: Client, version: StudyVersion, path: str
) -> None:
    assert alice.get(f"/console/studies/trial/pages/{path}").status_code == 404


@pytest.mark.parametrize("n", [1, 3])
def test_it_costs_the_same_however_many_take_part(
    alice: Client, client: Client, version: StudyVersion, n: int, django_assert_num_queries: object
) -> None:
    for i in range(n):
        entered(Client(), person=f"p{i}")
    printed(alice, CONDITIONS[1])
    with django_assert_num_queries(60):
        printed(alice, CONDITIONS[1])
    with django_assert_num_queries(6):
        alice.get("/console/studies/trial/pages/")
