"""What an evaluation compares: methods, views of their maps, and what maps have in common.

Each is a column of 000's table (a row of 004's), under a name of its own, so that one method may
appear with several settings.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from explainers import registry
from explainers.base import Explainer, Partial
from explainers.classifier import Classifier
from explainers.errors import ExplainerError
from explainers.metrics import Metric
from explainers.parameters import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANDOM = "random"
THRESHOLDED = "-thresholded"
COLOUR_METHOD, ORDER_METHOD = "mc-rise", "rise"

Setting = Callable[[str], tuple[str, Any]]
Kind = Literal["method", "thresholded", "agreement", "order", "colours"]


@dataclass(frozen=True)
class Column:
    """One thing that is compared.

    kind: "method", with its own maps; or what is made of other columns' maps: "thresholded", a
    map as H2O publishes its own (`render.thresholded`); "agreement", the pixels that the best of
    all have in common (004 §4.4); "order" and "colours", the two controls of CA-deletion (the
    order of the second parent with the colours of the first; the first's order, random colours).
    method, settings: the registry's name, or "random", and the parameters that differ from the
    defaults.
    parents: the columns whose maps it is made of.
    """

    name: str
    kind: Kind = "method"
    method: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    parents: tuple[str, ...] = ()

    def takes(self, metric: Metric) -> bool:
        """Whether the metric says something about such a column."""
        if self.kind == "agreement":
            return "gain" in metric.needs
        if self.kind in ("order", "colours"):
            return "ca-deletion" in metric.needs
        return self.kind == "method" or not {"explainer", "cascade"} & set(metric.needs)

    def create(self, classifier: Classifier) -> Explainer:
        if self.method == RANDOM:
            return Noise(classifier, **self.settings)
        return registry.create(self.method, classifier, **self.settings)

    def parameters(self) -> dict[str, Any]:
        """All parameters that decide on the map, defaults among them."""
        if self.kind != "method":
            return {}
        known = {"seed": 0} if self.method == RANDOM else registry.parameters(self.method)
        return {key: self.settings.get(key, known[key]) for key in known if key != "batch_size"}

    @property
    def baseline(self) -> str:
        """From where its maps count; see `render.above`."""
        plain = self.kind != "method" or self.method == RANDOM
        return "zero" if plain else registry.method(self.method).baseline


class Noise(Explainer):
    """A map of independent random numbers, 0..1: what a method that knows nothing scores (ours).

    The same map for the same pixels and seed.
    """

    class_agnostic = True

    def __init__(self, classifier: Classifier, *, seed: int = 0, batch_size: int = 64) -> None:
        super().__init__(classifier, batch_size=batch_size)
        self.seed = whole("seed", seed, minimum=0)

    def _steps(self, image: NDArray[np.float32], targets: tuple[int, ...]) -> Iterator[Partial]:
        generator = np.random.default_rng([self.seed, zlib.crc32(image.tobytes())])
        noise = generator.random((1, *image.shape[:2])).astype(np.float32)
        yield Partial(0, 0, lambda: noise)


def parse(
    methods: str,
    *,
    setting: Setting,
    settings: Sequence[str] = (),
    seed: int = 0,
    agreement: str | None = None,
    metrics: Sequence[Metric] = (),
) -> tuple[Column, ...]:
    """The columns that `--methods`, `--set` and `--agreement` name.

    methods: comma-separated names of methods or "random"; NAME=METHOD for a method under another
    name; either with parameters, NAME=METHOD:key=value:key=value; NAME-thresholded for the
    published view of a column's maps. setting: reads "key=value". settings: "NAME.key=value"
    each, for values with commas too. seed: of every method that has one, unless it is set.
    agreement: names of columns. metrics: of which CA-deletion brings its controls where `rise` and
    `mc-rise` are compared.
    """
    chosen: dict[str, dict[str, Any]] = {}
    for text in settings:
        name, dot, rest = text.partition(".")
        if not dot:
            raise ExplainerError(f"--set {text!r} is no setting; expected NAME.KEY=VALUE.")
        _put(chosen.setdefault(name, {}), name, *setting(rest))
    columns: dict[str, Column] = {}
    for item in _items(methods):
        column = _column(item, setting, chosen, seed, columns)
        if column.name in columns:
            raise ExplainerError(f"--methods names {column.name} twice; give one another name.")
        columns[column.name] = column
    if not columns:
        raise ExplainerError("--methods names none; expected names, separated by commas.")
    for name in chosen:
        if name not in columns or columns[name].kind != "method":
            raise ExplainerError(
                f"--set is given for {name!r}, which is no method of --methods: "
                f"{', '.join(columns)}."
            )
    found = tuple(columns.values())
    if agreement is not None:
        found += _agreements(agreement, columns)
    if any("ca-deletion" in metric.needs for metric in metrics):
        controls = _controls(found)
        taken = [one.name for one in controls if one.name in columns]
        if taken:
            raise ExplainerError(
                f"--methods names {taken[0]}, as a control of CA-deletion is called; give it "
                "another name."
            )
        found += controls
    return found


def _items(methods: str) -> list[str]:
    """What stands between commas; ExplainerError where they seem to belong to a value."""
    items = [one.strip() for one in methods.split(",") if one.strip()]
    for before, item in pairwise(items):
        known = item in (*registry.available(), RANDOM) or item.endswith(THRESHOLDED)
        if ":" in before and not known and not set("=:") & set(item):
            name = re.split("[=:]", before)[0].strip()
            raise ExplainerError(
                f"There is no method {item!r} (after {before}); a value with commas is given by "
                f"--set {name}.KEY=A,B,C."
            )
    return items


def _column(
    item: str,
    setting: Setting,
    chosen: dict[str, dict[str, Any]],
    seed: int,
    columns: dict[str, Column],
) -> Column:
    head, *given = item.split(":")
    name, equals, method = (part.strip() for part in head.partition("="))
    if not re.fullmatch(r"\w[\w.-]*", name):  # it names a folder, and "+" joins several
        raise ExplainerError(
            f"{name!r} cannot be a method's name in tables; expected letters, digits, - and _."
        )
    if not equals and name.endswith(THRESHOLDED):
        parent = name.removesuffix(THRESHOLDED)
        if parent not in columns:
            raise ExplainerError(f"{name} is made of the map of {parent}: name {parent} before it.")
        return Column(name, "thresholded", parents=(parent,))
    own = dict(chosen.get(name, {}))
    for text in given:
        _put(own, name, *setting(text))
    method = method or name
    known = ("seed",) if method == RANDOM else registry.parameters(_known(method))
    if "seed" in known:
        own.setdefault("seed", seed)
    for key in own:
        if key not in known:
            raise ExplainerError(f"{method} has no parameter {key!r}; it has {', '.join(known)}.")
    return Column(name, method=method, settings=own)


def _known(method: str) -> str:
    if method not in registry.available():
        raise ExplainerError(
            f"There is no method {method!r}; there are "
            f"{', '.join((*registry.available(), RANDOM))}, and NAME{THRESHOLDED}."
        )
    return method


def _put(settings: dict[str, Any], name: str, key: str, value: Any) -> None:
    if key in settings:
        raise ExplainerError(f"{key} is set twice for {name}.")
    settings[key] = value


def _agreements(text: str, columns: dict[str, Column]) -> tuple[Column, ...]:
    """Every pair of the columns, and all of them together where there are more than two."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in columns:
            raise ExplainerError(
                f"--agreement names {name!r}, which is none of --methods: {', '.join(columns)}."
            )
    if len(set(names)) != len(names) or len(names) < 2:
        raise ExplainerError("--agreement takes at least two names, each once.")
    sets = [*combinations(names, 2), *([tuple(names)] if len(names) > 2 else [])]
    return tuple(Column("+".join(one), "agreement", parents=one) for one in sets)


def _controls(columns: Sequence[Column]) -> tuple[Column, ...]:
    """CA-deletion's, where there is a colour map; the first needs a map of RISE too."""
    colours = [one.name for one in columns if one.method == COLOUR_METHOD]
    orders = [one.name for one in columns if one.method == ORDER_METHOD]
    found = [
        Column(f"{one}-in-order-of-{order}", "order", parents=(one, order))
        for one in colours
        for order in orders[:1]
    ]
    found += [Column(f"{one}-in-random-colours", "colours", parents=(one,)) for one in colours]
    return tuple(found)
