"""Mean curves by hand: over which images, at which fractions."""

import numpy as np
import pytest

from explainers.evaluation.judging import Trace
from explainers.evaluation.plots import figure, mean_curves, rows

NOTHING = {"one": {"dauc": [1.0] * 3}, "two": {"dauc": [1.0] * 3}}


def curves(made, traces, **more):
    results = made(NOTHING, metrics=["dauc"], traces=traces, **more).results
    (group,) = results.groups()
    return {(one.column, one.kind): one for one in mean_curves(results, group)}


def along(*values, target="", kind="deletion", pixels=4):
    return Trace(target, kind, tuple(values), pixels)


def test_the_mean_is_over_the_images_that_all_methods_have(made):
    """Of image b the second method has no curve: means over a and c."""
    found = curves(
        made,
        {
            "one": {"a": [along(0, 1, 4)], "b": [along(9, 9, 9)], "c": [along(0, 3, 8)]},
            "two": {"a": [along(0, 0, 2)], "c": [along(2, 2, 4)]},
        },
    )
    one, two = found["one", "deletion"], found["two", "deletion"]
    assert (one.n, two.n) == (2, 2)
    assert one.mean.tolist() == [0, 2, 6]
    assert two.mean.tolist() == [1, 1, 3]
    assert one.low.tolist() == [0, 1, 4]
    assert one.high.tolist() == [0, 3, 8]
    assert one.whole


def test_fractions_are_those_of_the_curve(made):
    """Six pixels in four steps: after 0, 2, 3, 5 and 6 of them (`changed`, rounded half up)."""
    found = curves(made, {"one": {"a": [along(0, 1, 2, 3, 4, pixels=6)]}})["one", "deletion"]
    np.testing.assert_allclose(found.fractions * 6, [0, 2, 3, 5, 6])
    points = [row[3] for row in rows([found])]
    assert points == pytest.approx([0, 1 / 3, 1 / 2, 5 / 6, 1])


def test_images_count_alike_however_many_labels_they_have(made):
    """Image a: mean of 0 and 4; b: 6. A label that one method lacks counts for none."""
    both = [along(0, 0, target="cat"), along(4, 4, target="dog")]
    found = curves(
        made,
        {
            "one": {"a": both, "b": [along(6, 6, target="cat"), along(90, 90, target="dog")]},
            "two": {"a": both, "b": [along(6, 6, target="cat")]},
        },
    )
    for one in found.values():
        assert (one.mean.tolist(), one.n, one.whole) == ([4, 4], 2, False)


def test_a_kind_that_only_some_methods_have_is_drawn_of_those(made):
    found = curves(
        made,
        {"one": {"a": [along(0, 1), along(1, 0, kind="insertion")]}, "two": {"a": [along(0, 1)]}},
    )
    assert set(found) == {("one", "deletion"), ("two", "deletion"), ("one", "insertion")}


def test_the_figure_says_of_how_many_images(made):
    drawn = figure([*curves(made, {"one": {"a": [along(0, 1)], "b": [along(0, 1)]}}).values()])
    assert drawn["png"].startswith(b"\x89PNG")
    assert b"<!-- deletion, 2 images -->" in drawn["svg"]
