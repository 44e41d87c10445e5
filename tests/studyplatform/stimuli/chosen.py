"""A draft whose stimuli were chosen by the real rules from made-up scores: quick, no network.

Every picture is the same small file, so nothing is missing; perceptual hashes are made up.
"""

import hashlib
import io
from typing import Any

import numpy as np
import yaml
from PIL import Image as PillowImage

from studyplatform.stimuli import media, services
from studyplatform.stimuli.models import (
    Heatmap,
    Image,
    ImageSet,
    Prediction,
    StimulusSet,
    TrainedClassifier,
)
from studyplatform.stimuli.services.preparation import needed_heatmaps_ensure
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import study_create, team_get_or_create

from ..published import preset_with

LABELS = ["cat", "horse", "car", "boat"]
IMAGES = 160
LEVEL = {"lrp": {"method": "lrp"}}
# Two of four right for whoever always answers the same.
TASKS = {"cat": {"TP": 1, "FN": 1}, "horse": {"FP": 1, "FN": 1}}


def make_draft(slug: str = "chosen", team: str = "Alice's team", **changes: Any) -> StudyVersion:
    """Return a draft that nothing stands against, with `changes` laid over its spec."""
    bare = {
        "slug": slug,
        "stimuli": {"images": slug, "classifier": slug, "split": "all"},
        "factors": {"heatmap": {"levels": ["none"]}},
        "heatmaps": {"lrp": ..., "multiscale": ...},
        "tasks": {"new_images": TASKS},
    }
    text = preset_with(**{**bare, **changes})
    version = study_create(team=team_get_or_create(name=team), spec_text=text)
    make_material(slug)
    services.stimuli_prepare(version=version)
    # Levels come after the choice: they are tried on the network, and here is none.
    return with_spec(version, factors={"heatmap": {"levels": ["none", *LEVEL]}}, heatmaps=LEVEL)


def make_material(slug: str) -> None:
    """Make an image set with the scores and embeddings of a classifier that does not exist."""
    random = np.random.default_rng(7)
    picture = write_picture()
    image_set = ImageSet.objects.create(name=slug, labels=LABELS, size=32)
    classifier = TrainedClassifier.objects.create(
        name=slug, path="none", sha256="0" * 64, labels=LABELS, preprocess="unit", size=32
    )
    images = Image.objects.bulk_create(
        Image(
            image_set=image_set,
            name=f"{number:03d}.jpg",
            split="train",
            labels=[label for label in LABELS if random.random() < 0.5],
            sha256=hashlib.sha256(f"{slug} {number}".encode()).hexdigest(),
            display_sha256=picture,
            display_size=32,
            fingerprint=f"{random.integers(2**63):016x}",
        )
        for number in range(IMAGES)
    )
    vectors = random.normal(size=(IMAGES, 6)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    Prediction.objects.bulk_create(
        Prediction(
            classifier=classifier,
            image=image,
            scores={
                label: round(
                    float(
                        np.clip(random.normal(0.4 + 0.2 * (label in image.labels), 0.2), 0.01, 0.99)
                    ),
                    4,
                )
                for label in LABELS
            },
            embedding=vector.tobytes(),
        )
        for image, vector in zip(images, vectors, strict=True)
    )


def with_spec(version: StudyVersion, **changes: Any) -> StudyVersion:
    """Lay changes over a version's spec without choosing anew; all its heatmaps are rendered."""
    text = yaml.safe_dump(version.data, sort_keys=False, allow_unicode=True)
    StudyVersion.objects.filter(pk=version.pk).update(data=laid_over(yaml.safe_load(text), changes))
    version = StudyVersion.objects.select_related("study").get(pk=version.pk)
    if StimulusSet.objects.filter(version=version).exists():
        needed_heatmaps_ensure(stimulus_set=version.stimulus_set)
        render(version)
    return version


def render(version: StudyVersion) -> None:
    """Mark a version's heatmaps as rendered, every overlay the one picture there is."""
    needed = version.stimulus_set.needed_heatmaps
    Heatmap.objects.filter(needed_by__in=needed.all()).update(state="done", content_sha256="1" * 64)
    needed.filter(overlay_sha256="").update(
        overlay_sha256=write_picture(), strongest=[0, 0, 0.2, 0.2], weakest=[0.5, 0.5, 0.2, 0.2]
    )


def write_picture(**options: Any) -> str:
    """Keep a small picture as WebP, and return its name."""
    file = io.BytesIO()
    PillowImage.new("RGB", (32, 32), "grey").save(file, "WEBP", **options)
    name = hashlib.sha256(file.getvalue()).hexdigest()
    media.write_once(media.display_path(name), file.getvalue())
    return name


def laid_over(data: Any, changes: Any) -> Any:
    if not (isinstance(data, dict) and isinstance(changes, dict)):
        return changes
    return {**data, **{key: laid_over(data.get(key), value) for key, value in changes.items()}}
