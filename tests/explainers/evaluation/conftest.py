"""A data set of four small photographs, and a network for it."""

import numpy as np
import pytest
from PIL import Image

from explainers import Classifier
from explainers.evaluation.columns import Column
from explainers.evaluation.judging import Judgement, Value
from explainers.evaluation.plan import Plan
from explainers.evaluation.statistics import Results
from explainers.evaluation.store import Store
from explainers.metrics import metric
from explainers.voc import FOLDERS, photographs

SIZE = 16
LABELS = ("cat", "dog", "horse")


def write_voc(root, names=("a", "b", "c", "d"), size=SIZE, objects=LABELS):
    """Photographs of noise, the i-th with a box of the i-th label in its upper left quarter."""
    for part in FOLDERS:
        (root / part).mkdir(parents=True)
    for place, name in enumerate(names):
        pixels = np.random.default_rng(place).integers(0, 256, (size, size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{name}.png")
        label, half = objects[place % len(objects)], size // 2
        (root / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><object><name>{label}</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
            f"<xmax>{half}</xmax><ymax>{half}</ymax></bndbox></object></annotation>"
        )
    (root / "ImageSets/Main/val.txt").write_text("\n".join(names) + "\n")
    return root


@pytest.fixture(scope="session")
def voc_at():
    return write_voc


@pytest.fixture
def voc(tmp_path):
    return write_voc(tmp_path / "VOC")


@pytest.fixture(scope="session")
def small_network():
    """Three sigmoids, with weights large enough for scores that differ."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Conv2D(6, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="sigmoid"),
        ]
    )


@pytest.fixture(scope="session")
def small(small_network):
    return Classifier.from_keras(small_network, labels=LABELS, preprocess="unit")


@pytest.fixture(scope="session")
def saved(tmp_path_factory, small_network):
    path = tmp_path_factory.mktemp("network") / "small.keras"
    small_network.save(path)
    return path


class Made:
    """Results with given values instead of predictions: of images a, b, c, ... in turn."""

    def __init__(
        self,
        folder,
        values,
        *,
        metrics,
        kinds=None,
        settings=("",),
        limits=None,
        labels=("cat",),
        traces=None,
        **more,
    ):
        """labels: of every image; an outcome is then a tuple, one each. traces: by method, one per
        image, or None."""
        columns = tuple(
            Column(name, (kinds or {}).get(name, "method"), method=self._method(name))
            if "+" not in name
            else Column(name, "agreement", parents=tuple(name.split("+")))
            for name in values
        )
        count = max(len(outcomes) for by in values.values() for outcomes in by.values())
        names = "abcdefghij"[:count]
        black_box = Classifier.from_callable(lambda images: images[:, 0, 0], labels=LABELS)
        found = photographs(write_voc(folder / "VOC", names), "val")
        chosen = tuple(metric(name) for name in metrics)
        plan = Plan(black_box, found, columns, chosen, limits=limits or {}, **more)
        store = Store(folder / "out", {})
        with store.open():
            pass
        for name, by_metric in values.items():
            for place, image in enumerate(names[: plan.count(plan.column(name))]):
                rows = [
                    Value(label, one.name, setting, outcome)
                    for one in chosen
                    for setting in settings
                    for label, outcome in zip(
                        ("",) if one.map_of == "prediction" else labels,
                        self._outcomes(by_metric, one.name, setting, place),
                        strict=False,
                    )
                ]
                of_image = (traces or {}).get(name, {}).get(image, ())
                store.put(name, image, Judgement(tuple(rows), tuple(of_image)))
        self.plan, self.store = plan, store
        self.results = Results(plan, store)

    @staticmethod
    def _outcomes(by_metric, name, setting, place):
        outcomes = by_metric.get((name, setting) if setting else name, ())
        found = outcomes[place] if place < len(outcomes) else ()
        return found if isinstance(found, tuple) else (found,)

    @staticmethod
    def _method(name):
        return "random" if name == "random" else "occlusion"


@pytest.fixture
def made(tmp_path):
    """Make results from values by method and metric (or metric and setting)."""
    return lambda values, **more: Made(tmp_path, values, **more)
