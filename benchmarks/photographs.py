"""The network on photographs: MobileNet with a head fitted to the training half of voc-mini.

    python -m benchmarks.photographs --out var/photographs

writes `network.keras` and `labels.txt`, which `python -m explainers evaluate` takes. The same data
give the same network: the head has no chance in it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.networks import DATA, MOBILENET, trunk
from explainers import Classifier, voc
from explainers.training import save_model, train_head

VOC = DATA / "voc-mini" / "VOC2007"
PREPROCESS = "signed"
SHAPE = (224, 224, 3)
LEAST_EXAMPLES = 5  # training photographs of a label; with fewer the head does not learn it


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    if not (VOC.is_dir() and MOBILENET.is_file()):
        print(f"error: voc-mini and {MOBILENET.name} are not in {DATA}.", file=sys.stderr)
        return 2
    network, labels = photograph_network()
    options.out.mkdir(parents=True, exist_ok=True)
    save_model(network, options.out / "network.keras")
    (options.out / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    print(options.out / "network.keras")
    return 0


def photograph_network() -> tuple[Any, list[str]]:
    """The Keras network, and its labels: those with enough training photographs."""
    training = voc.photographs(VOC, "train")
    seen = [photograph.labels(SHAPE) for photograph in training]
    every = sorted({label for labels in seen for label in labels})
    enough = [name for name in every if sum(name in one for one in seen) >= LEAST_EXAMPLES]
    truth = np.array([[name in one for name in enough] for one in seen])
    images = (photograph.load(SHAPE) for photograph in training)
    return train_head(trunk(), images, truth, labels=enough, preprocess=PREPROCESS), enough


def photograph_classifier() -> Classifier:
    network, labels = photograph_network()
    return Classifier.from_keras(network, labels=labels, preprocess=PREPROCESS)


if __name__ == "__main__":
    sys.exit(main())
