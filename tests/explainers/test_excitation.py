from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from explainers import ALL, CLASS_AGNOSTIC, Classifier, ContrastiveMwp, ExplainerError, Mwp
from explainers.excitation import probabilities
from explainers.lrp import LRP, Composite, rules
from explainers.lrp.fold import fold
from explainers.lrp.graph import IMAGE, read

BOTH = pytest.mark.parametrize("method", [Mwp, ContrastiveMwp])


def images(*shape):
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)


def of(model, **options):
    return Classifier.from_keras(model, labels=None, **{"preprocess": "unit"} | options)


def conv(name, filters=4, size=3, **options):
    options = {"padding": "same", "activation": "relu"} | options
    return layers.Conv2D(filters, size, name=name, **options)


def drawn(model, seed=0):
    """The model with every weight drawn anew; variances of batch normalisation stay positive."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        values = random.normal(0, 0.5, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)
    return model


def sequential(*steps, shape=(24, 16, 3), activation="softmax"):
    end = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation=activation, name="top")]
    return drawn(keras.Sequential([keras.Input(shape), *steps, *end]))


# -- by hand ----------------------------------------------------------------------------------


def toy():
    """Two pixels (10, 20), two hidden ReLUs with the values 30 and 50, two outputs.

    Hidden: 1 * 10 + 1 * 20 and -1 * 10 + 3 * 20. Outputs: weights (2, 1) and (-1, 3).
    """
    model = keras.Sequential(
        [
            keras.Input((1, 2, 1)),
            layers.Flatten(),
            layers.Dense(2, activation="relu", name="hidden"),
            layers.Dense(2, activation="softmax"),
        ]
    )
    hidden, top = model.layers[1:]
    hidden.set_weights([np.array([[1.0, -1.0], [1.0, 3.0]]), np.array([0.0, 0.0])])
    top.set_weights([np.array([[2.0, -1.0], [1.0, 3.0]]), np.array([-500.0, 4.0])])
    return of(model, preprocess="none"), np.array([10.0, 20.0]).reshape(1, 2, 1)


def test_by_hand():
    """Output 0 hands 60/110 and 50/110 on, output 1 nothing and 1; hidden 0 hands 1/3 and 2/3 on,
    hidden 1 nothing and 1. The bias (-500, a score far below zero) plays no part."""
    classifier, image = toy()
    found = Mwp(classifier, layer="image").explain(image, ALL)
    first = 60 / 110 / 3
    np.testing.assert_allclose(found[:, 0], [[first, 1 - first], [0, 1]], rtol=1e-5, atol=1e-7)


def test_contrastive_by_hand():
    """The dual of output 0 has weights (-2, -1): nobody wins. That of output 1, (1, -3): hidden 0.

    So output 0 keeps its map, and output 1 has (0, 1) less (1/3, 2/3)."""
    classifier, image = toy()
    found = ContrastiveMwp(classifier, layer="image").explain(image, ALL)
    first = 60 / 110 / 3
    np.testing.assert_allclose(
        found[:, 0], [[first, 1 - first], [-1 / 3, 1 / 3]], rtol=1e-5, atol=1e-7
    )


def matrix(function, shape):
    """What a linear function does, as a matrix `(inputs, outputs)`: it is asked for every input."""
    basis = np.eye(int(np.prod(shape)), dtype=np.float32).reshape(-1, *shape)
    return np.asarray(function(basis)).reshape(len(basis), -1).astype(float)


def handed_on(activation, weights):
    """The table of conditional probabilities `(outputs, inputs)`: Zhang et al. 2016, Eq. 5."""
    excited = activation.ravel()[:, None] * np.maximum(weights, 0)
    total = excited.sum(0)
    return np.where(total > 0, excited / np.where(total > 0, total, 1), 0).T


@pytest.mark.parametrize("contrastive", [False, True])
def test_against_the_chain_of_probability_tables(contrastive):
    """Another implementation: every layer as a matrix, the probabilities as products of tables."""
    model = keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.AveragePooling2D((2, 1)),
            layers.Conv2D(4, 2, activation="relu", padding="same"),
            layers.Flatten(),
            layers.Dense(3, activation="sigmoid"),
        ]
    )
    drawn(model)
    image = np.random.default_rng(1).uniform(0, 1, (1, 6, 5, 2)).astype(np.float32)
    inputs = [image]
    for layer in model.layers:
        inputs.append(np.asarray(layer(inputs[-1])))
    first, pool, second, flatten, top = model.layers
    linear = [
        lambda x: keras.ops.conv(x, first.kernel, 1, "valid"),
        pool,
        lambda x: keras.ops.conv(x, second.kernel, 1, "same"),
        flatten,
        lambda x: keras.ops.matmul(x, top.kernel),
    ]
    tables = []
    for function, before in zip(linear, inputs[:-1], strict=True):
        weights = matrix(function, before.shape[1:])
        table = handed_on(before, weights)
        if contrastive and function is linear[-1]:
            table = table - handed_on(before, -weights)
        tables.append(table)

    nodes = fold(read(model))
    targets = tf.constant([[0, 1, 2]])
    reached = np.eye(3)
    # The nodes that yield what entered the layers: flatten is one of its own, each ReLU too.
    for stop, table in zip([4, 3, 2, 1, IMAGE], reversed(tables), strict=True):
        reached = reached @ table
        found = probabilities(
            nodes, tf.constant(image), targets, stop=stop, contrastive=contrastive
        ).numpy()
        np.testing.assert_allclose(found.reshape(3, -1), reached, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(reached.sum(1), 0 if contrastive else 1, atol=1e-6)


# -- properties -------------------------------------------------------------------------------


def branched(activation=None):
    """Branches, shortcuts, normalisation, values below zero where `activation` is None."""
    image = keras.Input((24, 16, 3))
    x = conv("stem", activation=activation)(image)
    y = layers.BatchNormalization()(conv("inner", activation=activation)(x))
    x = layers.Add(name="sum")([x, y])
    x = layers.AveragePooling2D(2, name="average")(x)
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.MaxPooling2D(2, name="maximum")(layers.Concatenate(name="joined")([x, y]))
    x = layers.Dense(64, activation="relu")(layers.Flatten()(x))
    return drawn(keras.Model(image, layers.Dense(3, activation="softmax")(x)), seed=3)


@pytest.mark.parametrize("lowest", [0.0, -1.0])
def test_over_a_layer_nobody_can_pass_by_probabilities_sum_to_1(lowest):
    """Values below zero or not; the contrast sums to 0."""
    nodes = fold(read(branched()))
    names = [node.name for node in nodes]
    image = np.random.default_rng(0).uniform(lowest, 1, (1, 24, 16, 3)).astype(np.float32)
    for layer in ("maximum", "joined", "average", "sum", "stem", None):
        stop = IMAGE if layer is None else names.index(layer)
        plain, contrast = (
            probabilities(
                nodes, tf.constant(image), tf.constant([[0, 1, 2]]), stop=stop, contrastive=which
            ).numpy()
            for which in (False, True)
        )
        assert plain.min() >= 0
        np.testing.assert_allclose(plain.sum((0, 2, 3, 4)), 1, rtol=1e-4)
        np.testing.assert_allclose(contrast.sum((0, 2, 3, 4)), 0, atol=1e-4)
        assert contrast.min() < 0 < contrast.max()


def test_past_a_layer_inside_a_shortcut_some_probability_escapes():
    """The negative control of the sums to 1."""
    found = Mwp(of(branched()), layer="inner").explain(images(24, 16, 3), 0)
    assert 0.01 < found.mean() * 24 * 16 < 0.99


def test_times_the_score_it_is_z_plus_relevance():
    """On a network of ReLUs whose input is not below zero, biases left out."""
    model = sequential(conv("a"), layers.MaxPooling2D(), conv("b"), activation=None)
    model.get_layer("top").bias.assign([4.0, 0.0, 0.0])  # a score above zero, and two below
    classifier, image = of(model), images(24, 16, 3)
    z_plus = partial(rules.z_plus, bias=False)
    composite = Composite(dict.fromkeys(("dense", "convolution", "depthwise"), z_plus))
    relevance = LRP(classifier, composite=composite).explain(image, ALL)
    scores = classifier.logits(image[np.newaxis])[0]
    assert scores.min() < 0 < scores.max()
    found = Mwp(classifier, layer="image").explain(image, ALL)
    np.testing.assert_allclose(
        found * scores[:, None, None], relevance, rtol=1e-3, atol=1e-6 * np.abs(relevance).max()
    )


def test_batch_normalisation_is_part_of_the_layer_before_it():
    """A twin whose weights were merged by hand gives the same map."""
    normalised = sequential(
        conv("a", activation=None),
        layers.BatchNormalization(name="bn"),
        layers.ReLU(name="relu"),
        layers.MaxPooling2D(name="pool"),
        conv("b"),
    )
    bn = normalised.get_layer("bn")
    random = np.random.default_rng(0)
    gamma, beta, mean, variance = (random.uniform(0.5, 1.5, 4) for _ in range(4))
    bn.set_weights([gamma, beta, mean, variance])
    merged = sequential(conv("a"), layers.MaxPooling2D(name="pool"), conv("b"))
    scale = gamma / np.sqrt(variance + bn.epsilon)
    kernel, bias = normalised.get_layer("a").get_weights()
    merged.get_layer("a").set_weights([kernel * scale, (bias - mean) * scale + beta])
    for name in ("b", "top"):
        merged.get_layer(name).set_weights(normalised.get_layer(name).get_weights())
    one, other = (
        ContrastiveMwp(of(model), layer="image").explain(images(24, 16, 3), ALL)
        for model in (normalised, merged)
    )
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)
    assert np.abs(one).max() > 1e-3


def test_the_contrast_tells_targets_apart():
    """Zhang et al. 2016, section 3.3: far down, plain maps of two targets are nearly the same."""
    nodes = fold(read(branched("relu")))
    image = np.random.default_rng(0).uniform(0, 1, (1, 24, 16, 3)).astype(np.float32)

    def likeness(contrastive):
        found = probabilities(
            nodes, tf.constant(image), tf.constant([[0, 1]]), stop=IMAGE, contrastive=contrastive
        )
        return np.corrcoef(tf.reduce_sum(found, -1).numpy().reshape(2, -1))[0, 1]

    assert likeness(False) > 0.8
    assert likeness(True) < 0.6


# -- which layer ------------------------------------------------------------------------------


def beside(*, first_pool):
    """A pooling layer on one of two branches; then two that every way passes."""
    image = keras.Input((32, 32, 3))
    x = layers.MaxPooling2D(name="one")(conv("a")(image)) if first_pool else conv("a")(image)
    y = layers.MaxPooling2D(3, strides=1, padding="same", name="beside")(x)
    x = layers.Concatenate(name="joined")([conv("b")(x), y])
    x = conv("c")(layers.AveragePooling2D(2, name="two")(x))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(name="three")(x))
    return keras.Model(image, layers.Dense(3)(x))


def strided(*strides, shape=(64, 48, 3)):
    steps = [conv(f"conv{i}", strides=stride) for i, stride in enumerate(strides)]
    return sequential(*steps, shape=shape)


def shortcut_past_the_stride():
    """As in a ResNet whose stride sits in the middle of a block: "inner" is still large."""
    image = keras.Input((64, 64, 3))
    x = conv("stem", strides=8)(image)
    y = conv("outer", strides=4)(conv("inner")(x))
    x = layers.Add()([conv("short", strides=4)(x), y])
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (lambda: beside(first_pool=True), "two"),
        (lambda: beside(first_pool=False), "three"),
        (lambda: strided(2, 2, 2), "conv2"),  # 8 x 6 of 64 x 48 is an eighth
        (lambda: strided(2, 2, 2, 2), "conv3"),  # a sixteenth: just above 13/227
        (lambda: strided(2, 2, 2, 2, 2), "conv3"),
        (lambda: strided(4, 8, 2, shape=(None, None, 1)), "conv0"),
        (lambda: strided(8, 8), "conv0"),
        (lambda: strided(32), "image"),
        (lambda: sequential(conv("a"), layers.MaxPooling2D(name="only")), "only"),
        (shortcut_past_the_stride, "stem"),
        (lambda: toy()[0].model, "image"),
    ],
)
@BOTH
def test_the_layer_that_is_shown(method, model, expected):
    assert method(of(model())).layer == expected


def test_the_usual_layer_is_the_one_that_is_named():
    classifier = of(beside(first_pool=True))
    image = images(32, 32, 3)
    usual = ContrastiveMwp(classifier).explain(image, ALL)
    np.testing.assert_array_equal(
        usual, ContrastiveMwp(classifier, layer="two").explain(image, ALL)
    )
    assert (usual != ContrastiveMwp(classifier, layer="three").explain(image, ALL)).any()


@BOTH
def test_the_map_is_enlarged_bilinearly(method):
    classifier = of(sequential(conv("a"), layers.MaxPooling2D(name="pool"), conv("b")))
    image = images(24, 16, 3)
    nodes = fold(read(classifier.model))
    small = probabilities(
        nodes,
        tf.constant(image[np.newaxis] / np.float32(255)),
        tf.constant([[1]]),
        stop=[node.name for node in nodes].index("pool"),
        contrastive=method is ContrastiveMwp,
    )
    summed = tf.reduce_sum(small[0, 0], axis=-1, keepdims=True)
    assert summed.shape == (12, 8, 1)
    expected = tf.image.resize(summed, (24, 16))[..., 0]
    found = method(classifier, layer="pool").explain(image, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-8)


# -- kinds of networks and targets ------------------------------------------------------------


def test_the_last_activation_does_not_matter():
    softmax, sigmoid, linear = (
        ContrastiveMwp(
            of(sequential(conv("a"), layers.MaxPooling2D(), conv("b"), activation=activation))
        ).explain(images(24, 16, 3), ALL)
        for activation in ("softmax", "sigmoid", None)
    )
    np.testing.assert_allclose(softmax, linear, rtol=1e-5)
    np.testing.assert_allclose(sigmoid, linear, rtol=1e-5)
    assert linear.shape == (3, 24, 16)
    assert linear.dtype == np.float32


@BOTH
def test_one_channel_and_a_single_output(method):
    model = keras.Sequential(
        [
            keras.Input((12, 20, 1)),
            conv("a"),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    found = method(of(drawn(model))).explain(images(12, 20, 1), 0)
    assert found.shape == (12, 20)
    assert found.max() > 0


@BOTH
def test_a_network_that_ends_in_its_convolution(method):
    """The contrast is at the last layer with weights, wherever that is."""
    model = keras.Sequential(
        [
            keras.Input((24, 16, 3)),
            conv("a"),
            conv("scores", 3, activation=None),
            layers.GlobalAveragePooling2D(),
            layers.Softmax(),
        ]
    )
    explainer = method(of(drawn(model)))
    assert explainer.layer == "a"
    found = explainer.explain(images(24, 16, 3), ALL)
    assert found.max() > 0
    assert (found.min() < 0) == (method is ContrastiveMwp)
    with pytest.raises(
        ExplainerError, match=r"'scores' yields no map .* below the layer of the sc"
    ):
        method(of(model), layer="scores")


def test_a_nested_network_gives_the_same_map():
    method = ContrastiveMwp
    flat = branched("relu")
    image = keras.Input((24, 16, 3))
    inner = keras.Model(flat.inputs, flat.layers[-2].output, name="base")
    nested = keras.Model(image, flat.layers[-1](inner(image)))
    picture = images(24, 16, 3)
    explainer = method(of(nested))
    assert explainer.layer == "base/maximum"
    expected = method(of(flat)).explain(picture, ALL)
    np.testing.assert_allclose(explainer.explain(picture, ALL), expected, rtol=1e-5, atol=1e-9)
    assert method(of(nested), layer="joined").layer == "base/joined"


@pytest.fixture(scope="module")
def classifier():
    return of(branched())


@BOTH
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_all_targets_together_equal_each_alone(classifier, method, batch_size):
    stack = images(3, 24, 16, 3)
    alone = np.stack(
        [[method(classifier).explain(image, target) for target in range(3)] for image in stack]
    )
    explainer = method(classifier, batch_size=batch_size)
    close = {"rtol": 1e-3, "atol": 1e-5 * np.abs(alone).max()}
    together = np.stack([explainer.explain(image, ALL) for image in stack])
    np.testing.assert_allclose(together, alone, **close)
    np.testing.assert_allclose(explainer.explain_batch(stack, ALL), alone, **close)
    whole = np.stack([explainer.explain(image, CLASS_AGNOSTIC) for image in stack])
    np.testing.assert_allclose(explainer.explain_batch(stack, CLASS_AGNOSTIC), whole, **close)


def test_half_precision_comes_near_single_precision():
    steps = [lambda: conv("a"), layers.MaxPooling2D, lambda: conv("b")]
    single = sequential(*(step() for step in steps))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = sequential(*(step() for step in steps))
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(single.get_weights())
    image = images(24, 16, 3)
    expected, found = (ContrastiveMwp(of(model)).explain(image, ALL) for model in (single, half))
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


# -- refusals ---------------------------------------------------------------------------------


@BOTH
def test_a_black_box_is_refused(method, black_box):
    with pytest.raises(ExplainerError, match=r"^(c-)?mwp needs the network.*black box"):
        method(black_box(lambda stack: stack.mean((1, 2)), 3))


@BOTH
def test_a_layer_that_cannot_be_passed_is_refused_as_by_lrp_in_its_own_name(method):
    classifier = of(sequential(conv("a"), layers.LayerNormalization(name="odd")))
    with pytest.raises(ExplainerError) as lrp:
        LRP(classifier)
    with pytest.raises(ExplainerError) as found:
        method(classifier)
    name = "c-mwp" if method is ContrastiveMwp else "mwp"
    assert str(found.value) == str(lrp.value).replace("lrp", name)
    assert str(lrp.value) == (
        "lrp cannot pass through the layer 'odd' (LayerNormalization); methods that need "
        "predictions only would work: debiased-rise, h2o, lime, mc-rise, multiscale, "
        "occluding-patches, occlusion, rise."
    )


@BOTH
@pytest.mark.parametrize("layer", ["nowhere", "", 3])
def test_an_unknown_layer_is_refused(classifier, method, layer):
    with pytest.raises(ExplainerError, match=r"No layer .*; the last that yield a map are .*maxim"):
        method(classifier, layer=layer)


@BOTH
def test_a_layer_without_a_map_is_refused(method):
    model = sequential(conv("a"))
    with pytest.raises(ExplainerError, match=f"'{model.layers[-2].name}' yields no map"):
        method(of(model), layer=model.layers[-2].name)
    with pytest.raises(ExplainerError, match="'top' yields no map"):
        method(of(model), layer="top")
