"""The demo's classifier: a small VGG-like multi-label network, trained on the drawn scenes.

It is mediocre on purpose: few training scenes, no regularisation but mirroring, and an early end
leave it good on what it has seen and plainly worse on what it has not, as the classifier of paper
001 was. The numbers it reached are in the JSON beside the network.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from explainers.demo.composition import LABELS, SEED, SIZE, SPLITS, scenes, targets
from explainers.errors import ExplainerError
from explainers.training import average_precision, best_f1_threshold, save_model

if TYPE_CHECKING:
    import keras

    from explainers.classifier import Classifier

NETWORK_PATH = Path(__file__).with_name("network.keras")
PREPROCESS = "unit"
FILTERS = (16, 32, 64, 64)
HIDDEN = 64
BATCH = 32
LEARNING_RATE = 1e-3
EPOCHS = 20

Progress = Callable[[int, int], None]


def classifier() -> Classifier:
    """The committed network as a `Classifier`, with the thresholds of its description."""
    from explainers.classifier import Classifier

    return Classifier.from_keras(
        NETWORK_PATH, labels=LABELS, preprocess=PREPROCESS, thresholds=description()["thresholds"]
    )


def description(path: Path = NETWORK_PATH) -> dict[str, Any]:
    """What the JSON beside a network says: labels, thresholds, average precision, training."""
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def dataset(
    split: str, n: int | None = None, *, progress: Callable[[], None] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Images (n, 96, 96, 3) and targets (n, 8) of a split; `progress` is called per scene."""
    images, truth = [], []
    for scene in scenes(split, n):
        images.append(scene.image)
        truth.append(targets(scene.labels))
        if progress:
            progress()
    return np.stack(images), np.stack(truth)


def train(
    out: str | Path,
    *,
    seed: int = 0,
    scenes: int = SPLITS["train"],
    epochs: int = EPOCHS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Draw the training scenes, fit the network and write it to `out` with a JSON beside it.

    out: a path that ends in ".keras"; existing files are replaced, and only when all went well.
    seed: of the initial weights and the order of the scenes.
    progress: called with (scenes processed, scenes to process in all).
    Returns the description that the JSON holds. One to two minutes on two cores.
    """
    out = Path(out)
    if out.suffix != ".keras":  # said now, not after the minutes of training
        raise ExplainerError(f"a network's file must end in .keras, not {out.name!r}.")
    if scenes < BATCH or epochs < 1:
        raise ExplainerError(
            f"training needs at least {BATCH} scenes and 1 epoch, not {scenes} and {epochs}."
        )
    total, done = scenes * (epochs + 1) + SPLITS["val"], 0

    def advance(count: int = 1) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    images, truth = dataset("train", scenes, progress=advance)
    unseen, unseen_truth = dataset("val", progress=advance)
    network = build(seed)
    _fit(network, images, truth, seed=seed, epochs=epochs, advance=advance)
    scores = _scores(network, images)
    found = {
        "labels": list(LABELS),
        "preprocess": PREPROCESS,
        "size": SIZE,
        "thresholds": {
            label: round(best_f1_threshold(truth[:, k], scores[:, k]), 4)
            for k, label in enumerate(LABELS)
        },
        "average_precision": {
            "train": _precision(truth, scores),
            "val": _precision(unseen_truth, _scores(network, unseen)),
        },
        "training": {
            "seed": seed,
            "scene_seed": SEED,
            "scenes": scenes,
            "val_scenes": SPLITS["val"],
            "epochs": epochs,
            "batch": BATCH,
            "learning_rate": LEARNING_RATE,
        },
    }
    _write(network, found, out)
    return found


def build(seed: int = 0) -> keras.Model:
    """The untrained network: four times convolution and pooling, a hidden layer, sigmoids."""
    import keras

    layers = keras.layers

    def start(number: int) -> Any:
        return keras.initializers.HeUniform(seed=1000 * seed + number)

    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    x = inputs
    for number, filters in enumerate(FILTERS, start=1):
        x = layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer=start(number),
            name=f"conv{number}",
        )(x)  # fmt: skip
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(HIDDEN, activation="relu", kernel_initializer=start(10), name="hidden")(x)
    outputs = layers.Dense(
        len(LABELS), activation="sigmoid", kernel_initializer=start(11), name="labels"
    )(x)
    return keras.Model(inputs, outputs, name="demo")


def _fit(
    network: keras.Model,
    images: NDArray[np.uint8],
    truth: NDArray[np.bool_],
    *,
    seed: int,
    epochs: int,
    advance: Callable[[int], None],
) -> None:
    import keras

    rng = Generator(PCG64(seed))
    steps = len(images) // BATCH
    rate = keras.optimizers.schedules.PolynomialDecay(LEARNING_RATE, steps * epochs, 0.1e-3)
    network.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for step in range(steps):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            batch = images[chosen].astype(np.float32) / 255
            mirrored = rng.random(BATCH) < 0.5
            batch[mirrored] = batch[mirrored, :, ::-1]
            network.train_on_batch(batch, truth[chosen].astype(np.float32))
            advance(BATCH)
        advance(len(images) - steps * BATCH)


def _scores(network: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    parts = [
        np.asarray(network(images[k : k + BATCH].astype(np.float32) / 255, training=False))
        for k in range(0, len(images), BATCH)
    ]
    return np.concatenate(parts).astype(np.float64)


def _precision(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> dict[str, float]:
    values = average_precision(truth, scores)
    found = {label: round(float(value), 4) for label, value in zip(LABELS, values, strict=True)}
    return found | {"mean": round(float(values.mean()), 4)}


def _write(network: keras.Model, found: dict[str, Any], out: Path) -> None:
    # A fresh network carries no optimizer, whose state would treble the file.
    bare = build()
    bare.set_weights(network.get_weights())
    found["sha256"] = save_model(bare, out)
    beside = out.with_suffix(".json")
    draft = out.with_suffix(".json.part")
    draft.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    os.replace(draft, beside)
