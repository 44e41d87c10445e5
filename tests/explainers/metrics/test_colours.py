"""CA-deletion by hand: four blue pixels, a score that is the blue that is left.

weights  .4 .3     score = sum of weight * blue / 255; the image is blue throughout, score 1.
         .2 .1
"""

import numpy as np
import pytest

from explainers import ExplainerError
from explainers.metrics import Reason, Undefined
from explainers.metrics.colours import ca_deletion, ca_deletion_curve
from explainers.metrics.curves import deletion_curve

BLUE = np.tile(np.array([0, 0, 255], np.uint8), (2, 2, 1))
WEIGHTS = np.array([[0.4, 0.3], [0.2, 0.1]])
RED, WHITE = (255, 0, 0), (255, 255, 255)
COLOURS = np.array([RED, WHITE])
# Red, then white. The smallest values -.4 -.3 -.25 -.1 are red's but for the third pixel's.
MAPS = np.array([[[-0.4, -0.3], [0.0, -0.1]], [[0.0, 0.0], [-0.25, -0.05]]])


@pytest.fixture
def box(black_box):
    return black_box(
        lambda images: ((images[..., 2] / 255.0) * WEIGHTS).sum((1, 2), dtype=np.float64)[:, None]
    )


@pytest.fixture
def recorder(black_box):
    seen = []

    def function(images):
        seen.append(images.copy())
        return images.mean((1, 2, 3))[:, None]

    return black_box(function), seen


def test_smallest_value_first_in_its_colour(box):
    """Red, red, white (blue stays), red: 1 .6 .3 .3 .2; (.5 + .6 + .3 + .3 + .1) / 4 = .45."""
    curve = ca_deletion_curve(box, BLUE, MAPS, COLOURS, steps=4)
    np.testing.assert_allclose(curve.scores[:, 0], [1, 0.6, 0.3, 0.3, 0.2])
    assert ca_deletion(curve, 0) == pytest.approx(0.45)
    # Minus the smallest values, scaled: 1, 2/3, 1/2, 0.
    np.testing.assert_allclose(curve.saliency, [0, 1, 5 / 3, 13 / 6, 13 / 6])
    assert (curve.kind, curve.base) == ("ca-deletion", "the most sensitive colours")


def test_a_perfect_colour_map(box):
    """Red everywhere, by weight: 1 .6 .3 .1 0; (.5 + .6 + .3 + .1) / 4 = .375."""
    maps = np.stack([-WEIGHTS, np.zeros((2, 2))])
    assert ca_deletion(ca_deletion_curve(box, BLUE, maps, COLOURS, steps=4), 0) == pytest.approx(
        0.375
    )


def test_the_reversed_map(box):
    """By increasing weight, in red (-5 beside 0): 1 .9 .7 .4 0; (.5 + .9 + .7 + .4) / 4 = .625."""
    maps = np.stack([WEIGHTS - 5, np.zeros((2, 2))])
    assert ca_deletion(ca_deletion_curve(box, BLUE, maps, COLOURS, steps=4), 0) == pytest.approx(
        0.625
    )


def test_a_map_without_colours_goes_to_black(box):
    """1 .6 .3 .1 0, as in red: .375."""
    curve = deletion_curve(box, BLUE, WEIGHTS, steps=4)
    assert ca_deletion(curve, 0) == pytest.approx(0.375)


def test_control_one_the_order_of_another_map_with_these_colours(box):
    """Last pixel first: 1 .9 .9 .6 .2; (.5 + .9 + .9 + .6 + .1) / 4 = .75."""
    rise = np.array([[1.0, 2.0], [3.0, 4.0]])
    curve = ca_deletion_curve(box, BLUE, MAPS, COLOURS, order_by=rise, steps=4)
    np.testing.assert_allclose(curve.scores[:, 0], [1, 0.9, 0.9, 0.6, 0.2])
    assert ca_deletion(curve, 0) == pytest.approx(0.75)


def test_control_two_random_colours_in_the_same_order(recorder):
    rng = np.random.default_rng(0)
    image = np.full((12, 20, 3), 7)
    maps = rng.normal(size=(3, 12, 20))
    colours = np.array([RED, WHITE, (0, 255, 0)])
    box, seen = recorder

    def images(**settings):
        seen.clear()
        curve = ca_deletion_curve(box, image, maps, colours, steps=10, **settings)
        return curve, seen[0]

    plain, own = images()
    random, drawn = images(random_colours=True)
    np.testing.assert_array_equal((drawn != 7).any(-1), (own != 7).any(-1))  # the same order
    np.testing.assert_array_equal(plain.saliency, random.saliency)
    found, counts = np.unique(drawn[-1].reshape(-1, 3), axis=0, return_counts=True)
    np.testing.assert_array_equal(found, np.unique(colours, axis=0))
    # 240 draws among three: 80 each, standard deviation sqrt(240 * 1/3 * 2/3) = 7.3.
    assert np.abs(counts - 80).max() < 4 * 7.3
    assert random.base == "random colours"
    np.testing.assert_array_equal(images(random_colours=True)[1], drawn)
    assert (images(random_colours=True, seed=1)[1] != drawn).any()


def test_random_colours_do_not_follow_the_order_of_ties(recorder):
    """All tied but one: each colour comes as early as the others, within four standard errors."""
    image, maps = np.full((60, 60, 3), 7), np.zeros((2, 60, 60))
    maps[0, 0, 0] = -1
    box, seen = recorder
    ca_deletion_curve(box, image, maps, COLOURS, random_colours=True, steps=2)
    half = seen[0][1].reshape(-1, 3)
    red = (half == RED).all(-1).sum()
    assert abs(red - 900) < 4 * np.sqrt(1800 * 0.25)


def test_random_colours_are_not_those_of_the_ties_generator(recorder):
    """Whoever knows the order of ties knows nothing of the colours."""
    image, maps = np.full((6, 7, 3), 7), np.random.default_rng(0).normal(size=(2, 6, 7))
    box, seen = recorder
    ca_deletion_curve(box, image, maps, COLOURS, random_colours=True, steps=2, seed=5)
    same = COLOURS[np.random.default_rng(5).integers(2, size=(6, 7))]
    assert (seen[0][-1] == same).all(-1).mean() < 0.8


def test_of_equal_colours_the_first(recorder):
    box, seen = recorder
    maps = np.stack([np.arange(4.0).reshape(2, 2)] * 2)
    ca_deletion_curve(box, BLUE, maps, COLOURS, steps=4)
    np.testing.assert_array_equal(seen[0][-1], np.tile(np.float32(RED), (2, 2, 1)))


def test_one_channel(recorder):
    box, seen = recorder
    image, maps = np.full((2, 3, 1), 100), np.random.default_rng(1).normal(size=(2, 2, 3))
    ca_deletion_curve(box, image, maps, [[0], [255]], steps=6)
    expected = np.where(maps[0] <= maps[1], 0, 255)
    np.testing.assert_array_equal(seen[0][-1, ..., 0], expected)


def test_what_gives_the_order_must_vary(recorder):
    """The smallest values are 0 everywhere, though both maps vary."""
    maps = np.array([[[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
    with pytest.raises(Undefined) as caught:
        ca_deletion_curve(recorder[0], BLUE, maps, COLOURS, steps=4)
    assert caught.value.reason is Reason.CONSTANT_MAP
    with pytest.raises(Undefined):
        ca_deletion_curve(recorder[0], BLUE, MAPS, COLOURS, order_by=np.ones((2, 2)), steps=4)
    assert not recorder[1]
    ca_deletion_curve(recorder[0], BLUE, maps, COLOURS, order_by=WEIGHTS, steps=4)
    assert recorder[1]  # another order will do


def test_a_class_that_never_changes(black_box):
    box = black_box(lambda images: np.full((len(images), 1), 0.5))
    with pytest.raises(Undefined) as caught:
        ca_deletion(ca_deletion_curve(box, BLUE, MAPS, COLOURS, steps=4), 0)
    assert caught.value.reason is Reason.CONSTANT_CURVE


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"heatmap": MAPS[0]}, r"shape \(2, 2\); expected one map per colour"),
        ({"heatmap": MAPS[:0]}, "expected one map per colour"),
        ({"heatmap": MAPS[:, :, :1]}, "has 2 x 1 values, the image 2 x 2 pixels"),
        ({"heatmap": MAPS * np.nan}, "NaN"),
        ({"heatmap": MAPS[:1]}, r"expected numbers \(1, 3\): one colour per map"),
        ({"colours": COLOURS[:, :1]}, r"shape \(2, 1\); expected numbers \(2, 3\)"),
        ({"colours": COLOURS + 1}, r"values outside 0\.\.255"),
        ({"colours": COLOURS * np.nan}, r"values outside 0\.\.255"),
        ({"colours": ["red", "white"]}, r"expected numbers \(2, 3\)"),
        ({"order_by": np.zeros((3, 2))}, "has 3 x 2 values"),
        ({"random_colours": 1}, "random_colours is 1; expected true or false"),
        ({"steps": 5}, "steps is 5, more than the 4 pixels"),
        ({"seed": -1, "random_colours": True}, "seed is -1"),
    ],
)
def test_unusable_input(recorder, changed, message):
    settings = {"image": BLUE, "heatmap": MAPS, "colours": COLOURS, "steps": 4} | changed
    with pytest.raises(ExplainerError, match=message):
        ca_deletion_curve(recorder[0], **settings)
    assert not recorder[1]


def test_curves_of_another_kind(box):
    from explainers.metrics.classwise import deletion
    from explainers.metrics.curves import insertion_curve

    with pytest.raises(ExplainerError, match="kind ca-deletion or deletion, not of insertion"):
        ca_deletion(insertion_curve(box, BLUE, WEIGHTS, steps=4), 0)
    with pytest.raises(ExplainerError, match="deletion is taken of a curve of kind deletion"):
        deletion(ca_deletion_curve(box, BLUE, MAPS, COLOURS, steps=4), 0)
