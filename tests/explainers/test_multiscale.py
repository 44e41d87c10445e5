"""Multi-scale occlusion against a naive program: tree by tree, region by region, no sharing."""

from fractions import Fraction
from math import floor, fsum

import numpy as np
import pytest

from explainers import ALL, ExplainerError, MultiScaleOcclusion

GREY = 169


class Region:
    def __init__(self, box, children):
        self.box = box
        self.children = children
        self.importance = None

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def area(self):
        top, left, bottom, right = self.box
        return (bottom - top) * (right - left)


def cells(size, depth, level, k, low, high):
    """Cells of one shifted grid along one axis, cropped to low..high; exact until rounded."""
    step, shift = Fraction(size, 2**level), k * Fraction(size, 2 ** (depth + 1))
    found = []
    for m in range(-(2**level) - 1, 2**level + 1):
        start, stop = (floor(shift + n * step + Fraction(1, 2)) for n in (m, m + 1))
        start, stop = max(start, low), min(stop, high)
        if start < stop:
            found.append((start, stop))
    return found


def grow(shape, depth, offset, box, level=0):
    if level == depth:
        return Region(box, [])
    rows = cells(shape[0], depth, level + 1, offset[0], box[0], box[2])
    columns = cells(shape[1], depth, level + 1, offset[1], box[1], box[3])
    boxes = [(top, left, bottom, right) for top, bottom in rows for left, right in columns]
    return Region(box, [grow(shape, depth, offset, child, level + 1) for child in boxes])


def fill_colour(image, box, fill):
    top, left, bottom, right = box
    if fill == "grey":
        return GREY
    if fill == "black":
        return 0
    if fill == "mean":
        return image[top:bottom, left:right].mean((0, 1))
    ring = np.zeros(image.shape[:2], bool)
    ring[max(top - 1, 0) : bottom + 1, left:right] = True
    ring[top:bottom, max(left - 1, 0) : right + 1] = True
    ring[top:bottom, left:right] = False
    return (image[ring] if ring.any() else image.reshape(-1, image.shape[2])).mean(0)


def naive(function, image, *, depth, best, fill, offsets, min_importance, signed):
    image = image.astype(np.float64)
    height, width, _ = image.shape

    def score(picture):
        return function(picture.astype(np.float32)[None])[0, 0]

    shifts = {"all": range(2**depth), "four": (0, 2 ** (depth - 1)), "none": (0,)}[offsets]
    trees = [
        grow(image.shape, depth, (y, x), (0, 0, height, width)) for y in shifts for x in shifts
    ]
    original = score(image)
    for tree in trees:
        for region in tree.walk():
            top, left, bottom, right = region.box
            occluded = image.copy()
            occluded[top:bottom, left:right] = fill_colour(image, region.box, fill)
            region.importance = original - score(occluded)
            if not signed and region.importance < 0:
                region.importance = 0.0
    least = min_importance * max(abs(r.importance) for tree in trees for r in tree.walk())

    def leaves(region):
        kept = region.children
        if region.importance > sum(child.importance for child in kept) or not kept:
            return [region] if abs(region.importance) >= least else []
        return [leaf for child in kept for leaf in leaves(child)]

    maps = []
    for tree in trees:
        found = leaves(tree)
        area = sum(leaf.area for leaf in found)
        quality = fsum(leaf.importance for leaf in found) / area if area else 0.0
        heatmap = np.zeros((height, width))
        for leaf in found:
            top, left, bottom, right = leaf.box
            heatmap[top:bottom, left:right] += leaf.importance
        maps.append((quality, heatmap))
    ranked = sorted(maps, key=lambda pair: -pair[0])  # stable: ties stay in order of offset
    chosen = ranked if best == "all" else ranked[:best]
    return sum(heatmap for _, heatmap in chosen) / len(chosen)


def toy(shape, seed=0):
    """Smooth, not additive, of both signs; on a grid of 2^-30, so that sums are exact."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(3, *shape)) / np.sqrt(np.prod(shape))
    bumps = rng.normal(size=3)

    def function(images):
        signals = np.stack([(images * w / 40).sum((1, 2, 3), np.float64) for w in weights])
        score = 1 / (1 + np.exp(-(np.tanh(signals).T @ bumps + signals[0] * signals[1])))
        return np.round(score * 2**30)[:, None] / 2**30

    return function


def image_of(shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32)


CASES = [
    # shape, depth, best, fill, offsets, min_importance, signed
    ((16, 16, 3), 2, 5, "grey", "all", 0.01, False),
    ((16, 16, 3), 2, 1, "surround", "all", 0.01, False),
    ((12, 20, 1), 2, "all", "surround", "all", 0.01, True),
    ((16, 16, 3), 2, 3, "mean", "four", 0.1, False),
    ((16, 24, 3), 3, 5, "black", "all", 0.01, False),
    ((9, 13, 3), 3, 5, "surround", "all", 0.05, False),  # edges that need rounding
    ((9, 13, 3), 3, "all", "grey", "four", 0.0, True),
    ((16, 16, 3), 3, 1, "grey", "none", 0.0, False),
    ((5, 7, 3), 1, 2, "mean", "all", 0.01, False),
]


@pytest.mark.parametrize(
    ("shape", "depth", "best", "fill", "offsets", "min_importance", "signed"), CASES
)
def test_equals_the_naive_algorithm(
    black_box, shape, depth, best, fill, offsets, min_importance, signed
):
    settings = {
        "depth": depth,
        "best": best,
        "fill": fill,
        "offsets": offsets,
        "min_importance": min_importance,
        "signed": signed,
    }
    function, image = toy(shape), image_of(shape)
    expected = naive(function, image, **settings)
    found = MultiScaleOcclusion(black_box(function), **settings).explain(image, 0)
    assert found.dtype == np.float32
    assert np.count_nonzero(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_the_naive_algorithm_tells_settings_apart(black_box):
    """So that agreement above means something."""
    function, image = toy((16, 16, 3)), image_of((16, 16, 3))
    names = ("depth", "best", "fill", "offsets", "min_importance", "signed")
    base = dict(zip(names, CASES[0][1:], strict=True))
    reference = naive(function, image, **base)
    for change in ({"depth": 1}, {"best": 1}, {"fill": "mean"}, {"offsets": "none"}):
        assert not np.allclose(reference, naive(function, image, **{**base, **change}), atol=1e-4)


def test_a_tie_keeps_the_children(black_box):
    """An additive score with a black fill: every region equals the sum of its children."""
    weights = np.random.default_rng(0).integers(1, 9, (16, 16, 3))
    function = lambda images: (images * weights).sum((1, 2, 3), dtype=np.float64)[:, None]  # noqa: E731
    image = image_of((16, 16, 3))
    found = MultiScaleOcclusion(
        black_box(function), depth=2, best=1, fill="black", offsets="none", min_importance=0.0
    ).explain(image, 0)
    blocks = (image * weights).sum(2).reshape(4, 4, 4, 4).sum((1, 3))
    np.testing.assert_allclose(found, np.kron(blocks, np.ones((4, 4))), rtol=1e-6)


def test_a_parent_above_the_sum_of_its_children_is_a_leaf(black_box):
    """Only taking out the whole left upper quarter lowers this score."""

    def function(images):
        return (images[:, :8, :8].max((1, 2, 3)) > 0).astype(np.float64)[:, None]

    image = np.full((16, 16, 3), 200.0)
    found = MultiScaleOcclusion(
        black_box(function), depth=2, best=1, fill="black", offsets="none"
    ).explain(image, 0)
    expected = np.zeros((16, 16))
    # The root has the same importance as its one important child: a tie, so the child is kept.
    expected[:8, :8] = 1
    assert (found == expected).all()


def test_a_root_above_the_sum_of_its_children_leaves_a_uniform_map(black_box):
    """This score falls only when nothing of the image is left."""

    def function(images):
        return (images.max((1, 2, 3)) > 0).astype(np.float64)[:, None]

    image = np.full((16, 16, 3), 200.0)
    found = MultiScaleOcclusion(black_box(function), depth=2, fill="black").explain(image, 0)
    assert (found == 1).all()


def test_an_unimportant_image_gives_an_empty_map(black_box):
    constant = black_box(lambda images: np.full((len(images), 1), 0.25))
    found = MultiScaleOcclusion(constant, depth=2).explain(image_of((16, 16, 3)), 0)
    assert (found == 0).all()


def test_each_distinct_box_is_predicted_once(black_box):
    images = []

    def function(batch):
        images.extend(batch.reshape(len(batch), -1))
        return batch.mean((1, 2, 3))[:, None]

    image = np.arange(32 * 32 * 3, dtype=np.float32).reshape(32, 32, 3) % 251
    explainer = MultiScaleOcclusion(black_box(function), depth=3, fill="grey", batch_size=50)
    last = list(explainer.iter_explain(image, 0))[-1]
    assert last.done == last.total == 2 + 1099  # the image, the root, and the boxes of depth 3
    seen = np.unique(np.stack(images[: last.total]), axis=0)
    assert len(seen) == last.total


def test_several_targets_share_one_pass(classifier, picture):
    explainer = MultiScaleOcclusion(classifier, depth=2, best=3)
    together = explainer.explain(picture, ALL)
    assert together.shape == (3, 24, 24)
    for index, label in enumerate(classifier.labels):
        assert (explainer.explain(picture, label) == together[index]).all()
    assert (explainer.explain(picture, ["horse", 0]) == together[[2, 0]]).all()
    totals = {
        list(explainer.iter_explain(picture, target))[-1].total for target in (0, ["cat", 2], ALL)
    }
    assert len(totals) == 1


def test_partial_maps_are_those_of_the_finished_levels(black_box):
    """Until level 1 is complete there is the root alone; the last step is the whole map."""
    function, image = toy((16, 16, 3)), image_of((16, 16, 3))
    explainer = MultiScaleOcclusion(black_box(function), depth=2, best="all", batch_size=1)
    maps = {step.done: step.heatmap for step in explainer.iter_explain(image, 0)}
    root = max(
        function(image[None])[0, 0]
        - function(
            np.broadcast_to(np.float32(image.astype(np.float64).mean((0, 1))), (1, 16, 16, 3))
        )[0, 0],
        0,
    )
    assert (maps[1] == 0).all()
    np.testing.assert_allclose(maps[2], np.full((16, 16), root), rtol=1e-6)
    assert (maps[3] == maps[2]).all()
    assert max(maps) == 188
    assert (maps[188] == explainer.explain(image, 0)).all()
    assert not (maps[188] == maps[187]).all()


def test_repeatable(classifier, picture):
    explainer = MultiScaleOcclusion(classifier, depth=3)
    assert (explainer.explain(picture, "dog") == explainer.explain(picture, "dog")).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 0}, "depth is 0; expected 1 or more"),
        ({"depth": 2.5}, "depth is 2.5; expected a whole number"),
        ({"depth": True}, "depth is True; expected a whole number"),
        ({"best": 0}, "best is 0; expected 1 or more"),
        ({"best": "some"}, "best is 'some'"),
        ({"fill": "pink"}, "fill is 'pink'"),
        ({"offsets": "two"}, "offsets is 'two'; expected one of all, four, none"),
        ({"min_importance": -0.1}, "min_importance is -0.1; expected a number from 0 to 1"),
        ({"min_importance": float("nan")}, "min_importance is nan"),
        ({"signed": "yes"}, "signed is 'yes'"),
        ({"batch_size": 0}, "batch size is 0; expected 1 to 4096"),
        ({"batch_size": 6.4}, "batch size is 6.4; expected a whole number"),
    ],
)
def test_unusable_hyper_parameters(classifier, settings, message):
    with pytest.raises(ExplainerError, match=message):
        MultiScaleOcclusion(classifier, **settings)


def test_too_deep_for_the_image_is_refused_before_any_prediction(black_box):
    calls = []
    explainer = MultiScaleOcclusion(black_box(calls.append), depth=5)
    with pytest.raises(ExplainerError, match="depth is 5"):
        explainer.iter_explain(image_of((24, 24, 3)), 0)
    assert calls == []
