"""The page on faithfulness: empty, waiting, failed, measured; who may ask; what it costs."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from studyplatform.stimuli.faithfulness import metrics
from studyplatform.stimuli.faithfulness.summary import summary_make
from studyplatform.stimuli.models import (
    Heatmap,
    Image,
    Job,
    MeasuredMap,
    MeasuredValue,
    NeededHeatmap,
    StimulusSet,
)
from studyplatform.studies.models import Study

ADDRESS = "/console/studies/demo/faithfulness/"
QUERIES = 14
VALUES = {"insertion": 0.75, "deletion": 0.25, "sparsity": 4.0}
RANDOM = {"insertion": 0.5, "deletion": 0.5, "sparsity": 2.0}


def text(client: Client, address: str = ADDRESS) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def add_map(stimuli: StimulusSet, number: int, level: str = "lrp", **values: Any) -> Heatmap:
    """A rendered heatmap of a cat, measured where values are given, and its random map."""
    image, _ = Image.objects.get_or_create(
        image_set=stimuli.image_set,
        name=f"example-{number:02d}",
        defaults={"split": "val", "labels": ["cat"], "sha256": f"{number:064d}",
                  "display_sha256": f"{number:064d}", "display_size": 8},
    )  # fmt: skip
    label = values.pop("label", "cat")
    heatmap = Heatmap.objects.create(
        key=f"{level}-{number}", classifier=stimuli.classifier, image=image, label=label,
        method=values.pop("method", level), state="done", content_sha256="1" * 64,
    )  # fmt: skip
    NeededHeatmap.objects.create(
        stimulus_set=stimuli, heatmap=heatmap, level=level, overlay_sha256="2" * 64
    )
    if values:
        of = {"classifier": stimuli.classifier, "image": image, "label": label}
        put(values, heatmap=heatmap, key=heatmap.key, content_sha256="1" * 64, **of)
        key = metrics.random_key(stimuli.classifier, image.sha256, label)
        if not MeasuredMap.objects.filter(key=key).exists():
            put({name: RANDOM.get(name, 0.5) for name in values}, key=key, **of)
    return heatmap


def put(values: dict[str, Any], **fields: Any) -> None:
    measured = MeasuredMap.objects.create(
        recipe=metrics.recipe(), measured_at=timezone.now(), **fields
    )
    for name, value in values.items():
        found = {"reason": value} if isinstance(value, str) else {"value": value}
        MeasuredValue.objects.create(measured=measured, metric=name, **found)


def add_job(stimuli: StimulusSet, state: str, **more: Any) -> Job:
    return Job.objects.create(
        team=stimuli.version.study.team, study=stimuli.version.study, kind="measure",
        subject="version 1", parameters={"stimulus_set": stimuli.pk}, state=state,
        finished_at=timezone.now() if state in {"done", "failed"} else None, **more,
    )  # fmt: skip


@pytest.fixture
def stimuli(study: Study) -> StimulusSet:
    return StimulusSet.objects.select_related("version__study", "classifier").get()


def test_without_heatmaps_there_is_nothing_to_measure(stimuli: StimulusSet, alice: Client):
    assert "shows no heatmaps yet" in text(alice)
    heatmap = add_map(stimuli, 1)
    Heatmap.objects.filter(pk=heatmap.pk).update(state="pending")
    page = text(alice)
    assert "None of its 1 heatmaps is rendered yet" in page
    assert "faithfulness/measure/" not in page
    answer = alice.post(ADDRESS + "measure/", follow=True).content.decode()
    assert "No heatmap of version 1 is rendered yet" in answer
    assert not Job.objects.exists()


def test_rendered_heatmaps_are_measured_when_asked_for(stimuli: StimulusSet, alice: Client):
    add_map(stimuli, 1)
    page = text(alice)
    assert "<strong>0 of 1</strong> rendered heatmaps of version 1 are measured" in page
    assert ">Measure</button>" in page
    for _ in range(2):
        answer = alice.post(ADDRESS + "measure/")
        assert answer.headers["location"] == ADDRESS
    job = Job.objects.get()
    assert (job.kind, job.parameters) == ("measure", {"stimulus_set": stimuli.pk})
    page = text(alice)
    assert "Waiting for a worker" in page
    assert "faithfulness/measure/" not in page


def test_a_failure_is_said_and_can_be_tried_again(stimuli: StimulusSet, alice: Client):
    add_map(stimuli, 1)
    job = add_job(stimuli, "failed", error="The network gives scores that are NaN.")
    page = text(alice)
    assert "The network gives scores that are NaN." in page
    assert f"/console/jobs/{job.pk}/retry/" in page


def test_a_viewer_looks_and_does_not_ask(stimuli: StimulusSet, bob: Client):
    add_map(stimuli, 1)
    assert '<form class="actions"' not in text(bob)
    assert bob.post(ADDRESS + "measure/").status_code == 403
    assert not Job.objects.exists()


def test_for_another_team_there_is_no_such_page(stimuli: StimulusSet, charlie: Client):
    add_map(stimuli, 1)
    assert charlie.get(ADDRESS).status_code == 404
    assert charlie.post(ADDRESS + "measure/").status_code == 404
    assert not Job.objects.exists()


def test_means_stand_beside_random_with_what_is_missing(stimuli: StimulusSet, alice: Client):
    add_map(stimuli, 1, **VALUES)
    add_map(stimuli, 2, **(VALUES | {"insertion": 0.25}))
    add_map(stimuli, 3, **(VALUES | {"insertion": "constant curve"}))
    add_job(stimuli, "done", result=summary_make(stimuli))
    page = text(alice)
    row = page[page.index('Insertion<br><span class="faint">higher is better') :]
    row = row[: row.index("</tr>")]
    assert "0.500<br>" in row
    assert "0.250 to 0.750" in row
    assert "1 of 2" in row
    assert '<td class="number">2</td>' in row
    assert "1: constant curve" in row
    assert 'Deletion<br><span class="faint">lower is better' in page
    assert "shows whether the pixels ranked first are enough for the class." in page
    assert "3 heatmaps, each of one label" in page
    assert "faithfulness/measure/" not in page, "nothing is left to measure"


def test_a_heatmap_rendered_anew_is_missing(stimuli: StimulusSet, alice: Client):
    heatmap = add_map(stimuli, 1, **VALUES)
    add_map(stimuli, 2, **VALUES)
    add_job(stimuli, "done", result=summary_make(stimuli))
    Heatmap.objects.filter(pk=heatmap.pk).update(content_sha256="9" * 64)
    page = text(alice)
    assert "<strong>1 of 2</strong> rendered" in page
    assert "without those that are missing" in page
    assert "Measure what is missing" in page
    assert "example-01" not in page
    assert "example-02" in page


def test_image_by_image_in_both_kinds_of_table(stimuli: StimulusSet, alice: Client):
    add_map(stimuli, 1, **(VALUES | {"relevance-inside": "not in the picture", "deletion": 0.9}))
    add_map(stimuli, 1, level="multiscale", **VALUES)
    add_map(stimuli, 2, level="answer", method="fem", label="", iauc=0.25, dauc=0.75)
    page = text(alice)
    assert page.index("Heatmaps of one label") < page.index("Heatmaps of the whole prediction")
    one, whole = page.split("<h3>")[1:]
    assert "example-01, cat" in one
    assert f'src="/i/{"2" * 64}.webp"' in one
    assert one.count("random map") == whole.count("random map") == 1
    assert one.count("not in the picture") == 1
    assert one.count("no better than random") == 1
    assert "0.900<br>" in one
    assert "IAUC" in whole
    assert "Insertion" not in whole


def test_as_good_as_random_is_no_better(stimuli: StimulusSet, alice: Client):
    """Beside 0.5, 0.5 and 2: insertion as good, deletion (lower is better) and sparsity better."""
    add_map(stimuli, 1, insertion=0.5, deletion=0.25, sparsity=4.0)
    page = text(alice)
    row = page[page.index("example-01, cat") :]
    cells = row[: row.index("random map")].split('<td class="number">')[1:]
    assert ["no better than random" in cell for cell in cells] == [True, False, False]


@pytest.mark.parametrize("n", [1, 3])
def test_the_page_costs_the_same_however_many_heatmaps(
    stimuli: StimulusSet, alice: Client, n: int, django_assert_num_queries: DjangoAssertNumQueries
):
    for number in range(n):
        add_map(stimuli, number, **VALUES)
        add_map(stimuli, number, level="multiscale", **VALUES)
    add_job(stimuli, "done", result=summary_make(stimuli))
    with django_assert_num_queries(QUERIES):
        assert text(alice).count("random map</span>") == n


def test_many_images_come_page_by_page(stimuli: StimulusSet, alice: Client):
    for number in range(21):
        add_map(stimuli, number, **VALUES)
    page = text(alice)
    assert "Page 1 of 2" in page
    assert "example-19" in page
    assert "example-20" not in page
    assert "example-20" in text(alice, ADDRESS + "?page=2")
    assert "Page 2 of 2" in text(alice, ADDRESS + "?page=99")
    assert "Page 1 of 2" in text(alice, ADDRESS + "?page=x")
