"""Training the last layers further: what changes, what does not, and going on where it stopped."""

import numpy as np
import pytest

from explainers import Classifier, ExplainerError
from explainers.training import fine_tune, save_model, train_head

LABELS = ["red"]


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(4)
    return rng.integers(0, 256, (24, 8, 8, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def truth(images):
    # Nothing a mean over the plane can tell: whether red grows to the right.
    red = images[..., 0].astype(float)
    return red[:, :, 4:].mean((1, 2), keepdims=False)[:, None] > red[:, :, :4].mean((1, 2))[:, None]


def network(images, truth):
    """Two convolutions with normalisation between, and a head fitted on them."""
    import keras

    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 3), name="picture")
    x = keras.layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Conv2D(6, 6, activation="relu", name="last")(x)
    backbone = keras.Model(inputs, x)
    return train_head(backbone, images, truth, labels=LABELS)


def weights(model):
    return {layer.name: [w.copy() for w in layer.get_weights()] for layer in model.layers}


def loss(model, images, truth):
    scores = Classifier.from_keras(model, labels=LABELS, preprocess="signed").predict(images)
    return float(-np.log(np.where(truth, scores, 1 - scores)).mean())


def tune(model, images, truth, **options):
    chosen = {"layers": 1, "epochs": 3, "learning_rate": 1e-2, "batch_size": 10, **options}
    return fine_tune(model, images, truth, preprocess="signed", **chosen)


def test_the_last_layer_and_the_head_are_trained_and_nothing_else(images, truth):
    model = network(images, truth)
    before, at_first = weights(model), loss(model, images, truth)
    steps = []
    tuned = tune(model, images, truth, progress=lambda *step: steps.append(step))
    after = weights(tuned)
    for name in ("first", "norm"):
        for old, new in zip(before[name], after[name], strict=True):
            np.testing.assert_array_equal(old, new)
    for name in ("last", "head_labels"):
        assert not np.allclose(before[name][0], after[name][0])
    assert loss(tuned, images, truth) < 0.8 * at_first
    assert steps[:3] == [(10, 72), (20, 72), (24, 72)]
    assert steps[-1] == (72, 72)


def test_more_layers_reach_further_back_but_normalisation_keeps_its_statistics(images, truth):
    model = network(images, truth)
    before = weights(model)
    after = weights(tune(model, images, truth, layers=2, epochs=1))
    assert not np.allclose(before["first"][0], after["first"][0])
    for old, new in zip(before["norm"], after["norm"], strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_interrupted_training_ends_as_an_uninterrupted_one(images, truth, tmp_path):
    whole = weights(tune(network(images, truth), images, truth))

    def stop(done, total):
        if done > 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(network(images, truth), images, truth, keep=tmp_path, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1.keras"]
    done = []
    resumed = tune(
        network(images, truth), images, truth, keep=tmp_path, progress=lambda d, _: done.append(d)
    )
    assert done[0] == 34
    for name, values in weights(resumed).items():
        for one, other in zip(values, whole[name], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_file_holds_the_network_without_its_optimiser(images, truth, tmp_path):
    import keras

    tuned = tune(network(images, truth), images, truth, epochs=1)
    save_model(tuned, tmp_path / "tuned.keras")
    loaded = keras.models.load_model(tmp_path / "tuned.keras")
    assert not getattr(loaded, "optimizer", None)
    assert all(layer.trainable for layer in loaded.layers)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layers": 3}, "layers is 3; expected 1 to 2"),
        ({"layers": 0}, "layers is 0; expected 1 to 2"),
        ({"epochs": 0}, "at least one epoch"),
        ({"learning_rate": 0}, "expected a rate above 0"),
        ({"learning_rate": float("nan")}, "expected a rate above 0"),
        ({"images": 3}, "There are 3 images but 24 rows of truth"),
    ],
)
def test_what_is_wrong_is_said(images, truth, options, sentence):
    count = options.pop("images", len(images))
    with pytest.raises(ExplainerError, match=sentence):
        tune(network(images, truth), images[:count], truth, **options)
