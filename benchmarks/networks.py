"""The networks that the benchmarks run on, each with a picture of its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers import Classifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
MOBILENET = DATA / "models" / "mobilenet_v1_224_block12.keras"
SEED = 0


@dataclass(frozen=True)
class Network:
    """title: what the table says of it. needs: a file that must be there, None where none.

    batches: the sizes of which the fastest is looked for.
    """

    title: str
    classifier: Callable[[], Classifier]
    picture: Callable[[], NDArray[np.uint8]]
    needs: Path | None = None
    batches: tuple[int, ...] = (16, 32, 64, 128)

    @property
    def missing(self) -> str | None:
        """A sentence where the network's file is absent."""
        if self.needs is None or self.needs.is_file():
            return None
        return f"The file {self.needs.name} is not in {self.needs.parent}."


def _demo() -> Classifier:
    from explainers import demo

    return demo.classifier()


def _demo_picture() -> NDArray[np.uint8]:
    from explainers import demo

    return demo.scene(3, split="val").image


def trunk() -> Any:
    """MobileNet without a head."""
    import keras

    return keras.models.load_model(MOBILENET, compile=False)


def _mobilenet() -> Classifier:
    import keras

    keras.utils.set_random_seed(SEED)
    backbone = trunk()
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.outputs[0])
    scores = keras.layers.Dense(20, activation="sigmoid")(pooled)
    model = keras.Model(backbone.inputs, scores)
    return Classifier.from_keras(model, labels=None, preprocess="signed")


def _vgg16() -> Classifier:
    import keras

    keras.utils.set_random_seed(SEED)
    model = keras.applications.VGG16(weights=None)
    return Classifier.from_keras(model, labels=None, preprocess="caffe")


def _photograph() -> NDArray[np.uint8]:
    """The centred square of scikit-image's cat, 224 x 224."""
    from PIL import Image
    from skimage import data

    cat = Image.fromarray(data.chelsea())
    side = min(cat.size)
    left, top = (cat.width - side) // 2, (cat.height - side) // 2
    square = cat.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((224, 224), Image.Resampling.BICUBIC))


NETWORKS = {
    "demo": Network("the demo's network: 96 pixels, 8 sigmoids", _demo, _demo_picture),
    "mobilenet": Network(
        "MobileNet v1 up to block 12, mean, 20 sigmoids: 224 pixels",
        _mobilenet,
        _photograph,
        needs=MOBILENET,
    ),
    "vgg16": Network(
        "VGG16 with random weights: 224 pixels, softmax over 1,000",
        _vgg16,
        _photograph,
        batches=(16, 32),  # larger ones take seconds and gigabytes, and are no faster
    ),
}
