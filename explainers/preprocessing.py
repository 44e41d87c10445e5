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

HELP = (
    "what the network was trained on: none, 0..255 as they are (networks with a Rescaling layer of "
    "their own, such as EfficientNet); unit, x / 255; signed, x / 127.5 - 1 (MobileNet, Inception, "
    "Xception); caffe, blue, green, red less ImageNet's means (VGG, ResNet50). Another one than in "
    "training gives a wrong map that looks plausible. Default: none"
)

# By these a network may scale its pixels itself; the latter stand for operators (x / 255).
_SCALING = ("Rescaling", "Normalization", "Divide", "TrueDivide", "Multiply", "Subtract")


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
        name = f"{module}.{getattr(choice, '__qualname__', type(choice).__qualname__)}"
        _check_takes_tensors(name, choice, channels)
        return name, choice
    raise ExplainerError(
        f"There is no preprocessing {choice!r}; it is one of "
        f"{', '.join(PREPROCESSINGS)}, or a function of a tensor."
    )


def scales_pixels(model: Any) -> bool:
    """Whether a Keras network holds anything that may scale 0..255 itself; nested ones too."""
    inside = (*getattr(model, "layers", ()), *getattr(model, "operations", ()))
    return any(type(one).__name__ in _SCALING or scales_pixels(one) for one in inside)


def _check_takes_tensors(name: str, function: TensorFunction, channels: int | None) -> None:
    """One batch of no particular size through the function, as a TensorFlow graph will call it."""
    import tensorflow as tf

    spec = tf.TensorSpec((None, None, None, channels), tf.float32)
    try:
        found = tf.function(function, autograph=False).get_concrete_function(spec)
    except Exception as error:  # whatever the function raises
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].partition(". ")[0]
        raise ExplainerError(
            f"The preprocessing {name} cannot be used inside TensorFlow ({reason.rstrip('.')}); "
            "expected a function of a tensor (of tf or keras.ops), not of a NumPy array."
        ) from error
    if not tf.is_tensor(found.structured_outputs):
        raise ExplainerError(f"The preprocessing {name} returns no tensor; expected one.")
