"""Training as a job, and finished networks taken in: what comes out, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as PillowImage

from studyplatform.stimuli import media, pictures
from studyplatform.stimuli.models import Image, ImageSet, Job, Prediction, TrainedClassifier
from studyplatform.stimuli.services import (
    FineTuning,
    StimuliError,
    classifier_jobs,
    classifiers,
    job_retry,
    jobs,
)
from studyplatform.studies.models import Team
from studyplatform.studies.services import team_get_or_create

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media_root")]
SIZE = 16


@pytest.fixture
def team() -> Team:
    return team_get_or_create(name="Alice's team")


@pytest.fixture
def image_set(team: Team) -> ImageSet:
    """Twelve pictures, red or blue; every third is for validation."""
    rng = np.random.default_rng(5)
    found = ImageSet.objects.create(team=team, name="colours", labels=["blue", "red"], size=SIZE)
    for number in range(12):
        red = number % 2 == 0
        pixels = rng.integers(0, 60, (SIZE, SIZE, 3)).astype(np.uint8)
        pixels[..., 0 if red else 2] += 150
        one = pictures.store_pixels(pixels, display=PillowImage.fromarray(pixels))
        Image.objects.create(
            image_set=found,
            name=f"{number}",
            split="val" if number % 3 == 2 else "train",
            labels=["red" if red else "blue"],
            sha256=one.sha256,
            display_sha256=one.display_sha256,
            display_size=one.display_size,
        )
    return found


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import keras

    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("networks") / "backbone.keras"
    convolution = keras.layers.Conv2D(4, 3, strides=2, activation="relu")
    keras.Sequential([keras.Input((SIZE, SIZE, 3)), convolution]).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def lambda_network(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A network that holds code of its own."""
    import keras

    path = tmp_path_factory.mktemp("networks") / "lambda.keras"
    inputs = keras.Input((SIZE, SIZE, 3))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(path)
    return path.read_bytes()


def file(content: bytes, name: str = "mine.keras") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def ask(team: Team, image_set: ImageSet, **values: Any) -> Job:
    return classifier_jobs.classifier_training_request(
        team=team, image_set=image_set, **{"name": "mine"} | values
    )


def run(job: Job) -> Job:
    jobs.job_run(job_id=job.pk)
    job.refresh_from_db()
    return job


def left_behind() -> list[Path]:
    return [path for part in ("uploads", "work") for path in (media.root() / part).glob("*")]


def test_a_head_on_an_uploaded_backbone(team: Team, image_set: ImageSet, backbone: bytes):
    job = run(ask(team, image_set, file=file(backbone)))
    assert (job.state, job.error) == ("done", "")
    classifier = TrainedClassifier.objects.get(pk=job.result["classifier"])
    assert (classifier.team, classifier.name, classifier.size) == (team, "mine", SIZE)
    assert classifier.labels == ["blue", "red"]
    assert classifier.image_set == image_set
    assert classifier.average_precision == {
        split: {"blue": 1.0, "red": 1.0} for split in ("train", "val")
    }
    assert media.file_sha256(media.classifier_path(classifier.sha256)) == classifier.sha256
    assert classifier.origin == {
        "how": "trained",
        "backbone": "mine.keras",
        "tuning": None,
        "job": job.pk,
    }
    assert Prediction.objects.count() == 12
    assert left_behind() == []


def test_a_head_on_a_classifier_that_is_here_and_fine_tuning(
    team: Team, image_set: ImageSet, backbone: bytes
):
    first = run(ask(team, image_set, file=file(backbone)))
    classifier = TrainedClassifier.objects.get(pk=first.result["classifier"])
    tuning = FineTuning(layers=1, epochs=2, learning_rate=1e-3)
    job = run(ask(team, image_set, name="tuned", classifier=classifier, tuning=tuning))
    assert job.error == ""
    tuned = TrainedClassifier.objects.get(pk=job.result["classifier"])
    assert tuned.sha256 != classifier.sha256
    assert tuned.preprocess == classifier.preprocess
    assert tuned.origin["tuning"] == {"layers": 1, "epochs": 2, "learning_rate": 0.001}
    assert tuned.average_precision["val"] == {"blue": 1.0, "red": 1.0}
    assert job.step == "Scores of all images"


def test_cancelled_it_goes_on_with_the_features_it_has(
    team: Team, image_set: ImageSet, backbone: bytes
):
    job = ask(team, image_set, file=file(backbone))

    def cancelled(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        def stop(done: int, total: int, step: str = "") -> None:
            if step.startswith("Scores"):
                raise jobs.JobCancelledError

        return classifier_jobs.classifier_make(job, stop)

    jobs.job_run(job_id=job.pk, work=cancelled)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert not TrainedClassifier.objects.exists()
    features = list(media.work_path(job.pk).rglob("features-*.npy"))
    assert features
    written = [path.stat().st_mtime_ns for path in features]
    job_retry(job=job)
    steps = []

    def watched(job: Job, tick: jobs.Tick) -> dict[str, Any]:
        def note(done: int, total: int, step: str = "") -> None:
            steps.append(step)
            assert [path.stat().st_mtime_ns for path in features] == written

        return classifier_jobs.classifier_make(job, note)

    jobs.job_run(job_id=job.pk, work=watched)
    job.refresh_from_db()
    assert job.state == "done"
    assert steps[-1] == "Scores of all images"
    assert left_behind() == []


def test_a_worker_lost_while_it_scored_leaves_a_row_that_is_gone_on_with(
    team: Team, image_set: ImageSet, backbone: bytes
):
    job = ask(team, image_set, file=file(backbone))
    run(job)
    made = TrainedClassifier.objects.get()
    TrainedClassifier.objects.update(average_precision={})
    parameters = job.parameters | classifier_jobs._kept(file(backbone))
    Job.objects.filter(pk=job.pk).update(state="pending", result={}, parameters=parameters)
    assert run(job).result == {"classifier": made.pk}
    assert TrainedClassifier.objects.get().average_precision["val"]["red"] == 1.0


def refused(job: Job) -> str:
    job = run(job)
    assert job.state == "failed"
    assert len(job.problems) == 1
    assert not TrainedClassifier.objects.exists()
    assert left_behind() == []
    assert str(media.root()) not in job.error
    return job.error


def test_a_file_that_is_no_network(team: Team, image_set: ImageSet, tmp_path: Path):
    from .photographs import zipped

    with pytest.raises(StimuliError, match=r"a\.h5 is no Keras file"):
        ask(team, image_set, file=file(b"", "a.h5"))
    with pytest.raises(StimuliError, match=r"mine\.keras is no Keras file, whatever its name says"):
        ask(team, image_set, file=file(b"no zip"))
    content = zipped(tmp_path / "a.zip", {"cat/0.jpg": b"0"}).read_bytes()
    error = refused(ask(team, image_set, file=file(content)))
    assert error.startswith("mine.keras cannot be read as a Keras model")


def test_code_in_a_file_is_not_run(team: Team, image_set: ImageSet, lambda_network: bytes):
    error = refused(ask(team, image_set, file=file(lambda_network)))
    assert error.startswith("mine.keras cannot be read as a Keras model")


def test_without_safe_mode_it_would_be_read(
    team: Team, image_set: ImageSet, lambda_network: bytes, monkeypatch: pytest.MonkeyPatch
):
    """Negative control of the test above."""
    import keras

    entire = keras.models.load_model
    monkeypatch.setattr(
        keras.models, "load_model", lambda path, **options: entire(path, safe_mode=False, **options)
    )
    job = run(ask(team, image_set, file=file(lambda_network)))
    assert job.state == "done"


def test_a_backbone_of_another_size(team: Team, image_set: ImageSet, backbone: bytes):
    ImageSet.objects.update(size=32)
    assert "The backbone takes images of shape (16, 16, 3)" in refused(
        ask(team, image_set, file=file(backbone))
    )


def test_what_is_wrong_is_said_before_anything_is_asked(
    team: Team, image_set: ImageSet, backbone: bytes
):
    with pytest.raises(StimuliError, match="No image of 'colours' carries 'green', 'grey'"):
        ask(team, image_set, labels=["green", "red", "grey"])
    with pytest.raises(StimuliError, match="as a spec names it"):
        ask(team, image_set, name="My network")
    other = TrainedClassifier.objects.create(
        name="mine", team=team, path="", sha256="", labels=["red"], preprocess="unit", size=SIZE
    )
    with pytest.raises(StimuliError, match="already a classifier 'mine'"):
        ask(team, image_set)
    with pytest.raises(StimuliError, match="one of the two"):
        ask(team, image_set, name="b", file=file(backbone), classifier=other)
    assert not Job.objects.exists()
    ask(team, image_set, name="b")
    with pytest.raises(StimuliError, match="'b' is being made already"):
        ask(team, image_set, name="b")


def register(team: Team, content: bytes, **values: Any) -> Job:
    given = {"name": "whole", "file": file(content), "labels": ["red", "blue"]}
    return classifier_jobs.classifier_registration_request(
        team=team, **given | {"preprocess": "signed"} | values
    )


@pytest.fixture
def finished(team: Team, image_set: ImageSet, backbone: bytes) -> bytes:
    """A network with two outputs, blue and red."""
    job = run(ask(team, image_set, file=file(backbone)))
    path = media.classifier_path(TrainedClassifier.objects.get(pk=job.result["classifier"]).sha256)
    content = path.read_bytes()
    TrainedClassifier.objects.all().delete()
    return content


def test_a_finished_network_is_taken_in_and_judged(
    team: Team, image_set: ImageSet, finished: bytes
):
    job = run(register(team, finished, labels=["blue", "red"], image_set=image_set))
    assert job.error == ""
    classifier = TrainedClassifier.objects.get()
    assert (classifier.name, classifier.team) == ("whole", team)
    assert classifier.average_precision["val"] == {"blue": 1.0, "red": 1.0}
    assert classifier.origin == {"how": "registered", "file": "mine.keras", "job": job.pk}


def test_it_need_not_be_judged(team: Team, finished: bytes):
    assert run(register(team, finished)).state == "done"
    assert TrainedClassifier.objects.get().average_precision == {}


def test_its_labels_must_be_as_many_as_its_outputs(team: Team, finished: bytes):
    assert "3 labels are given for a network with 2 outputs" in refused(
        register(team, finished, labels=["a", "b", "c"])
    )
    for labels, sentence in (
        ([], "Give the labels"),
        (["a", "a"], "The label 'a' is given more than once"),
        (["a", "\x07"], "is no label"),
    ):
        with pytest.raises(StimuliError, match=sentence):
            register(team, finished, labels=labels)


def test_a_backbone_is_no_finished_network(team: Team, backbone: bytes):
    assert "expected one score per label" in refused(register(team, backbone))


def test_judged_on_images_of_another_size_it_is_not_kept(
    team: Team, image_set: ImageSet, finished: bytes
):
    ImageSet.objects.update(size=32)
    assert "import them at that size" in refused(register(team, finished, image_set=image_set))


def test_vgg16_without_its_weights_is_one_sentence(
    team: Team, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    from keras.src.applications import vgg16
    from keras.src.utils import file_utils

    ImageSet.objects.update(size=32)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path), raising=False)
    monkeypatch.setattr(vgg16, "WEIGHTS_PATH_NO_TOP", (tmp_path / "none.h5").as_uri())
    job = ask(team, image_set)
    assert job.parameters["preprocess"] == "caffe"
    assert "put Keras' file vgg16_weights" in refused(job)


def test_classifiers_by_commands_are_shared(image_set: ImageSet, backbone: bytes, tmp_path: Path):
    path = tmp_path / "b.keras"
    path.write_bytes(backbone)
    found = classifiers.classifier_train(
        name="shared", image_set=image_set, backbone=path, preprocess="signed"
    )
    assert found.team is None
    assert found.origin["backbone"] == "b.keras"
