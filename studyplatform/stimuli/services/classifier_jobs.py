"""Training classifiers and taking in finished ones, as jobs: TensorFlow runs in workers only."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from studyplatform.studies.models import Team
from studyplatform.studies.services import StudyError

from .. import media
from ..models import ImageSet, Job, TrainedClassifier
from . import uploads
from .classifiers import (
    FineTuning,
    check_fit,
    check_name_free,
    classifier_judge,
    classifier_register,
    classifier_train,
)
from .errors import StimuliError
from .image_jobs import check_not_asked, without_path
from .images import name_check
from .jobs import Tick, job_request
from .layouts import label_problem

PREPROCESSINGS = {
    "signed": "-1 to 1 (MobileNet, Inception, Xception)",
    "caffe": "blue, green, red, without ImageNet's means (VGG, ResNet)",
    "unit": "0 to 1",
    "none": "0 to 255, as they are (the network scales them itself)",
}


def classifier_training_request(
    *,
    team: Team,
    name: str,
    image_set: ImageSet,
    file: UploadedFile | None = None,
    classifier: TrainedClassifier | None = None,
    preprocess: str = "signed",
    labels: list[str] | None = None,
    tuning: FineTuning | None = None,
    user_id: int | None = None,
) -> Job:
    """Ask for a head trained on an uploaded backbone, on a classifier's, or on VGG16 for neither.

    Raises StimuliError for a name that is taken or asked for already, labels that no image
    carries, two sources, and a file that is no Keras file.
    """
    _check_new(team, name)
    if file is not None and classifier is not None:
        raise StimuliError("Choose a Keras file, or a classifier that is here: one of the two.")
    if unknown := [label for label in labels or [] if label not in image_set.labels]:
        raise StimuliError(
            f"No image of {image_set.name!r} carries {', '.join(map(repr, unknown))}; "
            f"there are {', '.join(image_set.labels)}."
        )
    parameters: dict[str, Any] = {
        "name": name,
        "image_set": image_set.pk,
        "labels": labels or None,
        "tuning": asdict(tuning) if tuning else None,
    }
    if classifier is not None:
        check_fit(classifier, image_set)
        parameters |= {"classifier": classifier.pk, "source": classifier.name}
        parameters |= {"preprocess": classifier.preprocess}
    elif file is not None:
        parameters |= _kept(file) | {"preprocess": preprocess}
    else:
        parameters |= {"preprocess": "caffe"}
    return _request(team, parameters, user_id)


def classifier_registration_request(
    *,
    team: Team,
    name: str,
    file: UploadedFile,
    labels: list[str],
    preprocess: str,
    image_set: ImageSet | None = None,
    user_id: int | None = None,
) -> Job:
    """Ask for a finished network to be taken in, and judged on an image set if one is named.

    labels: one per output, in order. Raises StimuliError as `classifier_training_request`.
    """
    _check_new(team, name)
    problems = [problem for label in labels if (problem := label_problem(label))]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    problems += [f"The label {label!r} is given more than once." for label in twice]
    if problems or not labels:
        raise StimuliError(problems or ["Give the labels, one per line, in the network's order."])
    parameters: dict[str, Any] = {"name": name, "labels": labels, "preprocess": preprocess}
    parameters |= {"finished": True, "image_set": image_set.pk if image_set else None}
    parameters |= _kept(file)
    return _request(team, parameters, user_id)


def classifier_make(job: Job, tick: Tick) -> dict[str, Any]:
    """Do a training job. Features and finished epochs are kept until it has ended."""
    from explainers import ExplainerError

    wanted = job.parameters
    made = TrainedClassifier.objects.filter(team=job.team, origin__job=job.pk).first()
    # Without its average precision it is what an interrupted attempt left.
    if made is None or (wanted["image_set"] and not made.average_precision):
        path = None
        try:
            path = _network(job)
            made = (_registered if wanted.get("finished") else _trained)(job, path, tick)
        except (StudyError, ExplainerError) as error:
            uploads.upload_discard(job=job)
            sentences = error.problems if isinstance(error, StudyError) else [str(error)]
            if path:
                sentences = [without_path(one, path, wanted["source"]) for one in sentences]
            raise StimuliError(sentences) from error
    uploads.upload_discard(job=job)
    return {"classifier": made.pk}


def _trained(job: Job, path: Path | None, tick: Tick) -> TrainedClassifier:
    wanted = job.parameters
    tuning = FineTuning(**wanted["tuning"]) if wanted["tuning"] else None
    return classifier_train(
        name=wanted["name"],
        image_set=_image_set(job),
        backbone=path,
        preprocess=wanted["preprocess"],
        labels=wanted["labels"],
        tuning=tuning,
        team=job.team,
        origin={"job": job.pk, **({"backbone": wanted["source"]} if path else {})},
        keep=media.work_path(job.pk),
        progress=tick,
    )


def _registered(job: Job, path: Path | None, tick: Tick) -> TrainedClassifier:
    wanted = job.parameters
    assert path is not None
    origin = {"how": "registered", "file": wanted["source"], "job": job.pk}
    check_name_free(wanted["name"], job.team, origin)
    image_set = _image_set(job) if wanted["image_set"] else None
    classifier = classifier_register(
        name=wanted["name"],
        path=path,
        labels=wanted["labels"],
        preprocess=wanted["preprocess"],
        team=job.team,
        image_set=image_set,
        origin=origin,
    )
    if image_set is None:
        return classifier
    return classifier_judge(classifier=classifier, image_set=image_set, progress=tick)


def _network(job: Job) -> Path | None:
    """Return the file to begin with; None for VGG16."""
    wanted = job.parameters
    if "upload" in wanted:
        return uploads.upload_find(wanted["upload"])
    if "classifier" in wanted:
        found = TrainedClassifier.objects.filter(pk=wanted["classifier"]).first()
        if found is None:
            raise StimuliError(f"The classifier {wanted['source']!r} is not there any more.")
        return media.classifier_path(found.sha256)
    return None


def _image_set(job: Job) -> ImageSet:
    found = ImageSet.objects.filter(pk=job.parameters["image_set"]).first()
    if found is None:
        raise StimuliError("The image set is not there any more.")
    return found


def _check_new(team: Team, name: str) -> None:
    name_check(TrainedClassifier, name, team)
    check_not_asked(team, Job.Kind.TRAIN, name)


def _kept(file: UploadedFile) -> dict[str, str]:
    shown = file.name or "upload"
    if not shown.lower().endswith(".keras"):
        raise StimuliError(f"{shown} is no Keras file; expected a file that ends in .keras.")
    return {"upload": uploads.upload_keep(file=file), "source": shown}


def _request(team: Team, parameters: dict[str, Any], user_id: int | None) -> Job:
    return job_request(
        team=team,
        kind=Job.Kind.TRAIN,
        subject=parameters["name"],
        parameters=parameters,
        user_id=user_id,
    )
