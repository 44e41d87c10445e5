import numpy as np
import pytest

from explainers.boxes import Boxes, check_fill, fill_colours
from explainers.engine import score_batches
from explainers.errors import ExplainerError

IMAGE = np.random.default_rng(3).integers(0, 256, (7, 9, 3)).astype(np.float32)
BOXES = np.array(
    [[0, 0, 7, 9], [2, 3, 5, 6], [0, 0, 3, 4], [4, 6, 7, 9], [0, 2, 7, 5], [6, 8, 7, 9]], np.int32
)


def around(image, box):
    """The surround by its definition, pixel by pixel."""
    height, width, _ = image.shape
    top, left, bottom, right = box
    places = [(y, x) for y in range(top, bottom) for x in (left - 1, right)]
    places += [(y, x) for x in range(left, right) for y in (top - 1, bottom)]
    inside = [image[y, x] for y, x in places if 0 <= y < height and 0 <= x < width]
    return np.mean(inside, axis=0) if inside else image.mean((0, 1))


def test_surround_is_the_mean_one_deep_outside_without_corners():
    expected = [around(IMAGE, box) for box in BOXES]
    np.testing.assert_allclose(fill_colours(IMAGE, BOXES, "surround"), expected, rtol=1e-6)


def test_mean_is_that_of_the_box():
    expected = [IMAGE[t:b, le:r].mean((0, 1)) for t, le, b, r in BOXES]
    np.testing.assert_allclose(fill_colours(IMAGE, BOXES, "mean"), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("fill", "colour"),
    [("grey", (169, 169, 169)), ("black", (0, 0, 0)), ((255.0, 0.0, 10.0), (255, 0, 10))],
)
def test_plain_colours(fill, colour):
    assert (fill_colours(IMAGE, BOXES, fill) == colour).all()


@pytest.mark.parametrize("fill", ["pink", "", (1, 2), (1, 2, 300), ("a",), 7, None, (True,)])
def test_a_fill_that_is_none_is_refused(fill):
    with pytest.raises(ExplainerError, match=r"fill is .* expected one of grey, surround"):
        check_fill(fill)


def test_a_colour_must_match_the_channels():
    with pytest.raises(ExplainerError, match="fill has 3 values for an image of 1"):
        fill_colours(IMAGE[..., :1], BOXES, (1.0, 2.0, 3.0))


@pytest.mark.parametrize("channels", [1, 3])
def test_composite_fills_exactly_the_box(channels, black_box):
    """Against slicing in numpy, seen through a classifier that returns its images."""
    image = IMAGE[..., :channels]
    colours = np.random.default_rng(4).uniform(0, 255, (len(BOXES), channels)).astype(np.float32)
    expected = np.repeat(image[None], len(BOXES), axis=0)
    for picture, (top, left, bottom, right), colour in zip(expected, BOXES, colours, strict=True):
        picture[top:bottom, left:right] = colour
    seen = black_box(lambda images: images.reshape(len(images), -1), image.size)
    for batch_size in (1, 4, 6, 64):
        parts = score_batches(seen, Boxes(image, BOXES, colours), batch_size=batch_size)
        found = np.concatenate([scores for _, scores in parts])
        assert (found == expected.reshape(len(BOXES), -1)).all()
