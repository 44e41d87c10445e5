from itertools import pairwise

import numpy as np
import pytest
import skimage.segmentation
from skimage.color import gray2rgb

from explainers import ExplainerError
from explainers.segmentation import hierarchy, quickshift, slic

# scikit-image 0.19.3: slic(image, n_segments=4, compactness=1, max_num_iter=10, sigma=1,
# enforce_connectivity=False, mask=part) of `blocks()` and `PART`.
LABELS_OF_0_19_3 = """
0000000000000000
0000000000000000
0000000000000000
0001111111000000
0011111111100000
0111111111110000
0111111111110000
0111111111110000
0122222214440000
0222222214440000
0222222244440000
0222222244440000
0024333344400000
0003333334000000
0000000000000000
0000000000000000
"""
ROWS, COLUMNS = np.mgrid[:16, :16]
PART = (ROWS - 8) ** 2 + (COLUMNS - 6) ** 2 < 36


def blocks():
    """Blocks of 4 x 4 pixels with little contrast; outside PART, a white and a black pixel."""
    random = np.random.default_rng(3)
    image = 100 + random.integers(0, 9, (4, 4, 3)).repeat(4, 0).repeat(4, 1)
    image = (image + random.integers(-1, 2, (16, 16, 3))).astype(np.float32)
    image[0, 0], image[15, 15] = 255, 0
    return image


def theirs(image, mask, sigma=1):
    """The installed scikit-image's own, fed directly."""
    return skimage.segmentation.slic(
        image.astype(np.float64),
        n_segments=4,
        compactness=1,
        sigma=sigma,
        enforce_connectivity=False,
        mask=mask,
    )


def test_a_part_falls_as_the_published_program_had_it():
    published = np.array([list(row) for row in LABELS_OF_0_19_3.split()]).astype(int)
    np.testing.assert_array_equal(slic(blocks(), sigma=1)(PART, 4), published)
    # The control: the installed scikit-image, fed directly, splits this part otherwise.
    assert (theirs(blocks(), PART) != published)[PART].mean() > 0.5


@pytest.mark.parametrize("sigma", [0, 1, 2.5])
def test_a_whole_image_falls_as_scikit_image_has_it(sigma):
    """Nothing is outside the mask, so the scalings agree."""
    image, whole = blocks(), np.ones((16, 16), bool)
    split = slic(image, sigma=sigma)
    np.testing.assert_array_equal(split(whole, 4), theirs(image, whole, sigma))
    grey = image[..., :1]
    np.testing.assert_array_equal(
        slic(grey, sigma=sigma)(whole, 4), theirs(gray2rgb(grey[..., 0]), whole, sigma)
    )


def test_grey_is_grey_in_one_channel_and_in_three():
    grey = blocks()[..., :1]
    np.testing.assert_array_equal(
        slic(grey, sigma=1)(PART, 4), slic(np.repeat(grey, 3, axis=2), sigma=1)(PART, 4)
    )


@pytest.mark.parametrize("change", [lambda x: x / 255, lambda x: x / 127.5 - 1, lambda x: x - 100])
def test_the_scale_of_the_values_does_not_matter(change):
    for part in (PART, ~PART):
        found = slic(change(blocks()), sigma=1)(part, 4)
        assert (found == slic(blocks(), sigma=1)(part, 4)).mean() > 0.99  # rounding in float32


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (2, 2), (3, 1), (1, 9), (5, 4), (40, 11)])
@pytest.mark.parametrize("level", [0, 7, 255])
def test_constant_and_tiny_images_are_split_by_place_alone(size, level):
    image = np.full((*size, 3), level, np.float32)
    found = slic(image, sigma=1)(np.ones(size, bool), 4)
    assert found.shape == size
    assert 2 <= len(np.unique(found)) <= 4
    assert found.min() >= 1


def test_every_part_of_a_tiny_image_can_be_split():
    """Down to single pixels; a warning would fail this test."""
    image = blocks()[4:7, 4:7]
    split = slic(image, sigma=1)
    for bits in range(1, 2**9):
        part = (bits >> np.arange(9) & 1).astype(bool).reshape(3, 3)
        found = split(part, 4)
        assert (found[~part] == 0).all()
        assert len(np.unique(found[part])) <= 4
        if part.sum() == 1:
            assert found[part] == 1


# -- the hierarchy --------------------------------------------------------------------------------


def quarters(part, k):
    """The four quarters of the part's bounding box."""
    rows, columns = np.nonzero(part)
    labels = np.zeros(part.shape, int)
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    labels[rows, columns] = 1 + 2 * (rows > middle[0]) + (columns > middle[1])
    return labels


def superpixels(tree):
    """Per node, its superpixels as sets of pixels."""
    place = np.argsort(tree.ranks.ravel())
    return [
        [frozenset(place[low:high].tolist()) for low, high in pairwise(node)] for node in tree.nodes
    ]


@pytest.mark.parametrize(
    ("min_pixels", "nodes"), [(64, 1), (16, 1), (15.9, 5), (4, 5), (3, 21), (1, 21)]
)
def test_what_has_more_pixels_than_that_is_split_again(min_pixels, nodes):
    """8 x 8 pixels: quarters of 16, of 4, of 1."""
    tree = hierarchy((8, 8), quarters, k=4, min_pixels=min_pixels)
    assert len(tree.nodes) == nodes
    found = superpixels(tree)
    assert [len(one) for one in found[0]] == [16] * 4
    assert found[0][0] == {8 * y + x for y in range(4) for x in range(4)}
    if nodes > 1:  # breadth-first: the four quarters before their own
        assert [frozenset().union(*node) for node in found[1:5]] == found[0]
    if nodes > 5:
        assert [frozenset().union(*node) for node in found[5:9]] == found[1]
        assert {len(one) for node in found[5:] for one in node} == {1}


def test_superpixels_of_photographs_nest():
    image = np.kron(np.random.default_rng(1).integers(0, 256, (6, 4, 3)), np.ones((5, 6, 1)))
    tree = hierarchy((30, 24), slic(image.astype(np.float32), sigma=1), k=3, min_pixels=20)
    np.testing.assert_array_equal(np.sort(tree.ranks.ravel()), np.arange(720))
    found = superpixels(tree)
    assert frozenset().union(*found[0]) == set(range(720))
    parts = {one for node in found for one in node}
    assert all(2 <= len(node) <= 3 for node in found)
    assert all(frozenset().union(*node) in parts for node in found[1:])
    split = {frozenset().union(*node) for node in found}
    assert all(len(one) > 20 for one in split)
    assert all(len(one) <= 20 for one in parts - split)


def test_pixels_without_a_label_are_in_no_superpixel():
    def halves_with_a_gap(part, k):
        return np.where(part, [[1, 1, 0, 0, 2]], 99)  # outside the part it is not read

    tree = hierarchy((1, 5), halves_with_a_gap, k=2, min_pixels=9)
    assert superpixels(tree) == [[{0, 1}, {4}]]


@pytest.mark.parametrize("label", [0, 1, 7])
def test_a_part_that_stays_whole_is_no_node(label):
    tree = hierarchy((4, 4), lambda part, k: np.full((4, 4), label), k=2, min_pixels=1)
    assert tree.nodes == ()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones((4, 5), int), r"returned int64 of shape \(4, 5\); .* of shape \(4, 4\)"),
        (np.ones(16, int), r"of shape \(16,\)"),
        (np.full((4, 4), np.nan), "returned float64"),
        (np.full((4, 4), 1.0), "expected whole numbers"),
        ([[1, 2], [1]], "rows of unequal length"),
        (None, "returned object"),
        (np.full((4, 4), -1), "returned the label -1; expected 0 or more"),
        (np.arange(16).reshape(4, 4), "returned 15 superpixels; expected at most 4"),
    ],
)
def test_a_segmenter_that_returns_no_labels(labels, message):
    with pytest.raises(ExplainerError, match=message):
        hierarchy((4, 4), lambda part, k: labels, k=4, min_pixels=4)


# -- quickshift -----------------------------------------------------------------------------------

SETTINGS = {"kernel_size": 2, "max_dist": 20, "ratio": 0.5}
COLOURFUL = np.kron(
    np.random.default_rng(4).integers(0, 256, (3, 5, 3)), np.ones((6, 4, 1))
).astype(np.float32)


def test_quickshift_is_scikit_images_on_a_scale_of_one():
    found = quickshift(COLOURFUL, **SETTINGS, seed=3)
    exact = COLOURFUL.astype(np.float64) / 255
    np.testing.assert_array_equal(found, skimage.segmentation.quickshift(exact, **SETTINGS, rng=3))
    assert len(np.unique(found)) > 5
    np.testing.assert_array_equal(found, quickshift(COLOURFUL, **SETTINGS, seed=3))


def test_quickshift_of_grey_constant_and_tiny_images():
    grey = COLOURFUL[..., :1]
    found = quickshift(grey, **SETTINGS, seed=0)
    assert len(np.unique(found)) > 1
    same = quickshift(np.repeat(grey, 3, axis=2), **SETTINGS, seed=0)
    np.testing.assert_array_equal(found, same)
    for shape in ((1, 1, 3), (1, 5, 1), (2, 2, 3), (20, 30, 3)):
        found = quickshift(np.full(shape, 9, np.float32), **SETTINGS, seed=0)
        assert found.shape == shape[:2]
        np.testing.assert_array_equal(np.unique(found), np.arange(found.max() + 1))
