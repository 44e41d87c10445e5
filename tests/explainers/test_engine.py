import tracemalloc

import numpy as np
import pytest

from explainers import Classifier, ExplainerError, MultiScaleOcclusion, Occlusion
from explainers.boxes import Boxes
from explainers.engine import score_batches


def boxes_of(image, count):
    rng = np.random.default_rng(count)
    corners = np.sort(rng.integers(0, len(image) + 1, (count, 2, 2)), axis=1)
    boxes = corners.reshape(count, 4).astype(np.int32)
    return Boxes(image.astype(np.float32), boxes, np.full((count, 3), 169, np.float32))


def test_scores_are_those_of_the_composited_images(classifier, picture):
    perturbation = boxes_of(picture, 21)
    images = np.repeat(picture[None], 21, axis=0)
    for image, (top, left, bottom, right) in zip(images, perturbation.boxes, strict=True):
        image[top:bottom, left:right] = 169
    parts = list(score_batches(classifier, perturbation, batch_size=8))
    assert [(part.start, part.stop) for part, _ in parts] == [(0, 8), (8, 16), (16, 21)]
    found = np.concatenate([scores for _, scores in parts])
    np.testing.assert_allclose(found, classifier.predict(images), atol=1e-6)


def test_one_trace_serves_all_images_and_numbers_of_boxes(network, picture):
    traces = []

    def preprocess(images):
        traces.append(images.shape)
        return images / 255.0

    classifier = Classifier.from_keras(network, labels=["a", "b", "c"], preprocess=preprocess)
    Occlusion(classifier, box=8).explain(picture, 0)
    first = len(traces)
    for image, box in ((255 - picture, 8), (picture, 5), (picture // 2, 24)):
        Occlusion(classifier, box=box).explain(image, 1)
    MultiScaleOcclusion(classifier, depth=2).explain(picture, 1)
    assert len(traces) == first
    classifier.predict(picture[None])
    classifier.predict(np.stack([picture] * 5), batch_size=2)
    assert len(traces) == first
    classifier.logits(picture[None])  # another graph: the count does count
    assert len(traces) == first + 1


def test_every_batch_has_the_same_shape(black_box, picture):
    shapes = []

    def function(images):
        shapes.append((images.shape, images.dtype))
        return np.zeros((len(images), 1))

    list(score_batches(black_box(function), boxes_of(picture, 21), batch_size=8))
    assert shapes == [((8, 24, 24, 3), np.dtype(np.float32))] * 3


def test_a_black_box_keeps_its_precision(black_box, picture):
    fine = black_box(lambda images: images.mean((1, 2, 3), dtype=np.float64)[:, None] + 1e-12)
    ((_, scores),) = score_batches(fine, boxes_of(picture, 3), batch_size=3)
    assert scores.dtype == np.float64
    assert (scores.astype(np.float32) != scores).any()


def test_the_host_never_holds_the_masked_images(classifier, picture):
    boxes = boxes_of(picture, 4000)
    stack = 4000 * picture.size * 4
    list(score_batches(classifier, boxes_of(picture, 4)))  # trace first
    tracemalloc.start()
    try:
        for _ in score_batches(classifier, boxes):
            pass
        assert tracemalloc.get_traced_memory()[1] < stack / 20
        tracemalloc.reset_peak()
        np.repeat(picture[None].astype(np.float32), 4000, axis=0)  # such a stack would be seen
        assert tracemalloc.get_traced_memory()[1] >= stack
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda images: np.zeros((len(images), 2)), r"returned float64 \(4, 2\).*1 labels"),
        (lambda images: np.zeros(len(images)), r"expected numbers \(4, 1\)"),
        (lambda images: np.full((len(images), 1), np.nan), "scores that are not finite"),
        (lambda images: [["a"]] * len(images), "expected numbers"),
    ],
)
def test_a_function_that_returns_no_scores(black_box, picture, function, message):
    with pytest.raises(ExplainerError, match=message):
        list(score_batches(black_box(function), boxes_of(picture, 3), batch_size=4))


def test_no_batch_is_printed_into_an_error(classifier, picture, monkeypatch):
    """A graph called with other lists than it was traced with is served, but 6 ms later."""
    import tensorflow as tf

    printed = []
    tensor = type(tf.constant(0.0))
    original = tensor.__repr__
    for name in ("__str__", "__repr__"):
        monkeypatch.setattr(tensor, name, lambda self: printed.append(self) or original(self))
    for way in (classifier, Classifier.from_callable(classifier.predict, labels=["a", "b", "c"])):
        list(score_batches(way, boxes_of(picture, 5), batch_size=2))
    assert not printed
    spec = [tf.TensorSpec((), tf.float32)]
    graph = tf.function(lambda a, b: a[0] + b[0]).get_concrete_function(spec, spec)
    graph(tf.constant(1.0), tf.constant(2.0))
    assert printed  # such a call would be seen
