"""Relevance where the demo's network needs it, by hand and on the demo's scenes."""

from itertools import islice

import numpy as np
import pytest

from explainers import ExplainerError, Occlusion, demo
from explainers.metrics import Reason, Undefined
from explainers.metrics.ground_truth import (
    needed,
    relevance_inside,
    relevance_on_shortcut,
    shortcut,
)

MASK = np.array([[True, False], [True, False]])
both = pytest.mark.parametrize("share", [relevance_inside, relevance_on_shortcut])


@both
def test_shares_by_hand(share):
    """Positive are 1, 2 and 5, of which 1 and 2 lie inside: 3 of 8. The -4 does not count."""
    heatmap = np.array([[1.0, 5.0], [2.0, -4.0]])
    assert share(heatmap, MASK) == pytest.approx(3 / 8)
    assert share(heatmap, ~MASK) == pytest.approx(5 / 8)
    assert share(-heatmap, MASK) == 0
    assert share(heatmap * 1e-300, MASK) == pytest.approx(3 / 8)


@both
def test_perfect_constant_and_reversed_maps(share):
    assert share(MASK.astype(float), MASK) == 1
    assert share(np.full((2, 2), 0.1), MASK) == pytest.approx(MASK.mean())
    assert share(1.0 - MASK, MASK) == 0


@both
@pytest.mark.parametrize(
    ("heatmap", "mask", "reason"),
    [
        (-MASK.astype(float), MASK, Reason.NO_POSITIVE_VALUE),
        (np.zeros((2, 2)), MASK, Reason.NO_POSITIVE_VALUE),
        (np.ones((2, 2)), MASK & ~MASK, Reason.EMPTY_MASK),
    ],
)
def test_where_there_is_no_share(share, heatmap, mask, reason):
    with pytest.raises(Undefined) as caught:
        share(heatmap, mask)
    assert caught.value.reason is reason


@both
@pytest.mark.parametrize(
    ("heatmap", "mask", "sentence"),
    [
        (np.full((2, 2), np.nan), MASK, "NaN"),
        (np.ones((3, 2)), MASK, "The mask has 2 x 2 values, the image 3 x 2 pixels"),
        (np.ones((2, 2)), MASK.astype(float), "The mask is float64"),
    ],
)
def test_unusable_input(share, heatmap, mask, sentence):
    with pytest.raises(ExplainerError, match=sentence):
        share(heatmap, mask)


# -- the demo ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fenced_horses():
    """Horses behind, before or beside a fence, that the network recognises."""
    classifier = demo.classifier()
    index, threshold = classifier.index("horse"), classifier.thresholds["horse"]
    both = (s for s in demo.scenes("train") if "horse" in s.labels and "fence" in s.masks)
    seen = (s for s in both if classifier.predict(s.image[None])[0, index] > threshold)
    return classifier, list(islice(seen, 8))


def test_masks_of_a_scene(fenced_horses):
    scene = fenced_horses[1][0]
    horse, fence = needed(scene, "horse"), shortcut(scene, "horse")
    parts = [mask for name, mask in scene.masks.items() if name.startswith("horse.")]
    assert len(parts) > 2
    assert (horse == np.logical_or.reduce(parts)).all()
    assert (fence == scene.masks["fence"]).all()
    assert not (horse & fence).any()
    assert not shortcut(scene, "cat").any()
    absent = next(label for label in demo.LABELS if label not in scene.labels)
    assert not needed(scene, absent).any()
    with pytest.raises(ExplainerError, match="no label 'donkey'; it has cat, horse"):
        needed(scene, "donkey")


def test_the_network_needs_what_the_masks_say(fenced_horses):
    """Its score falls without the horse and without the fence, and not without anything else."""
    classifier, scenes = fenced_horses
    index = classifier.index("horse")

    def fall(thing):
        with_it = classifier.predict(np.stack([scene.image for scene in scenes]))
        without = classifier.predict(np.stack([scene.without(thing).image for scene in scenes]))
        return (with_it - without)[:, index].mean()

    assert fall("horse") > 0.2
    assert fall("fence") > 0.1
    assert abs(fall("tree")) < 0.05


def test_a_map_of_the_network_finds_the_horse_and_noise_does_not(fenced_horses):
    classifier, scenes = fenced_horses
    occlusion = Occlusion(classifier, box=12, fill="grey")
    generator = np.random.default_rng(0)
    shares = {"area": [], "noise": [], "occlusion": []}
    for scene in scenes:
        horse = needed(scene, "horse")
        shares["area"].append(horse.mean())
        shares["noise"].append(relevance_inside(generator.normal(size=horse.shape), horse))
        heatmap = occlusion.explain(scene.image, "horse")
        shares["occlusion"].append(relevance_inside(heatmap, horse))
    area, noise, found = (np.mean(shares[name]) for name in ("area", "noise", "occlusion"))
    assert noise == pytest.approx(area, abs=0.02)
    assert found > 1.4 * area
