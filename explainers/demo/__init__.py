"""A demo without downloads: drawn scenes with known truth, and a small network trained on them.

for scene in explainers.demo.scenes("train", 100):
    scene.image, scene.labels, scene.masks["cat.ears"]
classifier = explainers.demo.classifier()
"""

from __future__ import annotations

from explainers.demo.composition import (
    LABELS,
    SEED,
    SIZE,
    SPLITS,
    Scene,
    named,
    scene,
    scene_name,
    scenes,
    targets,
)
from explainers.demo.network import NETWORK_PATH, classifier, dataset, description, train

__all__ = [
    "LABELS",
    "NETWORK_PATH",
    "SEED",
    "SIZE",
    "SPLITS",
    "Scene",
    "classifier",
    "dataset",
    "description",
    "named",
    "scene",
    "scene_name",
    "scenes",
    "targets",
    "train",
]
