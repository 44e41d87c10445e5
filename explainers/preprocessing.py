"""From pixels 0..255 to what a network was trained on; all inside the TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from explainers.errors import ExplainerError

TensorFunction = Callable[[Any], Any]

# Means of ImageNet's training images, in the order blue, green, red (the Caffe networks').
_IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)


def _none(images: Any) -> Any:
    return images


def _unit(images: Any) -> Any:
    return images / 255.0


def _signed(images: Any) -> Any:
    return images / 127.5 - 1.0


def _caffe(images: Any) -> Any:
    return images[..., ::-1] - list(_IMAGENET_MEAN_BGR)


PREPROCESSINGS: dict[str, TensorFunction] = {
    "none": _none,
    "unit": _unit,
    "signed": _signed,
    "caffe": _caffe,
}


def preprocessing(
    choice: str | TensorFunction, *, channels: int | None
) -> tuple[str, TensorFunction]:
    """The name and the function of a preprocessing, given by name or as a function."""
    if isinstance(choice, str) and choice in PREPROCESSINGS:
        if choice == "caffe" and channels == 1:
            raise ExplainerError("The preprocessing 'caffe' needs 3 channels; the model takes 1.")
        return choice, PREPROCESSINGS[choice]
    if callable(choice):
        module = getattr(choice, "__module__", "")
        name = getattr(choice, "__qualname__", type(choice).__qualname__)
        return f"{module}.{name}", choice
    raise ExplainerError(
        f"There is no preprocessing {choice!r}; it is one of "
        f"{', '.join(PREPROCESSINGS)}, or a function of a tensor."
    )
