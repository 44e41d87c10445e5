"""Maps show the network: they change when it loses its weights (Adebayo et al. 2018).

On the demo's network, which has learned something. Correlations are means over three images: two
unrelated maps as coarse as Grad-CAM's 6 x 6 correlate by chance with a standard deviation of about
0.3, so one image alone would say little.
"""

import numpy as np
import pytest

from explainers import available, create, demo, parameters, registry
from explainers.lrp import NAMES
from explainers.metrics import Reason
from explainers.metrics.sanity import cascade, likeness

from .methods import ON_SCENES, cheap

SPECIFIC = [name for name in available() if not registry.method(name).class_agnostic]
# Uncentred, a RISE map of few masks shows above all where its masks happened to lie, the same ones
# for every network: two maps then correlate by 0.8 that have nothing else in common.
MASKS = {"masks": 200, "centred": True}
# A mask's loss is divided by its area, so that the sizes of the same superpixels are in every
# network's H2O map: two that have nothing else in common correlate by 0.3 to 0.6 (means over the
# three images, seeds 0 and 1).
ROOM = {"h2o": 0.7}
SETTINGS = ON_SCENES | {"min_pixels": 1000}


def settings_of(name):
    return cheap(name, SETTINGS) | (MASKS if "centred" in parameters(name) else {})


VARIANTS = {name: (name, settings_of(name)) for name in available() if name != "lrp"}
VARIANTS |= {f"lrp, {rules}": ("lrp", {"composite": rules}) for rules in NAMES}


@pytest.fixture(scope="module")
def classifier():
    return demo.classifier()


@pytest.fixture(scope="module")
def photographs():
    """Scenes on whose label the network is right and sure, and no multi-scale map is even."""
    chosen = [(122, "dog"), (161, "cow"), (89, "bird")]
    return [(demo.scene(index).image, label) for index, label in chosen]


def maps(classifier, photographs):
    """Each variant's map of each photograph, as pictures show it."""
    found = {}
    for variant, (name, settings) in VARIANTS.items():
        explainer = create(name, classifier, **settings)
        found[variant] = [
            explainer.support(explainer.explain(image, label)) for image, label in photographs
        ]
    return found


def alike(first, second):
    """Spearman's correlation, mean over the photographs; a map gone constant is unlike (0)."""
    values = [likeness(one, other).spearman for one, other in zip(first, second, strict=True)]
    return float(np.mean([0.0 if isinstance(value, Reason) else value for value in values]))


@pytest.fixture(scope="module")
def own(classifier, photographs):
    found = maps(classifier, photographs)
    for variant, shown in found.items():
        assert all(np.ptp(one) > 0 for one in shown), variant  # what is compared is there
    return found


@pytest.fixture(scope="module")
def likenesses(classifier, photographs, own):
    """Per variant: with the last layer randomised, and with all of them."""
    steps = cascade(classifier, seed=0)
    found = {}
    for number, (_, randomised) in enumerate(steps, start=1):
        if number in (1, 6):
            changed = maps(randomised, photographs)
            for variant in VARIANTS:
                found.setdefault(variant, []).append(alike(own[variant], changed[variant]))
    return found


REQUIRED = [name for name in available() if name != "lrp" and registry.method(name).reads_network]
# MWP hands on shares of what is positive: the z+ rule, which forgets what it was asked for on its
# way down (Sixt et al. 2020). FEM reads the last convolution and nothing above it.
OF_THE_TOP = [name for name in REQUIRED if name not in {"fem", "mwp"}]


@pytest.mark.parametrize("name", REQUIRED)
def test_without_what_it_has_learned_a_network_has_another_map(likenesses, name):
    """Unrelated maps: 0 up to chance, of which three standard errors (0.3 / sqrt 3 each) are .5."""
    assert likenesses[name][-1] < ROOM.get(name, 0.5)


@pytest.mark.parametrize("name", OF_THE_TOP)
def test_the_last_layer_alone_changes_it(likenesses, name):
    """It holds what tells the classes apart; all features below are as they were."""
    assert likenesses[name][0] < 0.9


def test_fem_never_sees_the_last_layer(likenesses):
    """It reads the last convolution: the control that shows what a blind method looks like."""
    top, whole = likenesses["fem"]
    assert top == pytest.approx(1)
    assert whole < 0.5


def test_edges_never_see_the_network(likenesses):
    """The control for both: a map of the picture alone stays as it is whatever is randomised."""
    assert likenesses["edges"] == pytest.approx([1, 1])


@pytest.mark.parametrize("name", [name for name in SPECIFIC if name in OF_THE_TOP])
def test_another_class_has_another_map(classifier, photographs, own, name):
    """The random-logit test (Sixt et al. 2020), for every other class, not one by chance."""
    explainer = create(name, classifier, **settings_of(name))
    found = []
    for (image, label), mine in zip(photographs, own[name], strict=True):
        others = [other for other in classifier.labels if other != label]
        every = explainer.support(explainer.explain(image, others))
        found.append(alike([mine] * len(others), every))
    assert np.mean(found) < 0.9


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name.startswith(("lrp", "mwp"))])
def test_what_propagation_of_shares_sees_is_reported(
    classifier, photographs, own, likenesses, record_property, variant
):
    """Not required: such rules are known to see little of the upper layers (Sixt et al. 2020).

    All that is required is that there is something to report (`pytest -s` shows it).
    """
    name, settings = VARIANTS[variant]
    explainer = create(name, classifier, **settings)
    other = [
        explainer.explain(image, [name for name in classifier.labels if name != label])
        for image, label in photographs
    ]
    classes = [alike([mine] * 7, every) for mine, every in zip(own[variant], other, strict=True)]
    top, whole = likenesses[variant]
    report = f"last layer {top:.2f}, all layers {whole:.2f}, other classes {np.mean(classes):.2f}"
    record_property(f"Spearman's correlation, {variant}", report)
    print(f"{variant}: {report}")
    assert len(own[variant]) == 3
