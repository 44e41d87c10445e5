"""Box counts are those of the method's arithmetic: 6,597 / 97,589 boxes in the trees at depth 3 / 4
and 224 pixels, 1,099 / 5,708 / 27,661 of them distinct at depth 3 / 4 / 5."""

from itertools import pairwise

import numpy as np
import pytest

from explainers.errors import ExplainerError
from explainers.grids import check_depth, grids


def regions(level):
    """How many regions each offset has."""
    return (level.lengths > 0).sum(1)


@pytest.mark.parametrize(("depth", "distinct"), [(3, 1099), (4, 5708), (5, 27661)])
def test_distinct_boxes_at_224_pixels(depth, distinct):
    found = grids(224, 224, depth, "all")
    assert len(found.boxes) == 1 + distinct
    assert found.boxes[0].tolist() == [0, 0, 224, 224]
    assert len(np.unique(found.boxes, axis=0)) == len(found.boxes)


@pytest.mark.parametrize(("depth", "boxes"), [(3, 6597), (4, 97589)])
def test_boxes_of_all_trees_at_224_pixels(depth, boxes):
    found = grids(224, 224, depth, "all")
    per_level = zip(found.rows[1:], found.columns[1:], strict=True)
    assert sum(regions(row).sum() * regions(column).sum() for row, column in per_level) == boxes


@pytest.mark.parametrize(("offsets", "trees"), [("all", 16), ("four", 2), ("none", 1)])
def test_offsets_per_axis(offsets, trees):
    assert len(grids(224, 224, 4, offsets).rows[0].ids) == trees


def test_the_four_offsets_split_the_image_in_4_6_6_and_9():
    found = grids(80, 80, 3, "four")
    down, across = regions(found.rows[1]), regions(found.columns[1])
    assert np.outer(down, across).ravel().tolist() == [4, 6, 6, 9]
    half = found.rows[1].spans[found.rows[1].ids[1]]
    assert half.tolist() == [[0, 20], [20, 60], [60, 80]]


@pytest.mark.parametrize("size", [96, 97, 101, 224])
def test_children_tile_their_parent(size):
    depth = 4
    levels = grids(size, size, depth, "all").rows
    for above, level in pairwise(levels):
        for offset in range(len(level.ids)):
            spans = level.spans[level.ids[offset]]
            filled = spans[:, 1] > spans[:, 0]
            for parent, (start, stop) in enumerate(above.spans[above.ids[offset]]):
                children = spans[filled & (level.parents[offset] == parent)]
                if stop == start:
                    assert len(children) == 0
                    continue
                assert len(children) in ((2, 3) if above is levels[0] else (1, 2))
                assert children[0, 0] == start
                assert children[-1, 1] == stop
                assert (children[1:, 0] == children[:-1, 1]).all()


def test_edges_are_rounded_half_up():
    # 10 pixels, depth 1: units of 2.5 pixels; the shifted grid has its edges at 2.5 and 7.5.
    level = grids(10, 10, 1, "all").rows[1]
    assert level.spans[level.ids[1]].tolist() == [[0, 3], [3, 8], [8, 10]]


def test_regions_that_vanish_by_rounding_do_not_exist():
    # 2 pixels, depth 1: the shifted grid's edges, 0.5 and 1.5, round to 1 and 2.
    level = grids(2, 2, 1, "all").rows[1]
    assert level.spans[level.ids[1]].tolist() == [[0, 1], [1, 2]]
    assert (grids(9, 13, 3, "all").boxes[:, 2:] > grids(9, 13, 3, "all").boxes[:, :2]).all()


def test_boxes_come_coarse_to_fine():
    found = grids(64, 48, 3, "all")
    assert found.known[-1] == len(found.boxes)
    assert list(found.known) == sorted(found.known)
    for level, box_of in enumerate(found.box_of):
        assert box_of.max() < found.known[level]


def test_regions_under_a_pixel_are_refused():
    check_depth(16, 20, 4)
    with pytest.raises(ExplainerError, match=r"depth is 5.*under one pixel.*16 x 20"):
        check_depth(16, 20, 5)
