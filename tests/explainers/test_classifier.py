import numpy as np
import pytest

from explainers import ALL, CLASS_AGNOSTIC, Classifier, ExplainerError
from explainers.preprocessing import scales_pixels

LABELS = ["cat", "dog", "horse"]


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


def softmax(scores):
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(8).integers(0, 256, (5, 24, 24, 3)).astype(np.uint8)


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize(
    ("activation", "outputs", "function"),
    [
        ("softmax", 3, softmax),
        ("sigmoid", 3, sigmoid),
        ("sigmoid", 1, sigmoid),
        ("linear", 3, lambda scores: scores),
    ],
)
def test_heads(make_network, images, activation, outputs, function, separate):
    network = make_network(activation=activation, outputs=outputs, separate=separate)
    classifier = Classifier.from_keras(network, labels=LABELS[:outputs])
    assert classifier.activation == activation
    probabilities, logits = classifier.predict(images), classifier.logits(images)
    assert probabilities.shape == logits.shape == (5, outputs)
    assert probabilities.dtype == logits.dtype == np.float32
    np.testing.assert_allclose(
        probabilities, network.predict(images.astype(np.float32), verbose=0), rtol=1e-5
    )
    np.testing.assert_allclose(function(logits), probabilities, rtol=1e-4, atol=1e-7)
    features = classifier.embed(images)
    dense = next(layer for layer in reversed(network.layers) if layer.weights)
    kernel, bias = dense.get_weights()
    assert features.shape == (5, 6)
    np.testing.assert_allclose(features @ kernel + bias, logits, rtol=1e-4, atol=1e-4)


def test_a_nested_network_is_the_same_network(network, images):
    import keras

    nested = keras.Sequential([keras.Input((24, 24, 3)), keras.layers.Rescaling(1.0), network])
    inner = Classifier.from_keras(network, labels=LABELS)
    outer = Classifier.from_keras(nested, labels=LABELS)
    assert outer.activation == "sigmoid"
    for read in ("predict", "logits", "embed"):
        expected = getattr(inner, read)(images)
        np.testing.assert_allclose(getattr(outer, read)(images), expected, rtol=1e-5)


def test_a_convolutional_head_with_its_activation_inside_has_no_readable_logits(images):
    import keras

    network = keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            keras.layers.SeparableConv2D(3, 24, activation="sigmoid"),
            keras.layers.GlobalMaxPooling2D(),
        ]
    )
    classifier = Classifier.from_keras(network, labels=LABELS)
    # Seen from the output, pooling is the last operation: its values are scores as they are.
    assert classifier.activation == "linear"
    np.testing.assert_array_equal(classifier.logits(images), classifier.predict(images))
    assert classifier.embed(images).shape == (5, 3)


def test_preprocessings(network, images):
    pixels = images.astype(np.float32)
    expected = {
        "none": pixels,
        "unit": pixels / 255,
        "signed": pixels / 127.5 - 1,
        # The means of ImageNet in blue, green, red, as published with the Caffe networks.
        "caffe": pixels[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32),
    }
    for name, inputs in expected.items():
        classifier = Classifier.from_keras(network, labels=LABELS, preprocess=name)
        assert classifier.preprocess == name
        np.testing.assert_allclose(classifier.prepare(pixels), inputs, rtol=1e-5, atol=1e-5)
        scores = network.predict(inputs, verbose=0)
        np.testing.assert_allclose(classifier.predict(images), scores, rtol=1e-4, atol=1e-7)


def test_batches_are_padded_and_cut(classifier, images):
    whole = classifier.predict(images)
    for batch_size in (1, 2, 3, 5, 64):
        np.testing.assert_allclose(classifier.predict(images, batch_size), whole, atol=1e-6)


def test_a_network_without_a_fixed_size(images):
    import keras

    network = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(2, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    classifier = Classifier.from_keras(network, labels=LABELS)
    assert classifier.input_shape == (None, None, 3)
    assert classifier.predict(images).shape == classifier.predict(images[:, :9, :17]).shape


def test_a_saved_network_is_the_same_classifier(network, images, tmp_path):
    network.save(tmp_path / "network.keras")
    kept = Classifier.from_keras(network, labels=LABELS)
    loaded = Classifier.from_keras(tmp_path / "network.keras", labels=LABELS)
    np.testing.assert_array_equal(loaded.predict(images), kept.predict(images))
    assert loaded.fingerprint() == kept.fingerprint()


def test_fingerprints_differ_with_weights_architecture_and_preprocessing(make_network):
    import keras

    def fingerprint(network, preprocess="none"):
        return Classifier.from_keras(network, labels=LABELS, preprocess=preprocess).fingerprint()

    network = make_network()
    same = keras.models.clone_model(network)
    same.set_weights(network.get_weights())
    assert fingerprint(same) == fingerprint(network)
    assert len(fingerprint(network)) == 64
    other = keras.models.clone_model(network)
    weights = network.get_weights()
    weights[-1][0] += 1e-3
    other.set_weights(weights)
    assert fingerprint(other) != fingerprint(network)
    assert fingerprint(network, "unit") != fingerprint(network)
    assert fingerprint(make_network(activation="softmax")) != fingerprint(network)


def test_explaining_leaves_the_network_as_it_was(network, images):
    before = [weights.copy() for weights in network.get_weights()], network.to_json()
    classifier = Classifier.from_keras(network, labels=LABELS)
    classifier.logits(images)
    classifier.embed(images)
    assert network.to_json() == before[1]
    for kept, found in zip(before[0], network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, kept)


def test_targets(classifier):
    assert classifier.index("horse") == classifier.index(2) == classifier.index(np.int64(2)) == 2
    assert classifier.indices("dog") == (1,)
    assert classifier.indices(["horse", 0]) == (2, 0)
    assert classifier.indices(np.array([1, 2])) == (1, 2)
    assert classifier.indices(ALL) == (0, 1, 2)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("cow", "no label 'cow'; it has cat, dog, horse"),
        (3, "no output 3; the classifier has 3"),
        (-1, "no output -1"),
        (True, "a label or an index, not True"),
        (1.0, "a label or an index, not 1.0"),
        (None, "a label or an index, not None"),
        ([], "empty"),
        (["cat", "cow"], "no label 'cow'"),
        ([ALL], "ALL stands for all labels and is a target by itself"),
        ([CLASS_AGNOSTIC, "cat"], "CLASS_AGNOSTIC stands for the whole prediction and"),
    ],
)
def test_unknown_targets(classifier, target, message):
    with pytest.raises(ExplainerError, match=message):
        classifier.indices(target)


def test_thresholds(network):
    def thresholds(given):
        return Classifier.from_keras(network, labels=LABELS, thresholds=given).thresholds

    assert thresholds(None) == {"cat": 0.5, "dog": 0.5, "horse": 0.5}
    assert thresholds({"dog": 0.2}) == {"cat": 0.5, "dog": 0.2, "horse": 0.5}
    for wrong in ({"cow": 0.5}, {"cat": "high"}, {"cat": float("nan")}, {"cat": 10**400}, [1], 5):
        with pytest.raises(ExplainerError, match=r"[Tt]hreshold"):
            thresholds(wrong)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["cat", "dog"], "2 labels are given for a network with 3 outputs"),
        (["cat", "dog", "cat"], "'cat' is given more than once"),
        (["cat", "", "dog"], "non-empty"),
        ([], "non-empty"),
        ([0, 1, 2], "non-empty name"),
        ("cat", "sequence of names"),
        (5, "sequence of names, not as 5"),
    ],
)
def test_unusable_labels(network, labels, message):
    with pytest.raises(ExplainerError, match=message):
        Classifier.from_keras(network, labels=labels)


def test_without_labels_outputs_are_numbered(network):
    assert Classifier.from_keras(network, labels=None).labels == ("0", "1", "2")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.keras", b"not a model", "its content is of another kind, or damaged; expected"),
        ("older.keras", b"\x89HDF\r\n\x1a\n", "its content is of another kind"),
        ("newer.h5", b"PK\x03\x04", "its content is of another kind"),
        ("empty.keras", b"", "it is empty; expected what model.save wrote"),
        ("empty.h5", b"", "it is empty"),
        ("notes.txt", b"not a model", "its name does not end so"),
        ("notes", b"not a model", "its name does not end so"),
        ("folder.keras", None, "it is a folder; expected"),
        ("begun.h5", b"\x89HDF\r\n\x1a\n", ""),  # Keras' own words
    ],
)
def test_files_that_are_no_model(tmp_path, name, content, reason):
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ExplainerError) as caught:
        Classifier.from_keras(path, labels=LABELS)
    assert str(caught.value).startswith(f"{path} cannot be read as a Keras model: {reason}")
    assert "\n" not in str(caught.value)


def test_a_damaged_model_file(network, tmp_path):
    network.save(tmp_path / "whole.keras")
    (tmp_path / "cut.keras").write_bytes((tmp_path / "whole.keras").read_bytes()[:-100])
    with pytest.raises(ExplainerError, match=r"cut\.keras cannot be read .*damaged; expected"):
        Classifier.from_keras(tmp_path / "cut.keras", labels=LABELS)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_an_older_model_file(network, images, tmp_path):
    network.save(tmp_path / "older.h5")
    kept = Classifier.from_keras(network, labels=LABELS)
    loaded = Classifier.from_keras(tmp_path / "older.h5", labels=LABELS)
    np.testing.assert_array_equal(loaded.predict(images), kept.predict(images))


def test_what_is_no_model_at_all(tmp_path):
    with pytest.raises(ExplainerError, match=r"There is no model file .*absent.keras"):
        Classifier.from_keras(tmp_path / "absent.keras", labels=LABELS)
    with pytest.raises(ExplainerError, match="Expected a Keras model or its file, not 7"):
        Classifier.from_keras(7, labels=LABELS)


def test_models_that_are_no_image_classifier():
    import keras

    vectors = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    maps = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3)])
    many = keras.Sequential([keras.Input((8, 8, 5)), keras.layers.Flatten()])
    one = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(one)
    twice = keras.Model(one, [keras.layers.Dense(3)(flat), keras.layers.Dense(3)(flat)])
    for model, message in (
        (vectors, "takes inputs of shape"),
        (many, "1 or 3 channels"),
        (maps, "one score per label"),
        (twice, "1 inputs and 2 outputs"),
        (keras.Sequential([keras.layers.Dense(3)]), "0 inputs and 0 outputs"),
    ):
        with pytest.raises(ExplainerError, match=message):
            Classifier.from_keras(model, labels=LABELS)


def test_unknown_preprocessing(network, make_network):
    with pytest.raises(ExplainerError, match="no preprocessing 'imagenet'; it is one of none"):
        Classifier.from_keras(network, labels=LABELS, preprocess="imagenet")
    with pytest.raises(ExplainerError, match="'caffe' needs 3 channels"):
        Classifier.from_keras(make_network(channels=1), labels=LABELS, preprocess="caffe")


def test_a_preprocessing_that_is_no_function_of_a_tensor(network):
    """Found when the classifier is made, before Keras and TensorFlow have their many words."""
    for wrong, message in (
        (lambda x: np.asarray(x) / 255, r"cannot be used inside TensorFlow \(.*NumPy array\."),
        (lambda: None, "cannot be used inside TensorFlow"),
        (lambda x: None, "returns no tensor"),
    ):
        with pytest.raises(
            ExplainerError, match=rf"The preprocessing .*<lambda> {message}"
        ) as found:
            Classifier.from_keras(network, labels=LABELS, preprocess=wrong)
        assert "\n" not in str(found.value)


def test_functions_of_tensors_are_preprocessings(network, images):
    import keras

    expected = Classifier.from_keras(network, labels=LABELS, preprocess="signed").predict(images)
    for function in (lambda x: x / 127.5 - 1, keras.applications.mobilenet.preprocess_input):
        found = Classifier.from_keras(network, labels=LABELS, preprocess=function).predict(images)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_whether_a_network_scales_pixels_itself(network):
    import keras

    image = keras.Input((24, 24, 3))
    rescaled = keras.Sequential([keras.layers.Rescaling(1 / 255), network])
    assert scales_pixels(rescaled)
    assert scales_pixels(keras.Sequential([keras.Input((24, 24, 3)), rescaled]))
    assert scales_pixels(keras.Model(image, network(image / 255)))
    assert scales_pixels(keras.Sequential([keras.layers.Normalization(mean=1, variance=2)]))
    assert not scales_pixels(network)
    assert not scales_pixels(keras.Model(image, network(image)))


def test_black_boxes(black_box, images):
    means = black_box(lambda batch: batch.mean((1, 2)), 3, input_shape=(24, 24, 3))
    np.testing.assert_allclose(means.predict(images, batch_size=2), images.mean((1, 2)), rtol=1e-5)
    assert means.model is None
    for read in (means.logits, means.embed, lambda _: means.graph(), lambda _: means.fingerprint()):
        with pytest.raises(ExplainerError, match="needs the network itself"):
            read(images)
    with pytest.raises(ExplainerError, match=r"classifier takes \(24, 24, 3\)"):
        means.predict(images[:, :20])
    with pytest.raises(ExplainerError, match="is a function, not 'abc'"):
        Classifier.from_callable("abc", labels=LABELS)
    with pytest.raises(ExplainerError, match="input shape is"):
        Classifier.from_callable(len, labels=LABELS, input_shape=(24, 24))
    with pytest.raises(ExplainerError, match="input shape is 5"):
        Classifier.from_callable(len, labels=LABELS, input_shape=5)


@pytest.mark.parametrize("batch_size", [0, -3, 4097, 2.0, True, None])
def test_odd_batch_sizes(classifier, images, batch_size):
    with pytest.raises(ExplainerError, match="batch size is"):
        classifier.predict(images, batch_size)


def test_softmax_by_tensorflows_own_name_is_softmax():
    import keras
    import tensorflow as tf

    image = keras.Input((4, 4, 3))
    flat = keras.layers.Flatten()(image)
    model = keras.Model(image, keras.layers.Dense(3, activation=tf.nn.softmax)(flat))
    classifier = Classifier.from_keras(model, labels=None)
    assert classifier.activation == "softmax"
    picture = np.full((1, 4, 4, 3), 9, np.uint8)
    logits = classifier.logits(picture)
    assert not np.allclose(logits, classifier.predict(picture))
    np.testing.assert_allclose(
        tf.nn.softmax(logits).numpy(), classifier.predict(picture), rtol=1e-5
    )


def test_a_functions_own_buffer_is_copied(black_box):
    buffer = np.zeros((1, 1))

    def function(images):
        buffer[0] = images.mean()
        return buffer

    classifier = black_box(function)
    first = classifier.score(np.full((1, 2, 2, 3), 1, np.float32))
    classifier.score(np.full((1, 2, 2, 3), 5, np.float32))
    assert first == 1
