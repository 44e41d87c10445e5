"""Where a head begins: the part of a network up to its last plane of features, and VGG16."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explainers.errors import ExplainerError
from explainers.head import producer

if TYPE_CHECKING:
    import keras

VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
"""Keras' name for VGG16's ImageNet weights without the fully connected layers."""


def backbone_of(model: keras.Model) -> keras.Model:
    """The network up to its last output of shape (N, height, width, features).

    A network that ends in one is returned as it is; of a whole classifier the pooling or flattening
    and all behind it is left out. Layers are shared with `model`. Raises ExplainerError where
    there is no such plane.
    """
    import keras

    if len(getattr(model, "inputs", None) or []) != 1 or len(model.outputs) != 1:
        raise ExplainerError(
            f"The model {model.name!r} has not one input and one output; expected a built "
            "functional or Sequential model of images."
        )
    tensor = model.outputs[0]
    if len(tensor.shape) == 4:
        return model
    while tensor is not None and len(tensor.shape) != 4:
        _, tensor = producer(tensor)
    if tensor is None or tensor is model.inputs[0]:
        raise ExplainerError(
            f"The model {model.name!r} has no output of shape (N, height, width, features) to "
            "train a head on; expected a convolutional network."
        )
    return keras.Model(model.inputs[0], tensor, name="backbone")


def vgg16(size: int) -> keras.Model:
    """VGG16 up to its last pooling with ImageNet's weights, for images `(size, size, 3)`.

    The network of 001 §5.3.1 before it was fine-tuned; it takes images preprocessed as "caffe".
    Keras fetches the weights once and keeps them. Raises ExplainerError where they cannot be had.
    """
    import keras

    if size < 32:
        raise ExplainerError(f"VGG16 takes images of at least 32 px, not {size}.")
    try:
        return keras.applications.VGG16(
            include_top=False, weights="imagenet", input_shape=(size, size, 3)
        )
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise ExplainerError(
            "VGG16's ImageNet weights are not on this machine and cannot be fetched; put Keras' "
            f"file {VGG16_FILE} into ~/.keras/models, or take a Keras backbone of your own."
        ) from error
