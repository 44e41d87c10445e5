"""Heatmaps for image classifiers, and how faithful they are.

    heatmap = MultiScaleOcclusion(classifier, depth=4, best=5).explain(image, target="horse")

or, by name, `create("multiscale", classifier, depth=4, best=5)`. TensorFlow is imported when a
network is first used, never with this package.
"""

from __future__ import annotations

from explainers.base import Explainer, Partial
from explainers.classifier import ALL, CLASS_AGNOSTIC, Classifier
from explainers.edges import Edges
from explainers.errors import ExplainerError
from explainers.excitation import ContrastiveMwp, Mwp
from explainers.fem import Fem
from explainers.grad_cam import GradCam
from explainers.gradient import Gradient
from explainers.h2o import H2O
from explainers.lime import Lime
from explainers.multiscale import MultiScaleOcclusion
from explainers.occlusion import OccludingPatches, Occlusion
from explainers.registry import available, create, parameters
from explainers.rise import DebiasedRise, McRise, Rise

__all__ = [
    "ALL",
    "CLASS_AGNOSTIC",
    "H2O",
    "Classifier",
    "ContrastiveMwp",
    "DebiasedRise",
    "Edges",
    "Explainer",
    "ExplainerError",
    "Fem",
    "GradCam",
    "Gradient",
    "Lime",
    "McRise",
    "MultiScaleOcclusion",
    "Mwp",
    "OccludingPatches",
    "Occlusion",
    "Partial",
    "Rise",
    "available",
    "create",
    "parameters",
]
