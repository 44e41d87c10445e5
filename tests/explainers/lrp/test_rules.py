"""Rules against the formulas, contribution by contribution, and against examples done by hand."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from explainers.lrp import rules
from explainers.lrp.rules import Step


def dense_step(x, kernel, bias=None, *, non_negative=False, bounds=None):
    x, kernel = (tf.constant(one, tf.float32) for one in (x, kernel))
    z = tf.matmul(x, kernel)
    if bias is not None:
        bias = tf.constant(bias, tf.float32)
        z += bias
    if bounds is not None:
        bounds = tuple(tf.constant(one, tf.float32) for one in bounds)
    return Step(tf.matmul, kernel, bias, x, z, non_negative, bounds)


# Two inputs 1 and 2; weights 3 and -1 to the only output: contributions 3 and -2, output 1.
ONE_OUTPUT = {"x": [[1, 2]], "kernel": [[3], [-1]]}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (rules.z, [12, -8]),  # 4 * (3, -2) / 1
        (partial(rules.epsilon, epsilon=1.0), [6, -4]),  # 4 * (3, -2) / (1 + 1)
        (rules.z_plus, [4, 0]),
        (partial(rules.alpha_beta, alpha=1.0, beta=0.0), [4, 0]),
        (partial(rules.alpha_beta, alpha=2.0, beta=1.0), [8, -4]),
        (partial(rules.gamma, gamma=1.0), [6, -2]),  # 4 * (2*3, -2) / (2*3 - 2)
        (rules.flat, [2, 2]),
        (rules.w2, [3.6, 0.4]),  # 4 * (9, 1) / 10
        # low -1, high 3: (3*1 + 1*3, -1*2 + 1*3) = (6, 1), divided by their sum 7
        (rules.bounded_box, [24 / 7, 4 / 7]),
    ],
)
def test_by_hand(rule, expected):
    step = dense_step(**ONE_OUTPUT, bounds=([[-1, -1]], [[3, 3]]))
    np.testing.assert_allclose(rule(step, tf.constant([[[4.0]]]))[0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # Bias 2 beside contributions 3 and -2: output 3.
        (rules.z, [4, -8 / 3]),
        (rules.z_plus, [12 / 5, 0]),  # positive part 3 + 2
        (partial(rules.z_plus, bias=False), [4, 0]),
        (rules.flat, [2, 2]),
    ],
)
def test_the_bias_keeps_its_share(rule, expected):
    step = dense_step(**ONE_OUTPUT, bias=[2])
    np.testing.assert_allclose(rule(step, tf.constant([[[4.0]]]))[0, 0], expected, rtol=1e-6)


def test_epsilon_stabilises_away_from_zero_on_both_sides():
    step = dense_step([[1.0]], [[-1.0]])
    found = rules.epsilon(step, tf.constant([[[6.0]]]), epsilon=0.5)
    np.testing.assert_allclose(found[0, 0], [4.0])  # 6 * -1 / (-1 - 0.5)


def test_bounded_box_without_bounds_is_refused():
    with pytest.raises(ValueError, match="lowest and highest"):
        rules.bounded_box(dense_step(**ONE_OUTPUT), tf.constant([[[4.0]]]))


@pytest.mark.parametrize("x", [1e-38, 1e-30, -1e-30])
@pytest.mark.parametrize(
    "rule",
    [
        rules.z,
        rules.z_plus,
        partial(rules.alpha_beta, alpha=2.0, beta=1.0),
        partial(rules.gamma, gamma=0.25),
        rules.bounded_box,
    ],
)
def test_a_denominator_next_to_nothing_does_not_overflow(rule, x):
    """One infinity would spoil the whole map; plain division makes one here."""
    step = dense_step([[x, 2 * x]], [[3], [-1]], bounds=([[x, x]], [[x, 2 * x]]))
    arrived = tf.constant([[[1e10]]])
    assert np.isinf(arrived / step.z)
    assert np.isfinite(rule(step, arrived)).all()


def test_an_output_nobody_contributed_to_hands_nothing_on():
    step = dense_step([[0.0, 0.0]], [[3.0], [-1.0]])
    for rule in (rules.z, rules.z_plus, partial(rules.gamma, gamma=0.25)):
        assert rule(step, tf.constant([[[4.0]]])).numpy().tolist() == [[[0.0, 0.0]]]


# -- against a matrix of single contributions -------------------------------------------------


def by_formula(rule, x, matrix, bias, relevance, low, high):
    """The rules for one image and one target, in float64, from ``c[i, j] = x[i] * w[i, j]``."""
    c = x[:, None] * matrix
    z = c.sum(0) + bias
    positive = np.maximum(c, 0).sum(0) + np.maximum(bias, 0)
    negative = np.minimum(c, 0).sum(0) + np.minimum(bias, 0)

    def share(part, whole):
        ratio = np.divide(relevance, whole, out=np.zeros_like(whole), where=whole != 0)
        return (part * ratio).sum(1)

    if rule == "z":
        return share(c, z)
    if rule == "epsilon":
        return share(c, z + 0.3 * np.where(z < 0, -1, 1))
    if rule == "alpha1-beta0":
        return share(np.maximum(c, 0), positive)
    if rule == "alpha2-beta1":
        return 2 * share(np.maximum(c, 0), positive) - share(np.minimum(c, 0), negative)
    if rule == "gamma":
        above = z >= 0
        favoured = np.where(above, np.maximum(c, 0), np.minimum(c, 0))
        return share(c + 0.25 * favoured, z + 0.25 * np.where(above, positive, negative))
    if rule == "flat":
        seen = (matrix != 0).astype(float)
        return share(seen, seen.sum(0))
    if rule == "w2":
        return share(matrix**2, (matrix**2).sum(0))
    box = c - low * np.maximum(matrix, 0) - high * np.minimum(matrix, 0)
    return share(box, box.sum(0))


RULES = {
    "z": rules.z,
    "epsilon": partial(rules.epsilon, epsilon=0.3),
    "alpha1-beta0": partial(rules.alpha_beta, alpha=1.0, beta=0.0),
    "alpha2-beta1": partial(rules.alpha_beta, alpha=2.0, beta=1.0),
    "gamma": partial(rules.gamma, gamma=0.25),
    "flat": rules.flat,
    "w2": rules.w2,
    "bounded-box": rules.bounded_box,
}

IMAGE = (5, 6, 2)
APPLY = {
    "dense": (lambda x, k: tf.matmul(tf.reshape(x, [-1, 60]), k), (60, 4)),
    "same": (lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"), (3, 3, 2, 3)),
    "strided": (lambda x, k: tf.nn.conv2d(x, k, 2, "VALID"), (3, 2, 2, 3)),
    "dilated": (lambda x, k: keras.ops.conv(x, k, 1, "valid", dilation_rate=2), (2, 2, 2, 3)),
    "depthwise": (lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME"), (3, 3, 2, 2)),
}


@pytest.mark.parametrize("inputs", ["signed", "non-negative", "signed, outputs rectified"])
@pytest.mark.parametrize("layer", APPLY)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_its_formula(rule, layer, inputs):
    apply, kernel_shape = APPLY[layer]
    random = np.random.default_rng(3)
    x = random.normal(size=(2, *IMAGE)).astype(np.float32)
    if inputs == "non-negative":
        x = np.maximum(x, 0)
    kernel = random.normal(size=kernel_shape).astype(np.float32)
    basis = np.eye(60, dtype=np.float32).reshape(60, *IMAGE)
    matrix = apply(tf.constant(basis), tf.constant(kernel)).numpy()
    bias = random.normal(size=matrix.shape[-1]).astype(np.float32)
    z = apply(tf.constant(x), tf.constant(kernel)) + bias
    relevance = random.normal(size=(2, 3, *z.shape[1:])).astype(np.float32)
    if inputs == "signed, outputs rectified":
        relevance *= z.numpy()[:, np.newaxis] > 0
    low, high = np.full((1, *IMAGE), -4, np.float32), np.full((1, *IMAGE), 5, np.float32)
    step = Step(
        apply,
        tf.constant(kernel),
        tf.constant(bias),
        tf.constant(x),
        z,
        inputs == "non-negative",
        (tf.constant(low), tf.constant(high)),
        mixes_channels=layer in ("same", "strided", "dilated"),
    )

    found = RULES[rule](step, tf.constant(relevance)).numpy()

    assert found.shape == (2, 3, *IMAGE)
    everywhere = np.broadcast_to(bias, matrix.shape[1:]).ravel().astype(float)
    for image in range(2):
        for target in range(3):
            expected = by_formula(
                rule,
                x[image].ravel().astype(float),
                matrix.reshape(60, -1).astype(float),
                everywhere,
                relevance[image, target].ravel().astype(float),
                -4.0,
                5.0,
            )
            scale = np.abs(expected).max()
            np.testing.assert_allclose(
                found[image, target].ravel(), expected, rtol=1e-3, atol=1e-5 * scale
            )
