"""Where a head begins, and VGG16 where its weights cannot be had."""

import numpy as np
import pytest

from explainers import ExplainerError
from explainers.training import backbone_of, vgg16


def layers(*after):
    """An 8 px convolution with what comes after it."""
    import keras

    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu"), *after]
    )


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(2).random((1, 8, 8, 3), np.float32)


def test_pooling_flattening_and_what_is_behind_are_left_out(image):
    import keras

    plain = layers()
    expected = np.asarray(plain(image))
    assert expected.shape == (1, 6, 6, 4)
    for after in (
        [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)],
        [keras.layers.Flatten(), keras.layers.Dense(5), keras.layers.Dense(2)],
    ):
        found = backbone_of(layers(*after))
        np.testing.assert_allclose(np.asarray(found(image)), expected, atol=1e-6)
    inner = layers()
    outer = keras.Sequential([inner, keras.layers.Flatten(), keras.layers.Dense(2)])
    np.testing.assert_allclose(np.asarray(backbone_of(outer)(image)), expected, atol=1e-6)
    assert backbone_of(plain) is plain


def test_a_network_without_a_plane_is_refused():
    import keras

    flat = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ExplainerError, match="no output of shape"):
        backbone_of(flat)
    one, other = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    with pytest.raises(ExplainerError, match="not one input and one output"):
        backbone_of(keras.Model([one, other], keras.layers.add([one, other])))


def test_without_its_weights_the_sentence_says_what_to_do(monkeypatch, tmp_path):
    from keras.src.applications import vgg16 as source
    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path), raising=False)
    monkeypatch.setattr(source, "WEIGHTS_PATH_NO_TOP", (tmp_path / "none.h5").as_uri())
    with pytest.raises(ExplainerError, match=r"put Keras' file vgg16_weights.*notop\.h5 into"):
        vgg16(32)
    with pytest.raises(ExplainerError, match="at least 32 px, not 16"):
        vgg16(16)
