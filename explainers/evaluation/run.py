"""Over the images, and for each over the columns: explain, judge, keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from explainers.base import Explainer
from explainers.errors import ExplainerError
from explainers.evaluation.columns import Column
from explainers.evaluation.judging import Maps, Scene, explain, published
from explainers.evaluation.lock import WriteError
from explainers.evaluation.plan import Plan
from explainers.evaluation.store import Store


class Watch:
    """Is told how a run goes; this one does nothing with it."""

    def step(self, column: str, image: str, done: int, total: int) -> None:
        """So many of the predictions for a map are made."""

    def finished(self, column: str, image: str) -> None:
        """The column's values of an image are stored."""


@dataclass(frozen=True)
class Failure:
    """An image that could not be evaluated, under one column or (None) at all."""

    image: str
    column: str | None
    message: str


def run(
    plan: Plan,
    store: Store,
    explainers: Mapping[str, Explainer],
    *,
    watch: Watch | None = None,
    sheet: int = 0,
    keep_maps: bool = False,
) -> list[Failure]:
    """Evaluate what is not evaluated yet, image by image; returns what could not be.

    explainers: `plan.explainers()`.
    sheet: of how many images the maps are kept for a contact sheet; keep_maps: of all.
    An image that fails does not stop the others. Killed at any moment, the next run goes on with
    the column and image at which this one was. Raises WriteError at the first file that cannot be
    written.
    """
    with store.open():
        return _run(plan, store, explainers, watch or Watch(), sheet, keep_maps)


def _run(
    plan: Plan,
    store: Store,
    explainers: Mapping[str, Explainer],
    watch: Watch,
    sheet: int,
    keep_maps: bool,
) -> list[Failure]:
    failures: list[Failure] = []
    parents = {parent for column in plan.columns for parent in column.parents}
    for number, photograph in enumerate(plan.photographs):
        pending = [
            column
            for column in plan.columns
            if number < plan.count(column) and not store.has(column.name, photograph.name)
        ]
        if not pending:
            continue
        kept = {one.name for one in plan.columns} if keep_maps or number < sheet else parents
        try:
            image = _Image(plan, store, plan.scene(photograph), explainers, kept, watch)
        except ExplainerError as error:
            failures.append(Failure(photograph.name, None, str(error)))
            continue
        for column in pending:
            try:
                image.evaluate(column)
            except WriteError:  # no fault of the image, and the next would fail alike
                raise
            except ExplainerError as error:
                failures.append(Failure(photograph.name, column.name, str(error)))
    return failures


@dataclass
class _Image:
    """One image and the maps of it made so far."""

    plan: Plan
    store: Store
    scene: Scene
    explainers: Mapping[str, Explainer]
    kept: set[str]
    watch: Watch

    def __post_init__(self) -> None:
        self._maps: dict[str, Maps] = {}

    def evaluate(self, column: Column) -> None:
        name, image = column.name, self.scene.name
        of_parents = column.kind in ("agreement", "order", "colours")
        maps = [self._map(self.plan.column(one)) for one in column.parents] if of_parents else None
        explainer = self.explainers.get(column.parents[0] if of_parents else name)
        judgement = self.plan.judge.judge(
            column, self.scene, maps or [self._map(column)], explainer
        )
        self.store.put(name, image, judgement)
        self.watch.finished(name, image)

    def _map(self, column: Column) -> Maps:
        """The column's maps: made before, kept by an earlier run, or made now."""
        name = column.name
        if name not in self._maps:
            self._maps[name] = self.store.maps(name, self.scene.name) or self._made(column)
        return self._maps[name]

    def _made(self, column: Column) -> Maps:
        name, image = column.name, self.scene.name
        if column.kind == "thresholded":
            found = published(self._map(self.plan.column(column.parents[0])))
        else:
            found = explain(
                self.explainers[name],
                self.scene,
                whole=self.plan.judge.whole,
                advance=lambda done, total: self.watch.step(name, image, done, total),
            )
        if name in self.kept:
            self.store.keep(name, image, found)
        return found
