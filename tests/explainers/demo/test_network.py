"""The bundled network: as good as its description says, and caught using the shortcut."""

import hashlib

import numpy as np
import pytest

from explainers import ExplainerError, demo
from explainers.demo import network
from explainers.training import average_precision


@pytest.fixture(scope="module")
def classifier():
    return demo.classifier()


@pytest.fixture(scope="module")
def unseen():
    return list(demo.scenes("val"))


def scores_of(classifier, scenes):
    return classifier.predict(np.stack([scene.image for scene in scenes]))


def test_description_fits_the_file():
    found = demo.description()
    digest = hashlib.sha256(demo.NETWORK_PATH.read_bytes()).hexdigest()
    assert found["sha256"] == digest
    assert tuple(found["labels"]) == demo.LABELS
    assert found["training"]["scenes"] == demo.SPLITS["train"]
    assert demo.NETWORK_PATH.stat().st_size < 1_000_000


def test_average_precision_on_unseen_scenes_is_as_described(classifier, unseen):
    truth = np.stack([demo.targets(scene.labels) for scene in unseen])
    found = average_precision(truth, scores_of(classifier, unseen))
    described = demo.description()["average_precision"]["val"]
    np.testing.assert_allclose(found, [described[label] for label in demo.LABELS], atol=1e-3)
    assert found.mean() == pytest.approx(described["mean"], abs=1e-3)
    assert 0.65 < found.mean() < 0.8


def test_training_scenes_give_enough_of_every_outcome(classifier):
    """What a study of cats and horses needs, away from the threshold, among training scenes."""
    images, truth = demo.dataset("train")
    scores = classifier.predict(images)
    described = demo.description()["average_precision"]
    assert average_precision(truth, scores).mean() == pytest.approx(
        described["train"]["mean"], abs=1e-3
    )
    assert described["train"]["mean"] > described["val"]["mean"] + 0.1
    for label in ("cat", "horse"):
        k = demo.LABELS.index(label)
        away = np.abs(scores[:, k] - classifier.thresholds[label]) > 0.05
        predicted = scores[:, k] > classifier.thresholds[label]
        counts = {
            "tp": (truth[:, k] & predicted & away).sum(),
            "fp": (~truth[:, k] & predicted & away).sum(),
            "fn": (truth[:, k] & ~predicted & away).sum(),
            "tn": (~truth[:, k] & ~predicted & away).sum(),
        }
        assert counts["tp"] >= 30, (label, counts)
        assert counts["fp"] >= 12, (label, counts)
        assert counts["fn"] >= 15, (label, counts)
        assert counts["tn"] >= 30, (label, counts)


def test_the_network_uses_the_planted_fence(classifier, unseen):
    """The horse score falls when the fence goes, horse or no horse; the cat score hardly moves."""
    fenced = [scene for scene in unseen if "fence" in scene.masks]
    change = scores_of(classifier, fenced) - scores_of(
        classifier, [scene.without("fence") for scene in fenced]
    )
    horse = np.array(["horse" in scene.labels for scene in fenced])
    k = demo.LABELS.index("horse")
    assert change[horse, k].mean() > 0.15
    assert change[~horse, k].mean() > 0.15
    assert abs(change[:, demo.LABELS.index("cat")].mean()) < 0.05


def test_layers_are_ones_that_relevance_propagation_knows(classifier):
    kinds = {type(layer).__name__ for layer in classifier.model.layers}
    assert kinds <= {"InputLayer", "Conv2D", "MaxPooling2D", "Flatten", "Dense"}
    assert classifier.input_shape == (demo.SIZE, demo.SIZE, 3)
    assert classifier.activation == "sigmoid"


def test_training_is_repeatable_and_reports_progress(tmp_path):
    runs = []
    for name in ("a.keras", "b.keras"):
        steps = []
        found = demo.train(
            tmp_path / name, seed=3, scenes=70, epochs=1,
            progress=lambda done, total, steps=steps: steps.append((done, total)),
        )  # fmt: skip
        assert steps[-1][0] == steps[-1][1]
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert found == demo.description(tmp_path / name)
        runs.append(found["average_precision"]["val"]["mean"])
    assert runs[0] == pytest.approx(runs[1], abs=0.01)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.keras", "a.json", "b.keras", "b.json"}


def test_training_refuses_bad_settings_before_it_starts(tmp_path):
    with pytest.raises(ExplainerError, match=r"end in \.keras, not 'model\.h5'"):
        demo.train(tmp_path / "model.h5")
    with pytest.raises(ExplainerError, match="at least 32 scenes and 1 epoch, not 8 and 20"):
        demo.train(tmp_path / "model.keras", scenes=8)
    assert list(tmp_path.iterdir()) == []


def test_seeds_start_different_networks():
    first, same, other = (network.build(seed).get_weights()[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.01
