"""A logistic head on a frozen backbone."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from explainers import Classifier, ExplainerError
from explainers.training import average_precision, save_model, train_head

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def backbone():
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 3))
    outputs = keras.layers.Conv2D(6, 3, strides=2, activation="relu")(inputs)
    return keras.Model(inputs, outputs, name="backbone")


@pytest.fixture(scope="module")
def coloured():
    """Images that are more or less red, more or less bright; labels say which."""
    rng = np.random.default_rng(11)
    levels = rng.uniform(40, 200, (50, 1, 1, 3))
    images = np.clip(levels + rng.normal(0, 10, (50, 16, 16, 3)), 0, 255).astype(np.uint8)
    red = levels[:, 0, 0, 0] > levels[:, 0, 0, 1]
    bright = levels.mean(axis=(1, 2, 3)) > 120
    return images, np.stack([red, bright], axis=1)


def test_head_is_the_logistic_regression_of_scikit_learn(backbone, coloured):
    images, truth = coloured
    network = train_head(backbone, images, truth, labels=["red", "bright"], l2=0.02)
    scores = Classifier.from_keras(network, labels=["red", "bright"], preprocess="signed").predict(
        images
    )
    features = np.asarray(backbone(images / 127.5 - 1.0)).mean(axis=(1, 2), dtype=np.float64)
    scaled = (features - features.mean(axis=0)) / (features - features.mean(axis=0)).std()
    for k in range(2):
        # Their C weighs the summed loss, our l2 the penalty beside the mean loss.
        other = LogisticRegression(C=1 / (0.02 * len(images)), tol=1e-9, max_iter=5000)
        other.fit(scaled, truth[:, k])
        np.testing.assert_allclose(scores[:, k], other.predict_proba(scaled)[:, 1], atol=1e-3)


def test_head_is_repeatable_and_leaves_the_backbone_alone(backbone, coloured, tmp_path):
    images, truth = coloured
    before = [weights.copy() for weights in backbone.get_weights()]
    steps = []
    digests = []
    for name in ("a.keras", "b.keras"):
        network = train_head(
            backbone, iter(images), truth, labels=["red", "bright"], batch_size=20,
            progress=lambda done, total: steps.append((done, total)),
        )  # fmt: skip
        digests.append(save_model(network, tmp_path / name))
    assert digests[0] == digests[1]
    assert steps == [(20, 50), (40, 50), (50, 50)] * 2
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.keras", "b.keras"]
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    loaded = Classifier.from_keras(
        tmp_path / "a.keras", labels=["red", "bright"], preprocess="signed"
    )
    assert loaded.activation == "sigmoid"
    assert average_precision(truth, loaded.predict(images)).min() > 0.85


class Counted:
    """A stream of images that breaks off after some."""

    def __init__(self, images, stop):
        self.images, self.stop = images, stop

    def __iter__(self):
        for number, image in enumerate(self.images):
            if number == self.stop:
                raise KeyboardInterrupt
            yield image


def test_an_interrupted_head_goes_on_with_the_features_it_has(backbone, coloured, tmp_path):
    images, truth = coloured
    labels = ["red", "bright"]
    whole = train_head(backbone, images, truth, labels=labels, batch_size=20)
    with pytest.raises(KeyboardInterrupt):
        train_head(
            backbone, Counted(images, 45), truth, labels=labels, batch_size=20, keep=tmp_path
        )
    assert len(list(tmp_path.iterdir())) == 2
    # Black instead of what was seen: the features that were kept stand.
    rest = np.where(np.arange(50)[:, None, None, None] < 40, 0, images)
    resumed = train_head(backbone, rest, truth, labels=labels, batch_size=20, keep=tmp_path)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    forgotten = train_head(backbone, rest, truth, labels=labels, batch_size=20)
    assert not np.allclose(whole.get_weights()[-2], forgotten.get_weights()[-2], atol=1e-2)


def test_constant_features_get_no_weight(backbone):
    images = np.full((6, 16, 16, 3), 90, np.uint8)
    truth = np.array([[1], [1], [0], [0], [0], [0]])
    network = train_head(backbone, images, truth, labels=["third"])
    # Nothing to tell the images apart by: the score is the share of positives.
    np.testing.assert_allclose(np.asarray(network(images / 127.5 - 1.0)), 1 / 3, atol=1e-4)


def test_head_says_what_is_wrong(backbone, coloured):
    import keras

    images, truth = coloured
    labels = ["red", "bright"]
    with pytest.raises(ExplainerError, match="label bright has no positive example among 50"):
        train_head(backbone, images, truth * [1, 0], labels=labels)
    with pytest.raises(ExplainerError, match="label red has no negative example"):
        train_head(backbone, images, truth | [True, False], labels=labels)
    with pytest.raises(ExplainerError, match=r"image number 0 .*\(16, 8, 3\)"):
        train_head(backbone, images[:, :, :8], truth, labels=labels)
    with pytest.raises(ExplainerError, match="49 images but 50 rows"):
        train_head(backbone, images[1:], truth, labels=labels)
    with pytest.raises(ExplainerError, match=r"\(images, 1\)"):
        train_head(backbone, images, truth, labels=["red"])
    with pytest.raises(ExplainerError, match="l2"):
        train_head(backbone, images, truth, labels=labels, l2=0)
    flat = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
    with pytest.raises(ExplainerError, match="height, width, features"):
        train_head(flat, images, truth, labels=labels)


def test_save_model_refuses_other_endings(backbone, tmp_path):
    with pytest.raises(ExplainerError, match=r"end in \.keras"):
        save_model(backbone, tmp_path / "model.h5")
    assert list(tmp_path.iterdir()) == []


def photographs(split):
    """The photographs of a split, each whole and scaled to 224 x 224, and their objects' names."""
    voc = DATA / "voc-mini" / "VOC2007"
    images, objects = [], []
    for name in (voc / "ImageSets" / "Main" / f"{split}.txt").read_text().split():
        with Image.open(voc / "JPEGImages" / f"{name}.jpg") as photograph:
            small = photograph.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        images.append(np.asarray(small))
        tree = ElementTree.parse(voc / "Annotations" / f"{name}.xml")
        objects.append({found.findtext("name") for found in tree.iter("object")})
    return np.stack(images), objects


@pytest.mark.photographs
def test_head_on_photographs():
    """MobileNet's features of 128 photographs tell the other 128 apart as well as is known.

    The reference values (0.97 person, 0.76 car, 0.57 dining table) hold for whole photographs;
    a centred square loses some labelled objects.
    """
    if not DATA.exists():
        pytest.skip("needs ../shared/data: photographs and a MobileNet file")
    import keras

    labels = ["person", "car", "diningtable"]
    network = keras.models.load_model(DATA / "models" / "mobilenet_v1_224_block12.keras")
    images, objects = photographs("train")
    truth = [[label in found for label in labels] for found in objects]
    head = train_head(network, images, truth, labels=labels)
    unseen, objects = photographs("val")
    classifier = Classifier.from_keras(head, labels=labels, preprocess="signed")
    found = average_precision(
        [[label in found for label in labels] for found in objects],
        classifier.predict(unseen),
    )
    np.testing.assert_allclose(found, [0.97, 0.76, 0.57], atol=0.03)
