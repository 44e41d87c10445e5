"""faithfulness.csv: what was measured of the heatmaps shown, ready to be joined with answers."""

import csv
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from analysis.load import read_export
from studyplatform.results import faithfulness
from studyplatform.results.services import study_export
from studyplatform.stimuli.faithfulness import metrics, selectors
from studyplatform.stimuli.models import (
    Example,
    Heatmap,
    Illustration,
    Image,
    MeasuredMap,
    MeasuredValue,
    NeededHeatmap,
    StimulusSet,
)
from studyplatform.studies.models import Study

Row = dict[str, str]


def example(stimuli: StimulusSet, number: int, position: int) -> Image:
    image = Image.objects.create(
        image_set=stimuli.image_set, name=f"e{number}-{position}.png", split="val",
        labels=["cat"], sha256=f"{number}{position}ef" * 16, display_sha256="a" * 64,
        display_size=8,
    )  # fmt: skip
    Example.objects.create(
        task=stimuli.tasks.get(number=number), image=image, outcome="FN", position=position,
        similarity=0.5,
    )  # fmt: skip
    return image


def put(values: dict[str, Any], **fields: Any) -> None:
    fields |= {"recipe": metrics.recipe(), "measured_at": timezone.now()}
    measured = MeasuredMap.objects.create(**fields)
    for name, value in values.items():
        found = {"reason": value} if isinstance(value, str) else {"value": value}
        MeasuredValue.objects.create(measured=measured, metric=name, **found)


def shown(stimuli: StimulusSet, image: Image, level: str, label: str, **values: Any) -> Heatmap:
    """A rendered heatmap; measured, with a random map beside it, where values are given."""
    heatmap = Heatmap.objects.create(
        key=f"{level} {image.pk} {label}", classifier=stimuli.classifier, image=image, label=label,
        method=level, state="done", content_sha256="1" * 64,
    )  # fmt: skip
    NeededHeatmap.objects.create(stimulus_set=stimuli, heatmap=heatmap, level=level)
    of = {"classifier": stimuli.classifier, "image": image, "label": label}
    if values:
        put(values, heatmap=heatmap, key=heatmap.key, content_sha256="1" * 64, **of)
        key = metrics.random_key(stimuli.classifier, image.sha256, label)
        if not MeasuredMap.objects.filter(key=key).exists():
            put(dict.fromkeys(values, 0.5), key=key, **of)
    return heatmap


@pytest.fixture
def stimuli(study: Study) -> StimulusSet:
    return StimulusSet.objects.select_related("version", "classifier").get()


def exported(study: Study, folder: Path) -> list[Row]:
    study_export(study=study, source="real", out_dir=folder)
    with (folder / "faithfulness.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def short(row: Row) -> tuple[str, ...]:
    names = ("task", "position", "label", "level", "method", "metric", "value", "reason")
    return tuple(row[name] for name in names)


def test_what_is_shown_where_and_how_faithful_it_is(stimuli: StimulusSet, tmp_path: Path):
    one, two = example(stimuli, 1, 1), example(stimuli, 3, 2)
    shown(stimuli, one, "lrp", "cat", insertion=0.75)
    shown(stimuli, one, "multiscale", "cat", insertion="constant map")
    shown(stimuli, two, "fem", "", dauc=-0.25)
    rows = exported(stimuli.version.study, tmp_path / "out")
    assert [short(row) for row in rows] == [
        ("1", "1", "cat", "lrp", "lrp", "insertion", "0.75", ""),
        ("1", "1", "cat", "multiscale", "multiscale", "insertion", "", "constant map"),
        ("1", "1", "cat", "", "random", "insertion", "0.5", ""),
        ("3", "2", "", "fem", "fem", "dauc", "-0.25", ""),
        ("3", "2", "", "", "random", "dauc", "0.5", ""),
    ]
    assert {row["task_label"] for row in rows[:3]} == {"cat"}
    assert {row["task_label"] for row in rows[3:]} == {"horse"}
    assert (rows[0]["outcome"], rows[0]["image_sha256"]) == ("FN", one.sha256)
    assert {row["version_number"] for row in rows} == {"1"}


def test_an_example_of_two_tasks_stands_in_both_and_an_illustration_in_none(
    stimuli: StimulusSet, tmp_path: Path
):
    image = example(stimuli, 1, 1)
    Example.objects.create(
        task=stimuli.tasks.get(number=2), image=image, outcome="TP", position=5, similarity=0.5
    )
    Illustration.objects.create(stimulus_set=stimuli, label="cat", outcome="FN", image=image)
    shown(stimuli, image, "lrp", "cat", insertion=0.75)
    rows = exported(stimuli.version.study, tmp_path / "out")
    assert [(row["task"], row["position"]) for row in rows if row["level"] == "lrp"] == [
        ("1", "1"), ("2", "5"), ("", "illustration"),
    ]  # fmt: skip


def test_a_heatmap_of_another_label_is_not_shown_there(stimuli: StimulusSet, tmp_path: Path):
    """Task 3 is about horses: the same image's heatmap for cat belongs elsewhere."""
    shown(stimuli, example(stimuli, 3, 1), "lrp", "cat", insertion=0.75)
    assert exported(stimuli.version.study, tmp_path / "out") == []


def test_what_is_not_measured_or_rendered_anew_has_no_rows(stimuli: StimulusSet, tmp_path: Path):
    image = example(stimuli, 1, 1)
    shown(stimuli, image, "multiscale", "cat")
    anew = shown(stimuli, image, "lrp", "cat", insertion=0.75)
    assert len(exported(stimuli.version.study, tmp_path / "out")) == 2
    Heatmap.objects.filter(pk=anew.pk).update(content_sha256="9" * 64)
    assert exported(stimuli.version.study, tmp_path / "out") == []


def test_what_was_measured_in_other_steps_is_there_and_says_so(
    stimuli: StimulusSet, tmp_path: Path, settings: Any
):
    """Measured with 32 steps, its random map and another heatmap with 8, after a change."""
    settings.FAITHFULNESS_STEPS = 32
    image = example(stimuli, 1, 1)
    shown(stimuli, image, "lrp", "cat", insertion=0.75)
    settings.FAITHFULNESS_STEPS = 8
    MeasuredMap.objects.filter(heatmap=None).update(recipe=metrics.recipe())
    shown(stimuli, image, "multiscale", "cat", insertion=0.25)
    rows = exported(stimuli.version.study, tmp_path / "out")
    assert [(row["level"], row["value"], row["steps"]) for row in rows] == [
        ("lrp", "0.75", "32"), ("multiscale", "0.25", "8"), ("", "0.5", "8"),
    ]  # fmt: skip
    assert rows[1]["recipe"] == rows[2]["recipe"] == metrics.recipe() != rows[0]["recipe"]
    assert selectors.coverage(stimuli).measured == 1, "the console counts those of now alone"
    assert [one.level for one in selectors.shown_maps(stimuli) if one.outcomes] == ["multiscale"]


def test_the_dictionary_says_directions_and_that_rows_may_lack(study: Study, tmp_path: Path):
    exported(study, tmp_path / "out")
    with (tmp_path / "out/data_dictionary.csv").open(encoding="utf-8", newline="") as file:
        described = {
            row["column"]: row for row in csv.DictReader(file) if row["file"] == "faithfulness.csv"
        }
    assert "only heatmaps that are rendered and measured" in described["version_number"]["meaning"]
    assert "deletion = Deletion, lower is better" in described["metric"]["values"]
    assert (
        "relevance-on-shortcut = Relevance on shortcut, neither direction"
        in described["metric"]["values"]
    )


def test_the_analysis_reads_the_export_and_answers_join_it(stimuli: StimulusSet, tmp_path: Path):
    shown(stimuli, example(stimuli, 1, 1), "lrp", "cat", insertion=0.75)
    rows = exported(stimuli.version.study, tmp_path / "out")
    read = read_export(tmp_path / "out")
    assert read.notes == []
    assert read.answers is not None
    answered = set(read.answers["task"])
    assert {row["task"] for row in rows} <= answered


@pytest.mark.parametrize("n", [1, 3])
def test_queries_do_not_grow(
    stimuli: StimulusSet, n: int, django_assert_num_queries: DjangoAssertNumQueries
):
    for number in range(1, n + 1):
        shown(stimuli, example(stimuli, number, 1), "fem", "", dauc=0.5)
    with django_assert_num_queries(6):
        assert len(list(faithfulness.rows(stimuli))) == 2 * n
    assert selectors.coverage(stimuli).measured == n
