"""The benchmark's own sums: what it compares with, what it reads back, what its page says."""

import json

import numpy as np
import pytest

from benchmarks import naive, tables
from benchmarks.explainers import key, read
from explainers import Classifier, available, create
from explainers.registry import method

MACHINE = {"cpu": "X", "cores": 2, "system": "S", "python": "3", "tensorflow": "2", "keras": "3"}


@pytest.fixture(scope="module")
def classifier():
    """Two softmax outputs over 48 x 48 colour images, random weights."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((48, 48, 3)),
            layers.Conv2D(6, 5, strides=3, activation="relu"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    return Classifier.from_keras(network, labels=["a", "b"], preprocess="unit")


@pytest.mark.parametrize("name", sorted(naive.SMALL))
def test_a_naive_program_gives_the_same_map(classifier, name):
    picture = np.random.default_rng(5).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    explainer = create(name, classifier, **naive.SMALL[name])
    wanted = naive.heatmap(name, explainer, picture, 1)
    largest = np.abs(wanted).max()
    assert np.ptp(wanted) > 0.01 * largest > 0
    np.testing.assert_allclose(explainer.explain(picture, 1), wanted, atol=1e-4 * largest)
    other = explainer.explain(picture[::-1], 1)  # the control: another picture
    assert np.abs(other - wanted).max() > 0.01 * largest


def test_every_method_on_black_boxes_has_a_naive_program():
    """Those that go back through the network are checked against other programs elsewhere."""
    assert set(naive.SMALL) == {
        name
        for name in available()
        if method(name).reads_network and not method(name).needs_network
    }


@pytest.mark.parametrize(("depth", "regions"), [(3, 6_597), (4, 97_589)])
def test_predictions_of_the_naive_multi_scale_program(classifier, depth, regions):
    """The regions of all trees below the root at 224 pixels, worked out by hand for the design."""
    explainer = create("multiscale", classifier, depth=depth)
    picture = np.zeros((224, 224, 3), np.uint8)
    assert naive.predictions("multiscale", explainer, picture, 10) == regions + 2
    assert naive.predictions("occlusion", explainer, picture, 10) == 10


# -- reading back ----------------------------------------------------------------------------------


def line(**more):
    cell = {"network": "demo", "method": "lrp", "settings": {}, "machine": MACHINE, "value": 1}
    return json.dumps(cell | more) + "\n"


def test_the_last_line_of_a_cell_counts_and_a_line_cut_off_does_not(tmp_path):
    file = tmp_path / "cells.jsonl"
    file.write_text(line() + line(method="fem") + line(value=2) + line(value=3)[:-20])
    found = read(file, MACHINE)
    assert {cell["method"]: cell["value"] for cell in found.values()} == {"lrp": 2, "fem": 1}
    assert key("demo", "lrp", {}) in found
    assert key("demo", "lrp", {"composite": "preset-a"}) not in found
    assert read(tmp_path / "none.jsonl", MACHINE) == {}


def test_figures_of_two_machines_are_not_mixed(tmp_path):
    file = tmp_path / "cells.jsonl"
    file.write_text(line())
    with pytest.raises(SystemExit, match="another machine"):
        read(file, MACHINE | {"cores": 4})


# -- the page --------------------------------------------------------------------------------------


def alone(rate):
    return {
        "network": "vgg16",
        "method": None,
        "settings": {},
        "machine": MACHINE,
        "batch": 32,
        "images_per_second": rate,
        "by_batch": {"16": rate / 2, "32": rate},
    }


def masked(name, share, memory):
    return {
        "network": "vgg16",
        "method": name,
        "settings": {},
        "machine": MACHINE,
        "predictions": 5710,
        "padding": 18,
        "naive_predictions": 97591,
        "seconds": 381.2,
        "share": share,
        "extrapolated": True,
        "memory": memory,
        "memory_of_all": False,
        "difference": 2e-7,
        "largest": 0.1,
    }


def through(name, images, targets):
    cell = {
        "network": "vgg16",
        "method": name,
        "settings": {},
        "machine": MACHINE,
        "one": {"multiple": 1.234, "seconds": 0.5},
        "images": {"multiple": images},
        "memory": 120.0,
        "memory_of_all": True,
    }
    return cell if targets is None else cell | {"targets": {"multiple": targets}}


def test_the_goal_depends_on_how_slow_the_network_is():
    assert tables.goal(alone(199)) == 0.95
    assert tables.goal(alone(201)) == 0.85


def test_the_page_holds_every_figure_and_says_which_goals_are_missed():
    cells = [alone(15.0), masked("multiscale", 0.97, 130.4), masked("occlusion", 0.949, 501)]
    text = tables.page([*cells, through("gradient", 1.1, 2.3), through("fem", 0.4, None)])
    assert "2 cores of an X, S; Python 3, TensorFlow 2, Keras 3." in text
    assert "15 images per second (66.7 ms per image) at batch 32" in text
    row = "| `multiscale` | 5,710 | 18 | 97,591 | ≈ 381 | ≈ 97.0% | ≈ 130 | 2e-06 |"
    assert row in text.splitlines()
    assert "| `gradient` | 1.23 | 1.10 | 2.30 | 0.5 | 120 |" in text.splitlines()
    assert "| `fem` | 1.23 | 0.40 | – | 0.5 | 120 |" in text.splitlines()
    goal = "Goal: at least 95% for `h2o`, `multiscale`, `occlusion`, `rise`."
    assert f"{goal} Missed by `occlusion`." in text
    assert "Goal: at most 2 passes for several images. Missed by `gradient`." in text
    assert "Goal: under 500 MB. Missed by `occlusion`." in text


def test_a_goal_that_all_reach():
    text = tables.page([alone(400.0), masked("occlusion", 0.86, 10), masked("lime", 0.5, 10)])
    goal = "Goal: at least 85% for `h2o`, `multiscale`, `occlusion`, `rise`."
    assert f"{goal} Reached by all of these." in text
    assert "demo's network" not in text  # nothing was measured on it


def test_a_page_without_figures():
    assert "None yet." in tables.page([])
