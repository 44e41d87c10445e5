import numpy as np
import pytest

from explainers import ALL, CLASS_AGNOSTIC, DebiasedRise, ExplainerError, McRise, Rise
from explainers.sampling import GridMasks, draw

RNG = np.random.default_rng(3)
IMAGE = RNG.integers(0, 256, (12, 9, 3)).astype(np.float32)
METHODS = {"rise": Rise, "debiased-rise": DebiasedRise, "mc-rise": McRise}
PALETTE = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]], float)


@pytest.fixture
def linear(black_box):
    """Two linear scores in double precision, blind to the right half; and their weights."""
    weights = np.random.default_rng(5).normal(size=(2, *IMAGE.shape)) / 255
    weights[:, :, 5:] = 0

    def function(images):
        return 1 + np.einsum("nhwc,khwc->nk", images.astype(np.float64), weights)

    return black_box(function, 2), weights


def enlarged(grid, shift, size):
    """One grid enlarged to `size` and cropped at `shift`, one axis after the other by np.interp."""
    for axis in (0, 1):
        cells = grid.shape[axis] - 1
        places = (np.arange(size[axis]) + shift[axis] + 0.5) * cells / size[axis] - 0.5
        grid = np.apply_along_axis(
            lambda line, places=places: np.interp(places, np.arange(len(line)), line), axis, grid
        )
    return grid


def naive_masks(size, grid, masks, seed, p_mask, colours=1):
    """Full-size masks of the same random numbers: `(n, colours, H, W)`, 1 where masked."""
    cells, shifts = draw(seed, masks, size=size, grid=grid, p_mask=p_mask, colours=colours)
    return np.array(
        [
            [enlarged(one == 1 + colour, shift, size) for colour in range(colours)]
            for one, shift in zip(cells, shifts, strict=True)
        ]
    )


def naive_images(image, masked, palette):
    """The blend of 002 §4.2: i m0 + sum of c_k m_k."""
    kept = 1 - masked.sum(1)
    return kept[..., None] * image + np.einsum("nkhw,kc->nhwc", masked, palette)


def naive_weights(name, masked, p):
    """The factor of the score in 002 Eq. 2, 5 and 9, `(n, maps, H, W)`."""
    kept = 1 - masked.sum(1, keepdims=True)
    if name == "rise":
        return kept / p
    if name == "debiased-rise":
        return (kept - p) / (p * (1 - p))
    return len(PALETTE) * masked / p - kept / (1 - p)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("grid", [3, (2, 4), (5, 1)])
@pytest.mark.parametrize("name", METHODS)
def test_the_naive_computation_gives_the_same(black_box, name, grid, centred):
    """Another implementation: 002's equations over full-size masks in NumPy, double precision.

    The centred estimate is the covariance of score and weight, by np.cov.
    """

    def function(images):
        mean = images.astype(np.float64).mean((1, 2)) / 255
        return np.stack([mean[:, 0] * mean[:, 1], np.sin(5 * mean[:, 2])], axis=1)

    key, p, count = ("p_mask" if name == "mc-rise" else "p_keep"), 0.3, 70
    settings = {key: p, "grid": grid, "masks": count, "seed": 4, "centred": centred}
    explainer = METHODS[name](black_box(function, 2), batch_size=16, **settings)
    last = list(explainer.iter_explain(IMAGE, ALL))[-1]

    p_mask, palette = (p, PALETTE) if name == "mc-rise" else (1 - p, PALETTE[-1:])
    grid = (grid, grid) if isinstance(grid, int) else grid
    masked = naive_masks(IMAGE.shape[:2], grid, count, 4, p_mask, len(palette))
    scores = function(naive_images(IMAGE, masked, palette))
    weights = naive_weights(name, masked, p)
    flat = weights.reshape(count, -1)
    level = scores.mean(0) if centred else np.zeros(2)
    expected = np.einsum("nt,nf->tf", scores, flat) / count
    if centred:
        covariance = [[np.cov(column, score)[0, 1] for column in flat.T] for score in scores.T]
        expected = np.array(covariance) + (level[:, None] if name == "rise" else 0)
    products = (scores - level)[:, :, None] * flat[:, None]
    error = products.std(0, ddof=1) / np.sqrt(count)

    shape = (2, 12, 9) if name != "mc-rise" else (2, 5, 12, 9)
    assert last.heatmap.shape == last.standard_error.shape == shape
    np.testing.assert_allclose(last.heatmap, expected.reshape(shape), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last.standard_error, error.reshape(shape), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", METHODS)
def test_the_network_sees_the_blended_images(black_box, name, channels):
    """Against the naive blend, the padding of the last batch too: it is the image itself."""
    seen = []

    def function(images):
        seen.append(images)
        return np.zeros((len(images), 1))

    image = IMAGE[..., :channels]
    METHODS[name](black_box(function), masks=21, grid=(3, 2), batch_size=8).explain(image, 0)
    palette = PALETTE[-1:, :channels] if name != "mc-rise" else PALETTE
    if name == "mc-rise" and channels == 1:
        palette = PALETTE[3:, :1]
    masked = naive_masks((12, 9), (3, 2), 21, 0, 0.5, len(palette))
    assert [batch.shape for batch in seen] == [(8, 12, 9, channels)] * 3
    found = np.concatenate(seen)
    np.testing.assert_allclose(found[:21], naive_images(image, masked, palette), atol=1e-3)
    np.testing.assert_allclose(found[21:], np.stack([image] * 3), atol=1e-3)


# -- closed forms, on a linear model --------------------------------------------------------------


def far_off(step, expected):
    """Which pixels are more than four standard errors away from what is expected."""
    return np.abs(step.heatmap - expected) > 4 * step.standard_error


@pytest.mark.parametrize("centred", [False, True])
def test_closed_forms_of_a_linear_model(linear, centred):
    """A grid as fine as the image is not interpolated: pixels are masked independently."""
    classifier, weights = linear
    settings = {"grid": (12, 9), "masks": 3000, "centred": centred}
    effect = (weights * IMAGE).sum(-1)

    debiased = list(DebiasedRise(classifier, p_keep=0.4, **settings).iter_explain(IMAGE, ALL))[-1]
    assert not far_off(debiased, effect).any()
    assert not far_off(debiased, 0)[..., 5:].any()  # the model does not look there
    assert far_off(debiased, 0)[..., :5].mean() > 0.3  # and there it does

    rise = list(Rise(classifier, p_keep=0.4, **settings).iter_explain(IMAGE, ALL))[-1]
    kept = 1 + 0.4 * effect.sum((1, 2), keepdims=True) + 0.6 * effect
    assert not far_off(rise, kept).any()
    assert far_off(rise, 0)[..., 5:].all()  # RISE has no zero

    coloured = list(McRise(classifier, p_mask=0.4, **settings).iter_explain(IMAGE, ALL))[-1]
    change = np.einsum("thwc,khwc->tkhw", weights, PALETTE[:, None, None] - IMAGE)
    assert not far_off(coloured, change).any()
    assert far_off(coloured, -change).mean() > 0.1


def test_an_irrelevant_pixel_more_than_two_cells_away(black_box):
    corner = black_box(lambda images: images[:, :4, :4].mean((1, 2, 3))[:, None] / 255)
    image = np.full((28, 28, 3), 200.0)
    for method, irrelevant in ((DebiasedRise, True), (McRise, True), (Rise, False)):
        step = list(method(corner, masks=2000, seed=1).iter_explain(image, 0))[-1]
        away = far_off(step, 0)[..., 14:, 14:]
        assert away.all() if not irrelevant else not away.any()
        assert far_off(step, 0)[..., :2, :2].any()


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_one_colour_is_debiased_rise_with_the_sign_reversed(linear, p):
    classifier, _ = linear
    settings = {"grid": 4, "masks": 50, "seed": 2}
    debiased = DebiasedRise(classifier, p_keep=1 - p, **settings).explain(IMAGE, ALL)
    coloured = McRise(classifier, p_mask=p, colours=["black"], **settings).explain(IMAGE, ALL)
    assert coloured.shape == (2, 1, 12, 9)
    np.testing.assert_allclose(coloured[:, 0], -debiased, rtol=1e-5, atol=1e-6)


# -- how sure -------------------------------------------------------------------------------------


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_the_standard_error_is_the_spread_over_seeds(linear, name, centred):
    settings = {"masks": 100, "grid": 3, "centred": centred}
    steps = [
        list(METHODS[name](linear[0], seed=seed, **settings).iter_explain(IMAGE, 0))[-1]
        for seed in range(40)
    ]
    spread = np.std([step.heatmap for step in steps], axis=0, ddof=1)
    claimed = np.mean([step.standard_error for step in steps], axis=0)
    assert 0.85 < np.mean(spread) / np.mean(claimed) < 1.15


@pytest.mark.parametrize("name", METHODS)
def test_centred_has_the_same_expectation_and_a_smaller_error(linear, black_box, name):
    """With five masks only, where dividing by n instead of n - 1 would show."""
    classifier, weights = linear
    effect = (weights[0] * IMAGE).sum(-1)
    expected = {
        "rise": 1 + 0.5 * effect.sum() + 0.5 * effect,
        "debiased-rise": effect,
        "mc-rise": np.einsum("hwc,khwc->khw", weights[0], PALETTE[:, None, None] - IMAGE),
    }[name]
    few = {"masks": 5, "grid": (12, 9), "centred": True}
    maps = np.array(
        [METHODS[name](classifier, seed=s, **few).explain(IMAGE, 0) for s in range(300)]
    )
    pattern = expected - expected.mean()
    sizes = (maps * pattern).reshape(300, -1).sum(1) / (expected * pattern).sum()
    error = sizes.std(ddof=1) / np.sqrt(300)
    assert abs(sizes.mean() - 1) < 4 * error < 0.2  # 4/5 would be seen

    high = black_box(lambda images: 20 + classifier.score(images), 2)
    plain, centred = (
        list(METHODS[name](high, masks=500, centred=one).iter_explain(IMAGE, 0))[-1]
        for one in (False, True)
    )
    assert (centred.standard_error < 0.4 * plain.standard_error).all()
    assert not (np.abs(centred.heatmap - plain.heatmap) > 5 * plain.standard_error).any()


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_every_step_is_the_map_of_its_masks(linear, name, centred):
    """And may be read late: more masks of a seed begin with the same ones."""
    settings = {"grid": 3, "centred": centred}
    explainer = METHODS[name](linear[0], masks=10, batch_size=4, **settings)
    steps = list(explainer.iter_explain(IMAGE, 1))
    assert [(step.done, step.total) for step in steps] == [(4, 10), (8, 10), (10, 10)]
    for step in steps:
        alone = METHODS[name](linear[0], masks=step.done, **settings)
        np.testing.assert_array_equal(step.heatmap, alone.explain(IMAGE, 1))
        assert (step.standard_error > 0).all()


def test_one_mask_has_a_map_but_no_standard_error(linear):
    for centred in (False, True):
        first = next(Rise(linear[0], batch_size=1, centred=centred).iter_explain(IMAGE, 0))
        assert first.done == 1
        assert np.isfinite(first.heatmap).all()
        assert np.isnan(first.standard_error).all()


# -- seeds and batches ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_seeds_and_batch_sizes(classifier, picture, name):
    settings = {"masks": 130}
    reference = METHODS[name](classifier, **settings).explain(picture, ALL)
    same = METHODS[name](classifier, **settings).explain(picture, ALL)
    np.testing.assert_array_equal(same, reference)
    for size in (1, 50):
        found = METHODS[name](classifier, batch_size=size, **settings).explain(picture, ALL)
        np.testing.assert_allclose(found, reference, atol=1e-6)
    other = METHODS[name](classifier, seed=1, **settings).explain(picture, ALL)
    assert np.abs(other - reference).max() > 1e-3


@pytest.mark.parametrize("name", METHODS)
def test_many_targets_are_taken_a_few_at_a_time(black_box, name):
    """Twenty targets, linear in one another, so that none can be mistaken for its neighbour."""

    def function(images):
        return images.mean((1, 2, 3), dtype=np.float64)[:, None] * np.arange(1, 21)

    every = METHODS[name](black_box(function, 20), masks=30).explain(IMAGE, ALL)
    for target in range(20):
        np.testing.assert_allclose(every[target], (target + 1) * every[0], rtol=1e-5, atol=1e-5)


def test_masks_are_drawn_as_asked():
    cells, shifts = draw(0, 4000, size=(30, 23), grid=(5, 7), p_mask=0.3, colours=4)
    assert cells.shape == (4000, 6, 8)
    shares = np.bincount(cells.ravel(), minlength=5) / cells.size
    np.testing.assert_allclose(shares, [0.7, *[0.075] * 4], atol=0.003)
    assert [set(axis) for axis in shifts.T] == [set(range(7)), set(range(4))]
    more, further = draw(0, 5000, size=(30, 23), grid=(5, 7), p_mask=0.3, colours=4)
    assert (more[:4000] == cells).all()
    assert (further[:4000] == shifts).all()


def test_a_grid_as_fine_as_the_image_is_not_interpolated(black_box):
    seen = []

    def function(images):
        seen.append(images)
        return np.zeros((len(images), 1))

    white = np.full((6, 7, 1), 255.0)
    Rise(black_box(function), masks=64, grid=(6, 7)).explain(white, 0)
    assert set(np.unique(seen[0])) == {0.0, 255.0}
    Rise(black_box(function), masks=64, grid=(5, 7)).explain(white, 0)
    assert len(np.unique(seen[1])) > 2  # with coarser cells there is something between


# -- MC-RISE's colours ----------------------------------------------------------------------------


def test_the_maps_are_in_the_order_of_the_colours(linear):
    classifier, weights = linear
    colours = [(10, 200, 30), "white", [128]]
    explainer = McRise(classifier, colours=colours, grid=(12, 9), masks=2000, centred=True)
    palette = np.array([[10, 200, 30], [255, 255, 255], [128, 128, 128]])
    np.testing.assert_array_equal(explainer.palette(3), palette)
    step = list(explainer.iter_explain(IMAGE, 1))[-1]
    change = np.einsum("hwc,khwc->khw", weights[1], palette[:, None, None] - IMAGE)
    assert not far_off(step, change).any()
    assert far_off(step, change[::-1]).any()


def test_images_of_one_channel_are_masked_with_greys(linear, black_box):
    grey = black_box(lambda images: images.mean((1, 2), dtype=np.float64))
    image = IMAGE[..., :1]
    default = McRise(grey, masks=400, grid=(12, 9), centred=True)
    assert default.explain(image, 0).shape == (2, 12, 9)
    np.testing.assert_array_equal(default.palette(1), [[255], [0]])
    change = (np.array([255, 0])[:, None, None] - image[..., 0]) / image.size
    assert not far_off(list(default.iter_explain(image, 0))[-1], change).any()
    chosen = McRise(grey, masks=20, colours=["black", (90, 90, 90), [7]])
    np.testing.assert_array_equal(chosen.palette(1), [[0], [90], [7]])
    assert chosen.explain(image, [0]).shape == (1, 3, 12, 9)
    with pytest.raises(ExplainerError, match="images of one channel can be masked with greys only"):
        McRise(grey, colours=["black", "red"]).iter_explain(image, 0)
    McRise(linear[0], colours=["black", "red"]).iter_explain(IMAGE, 0)  # with three they can


def test_support_is_minus_the_smallest_value_over_the_colours(linear):
    maps = np.array([[[-3.0, 1.0]], [[2.0, 0.5]]], np.float32)  # two colours, 1 x 2 pixels
    explainer = McRise(linear[0], masks=20)
    np.testing.assert_array_equal(explainer.support(maps), [[3.0, -0.5]])
    np.testing.assert_array_equal(explainer.support(np.stack([maps, -maps])).shape, (2, 1, 2))
    assert explainer.support(explainer.explain(IMAGE, CLASS_AGNOSTIC)).shape == (12, 9)
    one = np.ones((2, 3), np.float32)
    assert Rise(linear[0]).support(one) is one


# -- unusable input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"masks": 0}, "masks is 0; expected 1 to"),
        ({"masks": 10**7}, "masks is 10000000; expected 1 to 1000000"),
        ({"masks": 8.0}, "masks is 8.0; expected a whole number"),
        ({"grid": 0}, "grid is 0; expected 1 or more"),
        ({"grid": (3, -1)}, "grid is -1"),
        ({"grid": (3, 3, 3)}, "expected one whole number, or two"),
        ({"grid": "7"}, "grid is '7'; expected a whole number"),
        ({"seed": -1}, "seed is -1; expected 0 or more"),
        ({"centred": "yes"}, "centred is 'yes'; expected true or false"),
        ({"p": 0}, "is 0; expected between 0 and 1, both excluded"),
        ({"p": 1.0}, "is 1.0; expected between 0 and 1"),
        ({"p": float("nan")}, "is nan; expected between 0 and 1"),
        ({"p": "half"}, "is 'half'; expected a number between 0 and 1"),
    ],
)
@pytest.mark.parametrize("name", METHODS)
def test_unusable_hyper_parameters(linear, name, settings, message):
    p = "p_mask" if name == "mc-rise" else "p_keep"
    settings = {p if key == "p" else key: value for key, value in settings.items()}
    with pytest.raises(ExplainerError, match=message):
        METHODS[name](linear[0], **settings)


@pytest.mark.parametrize(
    ("colours", "message"),
    [
        ([], "There are 0 colours"),
        (["red", "pink"], "colours hold 'pink'; expected red, green, blue, white, black, or"),
        ([(0, 0)], r"colours hold \(0, 0\)"),
        ([(0, 0, 256)], "1 or 3 numbers 0..255 each"),
        ([(0, 0, float("nan"))], "colours hold"),
        ((255, 0, 0), "colours hold 255"),
        ("pink", "colours hold 'pink'"),
        (5, "colours are 5; expected a sequence"),
        (["red", "blue", "red"], "colours hold 'red' more than once"),
        ([(level,) for level in np.linspace(0, 255, 256)], "There are 256 colours"),
    ],
)
def test_unusable_colours(linear, colours, message):
    with pytest.raises(ExplainerError, match=message):
        McRise(linear[0], colours=colours)


@pytest.mark.parametrize("name", METHODS)
def test_a_grid_finer_than_the_image_is_refused(linear, name):
    with pytest.raises(ExplainerError, match="grid is 12 x 10, more than the image of 12 x 9 pix"):
        METHODS[name](linear[0], grid=(12, 10)).iter_explain(IMAGE, 0)
    METHODS[name](linear[0], grid=(12, 9)).iter_explain(IMAGE, 0)


def test_a_lone_name_is_one_colour(linear):
    assert McRise(linear[0], colours="white").colours == ("white",)


def test_nothing_of_the_masks_size_is_kept(linear):
    """What is kept of a mask is its grid: a byte per cell, and two shifts."""
    cells, shifts = draw(0, 100, size=(224, 224), grid=(7, 7), p_mask=0.5)
    masks = GridMasks(np.zeros((224, 224, 3), np.float32), np.zeros((0, 3)), cells, shifts)
    assert sum(array[0].nbytes for array in masks.per_mask) == 64 + 8


@pytest.mark.parametrize("method", [Rise, DebiasedRise, McRise])
@pytest.mark.parametrize("centred", [False, True])
def test_the_whole_prediction_is_one_weighted_score(black_box, method, centred):
    """Its map is sum of score * map, its standard error that of the weighted score itself."""
    weights = np.array([[0.2, 0.5, 0.1], [0.7, 0.1, 0.3]])

    def function(images):
        means = images.reshape(len(images), -1, images.shape[-1])[:, ::5].mean(1) / 255
        return means @ weights.T

    def weighted(images):
        return (function(images) @ function(IMAGE[np.newaxis].astype(np.float32))[0])[:, None]

    settings = {"grid": 3, "masks": 40, "centred": centred}
    several = method(black_box(function, 2), **settings)
    *_, last = several.iter_explain(IMAGE, CLASS_AGNOSTIC)
    *_, one = method(black_box(weighted), **settings).iter_explain(IMAGE, 0)
    np.testing.assert_allclose(last.heatmap, one.heatmap, atol=1e-6)
    np.testing.assert_allclose(last.standard_error, one.standard_error, atol=1e-6)
    scores = several.classifier.predict(IMAGE[np.newaxis])[0]
    total = np.tensordot(scores, several.explain(IMAGE, ALL), 1)
    np.testing.assert_allclose(last.heatmap, total, atol=1e-6)
