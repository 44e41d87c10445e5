import subprocess
import sys

import numpy as np
import pytest

from explainers.errors import ExplainerError
from explainers.render import (
    above,
    colour_overlays,
    error_analysis,
    legend,
    overlay,
    positive_scale,
    signed_scale,
    strength,
    thresholded,
)

RNG = np.random.default_rng(9)
PHOTOGRAPH = RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)
HEATMAP = RNG.normal(size=(20, 30)).astype(np.float32)


def luma(picture):
    return picture.astype(float) @ [0.299, 0.587, 0.114]


def test_a_map_without_a_meaningful_zero_is_counted_from_its_median():
    rise = 0.4 + 0.01 * np.abs(HEATMAP)  # as RISE gives them: positive, with a high floor
    assert (overlay(PHOTOGRAPH, above(rise, "zero")) == overlay(PHOTOGRAPH, rise)).all()
    assert (strength(above(rise, "zero")) > 0.9).all()  # red all over: what is to be avoided
    counted = strength(above(rise, "median"))
    assert (counted > 0).mean() == 0.5
    np.testing.assert_allclose(above(rise, "median"), rise - np.median(rise))
    with pytest.raises(ExplainerError, match="baseline is 'mean'; expected zero or median"):
        above(rise, "mean")


def test_the_scale_is_the_percentile_of_the_positive_part():
    positive = np.where(HEATMAP > 0, HEATMAP, 0)
    assert positive_scale(HEATMAP) == pytest.approx(np.percentile(positive, 99.5))
    assert positive_scale(3 * HEATMAP) == pytest.approx(3 * positive_scale(HEATMAP))
    assert positive_scale(np.zeros((4, 4))) == positive_scale(-np.ones((4, 4))) == 0.0


def test_few_positive_pixels_are_drawn_all_the_same():
    heatmap = np.zeros((50, 50))
    heatmap[3, 4] = 2.0
    assert np.percentile(heatmap, 99.5) == 0
    assert positive_scale(heatmap) == 2.0
    picture = overlay(np.full((50, 50, 3), 128, np.uint8), heatmap)
    assert (picture[3, 4] != picture[0, 0]).any()
    assert (picture.reshape(-1, 3) != picture[0, 0]).any(1).sum() == 1


def test_strength_is_the_positive_part_over_the_scale():
    np.testing.assert_allclose(
        strength(np.array([[-1.0, 0.0, 1.0, 2.0, 5.0]]), scale=4.0), [[0, 0, 0.25, 0.5, 1]]
    )
    assert strength(HEATMAP).max() == 1
    assert (strength(HEATMAP)[HEATMAP < 0] == 0).all()


@pytest.mark.parametrize("heatmap", [np.zeros((20, 30)), -np.abs(HEATMAP)])
def test_without_positive_values_the_photograph_is_left_in_greys(heatmap):
    picture = overlay(PHOTOGRAPH, heatmap)
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    assert (picture == picture[..., :1]).all()
    grey = luma(PHOTOGRAPH).ravel()
    assert np.corrcoef(grey, picture[..., 0].ravel())[0, 1] > 0.999
    assert not (overlay(PHOTOGRAPH, np.abs(HEATMAP)) == picture).all()


@pytest.mark.parametrize("ground", [0, 90, 180, 255])
def test_a_larger_value_is_a_darker_and_a_deeper_red(ground):
    steps = np.linspace(0.15, 1, 18)[None]
    picture = overlay(np.full((1, 18, 3), ground, np.uint8), steps, scale=1.0)[0]
    assert (np.diff(luma(picture)) < 0).all()
    redness = picture[:, 0].astype(float) / picture.sum(1)
    assert (np.diff(redness) > 0).all()


def test_the_photograph_stays_visible_under_the_strongest_red():
    stripes = np.zeros((4, 10, 3), np.uint8)
    stripes[:, ::2] = 255
    picture = luma(overlay(stripes, np.ones((4, 10))))
    assert (picture[:, ::2] - picture[:, 1::2]).min() > 40


def test_the_scale_can_be_shared():
    bright = overlay(PHOTOGRAPH, HEATMAP, scale=positive_scale(HEATMAP))
    assert (bright == overlay(PHOTOGRAPH, HEATMAP)).all()
    assert (overlay(PHOTOGRAPH, 2 * HEATMAP, scale=2 * positive_scale(HEATMAP)) == bright).all()
    faint = overlay(PHOTOGRAPH, HEATMAP, scale=10 * positive_scale(HEATMAP))
    assert luma(faint).mean() != luma(bright).mean()
    assert (overlay(PHOTOGRAPH, HEATMAP, scale=0.0) == overlay(PHOTOGRAPH, 0 * HEATMAP)).all()


def test_one_channel_photographs():
    picture = overlay(PHOTOGRAPH[..., :1], 0 * HEATMAP)
    assert (np.argsort(picture[..., 0].ravel()) >= 0).all()
    same = np.repeat(PHOTOGRAPH[..., :1], 3, axis=2)
    assert (overlay(PHOTOGRAPH[..., :1], HEATMAP) == overlay(same, HEATMAP)).all()


def test_the_legend_runs_from_grey_to_the_darkest_red():
    picture = legend(200, 12)
    assert picture.shape == (12, 200, 3)
    assert picture.dtype == np.uint8
    assert (picture == picture[:1]).all()
    assert len(set(picture[0, 0])) == 1
    assert (np.diff(luma(picture[0])) < 1).all()
    assert luma(picture[0, -1]) < luma(picture[0, 0]) - 80


@pytest.mark.parametrize(
    ("heatmap", "scale", "message"),
    [
        (np.full((20, 30), np.nan), None, "NaN or infinite"),
        (np.zeros((30, 20)), None, "30 x 20 values, the image 20 x 30 pixels"),
        (np.zeros((2, 20, 30)), None, r"shape \(2, 20, 30\)"),
        (np.full((20, 30), "a"), None, "expected numbers"),
        ([[1.0, 2.0], [3.0]], None, "The heatmap has rows of unequal length"),
        (HEATMAP, -1.0, "scale is -1.0"),
        (HEATMAP, float("nan"), "scale is nan"),
    ],
)
def test_what_cannot_be_drawn(heatmap, scale, message):
    with pytest.raises(ExplainerError, match=message):
        overlay(PHOTOGRAPH, heatmap, scale=scale)


COLOUR_MAPS = RNG.normal(size=(5, 20, 30)).astype(np.float32)


def redness(picture):
    return picture[..., 0].astype(float) - picture[..., 2]


def test_maps_per_colour_are_drawn_with_their_sign_on_one_scale():
    maps = np.zeros((3, 20, 30))
    maps[0, 2, 3], maps[1, 2, 3], maps[2, 2, 3] = 1.0, -1.0, 0.25
    pictures = colour_overlays(PHOTOGRAPH, maps, scale=1.0)
    assert pictures.shape == (3, 20, 30, 3)
    assert pictures.dtype == np.uint8
    red, blue, faint = pictures[:, 2, 3]
    assert redness(red) > 80
    assert redness(blue) < -50
    assert 0 < redness(faint) < redness(red)
    maps[:, 2, 3] = 0
    greys = colour_overlays(PHOTOGRAPH, maps)
    assert (greys == overlay(PHOTOGRAPH, maps[0])).all()
    changed = (pictures != greys).any(-1)
    assert [tuple(found) for found in np.argwhere(changed)] == [(0, 2, 3), (1, 2, 3), (2, 2, 3)]


def test_the_positive_part_is_drawn_as_in_every_other_picture():
    positive = np.maximum(COLOUR_MAPS, 0)
    pictures = colour_overlays(PHOTOGRAPH, positive, scale=2.0)
    for picture, one in zip(pictures, positive, strict=True):
        assert (picture == overlay(PHOTOGRAPH, one, scale=2.0)).all()


def test_the_signed_scale_is_the_percentile_of_absolute_values_over_all_colours():
    assert signed_scale(COLOUR_MAPS) == pytest.approx(np.percentile(np.abs(COLOUR_MAPS), 99.5))
    assert signed_scale(-COLOUR_MAPS) == signed_scale(COLOUR_MAPS)
    assert signed_scale(np.zeros((2, 4, 4))) == 0.0
    lonely = np.zeros((2, 50, 50))
    lonely[1, 3, 4] = -2.0
    assert signed_scale(lonely) == 2.0
    default = colour_overlays(PHOTOGRAPH, COLOUR_MAPS)
    same = colour_overlays(PHOTOGRAPH, COLOUR_MAPS, scale=signed_scale(COLOUR_MAPS))
    assert (default == same).all()
    # One scale: a weak colour stays weak beside a strong one.
    weak = COLOUR_MAPS * np.array([1, 0.01, 1, 1, 1])[:, None, None]
    assert np.abs(redness(colour_overlays(PHOTOGRAPH, weak)[1])).mean() < 1
    assert np.abs(redness(default[1])).mean() > 20


def test_predicted_and_true_class_are_side_by_side_on_one_scale():
    true = 0.1 * COLOUR_MAPS[::-1]
    pictures = error_analysis(PHOTOGRAPH, COLOUR_MAPS, true)
    assert pictures.shape == (5, 20, 60, 3)
    scale = signed_scale(COLOUR_MAPS)
    for side, maps in ((slice(0, 30), COLOUR_MAPS), (slice(30, 60), true)):
        assert (pictures[:, :, side] == colour_overlays(PHOTOGRAPH, maps, scale=scale)).all()
    with pytest.raises(ExplainerError, match="5 colours for the predicted class, of 2 for the"):
        error_analysis(PHOTOGRAPH, COLOUR_MAPS, true[:2])


def test_the_signed_legend_runs_from_blue_over_grey_to_red():
    picture = legend(201, 4, signed=True)
    line = redness(picture[0])
    assert line[0] < -80
    assert line[100] == 0
    assert line[200] > 100
    assert (picture[:, 100:] == legend(101, 4)).all()


@pytest.mark.parametrize(
    ("maps", "scale", "message"),
    [
        (HEATMAP, None, r"shape \(20, 30\); expected numbers \(colours, H, W\)"),
        (COLOUR_MAPS[:, :5], None, "5 x 30 values, the image 20 x 30 pixels"),
        (COLOUR_MAPS[:0], None, "expected numbers"),
        (np.full((5, 20, 30), np.nan), None, "NaN or infinite"),
        (COLOUR_MAPS, -1.0, "scale is -1.0"),
    ],
)
def test_maps_per_colour_that_cannot_be_drawn(maps, scale, message):
    with pytest.raises(ExplainerError, match=message):
        colour_overlays(PHOTOGRAPH, maps, scale=scale)


def test_neither_tensorflow_nor_matplotlib_is_loaded_with_the_package():
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'scipy', 'skimage', 'PIL', 'django'}"
    code = (
        "import sys, explainers, explainers.render, explainers.registry, explainers.engine;"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_h2os_published_view_by_hand():
    """Scaled: 0, 0.25, 0.5, 1; mean 0.4375, standard deviation 0.369755."""
    heatmap = np.array([[-1.0, 0.0], [1.0, 3.0]])
    np.testing.assert_allclose(thresholded(heatmap), [[0, 0], [0, 1]])
    np.testing.assert_allclose(thresholded(heatmap, 0), [[0, 0], [0.5, 1]])
    np.testing.assert_allclose(thresholded(heatmap, 0.17), [[0, 0], [0, 1]])  # 0.5003
    np.testing.assert_allclose(thresholded(heatmap, 0.16), [[0, 0], [0.5, 1]])  # 0.4967
    np.testing.assert_allclose(thresholded(heatmap, -2), [[0, 0.25], [0.5, 1]])
    np.testing.assert_allclose(thresholded(1e-6 * heatmap - 7, 0), thresholded(heatmap, 0))
    assert (heatmap == [[-1, 0], [1, 3]]).all()


def test_the_published_view_of_odd_maps():
    assert (thresholded(np.full((3, 4), 0.7)) == 0).all()
    for s in (float("nan"), float("inf"), 10**400, "1", None, True):
        with pytest.raises(ExplainerError, match="s is "):
            thresholded(HEATMAP, s)
    with pytest.raises(ExplainerError, match="NaN or infinite"):
        thresholded(np.full((3, 4), np.nan))
    with pytest.raises(ExplainerError, match=r"shape \(2, 20, 30\)"):
        thresholded(np.zeros((2, 20, 30)))
