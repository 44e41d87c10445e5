"""Faithfulness of rendered heatmaps: values, what is undefined, resuming, and bad files."""

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.checks import run_checks
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from studyplatform.stimuli import media, pictures, runtime, work
from studyplatform.stimuli.faithfulness import metrics, selectors
from studyplatform.stimuli.faithfulness.summary import summary_make, summary_read
from studyplatform.stimuli.models import (
    Heatmap,
    Image,
    Job,
    MeasuredMap,
    MeasuredValue,
    NeededHeatmap,
    StimulusSet,
    TrainedClassifier,
)
from studyplatform.stimuli.services import StimuliError, faithfulness, jobs
from studyplatform.studies.models import StudyVersion

STEPS = 4


def silent(done: int, total: int, step: str = "") -> None:
    pass


@pytest.fixture
def few(published_study: StudyVersion, settings: Any, tmp_path: Path) -> StimulusSet:
    """The small study with the heatmaps of two images of horses, at both levels; own files."""
    folder = tmp_path / "media"
    shutil.copytree(settings.MEDIA_ROOT, folder, copy_function=lambda a, b: Path(b).hardlink_to(a))
    settings.MEDIA_ROOT = folder
    settings.FAITHFULNESS_STEPS = STEPS
    stimulus_set = selectors.stimulus_set_of(published_study)
    assert stimulus_set is not None
    of_horses = NeededHeatmap.objects.filter(level="lrp", heatmap__label="horse").order_by("pk")
    images = list(of_horses.values_list("heatmap__image", flat=True)[:2])
    NeededHeatmap.objects.exclude(heatmap__image__in=images, heatmap__label="horse").delete()
    assert stimulus_set.needed_heatmaps.count() == 4
    return stimulus_set


def measure(stimulus_set: StimulusSet) -> int:
    return faithfulness.faithfulness_measure(stimulus_set=stimulus_set, tick=silent)


def first(stimulus_set: StimulusSet, level: str = "lrp") -> Heatmap:
    return stimulus_set.needed_heatmaps.filter(level=level).order_by("pk")[0].heatmap


def replace(heatmap: Heatmap, raw: np.ndarray | bytes) -> None:
    """Let the ledger have another content, as if it had been rendered so."""
    content = raw
    if not isinstance(content, bytes):
        file = io.BytesIO()
        np.save(file, raw)
        content = file.getvalue()
    heatmap.content_sha256 = hashlib.sha256(content).hexdigest()
    heatmap.save()
    media.heatmap_path(heatmap.key, heatmap.content_sha256).write_bytes(content)


def outcomes(heatmap: Heatmap) -> dict[str, float | str]:
    rows = MeasuredValue.objects.filter(measured__heatmap=heatmap)
    return {row.metric: row.reason or row.value for row in rows}  # type: ignore[misc]


def test_values_are_those_of_the_metrics_on_what_the_network_sees(few: StimulusSet):
    from explainers import demo
    from explainers.metrics import classwise, curves, ground_truth
    from explainers.metrics import faithfulness as scores

    heatmap = first(few)
    assert measure(few) == 6, "four heatmaps and a random map per image"
    found = outcomes(heatmap)
    network = runtime.classifier(few.classifier)
    pixels = pictures.pixels_of(heatmap.image.sha256)
    raw = np.load(media.heatmap_path(heatmap.key, heatmap.content_sha256))
    scene = demo.named(heatmap.image.name)
    assert scene is not None
    target = network.index("horse")
    inserted = curves.insertion_curve(network, pixels, raw, steps=STEPS)
    deleted = curves.deletion_curve(network, pixels, raw, steps=STEPS)
    horse = scene.mask("horse")
    assert found.pop("relevance-on-shortcut") == (
        pytest.approx(ground_truth.relevance_on_shortcut(raw, scene.masks["fence"]))
        if "fence" in scene.masks
        else "not in the picture"
    )
    assert found == pytest.approx(
        {
            "insertion": classwise.insertion(inserted, target),
            "deletion": classwise.deletion(deleted, target),
            "sparsity": scores.sparsity(raw),
            "relevance-inside": ground_truth.relevance_inside(raw, horse),
        }
    )


def test_what_is_measured_is_left_and_only_new_content_measured_anew(few: StimulusSet):
    measure(few)
    before = dict(MeasuredMap.objects.values_list("key", "measured_at"))
    assert measure(few) == 0
    heatmap = first(few)
    replace(heatmap, np.random.default_rng(0).normal(size=(96, 96)).astype(np.float32))
    assert selectors.coverage(few).missing == 1
    assert measure(few) == 1
    after = dict(MeasuredMap.objects.values_list("key", "measured_at"))
    assert {key for key in after if after[key] != before.get(key)} == {heatmap.key}
    assert MeasuredValue.objects.filter(measured__heatmap=heatmap).count() == 5


def test_another_number_of_steps_lets_everything_be_measured_anew(few: StimulusSet, settings: Any):
    measure(few)
    settings.FAITHFULNESS_STEPS = STEPS + 1
    assert selectors.coverage(few).measured == 0
    assert all(one.outcomes == one.random == {} for one in selectors.shown_maps(few))
    assert measure(few) == 6


def test_stopped_in_the_middle_it_goes_on_where_it_was(few: StimulusSet):
    def stop(done: int, total: int, step: str = "") -> None:
        if done == 2:
            raise jobs.JobCancelledError

    with pytest.raises(jobs.JobCancelledError):
        faithfulness.faithfulness_measure(stimulus_set=few, tick=stop)
    assert MeasuredMap.objects.count() == 2
    assert measure(few) == 4


def test_two_studies_that_show_the_same_heatmap_have_it_measured_once(few: StimulusSet):
    measure(few)
    draft = few.version.study.versions.create(number=2, data=few.version.data)
    second = StimulusSet.objects.create(
        version=draft, image_set=few.image_set, classifier=few.classifier, thresholds={}
    )
    NeededHeatmap.objects.create(stimulus_set=second, heatmap=first(few), level="lrp")
    assert measure(second) == 0


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (np.zeros((48, 96), np.float32), "has 48 x 96 values, the image 96 x 96 pixels"),
        (np.full((96, 96), np.nan, np.float32), "NaN"),
        (b"no map at all", "Its file holds no map."),
    ],
)
def test_a_heatmap_that_cannot_be_used_is_said_and_stops_no_other(
    few: StimulusSet, raw: Any, problem: str
):
    heatmap = first(few)
    replace(heatmap, raw)
    assert measure(few) == 6
    assert set(outcomes(heatmap).values()) == {metrics.UNUSABLE}
    summary = summary_read(summary_make(few))
    assert summary is not None
    [sentence] = summary.problems
    assert problem in sentence
    assert heatmap.image.name in sentence
    lrp = next(level for level in summary.levels if level.level == "lrp")
    assert all(row.undefined.get(metrics.UNUSABLE) == 1 for row in lrp.metrics)
    assert selectors.coverage(few).unusable == 1
    assert measure(few) == 1, "it is tried again"


def test_a_file_that_is_gone_or_another_is_no_heatmap(few: StimulusSet):
    gone, other = (needed.heatmap for needed in few.needed_heatmaps.filter(level="lrp"))
    media.heatmap_path(gone.key, gone.content_sha256).unlink()
    path = media.heatmap_path(other.key, other.content_sha256)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + b"\x01")
    measure(few)
    problems = dict(MeasuredMap.objects.exclude(problem="").values_list("heatmap", "problem"))
    assert problems == {
        gone.pk: "Its file is missing; render it again.",
        other.pk: "Its file is not the one that was rendered; render it again.",
    }


def test_a_constant_map_has_no_value_and_says_why(few: StimulusSet):
    heatmap = first(few)
    replace(heatmap, np.zeros((96, 96), np.float32))
    measure(few)
    found = outcomes(heatmap)
    assert {found[name] for name in ("insertion", "deletion", "sparsity")} == {"constant map"}
    assert found["relevance-inside"] in {"no positive value", "not in the picture"}
    result = summary_make(few)
    lrp = next(level for level in result["levels"] if level["level"] == "lrp")
    insertion = next(row for row in lrp["metrics"] if row["metric"] == "insertion")
    assert insertion["undefined"] == {"constant map": 1}
    assert insertion["own"]["images"] == 1
    assert insertion["own"]["low"] is None, "no interval of one image"


def test_a_prediction_of_zero_has_no_value_and_says_why(
    few: StimulusSet, monkeypatch: pytest.MonkeyPatch
):
    from explainers import Classifier

    labels = few.classifier.labels
    zero = Classifier.from_callable(lambda images: np.zeros((len(images), 8)), labels=labels)
    monkeypatch.setattr(runtime, "classifier", lambda trained: zero)
    heatmap = first(few)
    Heatmap.objects.filter(pk=heatmap.pk).update(label="", method="fem")
    measure(few)
    found = outcomes(heatmap)
    assert {found[name] for name in ("iauc", "dauc", "is", "ds")} == {"prediction of 0"}
    assert isinstance(found["sparsity"], float)
    other = few.needed_heatmaps.filter(level="lrp").order_by("pk")[1].heatmap
    assert outcomes(other)["insertion"] == "constant curve"


def test_a_map_of_the_whole_prediction_is_judged_as_one(few: StimulusSet):
    heatmap = first(few)
    Heatmap.objects.filter(pk=heatmap.pk).update(label="", method="fem")
    measure(few)
    assert set(outcomes(heatmap)) == {"iauc", "dauc", "is", "ds", "ipgs", "dngs", "sparsity"}
    shown = next(one for one in selectors.shown_maps(few) if one.heatmap.pk == heatmap.pk)
    assert set(shown.random) == set(shown.outcomes)


def test_only_scenes_of_the_demo_have_a_ground_truth(few: StimulusSet):
    """A photograph that happens to bear a scene's name is none."""
    heatmap = first(few)
    pixels = pictures.pixels_of(heatmap.image.sha256).copy()
    pixels[0, 0] ^= 1
    other = pictures.pixels_sha256(pixels)
    Image.objects.filter(pk=heatmap.image_id).update(sha256=other)
    path = media.image_path(other)
    path.parent.mkdir(parents=True, exist_ok=True)
    from PIL import Image as PillowImage

    PillowImage.fromarray(pixels).save(path)
    measure(few)
    assert set(outcomes(heatmap)) == {"insertion", "deletion", "sparsity"}


def test_a_curve_costs_one_prediction_per_step(few: StimulusSet, monkeypatch: pytest.MonkeyPatch):
    from explainers.metrics import curves

    made = []
    original = curves.score_batches

    def counted(classifier: Any, perturbation: Any, **more: Any) -> Any:
        made.append((len(perturbation), more["batch_size"]))
        return original(classifier, perturbation, **more)

    monkeypatch.setattr(curves, "score_batches", counted)
    measure(few)
    assert made == [(STEPS + 1, STEPS + 1)] * 2 * 6, "two curves per map, each in one batch"


def test_random_maps_differ_between_labels_and_stay_the_same(few: StimulusSet):
    network = runtime.classifier(few.classifier)
    image = first(few).image
    pixels = pictures.pixels_of(image.sha256)

    def drawn(label: str) -> np.ndarray:
        return faithfulness._random(faithfulness._Map("", image, label, None), network, pixels)

    assert (drawn("cat") == drawn("cat")).all()
    assert (drawn("cat") != drawn("horse")).any()


def test_means_and_what_is_better_than_random_by_hand(few: StimulusSet):
    """Two images: 0.25 and 0.75 against 0.5 and 0.5 at random, where higher is better."""
    measure(few)
    maps = [one.heatmap for one in few.needed_heatmaps.filter(level="lrp").order_by("pk")]
    for heatmap, value in zip(maps, (0.25, 0.75), strict=True):
        MeasuredValue.objects.filter(measured__heatmap=heatmap, metric="insertion").update(
            value=value
        )
        MeasuredValue.objects.filter(measured__heatmap=heatmap, metric="deletion").update(
            value=None, reason="constant curve"
        )
    MeasuredValue.objects.filter(measured__heatmap=None, metric="insertion").update(value=0.5)
    summary = summary_read(summary_make(few))
    assert summary is not None
    lrp = next(level for level in summary.levels if level.level == "lrp")
    by_name = {row.metric: row for row in lrp.metrics}
    insertion, deletion = by_name["insertion"], by_name["deletion"]
    assert (insertion.own.mean, insertion.random.mean) == (0.5, 0.5)
    assert (insertion.own.low, insertion.own.high) == (0.25, 0.75)
    assert (insertion.ahead, insertion.compared, insertion.own.images) == (1, 2, 2)
    assert (deletion.own.mean, deletion.random.images) == (None, 0)
    assert deletion.undefined == {"constant curve": 2}


def test_both_means_are_over_the_same_images(few: StimulusSet):
    """The second random map has no value: the first image alone is compared, 0.25 and 0.5."""
    measure(few)
    maps = [one.heatmap for one in few.needed_heatmaps.filter(level="lrp").order_by("pk")]
    of = MeasuredValue.objects.filter(metric="insertion")
    for heatmap, value in zip(maps, (0.25, 0.75), strict=True):
        of.filter(measured__heatmap=heatmap).update(value=value)
    random = of.filter(measured__heatmap=None)
    random.update(value=0.5)
    random.filter(measured__image=maps[1].image).update(value=None, reason="constant curve")
    summary = summary_read(summary_make(few))
    assert summary is not None
    lrp = next(level for level in summary.levels if level.level == "lrp")
    insertion = next(row for row in lrp.metrics if row.metric == "insertion")
    assert (insertion.own.mean, insertion.own.images) == (0.25, 1)
    assert (insertion.random.mean, insertion.random.images) == (0.5, 1)
    assert (insertion.ahead, insertion.compared) == (0, 1)
    assert insertion.undefined == {"its random map has no value": 1}


@pytest.mark.parametrize(
    ("better", "own", "ahead"),
    [
        ("higher", 0.6, True), ("higher", 0.5, False), ("higher", 0.4, False),
        ("lower", 0.6, False), ("lower", 0.5, False), ("lower", 0.4, True),
        (None, 0.6, None),
    ],
)  # fmt: skip
def test_what_is_better_than_a_random_map(better: str | None, own: float, ahead: bool | None):
    """Than its 0.5: as good is not better."""
    assert metrics.is_ahead(better, own, 0.5) is ahead


def test_a_random_map_belongs_to_classifier_image_and_label(few: StimulusSet):
    other = TrainedClassifier(sha256="9" * 64, preprocess="unit", labels=["cat"])
    asked = [
        (few.classifier, "1" * 64, "cat"),
        (few.classifier, "1" * 64, "horse"),
        (few.classifier, "1" * 64, ""),
        (few.classifier, "2" * 64, "cat"),
        (other, "1" * 64, "cat"),
    ]
    assert len({metrics.random_key(*one) for one in asked}) == len(asked)
    assert metrics.random_key(*asked[0]) == metrics.random_key(*asked[0])


def test_the_recipe_names_all_that_decides_on_values(
    monkeypatch: pytest.MonkeyPatch, settings: Any
):
    from explainers import metrics as library

    def recipe() -> str:
        metrics._software.cache_clear()
        return metrics.recipe()

    now = recipe()
    assert now == recipe()
    others = []
    with monkeypatch.context() as changed:
        changed.setattr(library, "EDITION", library.EDITION + 1)
        others.append(recipe())
    with monkeypatch.context() as changed:
        versions = library.versions() | {"scipy": "0.1"}
        changed.setattr(library, "versions", lambda: versions)
        others.append(recipe())
    settings.FAITHFULNESS_STEPS += 1
    others.append(recipe())
    assert len({now, *others}) == 4
    assert max(map(len, others)) <= MeasuredMap._meta.get_field("recipe").max_length
    assert metrics.steps_of(now) == settings.FAITHFULNESS_STEPS - 1
    assert metrics.steps_of("1: 16 steps, seed 0") == 16


@pytest.mark.parametrize(("steps", "count"), [(1, 0), (32, 0), (0, 1), (-3, 1), ("many", 1)])
def test_a_number_of_steps_that_is_none_is_said_at_the_start(settings: Any, steps: Any, count: int):
    settings.FAITHFULNESS_STEPS = steps
    found = [one for one in run_checks() if one.id == "stimuli.E001"]
    assert len(found) == count
    if found:
        assert f"FAITHFULNESS_STEPS is {steps!r}; expected a whole number" in found[0].msg


def test_the_job_is_asked_for_once_done_and_its_result_read_back(few: StimulusSet):
    job = faithfulness.faithfulness_request(version=few.version)
    assert faithfulness.faithfulness_request(version=few.version) == job
    assert jobs.job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.done, job.total, job.problems) == ("done", 6, 6, [])
    summary = summary_read(job.result)
    assert summary is not None
    assert [level.level for level in summary.levels] == ["lrp", "multiscale"]
    assert selectors.latest_result(few) == job
    assert summary_read(job.result | {"recipe": "otherwise"}) is None


def test_nothing_is_asked_for_before_a_heatmap_is_rendered(few: StimulusSet):
    Heatmap.objects.update(state="pending")
    with pytest.raises(StimuliError, match="No heatmap of version 1 is rendered yet"):
        faithfulness.faithfulness_request(version=few.version)
    assert not Job.objects.exists()


def test_a_draft_that_got_other_stimuli_is_said(few: StimulusSet):
    job = faithfulness.faithfulness_request(version=few.version)
    Job.objects.filter(pk=job.pk).update(parameters={"stimulus_set": few.pk + 1})
    job.refresh_from_db()
    with pytest.raises(StimuliError, match="other stimuli by now"):
        work.of(job)(job, silent)


@pytest.mark.parametrize(("value", "reason"), [(None, ""), (0.5, "constant map")])
def test_a_value_or_a_reason_never_both_nor_neither(
    few: StimulusSet, value: float | None, reason: str
):
    measure(few)
    row = MeasuredValue.objects.all()[0]
    row.value, row.reason = value, reason
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()


@pytest.mark.parametrize("count", [1, 4])
def test_queries_do_not_grow_with_heatmaps(few: StimulusSet, count: int):
    measure(few)
    kept = list(few.needed_heatmaps.values_list("pk", flat=True)[:count])
    few.needed_heatmaps.exclude(pk__in=kept).delete()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert len(selectors.shown_maps(few)) == count
    assert len(captured) == 4
