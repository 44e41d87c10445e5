"""`evaluate --data demo`: drawn scenes, whose truth is known to the pixel."""

import csv

import numpy as np
import pytest

from explainers import Classifier, ExplainerError, demo
from explainers.__main__ import main
from explainers.evaluation.columns import Column, Noise
from explainers.evaluation.drawn import Drawing, drawings
from explainers.evaluation.plan import Plan
from explainers.metrics import metric
from explainers.metrics.ground_truth import relevance_inside, relevance_on_shortcut

SHARES = "relevance-inside,relevance-on-shortcut"
FENCED = next(
    index
    for index in range(100)
    if "horse" in (one := demo.scene(index)).labels and "fence" in one.masks
)


def evaluate(out, **changes):
    options = {
        "data": "demo", "split": "train", "methods": "random", "metrics": SHARES,
        "target": "annotated", "limit": FENCED + 1, "sheet": 0, "out": out, **changes,
    }  # fmt: skip
    arguments = ["evaluate"]
    for key, value in options.items():
        arguments += [f"--{key}", str(value)]
    return main(arguments)


def test_a_drawing_is_the_scene_of_its_name_at_the_networks_size():
    drawing, scene = Drawing("train", FENCED), demo.scene(FENCED)
    assert (drawing.name, drawing.labels((96, 96, 3))) == (scene.name, scene.labels)
    assert (drawing.load((96, 96, 3)) == scene.image).all()
    assert (drawing.mask("horse", (96, 96, 3)) == scene.mask("horse")).all()
    assert (drawing.shortcut("horse", (96, 96, 3)) == scene.masks["fence"]).all()
    assert drawing.load((32, 32, 3)).shape == (32, 32, 3)
    with pytest.raises(ExplainerError, match="square and in colour"):
        drawing.load((32, 48, 3))
    with pytest.raises(ExplainerError, match="square and in colour"):
        drawing.load((32, 32, 1))


def test_a_scene_is_found_by_its_name_alone():
    found = demo.named(demo.scene(7, split="val").name)
    assert found is not None
    assert (found.image == demo.scene(7, split="val").image).all()
    for name in ("scene-test-00007", "scene-val-7", "scene-val-00007.png", "horse"):
        assert demo.named(name) is None


def test_shares_of_a_random_map_by_hand(tmp_path):
    """The shares that stand in values.csv are those of the map over the scene's own masks."""
    assert evaluate(tmp_path / "out") == 0
    with (tmp_path / "out/values.csv").open() as file:
        rows = {(row["image"], row["target"], row["metric"]): row for row in csv.DictReader(file)}
    scene = demo.scene(FENCED)
    noise = Noise(demo.classifier()).explain(scene.image, "horse")
    for name, share, mask in (
        ("relevance-inside", relevance_inside, scene.mask("horse")),
        ("relevance-on-shortcut", relevance_on_shortcut, scene.masks["fence"]),
    ):
        found = float(rows[scene.name, "horse", name]["value"])
        assert found == pytest.approx(share(noise, mask))
        assert found == pytest.approx(mask.mean(), rel=0.2)
    # Nothing was planted for the other labels, and that is said.
    reasons = {row["reason"] for (_, target, name), row in rows.items()
               if name == "relevance-on-shortcut" and target != "horse"}  # fmt: skip
    assert reasons == {"not in the picture"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "test"}, "The demo has no split 'test'; it has train, val"),
        ({"metrics": "sim"}, "sim needs where people look: a map (H, W); the demo's scenes"),
        ({"data": "absent"}, "--model is missing"),
    ],
)
def test_unusable_input_is_one_sentence(tmp_path, capsys, changes, message):
    assert evaluate(tmp_path / "out", **changes) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_network_with_other_labels_is_refused_where_the_truth_is_asked_for():
    other = Classifier.from_callable(lambda images: np.ones((len(images), 1)), labels=["donkey"])
    column = Column("random", method="random")
    with pytest.raises(ExplainerError, match="the network has 'donkey'"):
        Plan(other, drawings("val"), (column,), (metric("relevance-inside"),))
    Plan(other, drawings("val"), (column,), (metric("sparsity"),))
