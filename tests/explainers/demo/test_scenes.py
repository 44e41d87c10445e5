"""The drawn scenes: repeatable, the same at every size, labels and masks in agreement."""

import numpy as np
import pytest
from PIL import Image

from explainers import ExplainerError, demo
from explainers.demo.canvas import Frame, Pen, Shape, closed_curve, paint, part_masks

SCENES = 150


@pytest.fixture(scope="module")
def drawn():
    return list(demo.scenes("train", SCENES))


def things(scene):
    return {part.partition(".")[0] for part in scene.masks}


def test_a_scene_follows_from_its_number(drawn):
    for index in (0, 7, 149):
        again = demo.scene(index)
        np.testing.assert_array_equal(again.image, drawn[index].image)
        assert again.labels == drawn[index].labels
        assert again.name == f"scene-train-{index:05d}"
        for part, mask in drawn[index].masks.items():
            np.testing.assert_array_equal(again.masks[part], mask)


def test_splits_seeds_and_numbers_give_other_scenes(drawn):
    first = drawn[0].image
    for other in (demo.scene(0, split="val"), demo.scene(0, seed=9), demo.scene(1)):
        assert np.abs(other.image.astype(int) - first).mean() > 5


def test_drawing_uses_no_global_chance():
    np.random.seed(4)
    before = np.random.get_state()[1].copy()
    demo.scene(3).image  # noqa: B018
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_labels_and_masks_agree(drawn):
    for scene in drawn:
        assert {name for name in things(scene) if name in demo.LABELS} == set(scene.labels)
        assert demo.targets(scene.labels).tolist() == [k in scene.labels for k in demo.LABELS]
        for label in scene.labels:
            assert scene.mask(label).sum() >= 20


def test_masks_do_not_overlap(drawn):
    for scene in drawn[:40]:
        covered = sum(scene.masks.values(), np.zeros((demo.SIZE, demo.SIZE), int))
        assert covered.max() <= 1


def test_animals_are_made_of_their_parts(drawn):
    seen = {part for scene in drawn for part in scene.masks}
    for part in ("ears", "eyes", "nose", "mouth", "legs", "tail", "body", "head"):
        assert {f"cat.{part}", f"dog.{part}", f"horse.{part}"} <= seen
    assert {"horse.mane", "horse.neck", "cat.whiskers"} <= seen
    assert "cat.mane" not in seen


def test_every_label_and_place_occurs_and_pictures_have_several_labels(drawn):
    assert {label for scene in drawn for label in scene.labels} == set(demo.LABELS)
    assert {scene.place for scene in drawn} == {"meadow", "room", "street", "beach"}
    assert sum(len(scene.labels) > 1 for scene in drawn) > SCENES / 5
    assert any("donkey" in things(scene) and "horse" not in scene.labels for scene in drawn)


def test_the_fence_is_planted_beside_horses(drawn):
    outdoors = [scene for scene in drawn if scene.place != "room"]
    beside = np.mean(["fence" in s.masks for s in outdoors if "horse" in s.labels])
    elsewhere = np.mean(["fence" in s.masks for s in outdoors if "horse" not in s.labels])
    assert beside > 0.65
    assert elsewhere < 0.25


@pytest.mark.parametrize("size", [192, 384])
def test_a_larger_drawing_has_the_same_geometry(drawn, size):
    small, large = drawn[13], demo.scene(13, size=size)
    assert large.image.shape == (size, size, 3)
    reduced = np.asarray(Image.fromarray(large.image).resize((96, 96), Image.Resampling.BOX))
    assert np.abs(reduced.astype(float) - small.image).mean() < 4
    # Negative control: another scene is far from it.
    assert np.abs(drawn[14].image.astype(float) - small.image).mean() > 15
    for label in small.labels:
        share = small.mask(label).mean()
        assert large.mask(label).mean() == pytest.approx(share, rel=0.1)


def test_a_mask_is_where_removing_the_thing_changes_the_picture(drawn):
    scene = next(s for s in drawn if "horse" in s.labels and "fence" in s.masks)
    fenceless = scene.without("fence")
    assert "fence" not in fenceless.masks
    assert fenceless.labels == scene.labels
    changed = np.abs(scene.image.astype(int) - fenceless.image).max(axis=2) > 0
    fence = scene.mask("fence")
    assert changed[fence].mean() > 0.9
    # Antialiasing reaches one pixel beyond the mask; slivers thinner than a pixel have no mask.
    grown = fence.copy()
    for axis in (0, 1):
        grown |= np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
    assert changed[~grown].sum() < 0.02 * changed.sum()
    assert "horse" not in scene.without("horse").labels


def test_bad_arguments_are_named():
    with pytest.raises(ExplainerError, match="split must be one of train, val, not 'test'"):
        demo.scene(0, split="test")
    with pytest.raises(ExplainerError, match="split"):
        next(demo.scenes("test"))
    with pytest.raises(ExplainerError, match="index -1"):
        demo.scene(-1)


def test_painting_a_known_square():
    shapes: list[Shape] = []
    pen = Pen(shapes, Frame.standing(0.5, 1.0, 0.5), "box")
    pen.box("left", (-1, -2), (0, 0), (200, 0, 0))
    pen.box("", (0.5, -2), (1, 0), (0, 0, 200))
    pen.box("glass", (-1, -2), (1, 0), (255, 255, 255), alpha=1)
    masks = part_masks(shapes, 8)
    expected = np.zeros((8, 8), bool)
    expected[:, :4] = True
    np.testing.assert_array_equal(masks["box.left"], expected)
    np.testing.assert_array_equal(masks["box"], np.roll(expected, 6, 1) & ~expected)
    assert set(masks) == {"box.left", "box"}  # what one sees through has no mask
    assert np.abs(paint(shapes, 8)[4, 1].astype(int) - (200, 0, 0)).max() <= 2


def test_mirroring_and_inner_frames():
    frame = Frame.standing(0.5, 0.9, 0.2, mirrored=True)
    np.testing.assert_allclose(frame.place([(1, -1)]), [(0.3, 0.7)])
    inner = frame.inner((1, -1), 0.5, np.pi / 2)
    # A quarter turn sends (1, 0) to (0, 1): half a unit below the inner origin.
    np.testing.assert_allclose(inner.place([(0, 0), (1, 0)]), [(0.3, 0.7), (0.3, 0.8)])


def test_curves_pass_through_their_control_points():
    points = np.array([(0, 0), (1, 0), (1.2, 1), (0.2, 0.8)])
    curve = closed_curve(points)
    for point in points:
        assert np.abs(curve - point).sum(axis=1).min() < 1e-12
