"""Ours against other programs: zennit and captum on a twin in torch, Xplique on the same network.

They are no part of the test environment; requirements-outside.txt says how to get them. Where the
definitions differ, the test says how, and compares what they have in common.
"""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from explainers import ALL, Classifier
from explainers.fem import Fem
from explainers.grad_cam import GradCam
from explainers.gradient import Gradient
from explainers.lrp import LRP, Composite, rules
from explainers.lrp.composites import uniform
from explainers.occlusion import Occlusion
from explainers.rise import Rise
from explainers.sampling import GridMasks, draw

HEIGHT, WIDTH, CLASSES = 26, 22, 4
EPSILON = 1e-8
LABELS = [f"label {index}" for index in range(CLASSES)]
IMAGES = np.random.default_rng(1).uniform(0, 255, (3, HEIGHT, WIDTH, 3)).astype(np.float32)

pytestmark = pytest.mark.filterwarnings("default")  # theirs are not ours to mend


def outside(name):
    reason = f"{name} is not installed (see requirements-outside.txt)"
    return pytest.importorskip(name, reason=reason, exc_type=ImportError)


def network():
    """Every kind of layer the twin has, with random weights; pixels -1..1, scores by softmax.

    Normalisation has a small epsilon: zennit merges it into its layer as ours does, but goes on
    dividing by the square root of 1 + epsilon.
    """
    normalisation = partial(layers.BatchNormalization, epsilon=EPSILON)
    image = keras.Input((HEIGHT, WIDTH, 3))
    x = layers.Conv2D(8, 3, padding="same", name="conv1")(image)
    x = layers.ReLU()(normalisation(name="bn1")(x))
    x = short = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv2")(x)
    x = normalisation(name="bn2")(x)
    x = layers.ReLU()(layers.Add()([x, short]))
    x = layers.AveragePooling2D(2)(x)
    x = layers.Conv2D(12, 3, activation="relu", name="conv3")(x)
    x = layers.Dense(10, activation="relu", name="dense1")(layers.Flatten()(x))
    model = keras.Model(image, layers.Dense(CLASSES, activation="softmax", name="dense2")(x))
    random = np.random.default_rng(0)
    for variable in model.weights:
        spread = random.normal(0, 1, variable.shape)
        fan_in = int(np.prod(variable.shape[:-1])) or 1
        positive = "variance" in variable.path or "gamma" in variable.path
        value = 0.5 + np.abs(spread) if positive else spread * (2 / fan_in) ** 0.5
        variable.assign(value if len(variable.shape) > 1 or positive else 0.1 * spread)
    return model


@pytest.fixture(scope="module")
def classifier():
    return Classifier.from_keras(network(), labels=LABELS, preprocess="signed")


@pytest.fixture(scope="module")
def twin(classifier):
    """The same network in torch, in double precision; yields the scores before softmax."""
    torch = outside("torch")
    nn = torch.nn

    try:  # zennit knows additions by this module
        from zennit.layer import Sum
    except ImportError:

        class Sum(nn.Module):
            def forward(self, x):
                return x.sum(-1)

    class Twin(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8, eps=EPSILON)
            self.relu1, self.most = nn.ReLU(), nn.MaxPool2d(2)
            self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(8, eps=EPSILON)
            self.add, self.relu2, self.mean = Sum(), nn.ReLU(), nn.AvgPool2d(2)
            self.conv3, self.relu3 = nn.Conv2d(8, 12, 3), nn.ReLU()
            places = (HEIGHT // 4 - 2) * (WIDTH // 4 - 2)
            self.dense1, self.relu4 = nn.Linear(12 * places, 10), nn.ReLU()
            self.dense2 = nn.Linear(10, CLASSES)

        def forward(self, x):
            short = self.most(self.relu1(self.bn1(self.conv1(x))))
            x = self.bn2(self.conv2(short))
            x = self.mean(self.relu2(self.add(torch.stack([x, short], dim=-1))))
            x = self.relu3(self.conv3(x))
            x = x.permute(0, 2, 3, 1).flatten(1)  # channels last, as Keras flattens
            return self.dense2(self.relu4(self.dense1(x)))

    found = Twin()
    for name, module in found.named_children():
        if not list(module.parameters()):
            continue
        keras_weights = [
            torch.tensor(one) for one in classifier.model.get_layer(name).get_weights()
        ]
        if isinstance(module, nn.BatchNorm2d):
            names = ("weight", "bias", "running_mean", "running_var")
        else:
            order = (3, 2, 0, 1) if isinstance(module, nn.Conv2d) else (1, 0)
            keras_weights[0] = keras_weights[0].permute(order)
            names = ("weight", "bias")[: len(keras_weights)]
        state = module.state_dict()
        state.update(zip(names, keras_weights, strict=True))
        module.load_state_dict(state)
    return found.double().eval()


def in_torch(images):
    """Images `(N, H, W, C)` as the twin takes them."""
    torch = outside("torch")
    return torch.tensor(np.moveaxis(images, -1, 1).astype(np.float64))


def prepared(images):
    return images / 127.5 - 1


def assert_close(found, expected, tolerance):
    """Equal up to `tolerance` times the largest value; prints how near."""
    assert found.shape == expected.shape
    scale = np.abs(expected).max()
    assert scale > 0
    difference = np.abs(found - expected).max() / scale
    print(f"largest difference {difference:.1e} of the largest value")
    assert difference < tolerance


def test_the_twin_has_the_networks_scores(classifier, twin):
    found = twin(prepared(in_torch(IMAGES))).detach().numpy()
    assert_close(classifier.logits(IMAGES), found, 1e-5)


# -- zennit: layer-wise relevance propagation ----------------------------------------------------


def zennit_maps(twin, composite):
    """Relevance of every target's score, summed over channels, `(N, targets, H, W)`."""
    torch = outside("torch")
    attribution = outside("zennit.attribution")
    maps = []
    for target in range(CLASSES):
        with attribution.Gradient(model=twin, composite=composite) as attributor:
            chosen = torch.eye(CLASSES, dtype=torch.float64)[target]
            images = prepared(in_torch(IMAGES))
            _, found = attributor(images, lambda scores, chosen=chosen: scores * chosen)
        maps.append(found.sum(1).detach().numpy())
    return np.stack(maps, axis=1)


STABLE = 1e-12  # zennit adds this to every denominator; its own 1e-6 would show


def zennit_composite(name):
    composites = outside("zennit.composites")
    outside("zennit.canonizers")
    from zennit.canonizers import SequentialMergeBatchNorm

    options = {"stabilizer": STABLE, "canonizers": [SequentialMergeBatchNorm()]}
    if name == "EpsilonGammaBox":
        options |= {"low": -1.0, "high": 1.0}
    return getattr(composites, name)(epsilon=1e-6, **options)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("preset-a", "EpsilonPlus"),  # z+ is alpha 1, beta 0
        ("preset-a-flat", "EpsilonPlusFlat"),
        ("preset-b", "EpsilonAlpha2Beta1"),
        ("preset-b-flat", "EpsilonAlpha2Beta1Flat"),
        ("epsilon-plus", "EpsilonPlus"),
        ("epsilon-gamma-box", "EpsilonGammaBox"),
    ],
)
def test_composites_are_zennits(classifier, twin, ours, theirs):
    """With zennit's epsilon; the presets' own, 0.1, is that of another tradition."""
    found = LRP(classifier, composite=ours, epsilon=1e-6).explain_batch(IMAGES, ALL)
    assert_close(found, zennit_maps(twin, zennit_composite(theirs)), 1e-4)


def test_another_composite_is_not(classifier, twin):
    found = LRP(classifier, composite="preset-b", epsilon=1e-6).explain_batch(IMAGES, ALL)
    with pytest.raises(AssertionError):
        assert_close(found, zennit_maps(twin, zennit_composite("EpsilonPlus")), 1e-2)


# One rule for all layers with weights, or for the first after z+ in the others: flat and w2 give
# relevance to inputs of zero, which zennit drops in averages and sums and ours shares out equally.
# zennit's w2 squares the bias too, ours leaves it out: zennit is asked to do the same.
EVERYWHERE = {
    "z": (rules.z, ("Epsilon", {"epsilon": STABLE})),
    "epsilon": (partial(rules.epsilon, epsilon=0.25), ("Epsilon", {"epsilon": 0.25})),
    "z+": (rules.z_plus, ("ZPlus", {"stabilizer": STABLE})),
    "alpha2-beta1": (
        partial(rules.alpha_beta, alpha=2.0, beta=1.0),
        ("AlphaBeta", {"alpha": 2.0, "beta": 1.0, "stabilizer": STABLE}),
    ),
    "gamma": (partial(rules.gamma, gamma=0.3), ("Gamma", {"gamma": 0.3, "stabilizer": STABLE})),
}
FIRST = {
    "flat": (rules.flat, ("Flat", {"stabilizer": STABLE})),
    "w2": (rules.w2, ("WSquare", {"stabilizer": STABLE, "zero_params": "bias"})),
    "bounded box": (rules.bounded_box, ("ZBox", {"low": -1.0, "high": 1.0, "stabilizer": STABLE})),
}


@pytest.mark.parametrize("rule", [*EVERYWHERE, *FIRST])
def test_rules_are_zennits(classifier, twin, rule):
    ours, (theirs, options) = (EVERYWHERE | FIRST)[rule]
    composites, zennit_rules = outside("zennit.composites"), outside("zennit.rules")
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.types import Linear

    hook = getattr(zennit_rules, theirs)(**options)
    first = []
    composite = uniform(ours)
    if rule in FIRST:
        first = [(Linear, hook)]
        hook = zennit_rules.ZPlus(stabilizer=STABLE)
        composite = Composite(uniform(rules.z_plus).table, first=ours)
    theirs = composites.SpecialFirstLayerMapComposite(
        layer_map=[*composites.layer_map_base(STABLE), (Linear, hook)],
        first_map=first,
        canonizers=[SequentialMergeBatchNorm()],
    )
    found = LRP(classifier, composite=composite).explain_batch(IMAGES, ALL)
    assert_close(found, zennit_maps(twin, theirs), 1e-4)


# -- captum --------------------------------------------------------------------------------------


def probabilities(twin):
    """From pixels 0..255 to probabilities, as Gradient and Occlusion read the network."""
    return lambda images: twin(prepared(images)).softmax(dim=-1)


def for_all_targets(attribute):
    return np.stack([attribute(target).detach().numpy() for target in range(CLASSES)], axis=1)


def test_gradient_is_captums_saliency(classifier, twin):
    captum = outside("captum.attr")
    method = captum.Saliency(probabilities(twin))
    theirs = for_all_targets(
        lambda target: method.attribute(in_torch(IMAGES).requires_grad_(), target).amax(1)
    )
    assert_close(Gradient(classifier).explain_batch(IMAGES, ALL), theirs, 1e-4)


def test_grad_cam_is_captums(classifier, twin):
    captum = outside("captum.attr")
    method = captum.LayerGradCam(twin, twin.relu3)

    def attribute(target):
        small = method.attribute(prepared(in_torch(IMAGES)), target, relu_attributions=True)
        return captum.LayerAttribution.interpolate(small, (HEIGHT, WIDTH), "bilinear")[:, 0]

    assert_close(GradCam(classifier).explain_batch(IMAGES, ALL), for_all_targets(attribute), 1e-4)


def test_occlusion_is_captums(classifier, twin):
    """Boxes side by side, cropped at the border. Where boxes overlap captum has fewer of them:
    it stops at the first that reaches the border, ours at the last that starts inside."""
    captum = outside("captum.attr")
    method = captum.Occlusion(probabilities(twin))
    theirs = for_all_targets(
        lambda target: method.attribute(
            in_torch(IMAGES),
            sliding_window_shapes=(3, 7, 7),
            strides=(3, 7, 7),
            target=target,
            baselines=0.0,
        )[:, 0]
    )
    ours = np.stack([Occlusion(classifier, box=7).explain(image, ALL) for image in IMAGES])
    assert_close(ours, theirs, 1e-4)


def test_epsilon_is_captums_too():
    """captum's own relevance propagation knows no addition of branches: a network without."""
    torch, captum = outside("torch"), outside("captum.attr")
    from captum.attr._utils.lrp_rules import EpsilonRule

    class Chain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mean, self.conv = torch.nn.AvgPool2d(2), torch.nn.Conv2d(3, 12, 3)
            self.relu, self.dense = torch.nn.ReLU(), torch.nn.Linear(12 * 11 * 9, CLASSES)

        def forward(self, x):
            return self.dense(self.relu(self.conv(self.mean(x))).flatten(1))

    torch.manual_seed(0)
    theirs = Chain().double().eval()

    def attribute(target):  # captum forgets the rules after each use
        theirs.conv.rule, theirs.dense.rule = EpsilonRule(0.25), EpsilonRule(0.25)
        theirs.mean.rule = EpsilonRule(STABLE)  # ours has none for averages
        return captum.LRP(theirs).attribute(prepared(in_torch(IMAGES)), target).sum(1)

    model = keras.Sequential(
        [
            keras.Input((HEIGHT, WIDTH, 3)),
            layers.AveragePooling2D(2),
            layers.Conv2D(12, 3, activation="relu"),
            layers.Permute((3, 1, 2)),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    weights = [value.numpy() for value in theirs.state_dict().values()]
    model.set_weights([weights[0].transpose(2, 3, 1, 0), weights[1], weights[2].T, weights[3]])
    ours = LRP(
        Classifier.from_keras(model, labels=LABELS, preprocess="signed"),
        composite=uniform(partial(rules.epsilon, epsilon=0.25)),
    )
    assert_close(ours.explain_batch(IMAGES, ALL), for_all_targets(attribute), 1e-4)


# -- Xplique -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(classifier):
    """The network from pixels 0..255 to probabilities."""
    image = keras.Input((HEIGHT, WIDTH, 3))
    return keras.Model(image, classifier.model(layers.Rescaling(1 / 127.5, offset=-1)(image)))


def xplique_maps(method):
    """Maps `(N, targets, H, W)` from an Xplique explainer, which takes targets as one-hot rows."""
    targets = np.eye(CLASSES, dtype=np.float32)
    maps = [
        np.asarray(method.explain(IMAGES, np.tile(one, (len(IMAGES), 1)))).reshape(IMAGES.shape[:3])
        for one in targets
    ]
    return np.stack(maps, axis=1)


def test_occlusion_is_xpliques(classifier, whole):
    """Boxes side by side that fill the image: Xplique leaves out cropped ones, and adds up where
    boxes overlap (ours takes the mean)."""
    attributions = outside("xplique.attributions")
    ours = np.stack([Occlusion(classifier, box=2).explain(image, ALL) for image in IMAGES])
    same, other = (
        xplique_maps(attributions.Occlusion(whole, patch_size=side, patch_stride=side))
        for side in (2, 1)
    )
    assert_close(ours, same, 1e-4)
    with pytest.raises(AssertionError):
        assert_close(ours, other, 1e-2)


def test_rise_is_xpliques_on_the_same_masks(classifier, whole, monkeypatch):
    """Xplique divides by the sum of the masks at each pixel, ours by its expectation; and its
    masks are enlarged from grids without the additional cell, so it is given ours."""
    rise = outside("xplique.attributions").Rise
    masks = 500
    cells, shifts = draw(0, masks, size=(HEIGHT, WIDTH), grid=(5, 5), p_mask=0.5)
    white = np.ones((HEIGHT, WIDTH, 1), np.float32)
    grids = GridMasks(white, np.empty((0, 1), np.float32), cells, shifts)
    kept = np.asarray(GridMasks.composite(grids.shared, grids.per_mask))
    monkeypatch.setattr(rise, "_get_masks", lambda *_: kept)
    monkeypatch.setattr(rise, "_apply_masks", lambda image, part, _: (part * image[None], part))

    theirs = xplique_maps(rise(whole, nb_samples=masks))
    ours = [Rise(classifier, grid=5, masks=masks).explain(image, ALL) for image in IMAGES]

    assert_close(np.stack(ours), theirs * kept[..., 0].mean(0) / 0.5, 1e-4)


def test_rise_finds_what_xpliques_finds(whole):
    """With masks of their own: the mean over many of them, on a score that a corner decides."""
    rise = outside("xplique.attributions").Rise
    image = keras.Input((HEIGHT, WIDTH, 3))
    score = keras.ops.mean(image[:, :9, :8], axis=(1, 2, 3))[:, None] / 255
    model = keras.Model(image, keras.ops.concatenate([score, 1 - score], axis=-1))
    classifier = Classifier.from_keras(model, labels=["bright", "dark"])
    keras.utils.set_random_seed(0)
    theirs = np.asarray(
        rise(model, nb_samples=4000, grid_size=6).explain(IMAGES[:1], np.array([[1.0, 0.0]]))
    )
    ours = Rise(classifier, grid=5, masks=4000).explain(IMAGES[0], 0)
    correlation = np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
    print(f"correlation {correlation:.3f}")
    assert correlation > 0.9


@pytest.fixture(scope="module")
def unpooled():
    """A network whose last convolution has the image's size: Xplique enlarges bicubically."""
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((HEIGHT, WIDTH, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="last"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(CLASSES),
        ]
    )
    return Classifier.from_keras(model, labels=LABELS)


def test_grad_cam_is_xpliques(unpooled):
    attributions = outside("xplique.attributions")
    theirs = xplique_maps(attributions.GradCAM(unpooled.model, conv_layer="last"))
    assert_close(GradCam(unpooled, layer="last").explain_batch(IMAGES, ALL), theirs, 1e-4)


def test_fem_is_xpliques(unpooled):
    attributions = outside("xplique.attributions")
    theirs = np.asarray(attributions.FEM(unpooled.model, conv_layer="last").explain(IMAGES))
    ours = Fem(unpooled, layer="last").explain_batch(IMAGES, 0)
    assert_close(ours, theirs.reshape(ours.shape), 1e-4)


def test_gradient_is_xpliques_saliency(classifier, whole):
    attributions = outside("xplique.attributions")
    theirs = xplique_maps(attributions.Saliency(whole))
    assert_close(Gradient(classifier).explain_batch(IMAGES, ALL), theirs, 1e-4)
