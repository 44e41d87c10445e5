"""A researcher who has nothing yet, in a browser: images, a network, a study, a participant.

What a worker does is done here in between; all else is done on the pages.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from explainers import demo
from studyplatform.stimuli.models import HandChange, Job
from studyplatform.stimuli.services import jobs, ledger_drain
from studyplatform.studies.models import Membership, StudyVersion
from studyplatform.studies.services import team_get_or_create

from ..published import preset_with
from ..stimuli.photographs import png, zipped
from .test_console import PASSWORD
from .walk import walk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCENES_PER_SPLIT = 40
# Those the network comes with, but for a label of which so few scenes have no false positive.
THRESHOLDS = demo.description()["thresholds"] | {"car": 0.25}
SPEC = {
    "factors": {"heatmap": {"levels": ["none", "cam"]}},
    "heatmaps": {"lrp": ..., "multiscale": ..., "cam": {"method": "grad-cam"}},
    "stimuli": {
        "images": "as-below",
        "classifier": "as-below",
        "split": "all",
        "thresholds": THRESHOLDS,
    },
    "tasks": {
        "new_images": {"cat": {"TP": 1, "FN": 1}, "horse": {"TP": 1, "FN": 1}},
        "examples": {"TP": 2, "FP": 1, "FN": 1},
        "examples_per_task": 4,
    },
    # Less than a platform's minimum: a warning, where not everybody comes from one.
    "pay": {"base": 1},
    "recruitment": {"plain_links": True},
}


@pytest.fixture
def researcher(transactional_db: None, media_root: Path) -> User:
    user = User.objects.create_user("ada", password=PASSWORD)
    team = team_get_or_create(name="Lab")
    Membership.objects.create(team=team, user=user, role="researcher")
    return user


def test_from_an_empty_database_to_a_participant(
    browser: Any, live_server: Any, tmp_path: Path, researcher: User
) -> None:
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.goto(f"{live_server.url}/console/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="No studies yet").wait_for()

    _images(page, tmp_path)
    _classifier(page)
    _study(page, tmp_path)
    _tasks(page)
    _work()  # the heatmaps
    _published(page, browser)
    assert complaints == []


def _images(page: Any, folder: Path) -> None:
    page.get_by_role("link", name="Import images").click()
    page.get_by_role("link", name="Import images").click()
    page.get_by_label("Name").fill("scenes")
    page.get_by_label("A zip file").set_input_files(zipped(folder / "scenes.zip", _by_label()))
    page.get_by_label("Side of the network").fill(str(demo.SIZE))
    page.get_by_role("button", name="Import").click()
    page.get_by_text("Waiting for a worker").wait_for()
    _work()
    page.get_by_role("link", name="scenes").wait_for()


def _classifier(page: Any) -> None:
    page.get_by_role("link", name="Classifiers", exact=True).click()
    page.get_by_role("link", name="Bring a finished one").click()
    page.get_by_label("Name").fill("bundled")
    page.get_by_label("Keras file").set_input_files(demo.NETWORK_PATH)
    page.get_by_label("How it takes pixels").select_option(demo.description()["preprocess"])
    page.get_by_label("Labels").fill("\n".join(demo.LABELS))
    page.get_by_role("button", name="Take it in").click()
    page.get_by_text("Waiting for a worker").wait_for()
    _work()
    page.get_by_role("link", name="bundled").click()
    page.get_by_role("link", name="Make a study with it").click()


def _study(page: Any, folder: Path) -> None:
    spec = folder / "study.yaml"
    spec.write_text(preset_with(**SPEC))
    page.get_by_label("a file of your own").check()
    page.get_by_label("Which file").set_input_files(spec)
    page.get_by_label("Address of the study").fill("walked")
    page.get_by_label("Images", exact=True).select_option("scenes")
    assert page.get_by_label("Classifier", exact=True).input_value() == "bundled"
    page.get_by_role("button", name="Make the draft").click()
    page.get_by_text("No faults found").wait_for()
    assert json.dumps(StudyVersion.objects.get().data["stimuli"]).count("as-below") == 0
    _work()
    page.get_by_text(", done ").wait_for()


def _tasks(page: Any) -> None:
    page.get_by_role("link", name="Tasks", exact=True).click()
    page.get_by_role("link", name="Task 1", exact=True).click()
    page.get_by_role("link", name="Swap example 1").click()
    page.get_by_role("button", name="Take it (candidate 1)").click()
    page.get_by_text("The image is swapped.").wait_for()
    assert HandChange.objects.count() == 1
    check = page.locator("#lint")
    check.get_by_text("an hour; Prolific's minimum is 6.00").first.wait_for()
    check.locator("summary").click()
    check.get_by_label("Why it may stay").fill("A course of ours, without pay by the hour.")
    check.get_by_role("button", name="Keep the reason").click()
    page.get_by_text("The reason is kept").wait_for()


def _published(page: Any, browser: Any) -> None:
    page.get_by_role("link", name="Overview", exact=True).click()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="heatmap: cam, scores: shown").click()
    preview = opened.value
    preview.get_by_text("Preview: nothing here counts").wait_for()
    preview.close()
    page.get_by_role("link", name="Every page at once, to print").click()
    with page.expect_popup() as opened:
        page.get_by_role("row", name="heatmap: cam, scores: shown").get_by_role("link").click()
    assert opened.value.locator("#task-4 .examples img").count() >= 4
    opened.value.close()
    page.get_by_role("link", name="Overview", exact=True).click()
    page.get_by_role("button", name="Publish version 1").click()
    page.get_by_text("The study is published and open to participants.").wait_for()

    address = page.get_by_label("Entry address for whoever comes by a plain link").input_value()
    participant = browser.new_page(viewport={"width": 1280, "height": 720})
    participant.goto(address)
    assert walk(participant, "walked")[-3:] == ["afterwards", "feedback", "exit"]
    participant.close()
    page.get_by_text("1 of 64 completed").wait_for(timeout=15_000)


def _by_label() -> dict[str, bytes]:
    """Return the bundled scenes as a folder per label; those of none belong in no folder."""
    return {
        f"{split}/{label}/{scene.name}.png": png(scene.image)
        for split in demo.SPLITS
        for scene in demo.scenes(split, SCENES_PER_SPLIT)
        for label in scene.labels
    }


def _work() -> None:
    """Do what a worker would find to do."""
    for job in Job.objects.filter(state=Job.State.PENDING):
        jobs.job_run(job_id=job.pk)
        job.refresh_from_db()
        assert job.state == Job.State.DONE, job.error
    ledger_drain()
