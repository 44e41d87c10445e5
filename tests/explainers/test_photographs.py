"""The methods on photographs and a network as they are: COCO photographs, MobileNet v1."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from explainers import Classifier, create
from explainers.images import load_image
from explainers.render import overlay

DATA = Path(__file__).parents[3] / "shared" / "data"
VOC = DATA / "voc-mini" / "VOC2007"
TRUNK = DATA / "models" / "mobilenet_v1_224_block12.keras"

pytestmark = [
    pytest.mark.photographs,
    pytest.mark.skipif(not (VOC.is_dir() and TRUNK.is_file()), reason=f"needs the data in {DATA}"),
]


def annotations(name):
    """Label and box (top, left, bottom, right) of each object, and the picture's (H, W)."""
    root = ElementTree.parse(VOC / "Annotations" / f"{name}.xml").getroot()
    size = tuple(int(root.findtext(f"size/{side}")) for side in ("height", "width"))
    objects = [
        (
            one.findtext("name"),
            [float(one.findtext(f"bndbox/{side}")) for side in ("ymin", "xmin", "ymax", "xmax")],
        )
        for one in root.iter("object")
    ]
    return objects, size


def photograph(name):
    return load_image(VOC / "JPEGImages" / f"{name}.jpg", (224, 224, 3))


def mask_of(name, label):
    """Where the label's boxes lie after the centred square was cut out and resized to 224."""
    objects, (height, width) = annotations(name)
    side = min(height, width)
    shift = np.array([(height - side) // 2, (width - side) // 2] * 2)
    mask = np.zeros((224, 224), bool)
    for found, box in objects:
        if found == label:
            top, left, bottom, right = np.clip(
                np.rint((np.array(box) - shift) * 224 / side), 0, 224
            ).astype(int)
            mask[top:bottom, left:right] = True
    return mask


@pytest.fixture(scope="module")
def people():
    """MobileNet with a head for one label, "person": a ridge regression on 48 photographs."""
    import keras

    trunk = keras.models.load_model(TRUNK, compile=False)
    pooled = keras.layers.GlobalAveragePooling2D()(trunk.outputs[0])
    names = sorted(path.stem for path in (VOC / "JPEGImages").iterdir())[:48]
    inputs = np.stack([photograph(name) for name in names]) / np.float32(127.5) - 1
    features = keras.Model(trunk.inputs, pooled).predict(inputs, batch_size=16, verbose=0)
    shows = np.array([any(label == "person" for label, _ in annotations(n)[0]) for n in names])
    centre = features.mean(0)
    centred, wanted = features - centre, np.where(shows, 3.0, -3.0)
    gram = centred @ centred.T + 10 * np.eye(len(names))
    kernel = centred.T @ np.linalg.solve(gram, wanted - wanted.mean())
    head = keras.layers.Dense(1, activation="sigmoid")
    network = keras.Model(trunk.inputs, head(pooled))
    head.set_weights([kernel[:, None], np.array([wanted.mean() - centre @ kernel])])
    classifier = Classifier.from_keras(network, labels=["person"], preprocess="signed")
    return classifier, [name for name, person in zip(names, shows, strict=True) if person]


def test_importance_gathers_on_the_person(people):
    """Mean importance inside the annotated boxes exceeds that outside, over photographs."""
    classifier, names = people
    methods = {
        "multiscale": create("multiscale", classifier, depth=1, fill="grey", best="all"),
        "occlusion": create("occlusion", classifier, box=56, fill="grey"),
    }
    ratios = {name: [] for name in methods}
    for photo in names[:5]:
        mask = mask_of(photo, "person")
        if not 0.05 < mask.mean() < 0.7:
            continue
        image = photograph(photo)
        for name, method in methods.items():
            heatmap = method.explain(image, "person")
            assert np.isfinite(heatmap).all()
            assert overlay(image, heatmap).shape == (224, 224, 3)
            positive = np.maximum(heatmap, 0)
            ratios[name].append(positive[mask].mean() - positive[~mask].mean())
    for name, found in ratios.items():
        assert len(found) >= 3
        assert np.mean(found) > 0, name


def test_scores_of_a_saved_photograph_network(people, tmp_path):
    classifier, names = people
    classifier.model.save(tmp_path / "people.keras")
    images = np.stack([photograph(name) for name in names[:3]])
    again = Classifier.from_keras(tmp_path / "people.keras", labels=["person"], preprocess="signed")
    np.testing.assert_allclose(again.predict(images), classifier.predict(images), atol=1e-6)
    assert again.fingerprint() == classifier.fingerprint()
    assert (classifier.predict(images) > 0.5).all()
    assert classifier.embed(images).shape == (3, 1024)
