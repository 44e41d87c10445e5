"""A small published study with every kind of page: rows alone, so it is made in an instant."""

import hashlib
from pathlib import Path
from typing import Any

import yaml
from django.utils import timezone

import studyplatform.studies
from studyplatform.stimuli.models import (
    Example,
    Heatmap,
    Illustration,
    Image,
    ImageSet,
    NeededHeatmap,
    Prediction,
    StimulusSet,
    Task,
    TrainedClassifier,
)
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import study_create, team_get_or_create, version_freeze

PRESET = Path(studyplatform.studies.__file__).parent / "presets" / "forward_simulation.yaml"
LABELS = ["boat", "car", "cat", "dog", "horse", "person", "tree"]
NEW_IMAGES = {"cat": {"TP": 1, "FN": 1}, "horse": {"FP": 1, "FN": 1}}
EXAMPLES = ["TP"] * 6 + ["FP"] * 3 + ["FN"] * 3
SIDE = 224


def spec_data(**changes: Any) -> dict[str, Any]:
    """Return the preset with four tasks; `changes` replace its top-level keys."""
    data = yaml.safe_load(PRESET.read_text())
    data["slug"] = "trial"
    data["tasks"]["new_images"] = NEW_IMAGES
    return {**data, **changes}


def make_study(data: dict[str, Any] | None = None, *, publish: bool = True) -> StudyVersion:
    """Return the version of a new study with stimuli: rows, no files behind them."""
    data = data or spec_data()
    version = study_create(
        team=team_get_or_create(name="Alice's team"), spec_text=yaml.safe_dump(data)
    )
    slug = data["slug"]
    images = ImageSet.objects.create(name=slug, labels=LABELS, size=96)
    classifier = TrainedClassifier.objects.create(
        name=slug, path="none", sha256="0" * 64, labels=LABELS, preprocess="", size=96
    )
    stimuli = StimulusSet.objects.create(
        version=version,
        image_set=images,
        classifier=classifier,
        thresholds={label: 0.3 + 0.05 * i for i, label in enumerate(LABELS)},
    )
    _Maker(stimuli).everything(data["tasks"]["new_images"])
    return version_freeze(version=version, manifest={"of": slug}) if publish else version


class _Maker:
    def __init__(self, stimuli: StimulusSet) -> None:
        self.stimuli = stimuli

    def everything(self, new_images: dict[str, dict[str, int]]) -> None:
        number = 0
        for label, counts in new_images.items():
            examples = [
                (outcome, self.image(f"{label} example {i} {outcome}", label))
                for i, outcome in enumerate(EXAMPLES)
            ]
            for outcome in [outcome for outcome, n in counts.items() for _ in range(n)]:
                number += 1
                image = self.image(f"{label} new {number} {outcome}")
                task = Task.objects.create(
                    stimulus_set=self.stimuli, label=label, number=number, image=image,
                    outcome=outcome, score=0.5,
                )  # fmt: skip
                Example.objects.bulk_create(
                    Example(task=task, image=shown, outcome=of, position=i, similarity=0.9)
                    for i, (of, shown) in enumerate(examples)
                )
        for label in ("car", "boat"):
            for outcome in ("TP", "FP", "FN"):
                image = self.image(f"{label} illustration {outcome}", label)
                Illustration.objects.create(
                    stimulus_set=self.stimuli, label=label, outcome=outcome, image=image
                )

    def image(self, name: str, explained: str = "") -> Image:
        image = Image.objects.create(
            image_set=self.stimuli.image_set, name=name, split="train", labels=[],
            sha256=_named(name),
            display_sha256=_named(name), display_size=SIDE,
        )  # fmt: skip
        Prediction.objects.create(
            classifier=self.stimuli.classifier, image=image, embedding=b"",
            scores={label: 0.12 * (i + 1) for i, label in enumerate(LABELS)},
        )  # fmt: skip
        for level in ("lrp", "multiscale") if explained else ():
            heatmap = Heatmap.objects.create(
                key=hashlib.sha256(f"{self.stimuli.pk} {name} {level}".encode()).hexdigest(),
                classifier=self.stimuli.classifier, image=image, label=explained, method=level,
                state="done", content_sha256="1" * 64, rendered_at=timezone.now(),
            )  # fmt: skip
            NeededHeatmap.objects.create(
                stimulus_set=self.stimuli, heatmap=heatmap, level=level,
                overlay_sha256=_named(f"{name} overlay {level}"),
                strongest=[0.25, 0.25, 0.25, 0.25], weakest=[0.7, 0.1, 0.25, 0.25],
            )  # fmt: skip
        return image


def _named(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
