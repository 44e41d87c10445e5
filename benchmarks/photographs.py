"""The network on photographs: MobileNet with a head fitted to the training half of voc-mini.

    python -m benchmarks.photographs --out var/photographs
    python -m benchmarks.photographs --out var/photographs-128 --size 128

writes `network.keras` and `labels.txt`, which `python -m explainers evaluate` takes. The same data
give the same network: the head has no chance in it. With smaller pictures the network is a few
times as fast, and knows a little less.
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
SIZE = 224
LEAST_EXAMPLES = 5  # training photographs of a label; with fewer the head does not learn it


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--size", type=int, default=SIZE, help=f"side of the pictures ({SIZE})")
    options = parser.parse_args(arguments)
    if not (VOC.is_dir() and MOBILENET.is_file()):
        print(f"error: voc-mini and {MOBILENET.name} are not in {DATA}.", file=sys.stderr)
        return 2
    network, labels = photograph_network(options.size)
    options.out.mkdir(parents=True, exist_ok=True)
    save_model(network, options.out / "network.keras")
    (options.out / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    print(options.out / "network.keras")
    return 0


def photograph_network(size: int = SIZE) -> tuple[Any, list[str]]:
    """The Keras network, and its labels: those with enough training photographs."""
    import keras

    shape = (size, size, 3)
    original = trunk()
    backbone = keras.models.clone_model(original, input_tensors=keras.Input(shape))
    backbone.set_weights(original.get_weights())
    training = voc.photographs(VOC, "train")
    seen = [photograph.labels(shape) for photograph in training]
    every = sorted({label for labels in seen for label in labels})
    enough = [name for name in every if sum(name in one for one in seen) >= LEAST_EXAMPLES]
    truth = np.array([[name in one for name in enough] for one in seen])
    images = (photograph.load(shape) for photograph in training)
    return train_head(backbone, images, truth, labels=enough, preprocess=PREPROCESS), enough


def photograph_classifier() -> Classifier:
    network, labels = photograph_network()
    return Classifier.from_keras(network, labels=labels, preprocess=PREPROCESS)


if __name__ == "__main__":
    sys.exit(main())
