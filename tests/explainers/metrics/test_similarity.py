import numpy as np
import pytest
from scipy.stats import pearsonr

from explainers import ExplainerError
from explainers.metrics import Reason, Undefined
from explainers.metrics.similarity import pcc, sim

RAMP = np.array([[0.0, 1.0], [2.0, 3.0]])


def test_sim_by_hand():
    """Shares 0, 1/6, 2/6, 3/6 against 1/2, 1/2, 0, 0: only the second pixel, 1/6, in common."""
    assert sim(RAMP, np.array([[1.0, 1.0], [0.0, 0.0]])) == pytest.approx(1 / 6)
    assert sim(RAMP, np.array([[0.0, 0.0], [1.0, 1.0]])) == pytest.approx(2 / 6 + 3 / 6)


def test_pcc_by_hand():
    """Deviations -1.5, -0.5, 0.5, 1.5 and 0.5, 0.5, -0.5, -0.5: -2 / sqrt(5 * 1)."""
    assert pcc(RAMP, np.array([[1.0, 1.0], [0.0, 0.0]])) == pytest.approx(-2 / np.sqrt(5))


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150])
def test_perfect_and_reversed_maps(scale):
    fixations = np.random.default_rng(0).random((30, 40))
    assert sim(scale * fixations, fixations) == pytest.approx(1)
    assert pcc(scale * fixations, fixations) == pytest.approx(1)
    assert pcc(-scale * fixations, fixations) == pytest.approx(-1)
    assert sim(-scale * fixations, fixations) < 0.7
    halves = np.repeat([[1.0], [0.0]], 5, axis=0)
    assert sim(-scale * halves, halves) == 0


def test_scale_and_ground_do_not_matter():
    generator = np.random.default_rng(1)
    heatmap, fixations = generator.normal(size=(20, 30)), generator.random((20, 30))
    for metric in (sim, pcc):
        assert metric(3 * heatmap + 7, 5 * fixations) == pytest.approx(metric(heatmap, fixations))


def test_pcc_as_scipy_has_it():
    generator = np.random.default_rng(2)
    heatmap = generator.normal(size=(20, 30))
    fixations = generator.random((20, 30)) + np.maximum(heatmap, 0)
    wanted = pearsonr(heatmap.ravel(), fixations.ravel()).statistic
    assert 0.5 < wanted < 0.95
    assert pcc(heatmap, fixations) == pytest.approx(wanted)


@pytest.mark.parametrize("metric", [sim, pcc])
def test_a_constant_map_is_like_nothing(metric):
    constant = np.full((2, 2), 0.3)
    for heatmap, fixations in ((constant, RAMP), (RAMP, constant), (RAMP, np.zeros((2, 2)))):
        with pytest.raises(Undefined) as caught:
            metric(heatmap, fixations)
        assert caught.value.reason is Reason.CONSTANT_MAP
    assert metric(RAMP, RAMP + constant) > 0  # the control


@pytest.mark.parametrize("metric", [sim, pcc])
@pytest.mark.parametrize(
    ("heatmap", "fixations", "sentence"),
    [
        (np.full((2, 2), np.nan), RAMP, "The heatmap has values that are NaN"),
        (RAMP, np.full((2, 2), np.inf), "The fixation map has values that are NaN or infinite"),
        (RAMP, RAMP - 1, "The fixation map has values down to -1; expected 0 or more"),
        (np.ones((3, 2)), RAMP, "The heatmap has 3 x 2 values, the fixation map 2 x 2"),
    ],
)
def test_unusable_maps(metric, heatmap, fixations, sentence):
    with pytest.raises(ExplainerError, match=sentence):
        metric(heatmap, fixations)
