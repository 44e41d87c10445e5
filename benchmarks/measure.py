"""One measurement of `benchmarks.explainers` in a process of its own; its result as one JSON line.

A process of its own, because the peak of a process's memory never falls again, and because what
one method leaves behind (graphs, caches, the allocator's arenas) must not serve the next.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import naive
from benchmarks.networks import NETWORKS
from explainers import Classifier, Explainer, Partial, create
from explainers.network import NetworkExplainer

if TYPE_CHECKING:
    from numpy.typing import NDArray

AS_FAST = 0.95  # of the best: a larger batch for less than that costs memory and gains nothing
LEAST_PAIRS = 5  # comparisons, however long they take
IMAGES, TARGETS = 8, 4  # of the methods that go back through the network

Found = dict[str, Any]


def main() -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    request = json.loads(sys.argv[1])
    network = NETWORKS[request.pop("network")]
    found = MEASUREMENTS[request.pop("what")](network.classifier(), network.picture(), **request)
    print(json.dumps(found))
    return 0


# -- the network alone -----------------------------------------------------------------------------


def alone(classifier: Classifier, picture: NDArray[np.uint8], batch: int) -> Callable[[], float]:
    """A function that runs the network, nothing else, on one batch in memory; returns seconds."""
    import tensorflow as tf

    model = classifier.require_network("The benchmark")
    one = classifier.prepare(tf.constant(picture[np.newaxis].astype(np.float32)))
    prepared = tf.repeat(one, batch, axis=0)  # no second copy of the batch: the peak counts too
    forward = tf.function(lambda images: model(images, training=False)).get_concrete_function(
        tf.TensorSpec(prepared.shape, prepared.dtype)
    )
    forward(prepared)

    def run() -> float:
        started = time.perf_counter()
        forward(prepared).numpy()
        return time.perf_counter() - started

    return run


def network(
    classifier: Classifier,
    picture: NDArray[np.uint8],
    *,
    seconds: float,
    batches: Sequence[int],
) -> Found:
    """The batch size at which the network alone is fastest, the sizes taken in turns.

    Of sizes that are all but equally fast the smallest.
    """
    runs = {batch: alone(classifier, picture, batch) for batch in batches}
    times: dict[int, list[float]] = {batch: [] for batch in batches}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[batches[0]]) < LEAST_PAIRS:
        for batch, run in runs.items():
            times[batch].append(run() / batch)
    rates = {batch: 1 / median(found) for batch, found in times.items()}
    best = min(batch for batch, rate in rates.items() if rate >= AS_FAST * max(rates.values()))
    return {"batch": best, "images_per_second": rates[best], "by_batch": rates}


# -- methods that predict perturbed images ---------------------------------------------------------


def speed(
    classifier: Classifier,
    picture: NDArray[np.uint8],
    *,
    method: str,
    settings: dict[str, Any],
    batch: int,
    seconds: float,
) -> Found:
    """A method's throughput as a fraction of the network's own, the two taken in turns.

    Everything the method does for an image counts: preparing the masks, the batches, the map. The
    padding of the last batch does not: the network alone runs as many images. Where the whole
    image takes too long, parts of the explanation alternate with the network, and what is done
    once per image is added.
    """
    explainer = create(method, classifier, batch_size=batch, **settings)
    target = _top(classifier, picture)
    warm = explainer.iter_explain(picture, target)  # traces the graphs, which is done once
    total = next(iter(warm)).total
    batches = math.ceil(total / batch)
    run = alone(classifier, picture, batch)
    run()
    bare = median(run() for _ in range(3))
    found = {
        "predictions": total,
        "padding": batches * batch - total,
        "naive_predictions": naive.predictions(method, explainer, picture, total),
    }
    if batches < 3 or 2 * batches * bare * LEAST_PAIRS <= seconds:
        ratios, times = _whole(explainer, picture, target, run, batches, seconds)
        return found | {
            "share": median(ratios),
            "seconds": median(times),
            "extrapolated": False,
            "pairs": len(ratios),
            "spread": _quartiles(ratios),
        }
    parts = _parts(explainer, picture, target, run, total, batch, bare, seconds)
    network_alone = batches * parts["bare"]
    once = parts["before"] + parts["after"]
    taken = network_alone / median(parts["ratios"]) + once
    return found | {
        "share": network_alone / taken,
        "seconds": taken,
        "extrapolated": True,
        "pairs": len(parts["ratios"]),
        "spread": _quartiles(parts["ratios"]),
        "seconds_once": once,
        "measured_predictions": parts["predictions"],
    }


def _whole(
    explainer: Explainer,
    picture: NDArray[np.uint8],
    target: int,
    run: Callable[[], float],
    batches: int,
    seconds: float,
) -> tuple[list[float], list[float]]:
    """Whole explanations in turns with as many batches; ratios and seconds per explanation."""

    def explain() -> float:
        started = time.perf_counter()
        explainer.explain(picture, target)
        return time.perf_counter() - started

    ratios: list[float] = []
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(ratios) < LEAST_PAIRS:
        if len(ratios) % 2:  # who goes first changes, so that a drift favours neither
            taken, bare = explain(), sum(run() for _ in range(batches))
        else:
            bare, taken = sum(run() for _ in range(batches)), explain()
        ratios.append(bare / taken)
        times.append(taken)
    return ratios, times


def _parts(
    explainer: Explainer,
    picture: NDArray[np.uint8],
    target: int,
    run: Callable[[], float],
    total: int,
    batch: int,
    bare: float,
    seconds: float,
) -> Found:
    """Some batches of the explanation in turns with as many of the network alone."""
    batches = math.ceil(total / batch)
    size = min(max(1, round(0.5 / bare)), batches - 2)  # the first batch and the last are left out
    ratios: list[float] = []
    alone_times: list[float] = []
    started = time.perf_counter()
    until = started + seconds
    steps = _stream(explainer, picture, target)
    step = next(steps)
    first = time.perf_counter() - started
    done = predictions = step.done
    while time.perf_counter() < until or len(ratios) < LEAST_PAIRS:
        if step.total - done < size * batch:  # only full batches are compared
            steps = _stream(explainer, picture, target)
            done = next(steps).done
        once = sum(run() for _ in range(size))
        began = time.perf_counter()
        for _ in range(size):
            step = next(steps)
        taken = time.perf_counter() - began
        ratios.append(once * (step.done - done) / (size * batch) / taken)
        alone_times.append(once / size)
        predictions += step.done - done
        done = step.done
    began = time.perf_counter()
    step.heatmap  # noqa: B018 (worked out when asked for)
    after = time.perf_counter() - began
    usual = median(alone_times)
    return {
        "ratios": ratios,
        "bare": usual,
        "before": max(0.0, first - usual / median(ratios)),
        "after": after,
        "predictions": predictions,
    }


def _stream(explainer: Explainer, picture: NDArray[np.uint8], target: int) -> Iterator[Partial]:
    return iter(explainer.iter_explain(picture, target))


def difference(
    classifier: Classifier,
    picture: NDArray[np.uint8],
    *,
    method: str,
    batch: int,
) -> Found:
    """How far the map is from the naive program's, with settings that program can afford."""
    settings = naive.SMALL.get(method)
    if settings is None:
        return {"difference": None}
    explainer = create(method, classifier, batch_size=batch, **settings)
    target = _top(classifier, picture)
    wanted = naive.heatmap(method, explainer, picture, target)
    found = explainer.explain(picture, target)
    largest = float(np.abs(wanted).max())
    return {"difference": float(np.abs(found - wanted).max()), "largest": largest}


# -- methods that go back through the network ------------------------------------------------------


def passes(
    classifier: Classifier,
    picture: NDArray[np.uint8],
    *,
    method: str,
    settings: dict[str, Any],
    seconds: float,
) -> Found:
    """A method's time as a multiple of that of a forward and a backward pass, taken in turns.

    For one image and one target, for several images, and for several images and targets at once.
    The backward pass is that to the input, of as many images as there are maps, in the method's own
    batch size.
    """
    explainer = create(method, classifier, **settings)
    assert isinstance(explainer, NetworkExplainer)
    images = _several(picture, IMAGES)
    order = np.argsort(-classifier.predict(picture[np.newaxis])[0])
    targets = [int(index) for index in order[:TARGETS]]
    workloads = {
        "one": (images[:1], targets[:1]),
        "images": (images, targets[:1]),
        "targets": (images, targets),
    }
    if explainer.class_agnostic:
        del workloads["targets"]
    found: Found = {"batch": explainer.batch_size}
    for name, (several, chosen) in workloads.items():
        found[name] = _multiple(explainer, several, chosen, seconds / len(workloads))
    return found


def _multiple(
    explainer: NetworkExplainer, images: NDArray[np.uint8], targets: list[int], seconds: float
) -> Found:
    there_and_back = _there_and_back(explainer, images, targets)

    def maps() -> float:
        started = time.perf_counter()
        explainer.explain_batch(images, targets)
        return time.perf_counter() - started

    maps(), there_and_back()  # traces the graphs, which is done once
    ratios: list[float] = []
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(ratios) < LEAST_PAIRS:
        if len(ratios) % 2:
            taken, bare = maps(), there_and_back()
        else:
            bare, taken = there_and_back(), maps()
        ratios.append(taken / bare)
        times.append(taken)
    return {
        "multiple": median(ratios),
        "seconds": median(times),
        "pairs": len(ratios),
        "spread": _quartiles(ratios),
    }


def _there_and_back(
    explainer: NetworkExplainer, images: NDArray[np.uint8], targets: list[int]
) -> Callable[[], float]:
    """A function that takes the gradient of every target's logit for every image; seconds."""
    import tensorflow as tf

    from explainers import head

    classifier = explainer.classifier
    logits = head.function(classifier.require_network("The benchmark"), "logits")
    stack = np.repeat(images.astype(np.float32), len(targets), axis=0)
    chosen = np.tile(np.asarray(targets, np.int32), len(images))
    size = min(explainer.batch_size, len(stack))

    @tf.function(reduce_retracing=True)
    def gradient(part: Any, indices: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(part)
            scores = tf.gather(logits(classifier.prepare(part)), indices, axis=1, batch_dims=1)
        return tape.gradient(scores, part)

    def run() -> float:
        started = time.perf_counter()
        for start in range(0, len(stack), size):
            part = slice(start, start + size)
            gradient(tf.constant(stack[part]), tf.constant(chosen[part])).numpy()
        return time.perf_counter() - started

    return run


# -- memory ----------------------------------------------------------------------------------------


def memory(
    classifier: Classifier,
    picture: NDArray[np.uint8],
    *,
    method: str | None,
    settings: dict[str, Any],
    batch: int,
    seconds: float,
) -> Found:
    """The peak of this process's memory, in MB, while a method runs (method None: the network).

    A method that predicts perturbed images runs for `seconds` at most, and its map is read; one
    that goes back through the network fills one batch of maps.
    """
    if method is None:
        run = alone(classifier, picture, batch)
        for _ in range(3):
            run()
        return {"peak": _peak(), "complete": True}
    explainer = create(method, classifier, batch_size=batch, **settings)
    target = 0  # the best one would need a prediction, and that memory
    if isinstance(explainer, NetworkExplainer):
        explainer.explain_batch(_several(picture, batch), target)
        return {"peak": _peak(), "complete": True}
    until = time.perf_counter() + seconds
    steps = explainer.iter_explain(picture, target)
    step = next(steps)
    while step.done < step.total and time.perf_counter() < until:
        step = next(steps)
    step.heatmap  # noqa: B018 (worked out when asked for)
    return {"peak": _peak(), "complete": step.done == step.total}


def _forget_peak() -> None:
    """Making a large network takes more memory than running it, and would hide what follows.

    Linux alone can do this; see proc(5), clear_refs.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    """Megabytes (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


# -- shared ----------------------------------------------------------------------------------------


def _top(classifier: Classifier, picture: NDArray[np.uint8]) -> int:
    return int(classifier.predict(picture[np.newaxis], batch_size=1)[0].argmax())


def _several(picture: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Different pictures of one size: the picture, rolled round."""
    step = picture.shape[1] // count
    return np.stack([np.roll(picture, step * index, axis=1) for index in range(count)])


def _quartiles(values: list[float]) -> list[float]:
    return [float(value) for value in np.quantile(values, [0.25, 0.75])]


MEASUREMENTS: dict[str, Callable[..., Found]] = {
    "network": network,
    "speed": speed,
    "difference": difference,
    "passes": passes,
    "memory": memory,
}

if __name__ == "__main__":
    sys.exit(main())
