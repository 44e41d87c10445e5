"""A real network on real photographs: MobileNet with a head for "person", trained here."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from explainers import Classifier
from explainers.images import load_image
from explainers.lrp import LRP
from explainers.lrp.engine import scores
from explainers.lrp.fold import fold
from explainers.lrp.graph import read

DATA = Path(__file__).parents[4] / "shared" / "data"
VOC = DATA / "voc-mini" / "VOC2007"
SIZE = (224, 224)

pytestmark = pytest.mark.photographs


def names(subset):
    listed = (VOC / "ImageSets" / "Main" / f"{subset}.txt").read_text().splitlines()
    return [line.split()[0] for line in listed if line.strip()]


def photograph(name):
    return load_image(VOC / "JPEGImages" / f"{name}.jpg", (*SIZE, 3))


def people(name):
    """Where the boxes of people are, cut and resized like the photograph: bool `(H, W)`."""
    tree = ElementTree.parse(VOC / "Annotations" / f"{name}.xml")
    width, height = (int(tree.findtext(f"size/{side}")) for side in ("width", "height"))
    mask = np.zeros((height, width), np.uint8)
    for thing in tree.iter("object"):
        if thing.findtext("name") == "person":
            left, top, right, bottom = (
                round(float(thing.findtext(f"bndbox/{edge}")))
                for edge in ("xmin", "ymin", "xmax", "ymax")
            )
            mask[top - 1 : bottom, left - 1 : right] = 1
    fitted = ImageOps.fit(Image.fromarray(mask), SIZE[::-1], Image.Resampling.NEAREST)
    return np.asarray(fitted) > 0


@pytest.fixture(scope="module")
def classifier():
    """MobileNet, mean over places, and a ridge regression on "is there a person"."""
    path = DATA / "models" / "mobilenet_v1_224_block12.keras"
    if not path.is_file() or not VOC.is_dir():
        pytest.skip("the MobileNet or the photographs are not here")
    base = keras.models.load_model(path, compile=False)
    head = keras.layers.Dense(1, activation="sigmoid")
    pooled = keras.layers.GlobalAveragePooling2D()(base.output)
    model = keras.Model(base.input, head(pooled))
    found = Classifier.from_keras(model, labels=["person"], preprocess="signed")

    train = names("train")
    there = np.array([people(name).any() for name in train])
    features = found.embed(np.stack([photograph(name) for name in train]), batch_size=32)
    mean = features.mean(axis=0)
    kernel = (features - mean) @ (features - mean).T
    dual = np.linalg.solve(kernel + 30 * np.eye(len(train)), 2.0 * there - 1)
    weights = (features - mean).T @ dual
    head.set_weights([weights[:, np.newaxis], np.array([-mean @ weights])])
    return found


def test_folding_keeps_mobilenets_scores(classifier):
    nodes = fold(read(classifier.model))
    prepared = classifier.prepare(tf.constant(photograph(names("val")[0])[np.newaxis], tf.float32))
    logits = classifier.logits(photograph(names("val")[0])[np.newaxis])
    assert len(nodes) == 2 * 25 + 2  # 25 convolutions with ReLU, the mean, the dense layer
    np.testing.assert_allclose(scores(nodes, prepared), logits, rtol=1e-3, atol=1e-3)


def test_relevance_gathers_on_people(classifier):
    """Positive relevance per area, in people's boxes over the whole image: well above 1.

    The control, the boxes of another photograph, tells how much of that is the middle of the
    image, where people tend to be.
    """
    masks = {name: people(name) for name in names("val")}
    some = [name for name, mask in masks.items() if 0.02 < mask.mean() < 0.4][:16]
    images = np.stack([photograph(name) for name in some])
    seen = classifier.predict(images)[:, 0] > 0.5
    maps = np.maximum(LRP(classifier).explain_batch(images[seen], "person"), 0)
    boxes = [masks[name] for name, yes in zip(some, seen, strict=True) if yes]

    def gain(found, mask):
        return found[mask].sum() / found.sum() / mask.mean()

    own = np.mean([gain(found, mask) for found, mask in zip(maps, boxes, strict=True)])
    others = [*boxes[1:], boxes[0]]
    control = np.mean([gain(found, mask) for found, mask in zip(maps, others, strict=True)])

    assert len(boxes) >= 8
    assert own > 2
    assert own > 1.5 * control
