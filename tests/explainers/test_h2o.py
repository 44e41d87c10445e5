import itertools
import tracemalloc
from collections import deque

import numpy as np
import pytest
import skimage.data
from PIL import Image

from explainers import ALL, Classifier, ExplainerError
from explainers.h2o import H2O, Distances, Masks, Rounds, colour_grid
from explainers.preprocessing import PREPROCESSINGS
from explainers.segmentation import hierarchy, slic

RANDOM = np.random.default_rng(8)


@pytest.fixture
def three(black_box):
    """Three sigmoids of linear scores of 14 x 11 colour images, in double precision."""
    weights = np.random.default_rng(5).normal(size=(14, 11, 3, 3))

    def function(images):
        x = np.einsum("nhwc,hwck->nk", images.astype(np.float64), weights)
        return 1 / (1 + np.exp(-x / 2000))

    return black_box(function, 3)


IMAGE = np.clip(
    RANDOM.integers(20, 236, (7, 4, 3)).repeat(2, 0).repeat(3, 1)[:, :11]
    + RANDOM.integers(-20, 21, (14, 11, 3)),
    0,
    255,
).astype(np.float32)


def halves(image, part, k):
    """The left and the right half of the part's pixels, for images of one row."""
    labels = np.zeros(part.shape, int)
    places = np.flatnonzero(part)
    labels[0, places] = np.repeat([1, 2], len(places) // 2)
    return labels


def finished(explainer, image):
    """The last Partial."""
    return deque(explainer.iter_explain(image, 0), maxlen=1).pop()


# -- by hand --------------------------------------------------------------------------------------


def test_by_hand(black_box):
    """A row of 0, 100, 100, 200, halved twice; score (x0 + 2 x1 + 3 x2 + 4 x3) / 10000 = 0.13.

    The colours are 0 and 200. White never lowers the score. Black lowers it, over the left half by
    0.02, the right half by 0.11, over single pixels by 0, 0.02, 0.03 and 0.08. A mask's value is
    that times 0.13 (Eq. 1), halved (two colours), by its area; a pixel's, the mean of two masks.
    """
    box = black_box(lambda images: images[:, 0, :, 0] @ np.array([[1, 2, 3, 4]]).T / 10000)
    image = np.array([[[0], [100], [100], [200]]], np.float32)
    found = H2O(box, k=2, z=2, min_pixels=1, segmenter=halves).explain(image, 0)
    left, right = 0.02 * 0.13 / 2 / 2, 0.11 * 0.13 / 2 / 2
    single = np.array([0, 0.02, 0.03, 0.08]) * 0.13 / 2
    expected = (np.array([left, left, right, right]) + single) / 2
    np.testing.assert_allclose(found, expected[None], rtol=1e-6)
    np.testing.assert_allclose(found[0], [0.000325, 0.000975, 0.0027625, 0.0043875], rtol=1e-6)


def test_by_hand_without_the_second_level(black_box):
    """As above, with halves of 2 pixels that are not split again; and in two classes."""

    def function(images):
        row = images[:, 0, :, 0].astype(np.float64)
        return np.stack([row @ [1, 2, 3, 4] / 10000, row @ [-1, 0, 0, 0] / 1000 + 0.4], axis=1)

    image = np.array([[[0], [100], [100], [200]]], np.float32)
    explainer = H2O(black_box(function, 2), k=2, z=2, min_pixels=2, segmenter=halves)
    # White over pixel 0 lowers the second class from 0.4 by 0.2.
    left, right = (0.02 * 0.13 + 0.2 * 0.4) / 2 / 2, 0.11 * 0.13 / 2 / 2
    found = explainer.explain(image, ALL)
    np.testing.assert_allclose(found, [[[left, left, right, right]]] * 2, rtol=1e-6)


def test_pixels_that_no_mask_covers_are_zero(black_box):
    def ends(image, part, k):
        return np.where(part, [[1, 0, 0, 2]], 0)

    box = black_box(lambda images: images.mean((1, 2, 3), dtype=np.float64)[:, None] / 255)
    image = np.array([[[90], [80], [70], [60]]], np.float32)
    found = H2O(box, segmenter=ends).explain(image, 0)[0]
    assert (found[1:3] == 0).all()
    assert found[0] > 0


def naive(classifier, image, *, k, z, min_pixels, sigma):
    """000 §3 word for word: whole masks, one list of them, one prediction after another."""
    split = slic(image, sigma=sigma)
    masks, parts = [], [np.ones(image.shape[:2], bool)]
    while parts:
        part = parts.pop(0)
        labels = split(part, k)
        superpixels = [(labels == one) & part for one in range(1, k + 1)]
        superpixels = [one for one in superpixels if one.any()]
        if len(superpixels) < 2:
            continue
        for count in range(1, len(superpixels)):
            for chosen in itertools.combinations(superpixels, count):
                masks.append(np.any(chosen, axis=0))
        parts += [one for one in superpixels if one.sum() > min_pixels]
    channels = range(image.shape[2])
    low, high = ([float(f(image[..., c])) for c in channels] for f in (np.min, np.max))
    steps = [[low[c] + (high[c] - low[c]) * i / (z - 1) for i in range(z)] for c in channels]
    original = classifier.score(image[None])[0]
    total, covers = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for mask in masks:
        distances = []
        for colour in itertools.product(*steps):
            altered = classifier.score(np.where(mask[..., None], colour, image)[None])[0]
            distances.append(sum(max(0, p - q) * p for p, q in zip(original, altered, strict=True)))
        total[mask] += np.mean(distances) / mask.sum()
        covers[mask] += 1
    return total / covers, len(masks)


@pytest.mark.parametrize(
    ("channels", "settings"),
    [
        (3, {"k": 4, "z": 2, "min_pixels": 15.0, "sigma": 1.0}),
        (3, {"k": 3, "z": 3, "min_pixels": 40.0, "sigma": 0.0}),
        (3, {"k": 5, "z": 2, "min_pixels": 30.0, "sigma": 2.0}),
        (1, {"k": 2, "z": 4, "min_pixels": 3.0, "sigma": 1.0}),
    ],
)
def test_the_map_is_that_of_the_naive_algorithm(black_box, channels, settings):
    weights = np.random.default_rng(5).normal(size=(14 * 11 * channels, 3))

    def function(images):
        return 1 / (1 + np.exp(-images.reshape(len(images), -1).astype(np.float64) @ weights / 2e3))

    box = black_box(function, 3)
    image = IMAGE[..., :channels]
    expected, masks = naive(box, image, **settings)
    last = finished(H2O(box, **settings), image)
    np.testing.assert_allclose(last.heatmap, expected, rtol=1e-5, atol=1e-9)
    assert last.done == last.total == 1 + masks * settings["z"] ** channels


# -- masks and colours ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee", "rocket"])
def test_the_number_of_masks_on_photographs(name):
    """000 §4 reports 2,400-2,600; 14 per node on these."""
    picture = Image.fromarray(getattr(skimage.data, name)()).resize((224, 224), Image.BICUBIC)
    image = np.asarray(picture, np.float32)
    tree = hierarchy((224, 224), slic(image, sigma=1.0), k=4, min_pixels=224.0)
    masks = Masks.of(tree)
    assert 2184 <= len(masks) <= 2604
    assert len(masks) == sum(2 ** (len(node) - 1) - 2 for node in tree.nodes)
    assert len(colour_grid(image, 3)) == 27
    # All masks in a few numbers each, where as bits they would take 14 MB.
    assert masks.spans.shape == (len(masks) + 1, 2, 2)
    assert (masks.spans[-1] == 0).all()


@pytest.mark.parametrize(("k", "combinations"), [(2, 2), (3, 6), (4, 14), (5, 30)])
def test_every_combination_but_none_and_all(k, combinations):
    stripes = np.tile(np.arange(1, k + 1), (4, 1))
    tree = hierarchy((4, k), lambda part, k: stripes, k=k, min_pixels=100)
    masks = Masks.of(tree)
    assert len(masks) == combinations
    covered = set()
    for spans, area in zip(masks.spans, masks.areas, strict=False):
        mask = np.any([(masks.regions >= low) & (masks.regions < high) for low, high in spans], 0)
        assert (mask == mask[:1]).all()
        assert mask.sum() == area
        covered.add(tuple(mask[0]))
    assert len(covered) == combinations
    assert {sum(mask) for mask in covered} == set(range(1, k))


def test_colours_by_hand():
    image = np.zeros((2, 2, 3), np.float32)
    image[0, 0], image[1, 1] = (10, 0, 7), (30, 200, 7)
    assert {tuple(colour) for colour in colour_grid(image, 3)} == {
        (red, green, blue) for red in (0, 15, 30) for green in (0, 100, 200) for blue in (0, 3.5, 7)
    }
    np.testing.assert_array_equal(colour_grid(image[..., :1], 3), [[0], [15], [30]])
    np.testing.assert_array_equal(colour_grid(image, 1), [[15, 100, 3.5]])
    # A channel without contrast has one level: the mean over colours stays what it was.
    image[..., 2] = 7
    assert len(colour_grid(image, 3)) == 9
    np.testing.assert_array_equal(colour_grid(np.full((2, 2, 3), 9, np.float32), 3), [[9, 9, 9]])


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_colours_of_pixels_are_those_of_the_networks_input(name):
    def prepare(images):
        return np.asarray(PREPROCESSINGS[name](images))

    prepared = prepare(IMAGE[None])[0]
    expected = colour_grid(prepared, 3)
    found = prepare(colour_grid(IMAGE, 3)[:, None, None])[:, 0, 0]
    np.testing.assert_allclose(
        found[np.lexsort(np.rint(found.T * 1e3))],
        expected[np.lexsort(np.rint(expected.T * 1e3))],
        rtol=1e-4,
        atol=1e-4,
    )


def test_the_segmenter_sees_the_networks_input(network, black_box):
    seen = []

    def rows(image, part, k):
        seen.append((image.copy(), part.copy(), k))
        image[:] = np.nan  # its own copy
        return np.arange(image.shape[0])[:, None] * k // image.shape[0] + np.ones(part.shape, int)

    def root(images):
        assert images.dtype.is_floating  # a tensor's
        return images**0.5

    def shrink(images):
        return images[:, :12, :12]

    picture = RANDOM.integers(0, 256, (24, 24, 3)).astype(np.float32)
    settings = {"z": 1, "min_pixels": 500, "segmenter": rows, "k": 3}
    for preprocess, expected in (
        ("signed", picture / np.float32(127.5) - 1),
        ("caffe", picture[..., ::-1] - np.float32([103.939, 116.779, 123.68])),
        (root, picture**0.5),
    ):
        classifier = Classifier.from_keras(network, labels=["a", "b", "c"], preprocess=preprocess)
        assert np.isfinite(H2O(classifier, **settings).explain(picture, 0)).all()
        image, part, k = seen.pop()
        np.testing.assert_allclose(image, expected, rtol=1e-6, atol=1e-5)
        assert part.all()
        assert k == 3
        assert not seen
    # Where its shape does not fit the picture, and for a black box: the pixels.
    box = black_box(lambda images: images.mean((1, 2)), 3)
    shrunk = H2O(Classifier.from_keras(network, labels=None, preprocess=shrink), **settings)
    for explainer in (H2O(box, **settings), shrunk):
        np.testing.assert_array_equal(explainer._network_input(picture), picture)


def test_superpixels_are_those_of_the_networks_input(network):
    """BGR with the means taken off falls apart otherwise than the photograph itself."""
    photograph = Image.fromarray(skimage.data.coffee()).resize((24, 24))
    picture = np.asarray(photograph, np.float32)
    classifier = Classifier.from_keras(network, labels=None, preprocess="caffe")
    explainer, whole = H2O(classifier, sigma=0), np.ones((24, 24), bool)
    prepared = picture[..., ::-1] - np.float32([103.939, 116.779, 123.68])
    found = explainer._split(picture)(whole, 4)
    np.testing.assert_array_equal(found, slic(prepared, sigma=0)(whole, 4))
    assert (found != slic(picture, sigma=0)(whole, 4)).any()


# -- the contract ---------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_changes_nothing(three, batch_size):
    settings = {"z": 2, "min_pixels": 40}
    reference = H2O(three, **settings, batch_size=1000).explain(IMAGE, 0)
    other = H2O(three, **settings, batch_size=batch_size).explain(IMAGE, 0)
    np.testing.assert_allclose(other, reference, rtol=1e-6)
    assert reference.max() > 0


def test_partial_maps_come_coarse_to_fine(three):
    coarse = H2O(three, z=2, min_pixels=1e9).explain(IMAGE, 0)
    explainer = H2O(three, z=2, min_pixels=20, batch_size=1 + 14 * 8)
    steps = [(s.done, s.total, s.heatmap) for s in explainer.iter_explain(IMAGE, 0)]
    assert steps[0][0] == 1 + 14 * 8
    np.testing.assert_allclose(steps[0][2], coarse, rtol=1e-6)
    assert np.ptp(steps[-1][2]) > 0
    assert np.abs(steps[-1][2] - coarse).max() > 0.1 * coarse.max()
    assert len({total for _, total, _ in steps}) == 1
    assert steps[-1][0] == steps[-1][1]
    # Half way through the colours of the first masks: the mean over those there were.
    first = next(iter(H2O(three, z=2, min_pixels=20, batch_size=5).iter_explain(IMAGE, 0)))
    assert 0 < (first.heatmap > 0).mean() < 1
    assert first.standard_error is None


def test_a_constant_image_and_a_box_that_never_falls(black_box):
    box = black_box(lambda images: images.mean((1, 2)) / 255, 3)
    for image in (np.full((9, 8, 3), 50.0), np.zeros((9, 8, 3))):
        assert (H2O(box, min_pixels=20).explain(image, 0) == 0).all()
    rising = black_box(lambda images: 1 - images.mean((1, 2)) / 255, 3)
    dark = np.zeros((9, 8, 3), np.uint8)
    dark[0, 0] = 1
    assert (H2O(rising, min_pixels=20).explain(dark, 0) > 0).any()


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 1, 1), (3, 3, 3)])
def test_tiny_images(black_box, shape):
    box = black_box(lambda images: images.mean((1, 2, 3))[:, None] / 255)
    image = np.arange(np.prod(shape)).reshape(shape) * 9.0 + 20
    found = H2O(box, z=2).explain(image, 0)
    assert found.shape == shape[:2]
    assert found.max() > 0
    assert found.min() >= 0


def test_memory_grows_with_the_batch_alone(black_box):
    box = black_box(lambda images: images.mean((1, 2, 3))[:, None])
    image = np.kron(RANDOM.integers(0, 256, (12, 12, 3)), np.ones((8, 8, 1)))
    explainer = H2O(box, z=2, min_pixels=400, batch_size=16)
    stack = finished(explainer, image).total * image.size * 4
    tracemalloc.start()
    try:
        explainer.explain(image, 0)
        assert tracemalloc.get_traced_memory()[1] < stack / 40
    finally:
        tracemalloc.stop()


# -- sampled colours ------------------------------------------------------------------------------


def table(masks, colours):
    """A distance for every mask and colour: some masks agree over colours, some do not."""
    spread = np.geomspace(1e-4, 1, masks)[:, None]
    return 1 + spread * np.random.default_rng(3).normal(size=(masks, colours))


def few_masks():
    stripes = np.tile(np.arange(1, 5), (3, 1))
    return Masks.of(hierarchy((3, 4), lambda part, k: stripes, k=4, min_pixels=100))


def test_standard_errors_of_colours_drawn_without_replacement():
    """Their squares average, over all draws, to the variance of the mean over all draws."""
    masks = few_masks()
    distances = table(len(masks), 6)
    draws = list(itertools.combinations(range(6), 3))
    variances, means = [], []
    for draw in draws:
        seen = Distances(masks, 6)
        for colour in draw:
            seen.add(np.arange(len(masks)), distances[:, colour])
        variances.append(seen.errors() ** 2)
        means.append(distances[:, draw].mean(1) / masks.areas)
    np.testing.assert_allclose(np.mean(variances, axis=0), np.var(means, axis=0), rtol=1e-6)


def test_standard_errors_of_the_map():
    """Those of the masks that cover a pixel, combined as independent; none when all are known."""
    masks = few_masks()
    distances = table(len(masks), 6)
    seen = Distances(masks, 6)
    seen.add(np.arange(len(masks)), distances[:, 0])
    assert np.isnan(seen.standard_error()).all()
    seen.add(np.arange(len(masks)), distances[:, 1])
    expected = np.zeros(4)
    for region in range(4):
        covers = [
            any(low <= region < high for low, high in spans) for spans in masks.spans[:-1].tolist()
        ]
        expected[region] = np.sqrt((seen.errors()[covers] ** 2).sum()) / sum(covers)
    np.testing.assert_allclose(seen.standard_error()[0, 0], expected, rtol=1e-6)
    for colour in range(2, 6):
        seen.add(np.arange(len(masks)), distances[:, colour])
    assert (seen.standard_error() == 0).all()
    assert (seen.bounds() == 0).all()


@pytest.mark.parametrize("tolerance", [0.0, 0.02, 0.2, 1.0])
def test_a_mask_takes_colours_until_it_is_known_well_enough(tolerance):
    masks = few_masks()
    distances = table(len(masks), 9)
    order = np.random.default_rng(1).permuted(np.tile(np.arange(9), (len(masks), 1)), axis=1)
    seen, rounds = Distances(masks, 9), Rounds(order, first=3, tolerance=tolerance)
    chosen, colours = rounds.first()
    assert (chosen[0], len(chosen)) == (-1, 1 + 3 * len(masks))
    chosen, colours = chosen[1:], colours[1:]
    taken, allowed = [[] for _ in range(len(masks))], None
    made = 1
    while len(chosen):
        made += len(chosen)
        for mask, colour in zip(chosen, colours, strict=True):
            taken[mask].append(colour)
            if len(taken[mask]) > 3:  # it was not known well enough before
                before = distances[mask, taken[mask][:-1]]
                assert bound(before, 9) / masks.areas[mask] > allowed
        seen.add(chosen, distances[chosen, colours])
        if allowed is None:
            allowed = tolerance * seen.heatmap().max()
        chosen, colours = rounds.following(seen)
        assert made + len(chosen) <= rounds.total
    assert made == rounds.total
    for mask, colours in enumerate(taken):
        assert len(set(colours)) == len(colours)
        if len(colours) < 9:
            assert bound(distances[mask, colours], 9) / masks.areas[mask] <= allowed
    if tolerance == 0:
        assert made == 1 + 9 * len(masks)
    else:
        assert made < 1 + 9 * len(masks)


def bound(values, colours):
    """Half the 95 % interval, from the textbook; quantiles of Student's t for 2 to 7 degrees."""
    quantile = [None, None, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462][len(values) - 1]
    correction = 1 - len(values) / colours
    return quantile * values.std(ddof=1) / len(values) ** 0.5 * correction**0.5 * (1 - 1e-5)


@pytest.mark.parametrize("tolerance", [0.1, 0.3])
def test_adaptive_colours_come_near_the_full_map_with_fewer_predictions(three, tolerance):
    settings = {"z": 3, "min_pixels": 30}
    full = finished(H2O(three, **settings), IMAGE)
    adaptive = H2O(three, **settings, colours="adaptive", tolerance=tolerance)
    for last in adaptive.iter_explain(IMAGE, 0):
        assert last.done <= last.total <= full.total
    assert last.done == last.total < {0.1: 0.9, 0.3: 0.6}[tolerance] * full.total
    difference = np.abs(last.heatmap - full.heatmap)
    assert 0 < difference.max() < tolerance * full.heatmap.max()
    assert (difference <= 4 * last.standard_error).all()


def test_adaptive_with_all_colours_is_the_full_map(three):
    settings = {"z": 2, "min_pixels": 60}
    full = H2O(three, **settings).explain(IMAGE, 0)
    last = finished(H2O(three, **settings, colours="adaptive", min_colours=99), IMAGE)
    np.testing.assert_allclose(last.heatmap, full, rtol=1e-6)
    assert (last.standard_error == 0).all()
    # A constant image has one colour.
    constant = H2O(three, colours="adaptive").explain(np.full((14, 11, 3), 8.0), 0)
    assert (constant == 0).all()


def test_the_seed_decides_which_colours(three):
    settings = {"z": 2, "min_pixels": 60, "colours": "adaptive", "min_colours": 2, "tolerance": 1.0}
    first = H2O(three, **settings, seed=1).explain(IMAGE, 0)
    assert (H2O(three, **settings, seed=1).explain(IMAGE, 0) == first).all()
    assert (H2O(three, **settings, seed=2).explain(IMAGE, 0) != first).any()
    settings["colours"] = "all"
    first = H2O(three, **settings, seed=1).explain(IMAGE, 0)
    assert (H2O(three, **settings, seed=2).explain(IMAGE, 0) == first).all()


# -- unusable input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 1}, "k is 1; expected 2 to 10"),
        ({"k": 11}, "k is 11; expected 2 to 10"),
        ({"k": 4.0}, "k is 4.0; expected a whole number"),
        ({"z": 0}, "z is 0; expected 1 to 16"),
        ({"min_pixels": 0.5}, "min_pixels is 0.5; expected a number from 1 to"),
        ({"min_pixels": float("nan")}, "min_pixels is nan"),
        ({"sigma": -1}, "sigma is -1; expected a number from 0 to 100"),
        ({"segmenter": "slic"}, "segmenter is 'slic'; expected a function or None"),
        ({"colours": "some"}, "colours is 'some'; expected one of all, adaptive"),
        ({"tolerance": 2}, "tolerance is 2; expected a number from 0 to 1"),
        ({"min_colours": 1}, "min_colours is 1; expected 2 or more"),
        ({"seed": -1}, "seed is -1; expected 0 or more"),
    ],
)
def test_unusable_hyper_parameters(three, settings, message):
    with pytest.raises(ExplainerError, match=message):
        H2O(three, **settings)


def test_an_image_of_one_pixel_is_refused(black_box):
    box = black_box(lambda images: 1 / 0)
    with pytest.raises(ExplainerError, match="one pixel: there is nothing to split"):
        H2O(box).iter_explain(np.zeros((1, 1, 3)), 0)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones((14, 11), int), "fewer than 2 superpixels in the image"),
        (np.zeros((14, 11), int), "fewer than 2 superpixels in the image"),
        (np.full((14, 11), np.nan), "returned float64 of shape"),
        (np.ones((11, 14), int), r"expected whole numbers of shape \(14, 11\)"),
        (np.arange(154).reshape(14, 11), "returned 153 superpixels; expected at most 4"),
    ],
)
def test_a_segmenter_that_does_not_split_is_refused_before_any_prediction(
    black_box, labels, message
):
    box = black_box(lambda images: 1 / 0)
    with pytest.raises(ExplainerError, match=message):
        H2O(box, segmenter=lambda image, part, k: labels).explain(IMAGE, 0)
