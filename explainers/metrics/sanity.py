"""Sanity checks: a map of what a network has learned changes when that is taken away.

    for step in cascading_randomisation(classifier, Gradient, image, "horse"):
        step.layer, step.likeness.spearman

A map that stays as it was shows the image, not the network (Adebayo et al. 2018); one that is the
same for another class does not explain the class (Sixt et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.base import Explainer
from explainers.classifier import Classifier
from explainers.errors import ExplainerError
from explainers.metrics import Metric, Reason, Undefined
from explainers.metrics.maps import check_map, min_max, require_varied
from explainers.metrics.outcomes import Outcome, Summary, outcome, summary
from explainers.parameters import whole

if TYPE_CHECKING:
    import keras
    from numpy.typing import ArrayLike, NDArray

Factory = Callable[[Classifier], Explainer]
"""Makes the method for a classifier: a method's class, or `lambda c: LRP(c, composite=...)`."""

_WINDOW = 7  # pixels, of SSIM


@dataclass(frozen=True)
class Likeness:
    """How like two maps are: 1 for the same; each is a number or why there is none.

    A constant map has none; maps of fewer than 7 x 7 pixels have no structural similarity.

    spearman: rank correlation of the maps, -1..1. spearman_absolute: of their absolute values.
    ssim: structural similarity of the min-max scaled maps, -1..1.
    """

    spearman: Outcome
    spearman_absolute: Outcome
    ssim: Outcome


@dataclass(frozen=True)
class Step:
    """The map with the layer, and all above it, randomised, beside the network's own."""

    layer: str
    likeness: Likeness


def likeness(first: ArrayLike, second: ArrayLike) -> Likeness:
    """Compare two maps `(H, W)` of one image."""
    one = check_map(first)
    other = check_map(second, one.shape)
    return Likeness(
        spearman=outcome(_spearman, one, other),
        spearman_absolute=outcome(_spearman, np.abs(one), np.abs(other)),
        ssim=outcome(_ssim, one, other),
    )


def cascade(classifier: Classifier, *, seed: int = 0) -> Iterator[tuple[str, Classifier]]:
    """A copy of the network losing its weights layer by layer, from the output down.

    Yields (the layer's name, the classifier with this layer and all above it as if untrained). New
    weights are drawn as for a network about to be trained: normal, of variance 2 / inputs (He et
    al. 2015), biases 0, normalisation that changes nothing (ours: Adebayo et al. 2018 take each
    network's own initial distributions, which a saved network need not tell).

    The classifier is one and the same throughout, its weights change: use it before taking the
    next. The classifier given is left unchanged. Same seed, same weights.
    """
    model = classifier.require_network("Randomising weights")
    generator = np.random.default_rng(whole("seed", seed, minimum=0))
    copy = _copy(model)
    randomised = Classifier.from_keras(
        copy,
        labels=classifier.labels,
        preprocess=classifier.prepare,
        thresholds=classifier.thresholds,
    )
    for layer in reversed(_with_weights(copy)):
        for variable in layer.weights:
            variable.assign(_untrained(layer, variable, generator))
        yield layer.name, randomised


def randomised(classifier: Classifier, *, seed: int = 0) -> Classifier:
    """The same network as if untrained, in all its layers: where `cascade` ends."""
    *_, (_, found) = cascade(classifier, seed=seed)
    return found


def cascading_randomisation(
    classifier: Classifier,
    factory: Factory,
    image: ArrayLike,
    target: str | int,
    *,
    seed: int = 0,
) -> Iterator[Step]:
    """How like the map stays while the network loses its weights from the output down.

    Adebayo et al. 2018: cascading randomisation. One map of the image for the network and one
    per layer with weights; the method has the same seed throughout, if it has one.
    """
    own = _map(factory(classifier), image, target)
    for layer, randomised in cascade(classifier, seed=seed):
        yield Step(layer, likeness(own, _map(factory(randomised), image, target)))


def cascading_mean(steps: Sequence[Step]) -> float:
    """Cascading randomisation (Adebayo et al. 2018) in one number (ours): lower is better.

    steps: of `cascading_randomisation`. The mean over layers of Spearman's rank correlation of the
    network's map with that of the network randomised from the output down to this layer. From -1
    to 1 (the map does not depend on the weights at all); about 0 where the first layer already
    changes everything.

    Undefined where the network's map is constant, or that of every randomised one; steps with a
    constant map have no correlation and do not enter the mean: `cascading_constant` says how many
    they are. Does not show that a map is right, only that it depends on the network; nor where it
    stops depending (the steps do). Sampled methods differ by their own chance too.
    """
    found = _correlations(steps)
    if not found.values:
        raise Undefined(
            Reason.CONSTANT_MAP, "The map is constant, or that of every randomised network is."
        )
    return found.mean


def cascading_constant(steps: Sequence[Step]) -> float:
    """The share of layers that have no part in `cascading_mean` (ours): neither way is better.

    From 0 to 1: of the steps, those whose map is constant. Read it beside the mean, which is over
    the others alone. Undefined where the network's own map is constant, or that of every
    randomised one: there is no mean then.
    """
    cascading_mean(steps)
    return 1 - len(_correlations(steps).values) / len(steps)


def random_logit(
    explainer: Explainer, image: ArrayLike, target: str | int, *, seed: int = 0
) -> float:
    """Random-logit test (Sixt et al. 2020): lower is better.

    SSIM of the target's map with that of another class, drawn with the seed, both min-max scaled.
    From -1 to 1 (the same map whatever class it is asked for; so for class-agnostic methods, by
    definition).

    Undefined where one of the maps is constant, and for maps of fewer than 7 x 7 pixels. Does not
    show whether either map is right; where both classes are there and rest on the same pixels, like
    maps are in order.
    """
    classifier = explainer.classifier
    index = classifier.index(target)
    others = [other for other in range(len(classifier.labels)) if other != index]
    if not others:
        raise ExplainerError("The random-logit test needs a second class; the classifier has one.")
    drawn = int(np.random.default_rng(whole("seed", seed, minimum=0)).choice(others))
    found = likeness(_map(explainer, image, index), _map(explainer, image, drawn)).ssim
    if isinstance(found, Reason):
        raise Undefined(found, f"The maps of {target!r} and of output {drawn}: {found}.")
    return found


def _correlations(steps: Sequence[Step]) -> Summary:
    return summary([step.likeness.spearman for step in steps])


def _map(explainer: Explainer, image: ArrayLike, target: str | int) -> NDArray[np.float32]:
    return explainer.support(explainer.explain(image, target))


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    require_varied(one)
    require_varied(other)
    return float(spearmanr(one, other, axis=None).statistic)


def _ssim(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    from skimage.metrics import structural_similarity

    if min(one.shape) < _WINDOW:
        raise Undefined(
            Reason.SMALL_MAP, f"The map is smaller than {_WINDOW} x {_WINDOW}, SSIM's window."
        )
    return float(
        structural_similarity(min_max(one), min_max(other), data_range=1.0, win_size=_WINDOW)
    )


def _copy(model: keras.Model) -> keras.Model:
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def _with_weights(model: keras.Model) -> list[Any]:
    """The layers that have weights, from the input up, those of nested models among them."""
    import keras

    found: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _with_weights(layer)
        elif layer.weights:
            found.append(layer)
    return found


def _untrained(layer: Any, variable: Any, generator: np.random.Generator) -> NDArray[Any]:
    """What an array of a layer's weights is before training."""
    import keras

    shape = tuple(variable.shape)
    if len(shape) < 2:
        start = 0.0 if variable.name in ("bias", "beta", "moving_mean") else 1.0
        return np.full(shape, start)
    # A depthwise kernel (height, width, channels, multiplier) reads one channel at a time.
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) or "depthwise" in variable.name
    reads = shape[:2] if depthwise else shape[:-1]
    return generator.normal(0.0, np.sqrt(2.0 / np.prod(reads)), shape)


_MAY_BE_WRONG = "that a map is right, only that it depends on what the network has learned"

METRICS = (
    Metric(
        name="cascading-randomisation",
        label="Cascading randomisation",
        function=cascading_mean,
        needs=("cascade",),
        map_of="target",
        better="lower",
        low=-1.0,
        high=1.0,
        source="Adebayo et al. 2018; the mean over layers is ours",
        shows="whether the map depends on the weights",
        does_not_show=_MAY_BE_WRONG,
    ),
    Metric(
        name="cascading-constant",
        label="Cascading, constant maps",
        function=cascading_constant,
        needs=("cascade",),
        map_of="target",
        better=None,
        low=0.0,
        high=1.0,
        source="ours",
        shows="how many layers have no part in cascading-randomisation: their map is constant",
        does_not_show="whether the other maps depend on the weights",
    ),
    Metric(
        name="random-logit",
        label="Random logit",
        function=random_logit,
        needs=("explainer", "image", "target"),
        map_of="target",
        better="lower",
        low=-1.0,
        high=1.0,
        source="Sixt et al. 2020",
        shows="whether the map depends on the class it is asked for",
        does_not_show="whether the map of either class is right",
    ),
)
