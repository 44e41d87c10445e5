"""A multi-label head on a frozen backbone, and networks written to files."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explainers.errors import ExplainerError
from explainers.images import check_image
from explainers.preprocessing import TensorFunction, preprocessing

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]


def train_head(
    backbone: keras.Model,
    images: Iterable[ArrayLike],
    truth: ArrayLike,
    *,
    labels: Sequence[str],
    preprocess: str | TensorFunction = "signed",
    l2: float = 0.5,
    batch_size: int = 32,
    progress: Progress | None = None,
    keep: Path | None = None,
) -> keras.Model:
    """A multi-label logistic head on the pooled features of a frozen backbone.

    The features are the spatial means of the backbone's output, centred and divided by one common
    standard deviation, so that `l2` means the same for every backbone; dividing each by its own
    would blow up those that hardly vary. Every label gets its own logistic regression: mean
    cross-entropy + l2 / 2 * |w|^2, the intercept free, minimised by L-BFGS from zero, so there is
    no chance in it. Centre and scale are folded into the weights.

    backbone: Keras model from (N, H, W, C) to (N, h, w, F); left unchanged.
    images: N images (H, W, C), 0..255; an iterable, read once, so they need not fit into memory.
    truth: (N, labels), true where the label applies.
    preprocess: as in `Classifier.from_keras`; the returned network expects input so prepared.
    progress: called with (images done, N).
    keep: folder for the features, batch by batch: with the same arguments an interrupted run goes
    on where it stopped.
    Returns a functional model backbone -> mean over the plane -> Dense(sigmoid); save it with
    `save_model`.
    Raises ExplainerError for a label without a positive or without a negative example, an image of
    the wrong shape, a number of images other than of rows in `truth`, a backbone without a plane.
    """
    import keras

    positives = _checked_truth(truth, labels)
    if not l2 > 0:
        raise ExplainerError(f"l2 must be greater than 0, not {l2}.")
    features = _pooled(backbone, images, len(positives), preprocess, batch_size, progress, keep)
    weights, intercepts = _logistic(features, positives.astype(np.float64), l2)
    pooled = keras.layers.GlobalAveragePooling2D(name="head_pooling")(backbone.outputs[0])
    dense = keras.layers.Dense(len(labels), activation="sigmoid", name="head_labels")
    network = keras.Model(backbone.inputs[0], dense(pooled), name="multilabel_head")
    dense.set_weights([weights.astype(np.float32), intercepts.astype(np.float32)])
    return network


def save_model(model: keras.Model, path: str | Path) -> str:
    """Write a model to a ".keras" file, whole or not at all; returns the file's SHA-256.

    The time of saving is left out of the file, so the same model gives the same hash.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ExplainerError(f"a network's file must end in .keras, not {path.name!r}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        raw, clean = Path(folder, "raw.keras"), Path(folder, "clean.keras")
        model.save(raw)
        _copy_without_dates(raw, clean)
        digest = hashlib.sha256(clean.read_bytes()).hexdigest()
        os.replace(clean, path)
    return digest


def _copy_without_dates(raw: Path, clean: Path) -> None:
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(clean, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "metadata.json":
                facts = json.loads(content)
                facts.pop("date_saved", None)
                content = json.dumps(facts).encode()
            # The zip format's first day stands in for the date.
            target.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def _save_array(path: Path, values: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        np.save(file, values)
    os.replace(draft, path)


def _checked_truth(truth: ArrayLike, labels: Sequence[str]) -> NDArray[np.bool_]:
    positives = np.asarray(truth).astype(bool)
    if positives.ndim != 2 or positives.shape[1] != len(labels):
        raise ExplainerError(
            f"truth must have shape (images, {len(labels)}) for the labels "
            f"{', '.join(labels)}, not {positives.shape}."
        )
    for k, label in enumerate(labels):
        count = int(positives[:, k].sum())
        if count in (0, len(positives)):
            kind = "positive" if count == 0 else "negative"
            raise ExplainerError(
                f"label {label} has no {kind} example among {len(positives)} images; "
                "a head needs both kinds."
            )
    return positives


def _pooled(
    backbone: keras.Model,
    images: Iterable[ArrayLike],
    count: int,
    preprocess: str | TensorFunction,
    batch_size: int,
    progress: Progress | None,
    keep: Path | None,
) -> Floats:
    """(N, F) spatial means of the backbone's output."""
    import tensorflow as tf

    if len(backbone.outputs[0].shape) != 4:
        raise ExplainerError(
            f"the backbone {backbone.name} gives {tuple(backbone.outputs[0].shape)}; "
            "expected (N, height, width, features), its last pooling cut off."
        )
    shape = tuple(backbone.input_shape[1:])
    _, prepare = preprocessing(preprocess, channels=shape[2])

    @tf.function(reduce_retracing=True)
    def forward(batch: Any) -> Any:
        return tf.reduce_mean(backbone(prepare(batch), training=False), axis=(1, 2))

    found: list[NDArray[Any]] = []
    waiting: list[NDArray[np.float32]] = []
    done = 0

    def flush() -> None:
        nonlocal done
        path = keep / f"features-{done}-{len(waiting)}.npy" if keep else None
        if path and path.is_file():
            found.append(np.load(path))
        else:
            found.append(forward(tf.constant(np.stack(waiting))).numpy())
            if path:
                _save_array(path, found[-1])
        done += len(waiting)
        waiting.clear()
        if progress:
            progress(done, count)

    for number, image in enumerate(images):
        try:
            waiting.append(check_image(image, shape))
        except ExplainerError as error:
            raise ExplainerError(f"image number {number} (counted from 0): {error}") from None
        if len(waiting) == batch_size:
            flush()
    if waiting:
        flush()
    if done != count:
        raise ExplainerError(f"there are {done} images but {count} rows of truth.")
    return np.concatenate(found).astype(np.float64)


def _logistic(features: Floats, truth: Floats, l2: float) -> tuple[Floats, Floats]:
    """Weights (F, labels) and intercepts (labels,) of independent logistic regressions."""
    from scipy.optimize import minimize
    from scipy.special import expit

    mean = features.mean(axis=0)
    centred = features - mean
    spread = float(centred.std()) or 1.0  # features that are all constant get weight 0
    standard = centred / spread
    weights = np.zeros((features.shape[1], truth.shape[1]))
    intercepts = np.zeros(truth.shape[1])

    for k in range(truth.shape[1]):
        wanted = truth[:, k]

        def loss(values: Floats, wanted: Floats = wanted) -> tuple[float, Floats]:
            logits = standard @ values[:-1] + values[-1]
            # log(1 + e^z) - y z is the cross-entropy without overflow.
            entropy = np.mean(np.logaddexp(0, logits) - wanted * logits)
            residual = (expit(logits) - wanted) / len(wanted)
            gradient = np.append(standard.T @ residual + l2 * values[:-1], residual.sum())
            return float(entropy + l2 / 2 * values[:-1] @ values[:-1]), gradient

        start = np.zeros(features.shape[1] + 1)
        best = minimize(
            loss, start, jac=True, method="L-BFGS-B",
            options={"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-7},
        ).x  # fmt: skip
        weights[:, k] = best[:-1] / spread
        intercepts[k] = best[-1] - mean @ weights[:, k]
    return weights, intercepts
