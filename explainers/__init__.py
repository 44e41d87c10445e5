"""Heatmaps for image classifiers, and how faithful they are.

    heatmap = MultiScaleOcclusion(classifier, depth=4, best=5).explain(image, target="horse")

TensorFlow is imported when a network is first used, never with this package.
"""

from __future__ import annotations

from explainers.classifier import ALL, Classifier
from explainers.errors import ExplainerError

__all__ = ["ALL", "Classifier", "ExplainerError"]
