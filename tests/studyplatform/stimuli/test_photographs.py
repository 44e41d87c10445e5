"""A study of photographs, from the folder of images to publishing, on a network trained here."""

from pathlib import Path

import pytest
import yaml
from django.core.management import call_command

import studyplatform.studies
from studyplatform.stimuli import media, selectors, services
from studyplatform.stimuli.models import Heatmap, ImageSet, TrainedClassifier
from studyplatform.studies.models import Study, Team

DATA = Path(__file__).parents[4] / "shared" / "data"
VOC = DATA / "voc-mini" / "VOC2007"
TRUNK = DATA / "models" / "mobilenet_v1_224_block12.keras"
PRESET = Path(studyplatform.studies.__file__).parent / "presets" / "photographs.yaml"

pytestmark = [
    pytest.mark.photographs,
    pytest.mark.skipif(not (VOC.is_dir() and TRUNK.is_file()), reason=f"needs the data in {DATA}"),
    pytest.mark.django_db,
]


def test_from_photographs_to_a_published_study(media_root: Path):
    """Two tasks per class, multi-scale occlusion at depth 2, and LRP: every heatmap rendered."""
    call_command("import_images", "voc-mini", "--voc", str(VOC), "--size", "224")
    images = ImageSet.objects.get()
    assert images.images.count() == 256
    assert {image.display_size for image in images.images.all()} <= set(range(100, 289))
    call_command("train_classifier", "mobile", "--images", "voc-mini", "--backbone", str(TRUNK))
    # study.md: .97 for person and .57 for dining table, with labels of what the crop cuts away.
    precision = TrainedClassifier.objects.get().average_precision
    assert precision["val"]["person"] > 0.9
    assert precision["val"]["diningtable"] > 0.35
    assert min(precision["train"].values()) > 0.95

    data = yaml.safe_load(PRESET.read_text())
    data["heatmaps"]["multiscale"]["parameters"]["depth"] = 2
    # Four examples a task instead of twelve: on two cores this network takes its time.
    data["tasks"] |= {"examples": {"TP": 2, "FP": 1, "FN": 1}, "examples_per_task": 4}
    data["tasks"]["new_images"] = {"person": {"TP": 1, "FN": 1}, "diningtable": {"FP": 1, "FN": 1}}
    version = services.study_create_with_stimuli(
        team=Team(name="Team"), spec_text=yaml.safe_dump(data)
    )
    for task in selectors.tasks_of(version):
        view = selectors.task_exhibits(task, {"heatmap": "none", "scores": "shown"})
        assert [(outcome, len(group)) for outcome, group in view.groups] == [
            ("TP", 2),
            ("FP", 1),
            ("FN", 1),
        ]
    services.ledger_drain()
    assert selectors.failed_heatmaps(version) == []
    assert Heatmap.objects.exclude(state="done").count() == 0
    published = services.version_publish(version=version)
    assert published.study.state == Study.State.RUNNING

    for task in selectors.tasks_of(published):
        view = selectors.task_exhibits(task, {"heatmap": "multiscale", "scores": "hidden"})
        assert all(one.heatmap for _, group in view.groups for one in group)
    # platform.md: a task page, with 25 pictures, stays under 600 KB.
    sizes = [path.stat().st_size for path in media.root().glob("display/*/*.webp")]
    assert 25 * sum(sizes) / len(sizes) < 450_000
