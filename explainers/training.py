"""Fitting classifiers and judging them: average precision, thresholds, a head on a backbone.

Average precision is the area under the precision-recall curve as a sum of steps,
AP = sum over thresholds n of (R_n - R_(n-1)) P_n, equal scores counting as one threshold.
"""

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


def average_precision(
    truth: ArrayLike, scores: ArrayLike, *, labels: Sequence[str] | None = None
) -> Floats:
    """Average precision of every label.

    truth: (N, labels) or (N,), true where the label applies.
    scores: same shape, larger means more likely.
    labels: names for error messages.
    Returns (labels,) values in (0, 1]; (1,) for one-dimensional input.
    Raises ExplainerError where a label has no positive example: its value is undefined.
    """
    positives, values = _columns(truth, scores)
    names = labels or [f"number {k}" for k in range(positives.shape[1])]
    found = []
    for k, name in enumerate(names):
        if not positives[:, k].any():
            raise ExplainerError(
                f"label {name} has no positive example among {len(positives)} images: "
                "its average precision is undefined."
            )
        hits, taken, _ = _curve(positives[:, k], values[:, k])
        recall = hits / hits[-1]
        found.append(float(np.sum(np.diff(recall, prepend=0.0) * hits / taken)))
    return np.array(found)


def best_f1_threshold(truth: ArrayLike, scores: ArrayLike) -> float:
    """The threshold at which "score above threshold" has the largest F1, for one label.

    It lies halfway between two neighbouring scores, so that rounding changes no decision.
    """
    positives, values = _columns(truth, scores)
    if not positives.any():
        raise ExplainerError("a threshold needs at least one positive example.")
    hits, taken, levels = _curve(positives[:, 0], values[:, 0])
    best = int(np.argmax(2 * hits / (taken + hits[-1])))
    below = levels[best + 1] if best + 1 < len(levels) else levels[best] - 1e-6
    return float((levels[best] + below) / 2)


def _columns(truth: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    positives, values = np.asarray(truth).astype(bool), np.asarray(scores, dtype=np.float64)
    if positives.shape != values.shape or positives.ndim not in (1, 2) or not positives.size:
        raise ExplainerError(
            f"truth and scores must have one shape, (N,) or (N, labels), not "
            f"{positives.shape} and {values.shape}."
        )
    if not np.isfinite(values).all():
        raise ExplainerError("scores must be finite numbers; some are NaN or infinite.")
    return positives.reshape(len(positives), -1), values.reshape(len(values), -1)


def _curve(positives: NDArray[np.bool_], values: Floats) -> tuple[Floats, Floats, Floats]:
    """Per distinct score, downwards: true positives and images at or above it, and the score."""
    order = np.argsort(-values, kind="stable")
    sorted_values = values[order]
    last = np.append(np.flatnonzero(np.diff(sorted_values)), len(values) - 1)
    hits = np.cumsum(positives[order])[last].astype(np.float64)
    return hits, last + 1.0, sorted_values[last]


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
    Returns a functional model backbone -> mean over the plane -> Dense(sigmoid); save it with
    `save_model`.
    Raises ExplainerError for a label without a positive or without a negative example, an image of
    the wrong shape, a number of images other than of rows in `truth`, a backbone without a plane.
    """
    import keras

    positives = _checked_truth(truth, labels)
    if not l2 > 0:
        raise ExplainerError(f"l2 must be greater than 0, not {l2}.")
    features = _pooled(backbone, images, len(positives), preprocess, batch_size, progress)
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
        found.append(forward(tf.constant(np.stack(waiting))).numpy())
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
