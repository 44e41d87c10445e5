"""Average precision and thresholds."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from explainers import ExplainerError
from explainers.training import average_precision, best_f1_threshold


def test_average_precision_by_hand():
    # Ranked: hit, miss, hit, miss. Precision at the hits: 1/1 and 2/3, each worth half the recall.
    assert average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_of_equal_scores_is_the_share_of_positives():
    assert average_precision([1, 0, 0, 0], [0.5] * 4) == pytest.approx(0.25)


def test_average_precision_is_the_one_of_scikit_learn():
    rng = np.random.default_rng(3)
    truth = rng.random((60, 4)) < 0.3
    scores = np.round(rng.random((60, 4)), 1)  # with many ties
    expected = [average_precision_score(truth[:, k], scores[:, k]) for k in range(4)]
    np.testing.assert_allclose(average_precision(truth, scores), expected, atol=1e-12)


def test_average_precision_refuses_what_is_undefined():
    with pytest.raises(ExplainerError, match="label cat has no positive example among 2 images"):
        average_precision([[0, 1], [0, 1]], [[0.1, 0.2], [0.3, 0.4]], labels=["cat", "dog"])
    with pytest.raises(ExplainerError, match="one shape"):
        average_precision([1, 0], [0.1, 0.2, 0.3])
    with pytest.raises(ExplainerError, match="finite"):
        average_precision([1, 0], [0.1, np.nan])


def test_best_f1_threshold_is_best_and_halfway_between_scores():
    rng = np.random.default_rng(5)
    truth = rng.random(80) < 0.4
    scores = np.round(rng.random(80) * 0.6 + truth * 0.3, 2)
    found = best_f1_threshold(truth, scores)
    every = [f1_score(truth, scores > level) for level in np.append(np.unique(scores), -1)]
    assert f1_score(truth, scores > found) == pytest.approx(max(every))
    assert np.abs(scores - found).min() > 1e-9
    # All images are positive: everything is predicted.
    assert best_f1_threshold([1, 1], [0.4, 0.6]) < 0.4
