"""The commands: what they print, and one sentence where something is wrong."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from studyplatform.stimuli import services
from studyplatform.stimuli.models import Heatmap, ImageSet, NeededHeatmap, TrainedClassifier
from studyplatform.studies.models import Study, StudyVersion

from ..published import SMALL
from .chosen import make_draft
from .photographs import by_label
from .test_lint import look_alike

OURS = sorted(name for name, app in get_commands().items() if app == "studyplatform.stimuli")


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_these_are_the_commands():
    assert OURS == [
        "create_study",
        "import_images",
        "lint_study",
        "publish_study",
        "render_heatmaps",
        "train_classifier",
        "train_demo_classifier",
    ]


@pytest.mark.parametrize("name", OURS)
def test_help_has_an_example(name: str):
    command = load_command_class("studyplatform.stimuli", name)
    text = command.create_parser("manage.py", name).format_help()
    assert f"Example: python manage.py {name} " in text


def test_from_spec_to_published_study(
    published_study: StudyVersion, spec_text: Callable[..., str], tmp_path: Path
):
    """On the small study's images, classifier and heatmaps: only overlays are made anew."""
    path = tmp_path / "spec.yaml"
    path.write_text(spec_text(**{**SMALL, "slug": "second"}))
    assert "6 conditions, 4 tasks" in run("create_study", str(path), "--team", "Second team")
    with pytest.raises(CommandError, match="already a study 'second'"):
        run("create_study", str(path))
    assert "6 conditions, 4 tasks" in run("create_study", str(path), "--replace")
    with pytest.raises(CommandError, match="belongs to the team 'Second team'"):
        run("create_study", str(path), "--replace", "--team", "Third team")
    with pytest.raises(CommandError, match="heatmaps are not rendered yet"):
        run("lint_study", "second")
    with pytest.raises(CommandError, match="heatmaps are not rendered yet"):
        run("publish_study", "second")
    total = NeededHeatmap.objects.count() // 2
    assert f"{total} of {total} heatmaps are rendered" in run("render_heatmaps", "second", "--here")
    assert "Nothing blocks" in run("lint_study", "second")
    version = StudyVersion.objects.get(study__slug="second")
    assert "SHA-256" in run("publish_study", "second")
    version.refresh_from_db()
    assert version.published_at is not None


def test_failures_are_told_and_retried(
    published_study: StudyVersion, monkeypatch: pytest.MonkeyPatch
):
    row = Heatmap.objects.first()
    assert row is not None
    Heatmap.objects.filter(pk=row.pk).update(state="failed", error="out of memory", attempts=3)
    with pytest.raises(CommandError, match=r"1 of \d+ heatmaps failed") as caught:
        run("render_heatmaps", "small", "--here")
    assert "out of memory" in str(caught.value)
    assert "1 failed heatmaps wait again" in run("render_heatmaps", "small", "--here", "--retry")
    row.refresh_from_db()
    assert row.state == "done"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["create_study", "nothing.yaml"], "nothing.yaml: No such file or directory."),
        (["lint_study", "nothing"], "There is no study 'nothing'; there are: none."),
        (["publish_study", "nothing"], "There is no study 'nothing'; there are: none."),
        (["render_heatmaps", "nothing"], "There is no study 'nothing'; there are: none."),
        (["import_images", "x", "--voc", "nothing"], "nothing has no folder JPEGImages"),
        (["import_images", "x", "--folders", "nothing"], "There is no folder nothing."),
        (["import_images", "x", "--demo", "--count", "0"], "count is 0; expected at least 1"),
        (["import_images", "My Photos", "--demo"], "The name is 'My Photos'; expected up to 40"),
        (
            ["train_classifier", "a/b", "--images", "y", "--backbone", "z"],
            "The name is 'a/b'; expected up to 40",
        ),
        (
            ["train_classifier", "x", "--images", "y", "--backbone", "z"],
            "There is no image set 'y'; there are: none.",
        ),
    ],
)
def test_errors_are_one_sentence(arguments: list[str], sentence: str):
    with pytest.raises(CommandError, match=re.escape(sentence)) as caught:
        run(*arguments)
    assert caught.value.returncode == 1
    assert "\n" not in str(caught.value)


@pytest.mark.django_db
def test_a_faulty_spec_is_told_and_leaves_nothing(tmp_path: Path):
    path = tmp_path / "spec.yaml"
    path.write_text("title: A study\ncolour: red\n")
    with pytest.raises(CommandError, match="colour: unknown key"):
        run("create_study", str(path))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="no UTF-8 text"):
        run("create_study", str(path))
    assert not Study.objects.exists()


@pytest.mark.django_db
def test_scenes_are_imported(media_root: Path):
    assert "4 images of 96 px, 8 labels" in run("import_images", "few", "--demo", "--count", "2")
    with pytest.raises(CommandError, match="already an image set 'few' with 4 images"):
        run("import_images", "few", "--demo", "--count", "2")


@pytest.mark.django_db
def test_a_folder_per_label_is_imported(media_root: Path, tmp_path: Path):
    for name, content in by_label().items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    told = run("import_images", "animals", "--folders", str(tmp_path), "--size", "32")
    assert "4 images of 32 px, 2 labels (cat, horse)" in told
    assert "Half of each label's images were drawn for validation" in told
    assert ImageSet.objects.get().team is None


@pytest.mark.django_db
def test_fine_tuning_by_command(media_root: Path, tmp_path: Path):
    services.image_set_import_demo(name="few", count=8)
    demo = services.classifier_register_demo()
    arguments = ["train_classifier", "x", "--images", "few", "--preprocess", demo.preprocess]
    arguments += ["--backbone", str(media_root / demo.path), "--labels", "cat"]
    arguments += ["--fine-tune", "1", "--epochs", "1", "--learning-rate", "1e-3"]
    assert "average precision" in run(*arguments)
    found = TrainedClassifier.objects.get(name="x")
    assert found.origin["tuning"] == {"layers": 1, "epochs": 1, "learning_rate": 0.001}


@pytest.mark.django_db
def test_a_backbone_that_is_none_is_refused(media_root: Path, tmp_path: Path):
    services.image_set_import_demo(name="few", count=8)
    path = tmp_path / "backbone.keras"
    path.write_text("none")
    arguments = ("train_classifier", "x", "--images", "few", "--backbone", str(path))
    with pytest.raises(CommandError, match="cannot be read as a Keras model"):
        run(*arguments)
    with pytest.raises(CommandError, match="carries the label 'zebra'"):
        run(*arguments, "--labels", "zebra")
    assert ImageSet.objects.get().images.count() == 16


@pytest.mark.django_db
def test_warnings_are_printed_explained_and_then_published(media_root: Path):
    version = make_draft()
    look_alike(version.stimulus_set, 2)
    with pytest.raises(CommandError, match=r"warning near-duplicate: The new image .* Look at bo"):
        run("lint_study", "chosen")
    with pytest.raises(CommandError, match=r"looks nearly the same .* a reason is kept"):
        run("publish_study", "chosen")
    for arguments in (["--accept", "near-duplicate"], ["--reason", "So it is."]):
        with pytest.raises(CommandError, match="belong together"):
            run("lint_study", "chosen", *arguments)
    with pytest.raises(CommandError, match="No warning 'pay-too-low' needs a reason; these do"):
        run("lint_study", "chosen", "--accept", "pay-too-low", "--reason", "So it is.")
    said = run("lint_study", "chosen", "--accept", "near-duplicate", "--reason", "Two cats.")
    assert "it holds for 1 of the warnings (near-duplicate)" in said
    assert "left standing near-duplicate" in said
    assert "Two cats. (command line, " in said
    assert "Nothing blocks the publishing of chosen v1." in said
    assert "SHA-256" in run("publish_study", "chosen")
