"""Training the last layers of a network further, together with its head."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainers.errors import ExplainerError
from explainers.images import check_image
from explainers.preprocessing import TensorFunction, preprocessing

if TYPE_CHECKING:
    import keras

LAYERS = 3  # of VGG16: its last block
EPOCHS = 5
LEARNING_RATE = 1e-5


def fine_tune(
    network: keras.Model,
    images: Sequence[ArrayLike],
    truth: ArrayLike,
    *,
    preprocess: str | TensorFunction,
    layers: int = LAYERS,
    epochs: int = EPOCHS,
    learning_rate: float = LEARNING_RATE,
    batch_size: int = 16,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    keep: Path | None = None,
) -> keras.Model:
    """Train a network's last layers and its head on images, and return it, ready to be saved.

    The study's classifier was a VGG16 with ImageNet's weights, fine-tuned on PASCAL VOC and on
    purpose not to the best that is known (001 §5.3.1). Which layers, for how long and how fast is
    not said; ours: mean binary cross-entropy, Adam, no augmentation. Normalisation keeps the
    statistics it has. A head fitted before (`train_head`) keeps the first steps from undoing what
    the layers know.

    network: ends in a head with sigmoid outputs; its layers are changed.
    images: N images (H, W, C), 0..255, read one batch at a time and once per epoch.
    truth: (N, labels), true where the label applies.
    layers: how many layers with weights before the head are trained.
    seed: of the order of the images, a new one in each epoch.
    progress: called with (images done, epochs * N).
    keep: folder for the network after each epoch: with the same arguments an interrupted run goes
    on after the last epoch it finished.
    Raises ExplainerError for numbers out of range and for scores that are no longer finite.
    """
    import keras

    wanted = np.asarray(truth).astype(np.float32)
    if len(images) != len(wanted) or not len(images):
        raise ExplainerError(f"There are {len(images)} images but {len(wanted)} rows of truth.")
    if not (0 < learning_rate <= 1 and epochs >= 1):
        raise ExplainerError(
            f"The learning rate is {learning_rate:g} and the epochs are {epochs}; expected a rate "
            "above 0, at most 1, and at least one epoch."
        )
    shape = tuple(network.input_shape[1:])
    _, prepare = preprocessing(preprocess, channels=shape[2])
    _set_trainable(network, layers)
    # XLA would compile for longer than most of these trainings take.
    network.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy", jit_compile=False)
    network, first = _kept(keep, network)
    for epoch in range(first, epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(images))
        done = epoch * len(images)
        for batch in _parts(order, batch_size):
            pixels = np.stack([check_image(images[int(k)], shape) for k in batch])
            _step(network, prepare(pixels), wanted[batch])
            done += len(batch)
            if progress:
                progress(done, epochs * len(images))
        if keep:
            _keep(keep, network, epoch + 1)
    for layer in _leaves(network):
        layer.trainable = True
    # A model of the same layers without the optimiser, which a classifier's file need not hold.
    return keras.Model(network.inputs[0], network.outputs[0], name=network.name)


def _step(network: keras.Model, pixels: Any, truth: NDArray[np.float32]) -> None:
    loss = network.train_on_batch(pixels, truth)
    if not np.isfinite(loss):
        raise ExplainerError(
            "The network's scores are no longer finite; take a lower learning rate."
        )


def _set_trainable(network: keras.Model, layers: int) -> None:
    import keras

    *before, _ = [layer for layer in _leaves(network) if layer.weights]
    tunable = [layer for layer in before if not isinstance(layer, keras.layers.BatchNormalization)]
    if not 1 <= layers <= len(tunable):
        raise ExplainerError(
            f"layers is {layers}; expected 1 to {len(tunable)}, the layers with weights that "
            "the network has before its head."
        )
    frozen = [*tunable[:-layers], *(layer for layer in before if layer not in tunable)]
    for layer in _leaves(network):
        # A normalisation that may not be trained uses the statistics it has, as in prediction.
        layer.trainable = layer not in frozen


def _leaves(network: keras.Model) -> Iterator[keras.layers.Layer]:
    import keras

    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _parts(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    return (order[start : start + size] for start in range(0, len(order), size))


def _kept(keep: Path | None, network: keras.Model) -> tuple[keras.Model, int]:
    """The network after the last epoch that was finished before, with its optimiser's state."""
    import keras

    done = [int(path.stem.split("-")[1]) for path in keep.glob("epoch-*.keras")] if keep else []
    if not keep or not done:
        return network, 0
    return keras.models.load_model(keep / f"epoch-{max(done)}.keras"), max(done)


def _keep(keep: Path, network: keras.Model, epoch: int) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    draft = keep / "draft.keras"
    network.save(draft)
    os.replace(draft, keep / f"epoch-{epoch}.keras")
    (keep / f"epoch-{epoch - 1}.keras").unlink(missing_ok=True)
