"""Classifiers: kept by their file's hash, and asked once about every image."""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from django.db import transaction

from .. import media, pictures, runtime
from ..models import Image, ImageSet, Prediction, StimulusSet, TrainedClassifier
from .errors import StimuliError
from .images import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 64


def classifier_register(
    *,
    name: str,
    path: Path,
    labels: list[str],
    preprocess: str,
    average_precision: dict[str, dict[str, float]] | None = None,
) -> TrainedClassifier:
    """Keep a network's file and return its row; the same file under the same name again is fine.

    Raises StimuliError where the file is no Keras classifier of square colour images with one
    output per label, or where `name` is taken by another one that stimuli were made with.
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
    }
    with transaction.atomic():
        found = TrainedClassifier.objects.select_for_update(of=("self",)).filter(name=name, team=None).first()
        if found is None:
            return TrainedClassifier.objects.create(name=name, **values)
        same = all(getattr(found, key) == values[key] for key in ("sha256", "labels", "preprocess"))
        if same:
            return found
        if StimulusSet.objects.filter(classifier=found).exists():
            raise StimuliError(
                f"Stimuli were made with another classifier named {name!r}; choose another name."
            )
        found.delete()  # with its scores, which were the other network's
        return TrainedClassifier.objects.create(name=name, **values)


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
    )


def classifier_train(
    *,
    name: str,
    image_set: ImageSet,
    backbone: Path,
    preprocess: str,
    labels: list[str] | None = None,
    progress: Progress = silent,
) -> TrainedClassifier:
    """Fit a multi-label head on a Keras backbone, with the training images, and keep the network.

    `labels`: all that some training image carries and some does not, by default. The row holds
    the average precision per split and label; a label without an image in a split has none there.
    Raises StimuliError, and ExplainerError for an unusable backbone or a label it cannot learn.
    """
    from explainers.classifier import load_model
    from explainers.training import save_model, train_head

    if TrainedClassifier.objects.filter(name=name).exists():
        raise StimuliError(f"There is already a classifier {name!r}; choose another name.")
    training = list(image_set.images.filter(split="train").order_by("sha256"))
    if not training:
        raise StimuliError(f"The image set {image_set.name!r} has no training images.")
    chosen = _learnable(image_set, training, labels)
    everything = list(image_set.images.order_by("split", "sha256"))
    total = len(training) + len(everything)
    network = train_head(
        load_model(backbone),
        (pictures.pixels_of(image.sha256) for image in training),
        np.array([[label in image.labels for label in chosen] for image in training]),
        labels=chosen,
        preprocess=preprocess,
        progress=lambda done, _: progress(done, total),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        save_model(network, path)
        classifier = classifier_register(name=name, path=path, labels=chosen, preprocess=preprocess)
    try:
        predictions_ensure(
            classifier=classifier,
            images=everything,
            progress=lambda done, _: progress(len(training) + done, total),
        )
    except BaseException:
        classifier.delete()  # interrupted: nothing half made stays
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
