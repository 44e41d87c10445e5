"""Keras networks from their files, and what of them an image classifier needs."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from explainers.errors import ExplainerError
from explainers.images import Shape

if TYPE_CHECKING:
    import keras

_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
_HDF5 = b"\x89HDF\r\n\x1a\n"  # how such a file begins


def load_model(path_or_model: str | Path | keras.Model) -> keras.Model:
    """A Keras model from its file (a model is handed through); ExplainerError where it is none."""
    if isinstance(path_or_model, (str, Path)):
        return _from_file(Path(path_or_model))
    import keras

    if isinstance(path_or_model, keras.Model):
        return path_or_model
    raise ExplainerError(f"Expected a Keras model or its file, not {path_or_model!r}.")


def _from_file(path: Path) -> keras.Model:
    reason = _no_keras_file(path)
    if reason:
        raise ExplainerError(
            f"{path} cannot be read as a Keras model: {reason}; "
            "expected what model.save wrote, a file that ends in .keras or .h5."
        )
    import keras

    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds for a broken file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ExplainerError(f"{path} cannot be read as a Keras model: {reason}") from error
    if not isinstance(model, keras.Model):
        raise ExplainerError(f"{path} holds a {type(model).__name__}, not a Keras model.")
    return model


def _no_keras_file(path: Path) -> str:
    """What makes a path no Keras file on the first look, "" if nothing; Keras' words are many."""
    if os.path.isdir(path):
        return "it is a folder"
    if not os.path.isfile(path):  # unlike Path.is_file, also for a name too long to exist
        raise ExplainerError(f"There is no model file {path}.")
    if path.suffix not in _MODEL_SUFFIXES:
        return "its name does not end so"
    try:
        with path.open("rb") as file:
            start = file.read(len(_HDF5))
        whole = zipfile.is_zipfile(path) if path.suffix == ".keras" else start == _HDF5
    except OSError as error:
        return f"{error.strerror}"
    if not start:
        return "it is empty"
    return "" if whole else "its content is of another kind, or damaged"


def signature(model: keras.Model) -> tuple[Shape, int]:
    """The input's (H, W, C) and the number of outputs of an image classifier."""
    inputs = getattr(model, "inputs", None) or []
    outputs = getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExplainerError(
            f"The model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs; "
            "expected a built functional or Sequential model with one of each."
        )
    shape, scores = tuple(inputs[0].shape), tuple(outputs[0].shape)
    if len(shape) != 4 or shape[3] not in (1, 3):
        raise ExplainerError(
            f"The model {model.name!r} takes inputs of shape {shape}; "
            "expected images (batch, height, width, 1 or 3 channels)."
        )
    if len(scores) != 2 or scores[1] is None:
        raise ExplainerError(
            f"The model {model.name!r} returns outputs of shape {scores}; "
            "expected one score per label: (batch, labels)."
        )
    return (shape[1], shape[2], shape[3]), int(scores[1])
