"""Networks and heatmap methods, loaded once per process.

TensorFlow traces a graph per network and method, which costs seconds: what is loaded here is kept
for the rows to come. Call it in a worker's child process or a command, never in a parent that
forks.
"""

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import media
from .models import TrainedClassifier

if TYPE_CHECKING:
    from explainers import Classifier
    from explainers.base import Explainer


def classifier(trained: TrainedClassifier) -> "Classifier":
    """Return the loaded network; ExplainerError where its file cannot be used."""
    return _classifier(trained.sha256, tuple(trained.labels), trained.preprocess)


def explainer(
    trained: TrainedClassifier,
    method: str,
    parameters: dict[str, Any],
    network_seed: int | None = None,
) -> "Explainer":
    """Return a heatmap method for this network; ExplainerError for what it does not know.

    With `network_seed`, for the network with all its weights drawn anew.
    """
    settings = json.dumps(parameters, sort_keys=True)
    network = (trained.sha256, tuple(trained.labels), trained.preprocess)
    return _explainer(*network, network_seed, method, settings)


@lru_cache(maxsize=4)
def _classifier(sha256: str, labels: tuple[str, ...], preprocess: str) -> "Classifier":
    from explainers import Classifier

    return Classifier.from_keras(
        media.classifier_path(sha256), labels=labels, preprocess=preprocess
    )


@lru_cache(maxsize=4)
def _randomised(sha256: str, labels: tuple[str, ...], preprocess: str, seed: int) -> "Classifier":
    from explainers.metrics.sanity import randomised

    return randomised(_classifier(sha256, labels, preprocess), seed=seed)


@lru_cache(maxsize=16)
def _explainer(
    sha256: str,
    labels: tuple[str, ...],
    preprocess: str,
    network_seed: int | None,
    method: str,
    settings: str,
) -> "Explainer":
    from explainers import registry

    network = (
        _classifier(sha256, labels, preprocess)
        if network_seed is None
        else _randomised(sha256, labels, preprocess, network_seed)
    )
    return registry.create(method, network, **json.loads(settings))
