"""What one column's map of one image scores: every curve and every gain made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from explainers.base import Explainer
from explainers.classifier import ALL, CLASS_AGNOSTIC, Classifier
from explainers.evaluation.columns import Column
from explainers.metrics import Metric, Reason
from explainers.metrics.agreement import intersection
from explainers.metrics.colours import ca_deletion_curve
from explainers.metrics.curves import Curve, deletion_curve, insertion_curve
from explainers.metrics.gain import BASES, RHOS, Gain, best_pixels, gains
from explainers.metrics.outcomes import Outcome, outcome
from explainers.metrics.sanity import Step, cascading_randomisation
from explainers.render import above, thresholded

if TYPE_CHECKING:
    from numpy.typing import NDArray

Advance = Callable[[int, int], None]
BASE_NAMES = {"gaussian": "blurred", "zeros": "black"}
CURVES = ("deletion", "insertion", "ca-deletion")


@dataclass(frozen=True)
class Scene:
    """One photograph, as the network sees and scores it.

    pixels: uint8 `(H, W, C)`. scores: `(classes,)`, which only the making of maps asks for.
    targets: the labels explained, as indices.
    mask: from a target to where it is, bool `(H, W)`; shortcut: to what was planted for it, of
    drawn scenes.
    """

    name: str
    pixels: NDArray[np.uint8]
    scores: NDArray[np.float32]
    targets: tuple[int, ...]
    mask: Callable[[int], NDArray[np.bool_]]
    shortcut: Callable[[int], NDArray[np.bool_]] | None = None


@dataclass(frozen=True)
class Maps:
    """A column's maps of one image, `(H, W)` each: of the whole prediction, and by target.

    colours: by target, `(colours, H, W)`, of a method with one map per colour.
    """

    prediction: NDArray[Any] | None = None
    targets: dict[int, NDArray[Any]] = field(default_factory=dict)
    colours: dict[int, NDArray[Any]] = field(default_factory=dict)

    def each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Maps:
        prediction = None if self.prediction is None else change(self.prediction)
        return Maps(prediction, {target: change(one) for target, one in self.targets.items()})


@dataclass(frozen=True)
class Value:
    """One number, or why there is none. target: a label, "" for the whole prediction.

    setting: of metrics taken under several, such as "gaussian 0.05"; "" for all others.
    """

    target: str
    metric: str
    setting: str
    outcome: Outcome


@dataclass(frozen=True)
class Trace:
    """A curve for plots: distances (000 Eq. 1) for the whole prediction, else a label's scores.

    pixels: of the image.
    """

    target: str
    kind: str
    values: tuple[float, ...]
    pixels: int


@dataclass(frozen=True)
class Judgement:
    values: tuple[Value, ...]
    traces: tuple[Trace, ...]


def explain(explainer: Explainer, scene: Scene, *, whole: bool, advance: Advance) -> Maps:
    """The maps of a scene's targets and, if `whole`, of the whole prediction, from one pass.

    The whole prediction's is the sum over classes of score * map, as `explain(CLASS_AGNOSTIC)`.
    """

    def last(target: Any) -> NDArray[np.float32]:
        step = None
        for step in explainer.iter_explain(scene.pixels, target):
            advance(step.done, step.total)
        assert step is not None, "a method yields at least one map"
        return step.heatmap

    if explainer.class_agnostic:
        own = explainer.support(last(CLASS_AGNOSTIC))
        return Maps(own, dict.fromkeys(scene.targets, own))
    if whole:
        of_all = last(ALL)
        weighted = np.tensordot(scene.scores, of_all, axes=1).astype(np.float32)
        prediction, raw = explainer.support(weighted), {one: of_all[one] for one in scene.targets}
    else:
        found = last(scene.targets) if scene.targets else ()
        prediction, raw = None, dict(zip(scene.targets, found, strict=True))
    return Maps(
        prediction,
        {target: explainer.support(one) for target, one in raw.items()},
        {target: one for target, one in raw.items() if one.ndim == 3},
    )


def published(maps: Maps) -> Maps:
    """The maps as H2O publishes its own."""
    return maps.each(thresholded)


@dataclass(frozen=True)
class Judge:
    """Scores maps of one classifier with some metrics.

    steps, seed: of the curves, and of the order among equal values.
    """

    classifier: Classifier
    metrics: tuple[Metric, ...]
    steps: int
    seed: int

    @property
    def whole(self) -> bool:
        """Whether a metric judges the map of the whole prediction."""
        return any(metric.map_of == "prediction" for metric in self.metrics)

    def judge(
        self,
        column: Column,
        scene: Scene,
        maps: Sequence[Maps],
        explainer: Explainer | None = None,
    ) -> Judgement:
        """maps: the column's own, or those of its parents.

        explainer: the method's own where the column is one; that of the first parent for the
        controls of CA-deletion, which take its colours.
        """
        values: list[Value] = []
        traces: dict[tuple[str, str], Trace] = {}
        cases: dict[int | None, _Case] = {
            target: _Case(self, column, scene, maps, target, explainer)
            for target in (None, *scene.targets)
        }
        for index, heatmap in maps[0].targets.items():
            if _equal(maps[0].prediction, heatmap):  # its curves are made once
                cases[index].share(cases[None])
        for metric in filter(column.takes, self.metrics):
            for target in scene.targets if metric.map_of == "target" else (None,):
                case, label = cases[target], self._label(target)
                values += [
                    Value(label, metric.name, setting, found)
                    for setting, found in case.outcomes(metric)
                ]
                for kind in CURVES:
                    curve = case.need(kind) if kind in metric.needs else None
                    if isinstance(curve, Curve):
                        traces[label, kind] = _trace(curve, label, kind, target, scene)
        return Judgement(tuple(values), tuple(traces.values()))

    def _label(self, target: int | None) -> str:
        return "" if target is None else self.classifier.labels[target]


def _trace(curve: Curve, label: str, kind: str, target: int | None, scene: Scene) -> Trace:
    values = curve.distances if target is None else curve.scores[:, target]
    return Trace(label, kind, tuple(values.tolist()), scene.pixels[..., 0].size)


class _Case:
    """One map of one image, for one target or the whole prediction (None).

    What a metric needs is made when it is first asked for.
    """

    def __init__(
        self,
        judge: Judge,
        column: Column,
        scene: Scene,
        maps: Sequence[Maps],
        target: int | None,
        explainer: Explainer | None,
    ) -> None:
        self.judge, self.column, self.scene = judge, column, scene
        self.maps, self.target, self.explainer = maps, target, explainer
        self._made: dict[str, Any] = {}

    def share(self, other: _Case) -> None:
        """Use the curves of a case that has the same map."""
        self._made = other._made

    def outcomes(self, metric: Metric) -> Iterator[tuple[str, Outcome]]:
        """What the metric gives, by setting."""
        if "gain" in metric.needs:
            for setting, gain in self._gains.items():
                yield setting, _number(outcome(metric.function, gain))
        else:
            drawn = {"seed": self.judge.seed} if "explainer" in metric.needs else {}
            yield "", _number(outcome(metric.function, *map(self.need, metric.needs), **drawn))

    def need(self, name: str) -> Any:
        """What `metrics.NEEDS` calls by this name; a Reason where it does not exist."""
        own: dict[str, Callable[[], Any]] = {
            "heatmap": lambda: above(self._map, self.column.baseline),
            "target": lambda: self.target,
            "image": lambda: self.scene.pixels,
            "explainer": lambda: self.explainer,
            "mask": lambda: self.scene.mask(self._index),
            "shortcut": self._shortcut,
            "cascade": lambda: self._cascade,
        }
        if name in own:
            return own[name]()
        if name not in self._made:
            self._made[name] = self._curve(name)
        return self._made[name]

    @property
    def _index(self) -> int:
        assert self.target is not None, "only metrics of a target ask for it"
        return self.target

    def _shortcut(self) -> NDArray[np.bool_]:
        assert self.scene.shortcut is not None, "only drawn scenes have metrics that ask for it"
        return self.scene.shortcut(self._index)

    @cached_property
    def _cascade(self) -> list[Step]:
        judge, create = self.judge, self.column.create
        steps = cascading_randomisation(
            judge.classifier, create, self.scene.pixels, self._index, seed=judge.seed
        )
        return list(steps)

    @property
    def _map(self) -> NDArray[Any]:
        first = self.maps[0]
        found = first.prediction if self.target is None else first.targets[self.target]
        assert found is not None, "made where a metric judges it"
        return found

    def _curve(self, kind: str) -> Curve | Reason:
        colours = self.maps[0].colours
        if kind == "ca-deletion" and self.target in colours:
            return self._colour_curve(colours[self._index])
        if kind == "ca-deletion":
            return self.need("deletion")  # type: ignore[no-any-return]
        make = insertion_curve if kind == "insertion" else deletion_curve
        judge = self.judge
        return outcome(
            make, judge.classifier, self.scene.pixels, self._map, steps=judge.steps, seed=judge.seed
        )

    def _colour_curve(self, colours: NDArray[Any]) -> Curve | Reason:
        judge, pixels, kind = self.judge, self.scene.pixels, self.column.kind
        return outcome(
            ca_deletion_curve,
            judge.classifier,
            pixels,
            colours,
            self.explainer.palette(pixels.shape[2]),  # type: ignore[union-attr]
            order_by=self.maps[1].targets[self._index] if kind == "order" else None,
            random_colours=kind == "colours",
            steps=judge.steps,
            seed=judge.seed,
        )

    @cached_property
    def _gains(self) -> dict[str, Gain | Reason]:
        """By setting: the base image, and the share of pixels put into it."""
        masks = {rho: self._mask(rho) for rho in RHOS}
        found: dict[str, Gain | Reason] = {}
        for base in BASES:
            of_base = gains(self.judge.classifier, self.scene.pixels, self._index, masks, base=base)
            found |= {setting(base, rho): gain for rho, gain in of_base.items()}
        return found

    def _mask(self, rho: float) -> NDArray[np.bool_] | Reason:
        """The best pixels of the map, or those that the best of several have in common."""
        best = partial(outcome, best_pixels, rho=rho, seed=self.judge.seed)
        return outcome(intersection, *(best(maps.targets[self._index]) for maps in self.maps))


def _equal(one: NDArray[Any] | None, other: NDArray[Any]) -> bool:
    return one is other or (one is not None and np.array_equal(one, other))


def setting(base: str, rho: float) -> str:
    """How a gain's base image and share of pixels are called in `Value.setting`."""
    return f"{base} {rho:g}"


def in_words(setting: str) -> str:
    """Such a setting as tables have it."""
    base, _, rho = setting.partition(" ")
    return f"{BASE_NAMES[base]}, {float(rho):.0%}".replace("%", " %")


def _number(found: Outcome) -> Outcome:
    return found if isinstance(found, Reason) else float(found)
