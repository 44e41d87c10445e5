r"""What evaluating a method on an image costs beyond its predictions.

    python -m benchmarks.faithfulness --seconds 120
    python -m benchmarks.faithfulness --networks mobilenet --methods random,rise:masks=1000

Per network and method, one photograph is evaluated as `python -m explainers evaluate` does it
(read, explained, judged, stored), in turns with as many predictions of the bare network at its best
batch size. Printed is the median of time / time of the network alone, with its quartiles; the goal
is 1.1 or less. Predictions are those that were made, padding not counted; `random` makes none for
its map, so that the metrics stand alone. For methods that predict perturbed images; those that go
back through the network have no such measure. Leave the machine alone meanwhile.
"""

# ruff: noqa: E402 (the path comes first where this is run as a file)

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if not __package__:  # "explainers" is to be the library, not this file
    sys.path[0] = str(ROOT)

from benchmarks.measure import alone, network
from benchmarks.networks import NETWORKS, Network
from explainers.__main__ import _setting
from explainers.evaluation.columns import parse
from explainers.evaluation.plan import Plan
from explainers.evaluation.run import Watch, run
from explainers.evaluation.store import Store
from explainers.metrics import curves, gain, metric
from explainers.voc import Photograph

METRICS = {
    "curves": ("iauc", "dauc", "is", "ds", "ipgs", "dngs", "sparsity"),
    "gain": ("scg", "ccg"),
}
LEAST = 5  # evaluations, however long they take


class Count(Watch):
    """The predictions of one evaluation: for the map, and for its metrics."""

    def __init__(self) -> None:
        self.map = self.metrics = 0
        for module in (curves, gain):
            vars(module)["score_batches"] = self._counted(vars(module)["score_batches"])

    def step(self, column: str, image: str, done: int, total: int) -> None:
        self.map = total

    def total(self) -> int:
        return 1 + self.map + self.metrics  # one for the image itself

    def _counted(self, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def counted(classifier: Any, perturbation: Any, **options: Any) -> Iterator[Any]:
            self.metrics += len(perturbation)
            return function(classifier, perturbation, **options)

        return counted


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faithfulness",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--networks", default="demo,mobilenet", metavar="A,B")
    parser.add_argument("--methods", default="random,rise:masks=1000", metavar="A,B")
    parser.add_argument("--steps", type=int, default=100, metavar="N", help="of the curves")
    parser.add_argument("--seconds", type=float, default=60.0, help="per network and method")
    options = parser.parse_args(arguments)
    networks = options.networks.split(",")
    for name in networks:
        if name not in NETWORKS:
            parser.error(f"There is no network {name!r}; there are {', '.join(NETWORKS)}.")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    count = Count()
    print("| network | method | metrics | predictions | time / bare | quartiles | runs |")
    print("|---|---|---|---|---|---|---|")
    for name in networks:
        found = NETWORKS[name]
        if found.missing:
            print(found.missing, file=sys.stderr)
            continue
        for method in options.methods.split(","):
            for kind in METRICS:
                cells = measured(found, method, kind, count, options.steps, options.seconds)
                print(f"| {name} | {method} | {kind} | {cells} |", flush=True)
    return 0


def measured(
    found: Network, method: str, kind: str, count: Count, steps: int, seconds: float
) -> str:
    from PIL import Image

    classifier, picture = found.classifier(), found.picture()
    shared = min(20.0, seconds / 3)
    best = network(classifier, picture, batches=found.batches, seconds=shared)["batch"]
    bare = alone(classifier, picture, best)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        Image.fromarray(picture).save(path)
        photograph = Photograph("picture", path, picture.shape[:2], ())
        chosen = tuple(metric(name) for name in METRICS[kind])
        columns = parse(method, setting=_setting)
        plan = Plan(classifier, [photograph], columns, chosen, steps=steps)
        explainers = plan.explainers()

        def evaluate(number: int) -> float:
            count.map = count.metrics = 0
            started = time.perf_counter()
            failures = run(
                plan, Store(Path(folder) / str(number), {"methods": {}}), explainers, watch=count
            )
            assert not failures, failures
            return time.perf_counter() - started

        evaluate(0)  # traces the graphs, which is done once
        ratios: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(ratios) < LEAST:
            taken = evaluate(len(ratios) + 1)
            batches = math.ceil(count.total() / best)
            alone_for = sum(bare() for _ in range(batches)) / (batches * best) * count.total()
            ratios.append(taken / alone_for)
    low, middle, high = quantiles(ratios, n=4)
    return f"{count.total()} | {middle:.2f} | {low:.2f}–{high:.2f} | {len(ratios)}"


if __name__ == "__main__":
    sys.exit(main())
