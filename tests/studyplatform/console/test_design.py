"""A study is begun, its design typed, checked and saved; two people at once lose nothing."""

from typing import Any

import pytest
from django.test import Client

from studyplatform.stimuli.models import Job, StimulusSet, Task
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import text_sha256

from ..factories import PRESET, make_session, make_version
from .conftest import person

PAGE = "/console/studies/draft/design/"
TEXT = PRESET.read_text().replace("slug: demo", "slug: draft")
TITLE = "title: How does an image classifier decide?"
DESIGN_QUERIES = 12


@pytest.fixture
def draft(db: None) -> StudyVersion:
    return make_version("draft", published=False)


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def send(client: Client, text: str, **fields: str) -> Any:
    begun = {"began_with": text_sha256(TEXT), "action": "save"}
    return client.post(PAGE, {"text": text.replace("\n", "\r\n"), **begun, **fields})


def stored() -> StudyVersion:
    return StudyVersion.objects.get(study__slug="draft")


# --- Typing


def test_the_page_shows_the_text_and_what_follows_from_it(
    draft: StudyVersion, alice: Client
) -> None:
    page = text_of(alice.get(PAGE))
    assert "# Forward simulation of an image classifier" in page, "with its comments"
    assert "You receive <strong>£8.00</strong> for taking part" in page
    assert "Conditions: 6, places: 96" in page
    assert "the main effect of heatmap" in page
    assert "Whoever fails the screening is marked, and stays in the analysis" in page
    assert "differ by less than 0.1 (10 percentage points)" in page
    assert '£15.00</td><td class="number">£30.00</td><td class="number">£1440.00' in page


def test_a_page_of_the_texts_is_chosen_without_scripts(draft: StudyVersion, alice: Client) -> None:
    page = text_of(send(alice, TEXT, action="check", shown="en/instructions/3", fee="50 %"))
    assert "Reading the score chart" in page
    assert "Seen where scores == shown." in page
    assert "Picture: a false negative for boat, with its scores." in page
    assert "£2160.00" in page, "1440 and half as much"
    page = text_of(send(alice, TEXT, action="check", shown="en/consent", fee="much"))
    assert "I agree to all of the statements above." in page
    assert "The fee: expected a percentage" in page
    assert "£1440.00" in page
    assert "Reading the score chart</p>" not in page


def test_checking_stores_nothing(draft: StudyVersion, alice: Client) -> None:
    page = text_of(send(alice, TEXT.replace(TITLE, "title: Another"), action="check"))
    assert "title: Another" in page
    assert stored().text == TEXT


def test_faults_are_at_their_lines_and_the_text_stays_as_typed(
    draft: StudyVersion, alice: Client
) -> None:
    wrong = TEXT.replace("split: train ", "split: test  ").replace("seed: 1\n", "seed: -1\n")
    page = text_of(send(alice, wrong))
    lines = wrong.split("\n")
    for part in ("split: test", "seed: -1"):
        line = next(i for i, text in enumerate(lines, 1) if part in text)
        assert f'<a href="#text" data-line="{line}">Line {line}</a>' in page
    assert "2 faults to mend" in page
    assert "split: test" in page
    assert stored().text == TEXT


def test_the_address_stays_and_an_empty_text_is_none(draft: StudyVersion, alice: Client) -> None:
    page = text_of(send(alice, TEXT.replace("slug: draft", "slug: else")))
    assert "the address of this study is &#x27;draft&#x27;; it stays as it is" in page
    assert "The text is empty" in text_of(send(alice, ""))
    assert stored().text == TEXT


def test_labels_the_classifier_lacks_are_hurdles_at_their_lines(
    draft: StudyVersion, alice: Client
) -> None:
    StimulusSet.objects.get().classifier.__class__.objects.update(name="demo")
    StimulusSet.objects.get().image_set.__class__.objects.update(name="demo")
    page = text_of(alice.get(PAGE))
    line = next(
        i for i, text in enumerate(TEXT.split("\n"), 1) if "car, outcome: TP, scores" in text
    )
    assert f">Line {line}</a> instructions.2.figures.0.label: the classifier" in page
    assert "It can be saved, but no tasks can be chosen from it yet" in page


def test_the_part_beside_is_of_the_text_as_typed(draft: StudyVersion, alice: Client) -> None:
    part = f"{PAGE}part/"
    answer = alice.post(part, {"text": TEXT.replace("base: 8.00", "base: 1.00")})
    page = text_of(answer)
    assert page.startswith('<div id="beside"')
    assert "£1.00" in page
    assert "below the minimum" in page
    answer = alice.post(part, {"text": TEXT.replace("base: 8.00", "base: much")})
    assert answer["HX-Retarget"] == "#faults"
    assert "pay.base" in text_of(answer)
    assert stored().text == TEXT


@pytest.mark.parametrize("n", [1, 3])
def test_the_page_costs_the_same_however_much_there_is(
    draft: StudyVersion, alice: Client, n: int, django_assert_max_num_queries: Any
) -> None:
    for i in range(n):
        make_session(draft, 0, source="preview", cookie_sha256=f"{i}")
        Job.objects.create(team=draft.study.team, study=draft.study, kind="prepare", state="done")
    with django_assert_max_num_queries(DESIGN_QUERIES):
        alice.get(PAGE)


# --- Saving


def test_saving_words_keeps_the_tasks_and_ends_previews(draft: StudyVersion, alice: Client) -> None:
    make_session(draft, 0, source="preview")
    answer = send(alice, TEXT.replace(TITLE, "title: Another  # for the pilot"))
    assert answer.status_code == 302
    assert stored().spec.title == "Another"
    assert "# for the pilot\n" in stored().text
    assert "\r" not in stored().text
    assert (Task.objects.count(), Job.objects.count()) == (4, 0)
    assert not draft.study.sessions.exists()
    assert "Tasks and heatmaps stay" in text_of(alice.get(PAGE))


def test_saving_other_tasks_asks_first(draft: StudyVersion, alice: Client) -> None:
    changed = TEXT.replace("seed: 1\n", "seed: 2\n")
    assert "Saving this chooses the tasks" in text_of(send(alice, changed, action="check"))
    page = text_of(send(alice, changed))
    assert "This chooses the tasks anew" in page
    assert "seed: 2" in page
    assert (stored().spec.seed, Task.objects.count()) == (1, 4)
    assert send(alice, changed, redo="yes", action="").status_code == 302
    assert (stored().spec.seed, Task.objects.count()) == (2, 0)
    page = text_of(alice.get(PAGE))
    assert "Choice of tasks: draft, version 1" in page
    assert "Waiting for a worker" in page


def test_the_second_of_two_people_sees_what_the_first_changed_and_takes_either(
    draft: StudyVersion, alice: Client
) -> None:
    ann = person("ann", "Alice's team", "researcher")
    assert send(ann, TEXT.replace(TITLE, "title: Hers")).status_code == 302
    answer = send(alice, TEXT.replace("seed: 1\n", "seed: 1  # mine\n"))
    page = text_of(answer)
    assert stored().spec.title == "Hers"
    assert '<del><span class="hidden">gone: </span>title: Hers</del>' in page
    assert f'<ins><span class="hidden">new: </span>{TITLE}</ins>' in page
    assert "seed: 1  # mine" in answer.content.decode(), "what was typed is not lost"

    over = answer.context["conflict"].theirs_sha256
    assert over == text_sha256(stored().text)
    assert send(alice, TEXT, action="", over=over).status_code == 302
    assert stored().text == TEXT
    assert text_of(send(alice, TEXT, action="", over=over)), "they have saved once more"


def test_a_choice_between_two_texts_is_kept_while_the_tasks_are_asked_about(
    draft: StudyVersion, alice: Client
) -> None:
    send(alice, TEXT.replace(TITLE, "title: Hers"))
    changed = TEXT.replace("seed: 1\n", "seed: 2\n")
    over = send(alice, changed).context["conflict"].theirs_sha256
    page = send(alice, changed, action="", over=over)
    assert page.context["redo"]
    began_with = page.context["editor"].typed.began_with
    assert send(alice, changed, action="", began_with=began_with, redo="yes").status_code == 302
    assert stored().spec.seed == 2


def test_what_is_published_is_read_and_not_changed(study: Study, alice: Client) -> None:
    page = text_of(alice.get("/console/studies/demo/design/?shown=en/consent"))
    assert "is published and cannot change" in page
    assert "I agree to all of the statements above." in page
    assert 'name="text"' not in page
    answer = alice.post("/console/studies/demo/design/", {"text": TEXT, "action": "save"})
    assert "cannot change" in text_of(answer)


def test_a_viewer_reads_and_charlie_does_not_know_of_it(
    draft: StudyVersion, bob: Client, charlie: Client
) -> None:
    page = text_of(bob.get(PAGE))
    assert 'name="text"' not in page
    assert ">Save<" not in page
    assert send(bob, TEXT.replace(TITLE, "title: His")).status_code == 403
    assert bob.post(f"{PAGE}part/", {"text": TEXT}).status_code == 403
    for path in (PAGE, "/console/studies/draft/versions/"):
        assert charlie.get(path).status_code == 404
    assert send(charlie, TEXT).status_code == 404
    assert stored().text == TEXT


def test_a_draft_without_tasks_has_a_button_for_them(alice: Client, draft: StudyVersion) -> None:
    assert "Choose the tasks</button>" not in text_of(alice.get(PAGE))
    StimulusSet.objects.all().delete()
    assert "Choose the tasks</button>" in text_of(alice.get(PAGE))
    assert alice.post("/console/studies/draft/prepare/").status_code == 302
    assert Job.objects.get().state == "pending"


def test_why_the_job_failed_is_at_its_line(alice: Client, draft: StudyVersion) -> None:
    StimulusSet.objects.all().delete()
    alice.post("/console/studies/draft/prepare/")
    Job.objects.update(state="failed", error="heatmaps.lrp: there is no composite 'x'.")
    line = TEXT.split("\n").index("  lrp:") + 1
    assert f">Line {line}</a> heatmaps.lrp: there is no" in text_of(alice.get(PAGE))
