"""The edge map is the picture's alone: known slopes, and a network that is never asked."""

import numpy as np
import pytest

from explainers import CLASS_AGNOSTIC, Classifier, Edges, ExplainerError


def never(images):
    raise AssertionError("the network was asked")


@pytest.fixture
def edges():
    def make(**settings):
        classifier = Classifier.from_callable(never, labels=["a", "b"])
        return Edges(classifier, **settings)

    return make


def test_a_ramp_has_its_slope_everywhere(edges):
    """A smoothed ramp is the same ramp: 3 grey levels per pixel down, 4 across, 5 in all."""
    rows, columns = np.mgrid[:30, :30]
    picture = (3.0 * rows + 4.0 * columns)[..., np.newaxis]
    heatmap = edges().explain(picture, CLASS_AGNOSTIC)
    np.testing.assert_allclose(heatmap[6:-6, 6:-6], 5.0, rtol=1e-4)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_a_step_is_a_bell_around_it(edges, sigma):
    """A step of h smoothed by a Gaussian has the slope h * the Gaussian's density."""
    picture = np.zeros((9, 60, 3))
    picture[:, 30:] = 100.0
    heatmap = edges(sigma=sigma).explain(picture, 0)
    distance = np.arange(60) + 0.5 - 30
    bell = 100 * np.exp(-(distance**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(heatmap[4], bell, atol=0.04 * bell.max())
    assert np.ptp(heatmap, axis=0).max() < 1e-5  # the same in every row, at the border too


def test_the_steepest_channel_counts(edges):
    picture = np.zeros((20, 20, 3))
    picture[:, 10:, 1] = 50
    picture[10:, :, 2] = 200
    heatmap = edges().explain(picture, "a")
    alone = [edges().explain(picture[..., [channel]], "a") for channel in range(3)]
    np.testing.assert_array_equal(heatmap, np.max(alone, axis=0))
    assert heatmap[10, 2] > 3 * heatmap[2, 10] > 0


def test_an_even_picture_has_no_edges(edges):
    assert not edges().explain(np.full((12, 15, 3), 99), "b").any()


def test_two_networks_have_one_map(edges, classifier, picture):
    """The control a sanity check is held against: it must not change with the network."""
    own = Edges(classifier).explain(picture, "dog")
    np.testing.assert_array_equal(own, edges().explain(picture, "a"))


@pytest.mark.parametrize("sigma", [0, 0.4, 101, -1, "1", None, float("nan"), True])
def test_a_sigma_that_cannot_be_is_refused(edges, sigma):
    with pytest.raises(ExplainerError, match=r"sigma is .*; expected a number from 0.5 to 100"):
        edges(sigma=sigma)
