import numpy as np
import pytest

from explainers import ALL, CLASS_AGNOSTIC, ExplainerError, OccludingPatches, Occlusion


@pytest.fixture
def linear(black_box):
    """A linear score in double precision, and its weights."""
    weights = np.random.default_rng(5).normal(size=(2, 20, 15, 3))

    def function(images):
        return np.einsum("nhwc,khwc->nk", images.astype(np.float64), weights)

    return black_box(function, 2), weights


IMAGE = np.random.default_rng(6).integers(0, 256, (20, 15, 3)).astype(np.float32)


@pytest.mark.parametrize(("fill", "colour"), [("black", 0), ("grey", 169), ((9, 8, 7), (9, 8, 7))])
@pytest.mark.parametrize(("box", "stride"), [(5, None), (4, None), (6, 2), (7, 3), (15, 15)])
def test_on_a_linear_model_it_is_w_times_x_minus_fill(linear, fill, colour, box, stride):
    """Closed form: a box's importance is the sum of w * (x - fill) over its pixels."""
    classifier, weights = linear
    effect = (weights * (IMAGE - np.array(colour))).sum(-1)
    total, covered = np.zeros((2, 20, 15)), np.zeros((20, 15))
    for top in range(0, 20, stride or box):
        for left in range(0, 15, stride or box):
            place = slice(top, top + box), slice(left, left + box)
            total[(slice(None), *place)] += effect[(slice(None), *place)].sum((1, 2))[:, None, None]
            covered[place] += 1
    found = Occlusion(classifier, box=box, stride=stride, fill=fill).explain(IMAGE, ALL)
    np.testing.assert_allclose(found, total / covered, rtol=1e-6, atol=1e-6)


def test_single_pixels_give_the_weights_back(linear):
    classifier, weights = linear
    found = Occlusion(classifier, box=1, fill="black").explain(IMAGE, 1)
    np.testing.assert_allclose(found, (weights[1] * IMAGE).sum(-1), rtol=1e-6, atol=1e-6)
    assert (found < 0).any()  # the sign is kept


def test_mean_fill_on_a_linear_model(linear):
    classifier, weights = linear
    blocks = (4, 5, 3, 5, 3)
    mean = IMAGE.reshape(*blocks).mean((1, 3), keepdims=True)
    effect = (weights[0].reshape(blocks) * (IMAGE.reshape(blocks) - mean)).sum((1, 3, 4))
    found = Occlusion(classifier, box=5, fill="mean").explain(IMAGE, 0)
    np.testing.assert_allclose(found, np.kron(effect, np.ones((5, 5))), rtol=1e-5, atol=1e-5)


def test_partial_maps_fill_up(linear):
    classifier, _ = linear
    explainer = Occlusion(classifier, box=5, batch_size=4)
    steps = [(s.done, s.total, s.heatmap) for s in explainer.iter_explain(IMAGE, 0)]
    assert [done for done, _, _ in steps] == [4, 8, 12, 13]
    assert {total for _, total, _ in steps} == {13}
    known = steps[0][2] != 0
    assert known.sum() == 3 * 25
    assert (steps[0][2][known] == steps[-1][2][known]).all()
    assert (steps[-1][2] == explainer.explain(IMAGE, 0)).all()


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_batch_size_changes_rounding_only(classifier, picture, batch_size):
    reference = Occlusion(classifier, box=6, stride=3).explain(picture, ALL)
    other = Occlusion(classifier, box=6, stride=3, batch_size=batch_size).explain(picture, ALL)
    np.testing.assert_allclose(other, reference, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"box": 0}, "box is 0; expected 1 or more"),
        ({"box": "6"}, "box is '6'; expected a whole number"),
        ({"stride": 0}, "stride is 0"),
        ({"box": 4, "stride": 5}, "stride is 5, more than the box of 4"),
        ({"fill": "green"}, "fill is 'green'"),
    ],
)
def test_unusable_hyper_parameters(classifier, settings, message):
    with pytest.raises(ExplainerError, match=message):
        Occlusion(classifier, **settings)


def test_a_box_bigger_than_the_image_is_refused(linear):
    with pytest.raises(ExplainerError, match="box is 16 pixels, more than the image of 20 x 15"):
        Occlusion(linear[0], box=16).explain(IMAGE, 0)


# -- occluding patches (004 §3) ----------------------------------------------------------------


@pytest.fixture
def probable(black_box):
    """Two probabilities in double precision that depend on every pixel."""
    weights = np.random.default_rng(5).normal(size=(2, 20, 15, 3)) / 2000

    def function(images):
        scores = np.einsum("nhwc,khwc->nk", images.astype(np.float64), weights)
        return 1 / (1 + np.exp(-scores))

    return black_box(function, 2), function


def masks(box, stride):
    """Eq. 1's visibility masks, `(J, 20, 15)`: 0 where the patch lies."""
    found = []
    for top in range(0, 20, stride):
        for left in range(0, 15, stride):
            found.append(np.ones((20, 15)))
            found[-1][top : top + box, left : left + box] = 0
    return np.stack(found)


@pytest.mark.parametrize(("box", "stride"), [(5, None), (6, 2), (15, None)])
def test_patches_give_one_minus_the_mean_score_while_occluded(probable, box, stride):
    """Worked out with whole masks; the default grey is 169."""
    classifier, function = probable
    visible = masks(box, stride or box)
    p = function(np.where(visible[..., None] == 1, IMAGE, 169.0))
    covered = 1 - visible
    expected = 1 - np.einsum("jk,jhw->khw", p, covered) / covered.sum(0)
    found = OccludingPatches(classifier, box=box, stride=stride).explain(IMAGE, ALL)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1


def test_patches_rank_pixels_the_other_way_round_than_eq_1_as_printed(probable):
    """For patches side by side the two differ by sign, scale J and a constant."""
    classifier, function = probable
    visible = masks(5, 5)
    p = function(np.where(visible[..., None] == 1, IMAGE, 169.0))[:, 0]
    printed = 1 - np.einsum("j,jhw->hw", p, visible) / len(visible)
    found = OccludingPatches(classifier, box=5).explain(IMAGE, 0)
    np.testing.assert_allclose(found, 1 + len(p) * (1 - printed) - p.sum(), rtol=1e-5)
    costs_most = np.unravel_index(found.argmax(), found.shape)
    assert p[visible[:, *costs_most] == 0] == p.min()
    assert printed[costs_most] == printed.min()


def test_patches_are_occlusion_up_to_a_constant(probable):
    classifier, function = probable
    patches = OccludingPatches(classifier, box=4, stride=3).explain(IMAGE, ALL)
    boxes = Occlusion(classifier, box=4, stride=3, fill="grey").explain(IMAGE, ALL)
    constant = 1 - function(IMAGE[np.newaxis])[0, :, None, None]
    np.testing.assert_allclose(patches, boxes + constant, rtol=1e-6)


def test_patches_of_the_whole_prediction(probable):
    classifier, function = probable
    found = OccludingPatches(classifier, box=5).explain(IMAGE, CLASS_AGNOSTIC)
    each = OccludingPatches(classifier, box=5).explain(IMAGE, ALL)
    expected = np.tensordot(function(IMAGE[np.newaxis])[0], each, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_patches_take_the_sizes_of_the_source(linear):
    assert OccludingPatches(linear[0]).box == 10
    with pytest.raises(ExplainerError, match="box is 100 pixels, more than the image of 20 x 15"):
        OccludingPatches(linear[0], box=100).explain(IMAGE, 0)
    with pytest.raises(ExplainerError, match="stride is 11, more than the box of 10"):
        OccludingPatches(linear[0], stride=11)
