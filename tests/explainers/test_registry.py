import pytest

import explainers
from explainers import ExplainerError, MultiScaleOcclusion, Occlusion


def test_names():
    assert {"lrp", "multiscale", "occlusion"} <= set(explainers.available())
    assert list(explainers.available()) == sorted(explainers.available())


def test_parameters_and_their_defaults(classifier):
    assert explainers.parameters("multiscale") == {
        "depth": 4,
        "best": 5,
        "fill": "surround",
        "offsets": "all",
        "min_importance": 0.01,
        "signed": False,
        "batch_size": 64,
    }
    made = explainers.create("multiscale", classifier, depth=2, best="all")
    assert isinstance(made, MultiScaleOcclusion)
    assert (made.depth, made.best) == (2, "all")
    assert isinstance(explainers.create("occlusion", classifier), Occlusion)


def test_unknown_names_and_parameters(classifier):
    with pytest.raises(ExplainerError, match=r"no method 'magic'; there are .*lrp, .*multiscale"):
        explainers.create("magic", classifier)
    with pytest.raises(ExplainerError, match="occlusion has no parameter 'depth'; it has box, str"):
        explainers.create("occlusion", classifier, depth=3)
    with pytest.raises(ExplainerError, match="no method 'magic'"):
        explainers.parameters("magic")


def test_a_classifier_is_expected(network):
    with pytest.raises(ExplainerError, match="Expected a Classifier"):
        explainers.create("occlusion", network)
