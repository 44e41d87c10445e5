import numpy as np
import pytest

import explainers
from explainers import ExplainerError, MultiScaleOcclusion, Occlusion, registry


def test_names():
    assert {"lrp", "multiscale", "occlusion"} <= set(explainers.available())
    assert list(explainers.available()) == sorted(explainers.available())


def test_every_method_can_be_made_and_gives_a_map(classifier, picture):
    settings = {"multiscale": {"depth": 1}, "occlusion": {"box": 12}}
    for name in explainers.available():
        found = explainers.create(name, classifier, **settings.get(name, {}))
        assert found.classifier is classifier
        heatmap = found.explain(picture, "dog")
        assert heatmap.shape == (24, 24)
        assert heatmap.dtype == np.float32
        assert found.explain(picture, ["dog", "cat"]).shape == (2, 24, 24)


def test_methods_that_need_the_network_say_so(black_box, picture):
    """And only those: the others serve a black box."""
    for name in explainers.available():
        settings = {"multiscale": {"depth": 1}, "occlusion": {"box": 12}}.get(name, {})
        means = black_box(lambda images: images.mean((1, 2)), 3)

        def explain(name=name, classifier=means, settings=settings):
            return explainers.create(name, classifier, **settings).explain(picture, 0)

        if registry.method(name).needs_network:
            with pytest.raises(ExplainerError, match=r"black box"):
                explain()
        else:
            assert explain().shape == (24, 24)


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
    with pytest.raises(ExplainerError, match="no method 'magic'; there are lrp, multiscale"):
        explainers.create("magic", classifier)
    with pytest.raises(ExplainerError, match="occlusion has no parameter 'depth'; it has box, str"):
        explainers.create("occlusion", classifier, depth=3)
    with pytest.raises(ExplainerError, match="no method 'magic'"):
        explainers.parameters("magic")


def test_a_classifier_is_expected(network):
    with pytest.raises(ExplainerError, match="Expected a Classifier"):
        explainers.create("occlusion", network)


@pytest.mark.parametrize("name", ["multiscale", "occlusion"])
@pytest.mark.parametrize(
    ("image", "target", "message"),
    [
        (np.zeros((24, 20, 3)), 0, "the classifier takes"),
        (np.full((24, 24, 3), np.nan), 0, "NaN"),
        (np.full((24, 24, 3), 300.0), 0, "expected 0..255"),
        (np.zeros((24, 24, 3)), "cow", "no label 'cow'"),
        (np.zeros((24, 24, 3)), 3, "no output 3"),
    ],
)
def test_unusable_input_is_refused_before_the_first_step(classifier, name, image, target, message):
    with pytest.raises(ExplainerError, match=message):
        explainers.create(name, classifier).iter_explain(image, target)
