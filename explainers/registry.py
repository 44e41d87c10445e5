"""The methods by name, and what is known of each."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from explainers.base import Explainer
from explainers.classifier import Classifier
from explainers.errors import ExplainerError


@dataclass(frozen=True)
class Method:
    """What is known of a method.

    What 000's Table 2 lists of a method: its family, "occlusion" (it covers parts of the image),
    "gradient" (it goes back through the network) or "activation" (it reads a layer); "image" is a
    control of ours, which reads the image alone;
    needs_network: not model-agnostic, so a black box will not do; class_agnostic: it explains the
    whole prediction and knows no target; needs_ground_truth: it is trained on explanations;
    hierarchical: it works from coarse to fine.

    What its pictures need: shows: "support", a positive value supports the target, "influence", a
    value says how much a pixel matters, whichever way, or "edges", it says nothing of the network;
    baseline: "zero", or "median" where a
    map's values have no meaningful zero (see `render.above`).

    path: "module:class".
    """

    name: str
    path: str
    summary: str
    family: str
    needs_network: bool = False
    class_agnostic: bool = False
    needs_ground_truth: bool = False
    hierarchical: bool = False
    shows: Literal["support", "influence", "edges"] = "support"
    baseline: Literal["zero", "median"] = "zero"

    @property
    def reads_network(self) -> bool:
        """Whether the map depends on the network at all."""
        return self.family != "image"

    def load(self) -> type[Explainer]:
        module, _, name = self.path.partition(":")
        found: type[Explainer] = getattr(import_module(module), name)
        return found


_METHODS = {
    method.name: method
    for method in (
        Method(
            "c-mwp",
            "explainers.excitation:ContrastiveMwp",
            "excitation backprop, what wins for the target rather than its opposite",
            "gradient",
            needs_network=True,
        ),
        Method(
            "debiased-rise",
            "explainers.rise:DebiasedRise",
            "mean score of random masks that keep the pixel, less that of those that cover it",
            "occlusion",
        ),
        Method(
            "edges",
            "explainers.edges:Edges",
            "strength of the picture's edges, whatever the network: a control",
            "image",
            class_agnostic=True,
            shows="edges",
        ),
        Method(
            "fem",
            "explainers.fem:Fem",
            "unusually strong activations of the last convolution",
            "activation",
            needs_network=True,
            class_agnostic=True,
            shows="influence",
        ),
        Method(
            "grad-cam",
            "explainers.grad_cam:GradCam",
            "gradient-weighted activation of the last convolution",
            "gradient",
            needs_network=True,
        ),
        Method(
            "gradient",
            "explainers.gradient:Gradient",
            "size of the score's gradient at each pixel",
            "gradient",
            needs_network=True,
            shows="influence",
        ),
        Method(
            "h2o",
            "explainers.h2o:H2O",
            "loss of the whole prediction when superpixels are masked, coarse to fine",
            "occlusion",
            class_agnostic=True,
            hierarchical=True,
            shows="influence",
            baseline="median",
        ),
        Method(
            "lime",
            "explainers.lime:Lime",
            "coefficients of superpixels in a linear model of the score",
            "occlusion",
        ),
        Method(
            "lrp",
            "explainers.lrp:LRP",
            "layer-wise relevance propagation",
            "gradient",
            needs_network=True,
        ),
        Method(
            "mc-rise",
            "explainers.rise:McRise",
            "change of the score when random masks cover the pixel, one map per colour",
            "occlusion",
            baseline="median",
        ),
        Method(
            "multiscale",
            "explainers.multiscale:MultiScaleOcclusion",
            "multi-scale occlusion with dynamic granularity",
            "occlusion",
            hierarchical=True,
        ),
        Method(
            "mwp",
            "explainers.excitation:Mwp",
            "excitation backprop: the winning probability of every place",
            "gradient",
            needs_network=True,
        ),
        Method(
            "occluding-patches",
            "explainers.occlusion:OccludingPatches",
            "one minus the score left when a patch is grey",
            "occlusion",
            baseline="median",
        ),
        Method(
            "occlusion",
            "explainers.occlusion:Occlusion",
            "occlusion by a sliding box",
            "occlusion",
        ),
        Method(
            "rise",
            "explainers.rise:Rise",
            "mean score of random masks that keep the pixel",
            "occlusion",
            baseline="median",
        ),
    )
}


def available() -> tuple[str, ...]:
    """The methods' names, in alphabetical order."""
    return tuple(sorted(_METHODS))


def method(name: str) -> Method:
    """What is known of a method; ExplainerError for an unknown name."""
    if name not in _METHODS:
        raise ExplainerError(f"There is no method {name!r}; there are {', '.join(available())}.")
    return _METHODS[name]


def parameters(name: str) -> dict[str, Any]:
    """A method's hyper-parameters and their defaults."""
    signature = inspect.signature(method(name).load().__init__)
    return {
        parameter.name: parameter.default
        for parameter in signature.parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def create(name: str, classifier: Classifier, /, **chosen: Any) -> Explainer:
    """A method by name, with hyper-parameters; ExplainerError for an unknown one."""
    known = parameters(name)
    unknown = [key for key in chosen if key not in known]
    if unknown:
        raise ExplainerError(f"{name} has no parameter {unknown[0]!r}; it has {', '.join(known)}.")
    return method(name).load()(classifier, **chosen)
