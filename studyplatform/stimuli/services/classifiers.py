"""Classifiers: kept by their file's hash, and asked once about every image."""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction

from studyplatform.studies.models import Team

from .. import media, pictures, runtime
from ..models import Image, ImageSet, Prediction, StimulusSet, TrainedClassifier
from .errors import StimuliError
from .images import Progress, name_check, silent

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

_BATCH = 64


Steps = Callable[..., None]
"""Called with (done, total, step): each step counts from the beginning."""


@dataclass(frozen=True)
class FineTuning:
    """How a network's last layers are trained further; defaults: see `explainers.training`."""

    layers: int = 3
    epochs: int = 5
    learning_rate: float = 1e-5


def classifier_register(
    *,
    name: str,
    path: Path,
    labels: list[str],
    preprocess: str,
    average_precision: dict[str, dict[str, float]] | None = None,
    team: Team | None = None,
    image_set: ImageSet | None = None,
    origin: dict[str, Any] | None = None,
) -> TrainedClassifier:
    """Keep a network's file and return its row; the same file under the same name again is fine.

    team: None shares it with all. Raises StimuliError where the file is no Keras classifier of
    square colour images with one output per label, or where `name` is taken by another one that
    stimuli were made with.
    """
    if not path.is_file():
        raise StimuliError(f"There is no model file {path}.")
    size = _input_size(path, labels, preprocess)
    sha256 = media.file_sha256(path)
    target = media.classifier_path(sha256)
    if not target.exists():
        with media.draft(target) as draft:
            shutil.copyfile(path, draft)
            media.flush_to_disk(draft)
            os.replace(draft, target)
    values = {
        "path": str(target.relative_to(media.root())),
        "sha256": sha256,
        "labels": labels,
        "preprocess": preprocess,
        "size": size,
        "average_precision": average_precision or {},
        "image_set": image_set,
        "origin": origin or {},
    }
    with transaction.atomic():
        named = TrainedClassifier.objects.filter(name=name, team=team)
        found = named.select_for_update().first()
        if found is None:
            return TrainedClassifier.objects.create(name=name, team=team, **values)
        same = all(getattr(found, key) == values[key] for key in ("sha256", "labels", "preprocess"))
        if same:
            return found
        if StimulusSet.objects.filter(classifier=found).exists():
            raise StimuliError(
                f"Stimuli were made with another classifier named {name!r}; choose another name."
            )
        found.delete()  # with its scores, which were the other network's
        return TrainedClassifier.objects.create(name=name, team=team, **values)


def classifier_register_demo() -> TrainedClassifier:
    """Keep the bundled network under the name `demo`."""
    from explainers import demo

    found = demo.description()
    return classifier_register(
        name="demo",
        path=demo.NETWORK_PATH,
        labels=list(found["labels"]),
        preprocess=found["preprocess"],
        average_precision=found["average_precision"],
        origin={"how": "demo"},
    )


def classifier_train(
    *,
    name: str,
    image_set: ImageSet,
    backbone: Path | None,
    preprocess: str,
    labels: list[str] | None = None,
    tuning: FineTuning | None = None,
    team: Team | None = None,
    origin: dict[str, Any] | None = None,
    keep: Path | None = None,
    progress: Steps = silent,
) -> TrainedClassifier:
    """Fit a multi-label head on a Keras backbone, with the training images, and keep the network.

    backbone: a Keras file, of which the part before its last pooling is taken; None stands for
    VGG16 with ImageNet's weights. labels: all that some training image carries and some does not,
    by default. tuning: train the last layers further. keep: folder for what an interrupted call
    leaves to the next with the same arguments. The row holds the average precision per split and
    label; a label without an image in a split has none there.
    Raises StimuliError, and ExplainerError for an unusable backbone or a label it cannot learn.
    """
    from explainers import training

    check_name_free(name, team, origin)
    images = list(image_set.images.filter(split="train").order_by("sha256"))
    if not images:
        raise StimuliError(f"The image set {image_set.name!r} has no training images.")
    chosen = _learnable(image_set, images, labels)
    pixels = _Pixels([image.sha256 for image in images])
    truth = np.array([[label in image.labels for label in chosen] for image in images])
    network = training.train_head(
        _backbone(backbone, image_set),
        pixels,
        truth,
        labels=chosen,
        preprocess=preprocess,
        progress=lambda done, total: progress(done, total, "Features of the training images"),
        keep=keep / "head" if keep else None,
    )
    if tuning:
        network = training.fine_tune(
            network,
            pixels,
            truth,
            preprocess=preprocess,
            layers=tuning.layers,
            epochs=tuning.epochs,
            learning_rate=tuning.learning_rate,
            progress=lambda done, total: progress(done, total, _epoch(done, len(images), tuning)),
            keep=keep / "tuned" if keep else None,
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        training.save_model(network, path)
        classifier = classifier_register(
            name=name,
            path=path,
            labels=chosen,
            preprocess=preprocess,
            team=team,
            image_set=image_set,
            origin=_origin(backbone, tuning, origin),
        )
    return classifier_judge(classifier=classifier, image_set=image_set, progress=progress)


def classifier_judge(
    *, classifier: TrainedClassifier, image_set: ImageSet, progress: Steps = silent
) -> TrainedClassifier:
    """Score all images of a set and store the average precision; interrupted, nothing stays."""
    everything = list(image_set.images.order_by("split", "sha256"))
    try:
        check_fit(classifier, image_set)
        predictions_ensure(
            classifier=classifier,
            images=everything,
            progress=lambda done, total: progress(done, total, "Scores of all images"),
        )
    except BaseException:
        classifier.delete()
        raise
    classifier.average_precision = average_precision(classifier, everything)
    classifier.save(update_fields=["average_precision"])
    return classifier


def average_precision(
    classifier: TrainedClassifier, images: list[Image]
) -> dict[str, dict[str, float]]:
    """Return split -> label -> average precision, from stored scores."""
    from explainers import training

    scores = dict(
        Prediction.objects.filter(
            classifier=classifier, image__image_set_id=images[0].image_set_id
        ).values_list("image_id", "scores")
    )
    found: dict[str, dict[str, float]] = {}
    for split in ("train", "val"):
        members = [image for image in images if image.split == split]
        for label in classifier.labels:
            truth = [label in image.labels for image in members]
            if any(truth):
                values = [scores[image.pk][label] for image in members]
                precision = float(training.average_precision(truth, values)[0])
                found.setdefault(split, {})[label] = round(precision, 4)
    return found


def predictions_ensure(
    *, classifier: TrainedClassifier, images: list[Image], progress: Progress = silent
) -> None:
    """Store the classifier's scores and penultimate activations where they are missing.

    Batch by batch, so that an interrupted run goes on where it stopped.
    """
    known = set(
        Prediction.objects.filter(classifier=classifier, image__in=_ids(images)).values_list(
            "image_id", flat=True
        )
        if len(images) <= 500
        else Prediction.objects.filter(classifier=classifier).values_list("image_id", flat=True)
    )
    missing = [image for image in images if image.pk not in known]
    done = len(images) - len(missing)
    progress(done, len(images))
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        _predict(classifier, batch)
        done += len(batch)
        progress(done, len(images))


def check_fit(classifier: TrainedClassifier, image_set: ImageSet) -> None:
    """Raise StimuliError unless the images have the size of the network's input."""
    if classifier.size != image_set.size:
        raise StimuliError(
            f"The images of {image_set.name!r} are {image_set.size} px, the classifier "
            f"{classifier.name!r} takes {classifier.size} px; import them at that size."
        )


class _Pixels(Sequence["NDArray[np.uint8]"]):
    """The pixels of images, read from disk when they are asked for."""

    def __init__(self, hashes: list[str]) -> None:
        self._hashes = hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def __getitem__(self, number: Any) -> Any:
        return pictures.pixels_of(self._hashes[number])


def check_name_free(name: str, team: Team | None, origin: dict[str, Any] | None) -> None:
    """As `name_check`, but a job that was interrupted goes on with the row it has made itself."""
    found = TrainedClassifier.objects.filter(name=name, team=team).first()
    job = (origin or {}).get("job")
    if job is None or found is None or found.origin.get("job") != job:
        name_check(TrainedClassifier, name, team)


def _backbone(path: Path | None, image_set: ImageSet) -> "keras.Model":
    from explainers import training
    from explainers.loading import load_model

    if path is None:
        return training.vgg16(image_set.size)
    backbone = training.backbone_of(load_model(path))
    wanted = (image_set.size, image_set.size, 3)
    if (shape := tuple(backbone.input_shape[1:])) != wanted:
        raise StimuliError(
            f"The backbone takes images of shape {shape}, those of {image_set.name!r} have "
            f"{wanted}; import the images at the backbone's size, or take another."
        )
    return backbone


def _epoch(done: int, images: int, tuning: FineTuning) -> str:
    return f"Fine-tuning, epoch {min(done // images + 1, tuning.epochs)} of {tuning.epochs}"


def _origin(
    backbone: Path | None, tuning: FineTuning | None, origin: dict[str, Any] | None
) -> dict[str, Any]:
    found: dict[str, Any] = {"how": "trained"}
    found["backbone"] = backbone.name if backbone else "VGG16 with ImageNet weights"
    found["tuning"] = asdict(tuning) if tuning else None
    return found | (origin or {})


def _learnable(image_set: ImageSet, training: list[Image], labels: list[str] | None) -> list[str]:
    for label in labels or []:
        if label not in image_set.labels:
            raise StimuliError(
                f"No image of {image_set.name!r} carries the label {label!r}; "
                f"there are {', '.join(image_set.labels)}."
            )
    if labels:
        return labels
    counts = Counter(label for image in training for label in image.labels)
    found = [label for label in image_set.labels if 0 < counts[label] < len(training)]
    if not found:
        raise StimuliError(f"No label of {image_set.name!r} can be learned from its images.")
    return found


def _predict(classifier: TrainedClassifier, images: list[Image]) -> None:
    network = runtime.classifier(classifier)
    pixels = np.stack([pictures.pixels_of(image.sha256) for image in images])
    scores = network.predict(pixels, batch_size=_BATCH)
    embeddings = _unit_length(network.embed(pixels, batch_size=_BATCH))
    Prediction.objects.bulk_create(
        (
            Prediction(
                classifier=classifier,
                image=image,
                scores={
                    label: float(score) for label, score in zip(classifier.labels, row, strict=True)
                },
                embedding=embedding.astype("<f4").tobytes(),
            )
            for image, row, embedding in zip(images, scores, embeddings, strict=True)
        ),
        ignore_conflicts=True,  # another process may have stored them meanwhile
    )


def _unit_length(rows: "NDArray[np.float32]") -> "NDArray[np.float32]":
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def _input_size(path: Path, labels: list[str], preprocess: str) -> int:
    from explainers import Classifier, ExplainerError

    try:
        network = Classifier.from_keras(path, labels=labels, preprocess=preprocess)
    except ExplainerError as error:
        raise StimuliError(str(error)) from error
    height, width, channels = network.input_shape
    if height is None or height != width or channels != 3:
        raise StimuliError(
            f"{path} takes images of shape {network.input_shape}; "
            "expected a fixed square with 3 channels."
        )
    return height


def _ids(images: list[Image]) -> list[int]:
    return [image.pk for image in images]
