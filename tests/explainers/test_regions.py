import numpy as np
import pytest

from explainers.engine import score_batches
from explainers.regions import RegionColours, RegionFills, region_means

RANDOM = np.random.default_rng(2)


def shown(black_box, ways, batch_size=4):
    """The perturbed images themselves: a black box that returns every value it is shown."""
    size = ways.image.size
    box = black_box(lambda images: images.reshape(len(images), -1).astype(np.float64), size)
    parts = score_batches(box, ways, batch_size=batch_size)
    return np.concatenate([found for _, found in parts]).reshape(-1, *ways.image.shape)


def image_and_regions(shape):
    image = RANDOM.integers(0, 256, shape).astype(np.float32)
    return image, RANDOM.integers(0, 7, shape[:2]).astype(np.int32)


@pytest.mark.parametrize("shape", [(6, 9, 3), (9, 6, 1), (1, 1, 3)])
def test_spans_of_regions_filled_with_colours(black_box, shape):
    """Against a loop over pixels."""
    image, regions = image_and_regions(shape)
    spans = RANDOM.integers(0, 8, (11, 2, 2)).astype(np.int32)
    colours = RANDOM.integers(0, 256, (11, shape[2])).astype(np.float32)
    expected = np.repeat(image[None], 11, axis=0)
    for way, pairs in enumerate(spans):
        for y, x in np.ndindex(*shape[:2]):
            if any(low <= regions[y, x] < high for low, high in pairs):
                expected[way, y, x] = colours[way]
    found = shown(black_box, RegionColours(image, regions, spans, colours))
    np.testing.assert_array_equal(found, expected)
    assert shape == (1, 1, 3) or 0 < (found != image).mean() < 1


@pytest.mark.parametrize("shape", [(6, 9, 3), (9, 6, 1), (1, 1, 3)])
def test_sets_of_regions_taken_from_another_image(black_box, shape):
    """Against a loop over pixels; columns beyond the last region do nothing."""
    image, regions = image_and_regions(shape)
    fill = RANDOM.integers(0, 256, shape).astype(np.float32)
    masked = RANDOM.random((11, 16)) < 0.5
    expected = np.repeat(image[None], 11, axis=0)
    for way, row in enumerate(masked):
        for y, x in np.ndindex(*shape[:2]):
            if row[regions[y, x]]:
                expected[way, y, x] = fill[y, x]
    found = shown(black_box, RegionFills(image, fill, regions, masked))
    np.testing.assert_array_equal(found, expected)
    masked[:, regions.max() + 1 :] ^= True
    np.testing.assert_array_equal(
        shown(black_box, RegionFills(image, fill, regions, masked)), expected
    )


def test_all_zeros_leave_the_image_as_it_is(black_box):
    """They pad the last batch."""
    image, regions = image_and_regions((5, 4, 3))
    spans, colours = np.zeros((2, 2, 2), np.int32), np.zeros((2, 3), np.float32)
    for ways in (
        RegionColours(image, regions, spans, colours),
        RegionFills(image, 255 - image, regions, np.zeros((2, 16), bool)),
    ):
        np.testing.assert_array_equal(shown(black_box, ways), np.stack([image] * 2))


def test_region_means_by_hand():
    image = np.array([[[1, 10], [2, 20]], [[3, 30], [8, 80]]], np.float32)
    regions = np.array([[0, 2], [0, 2]], np.int32)  # no pixel in region 1
    expected = [[[2, 20], [5, 50]], [[2, 20], [5, 50]]]
    np.testing.assert_array_equal(region_means(image, regions), expected)
