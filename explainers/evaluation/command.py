"""`python -m explainers evaluate`: options, progress, and what is said at the end."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from explainers import demo
from explainers.classifier import Classifier
from explainers.errors import ExplainerError
from explainers.evaluation.columns import parse
from explainers.evaluation.drawn import DEMO, Drawing, drawings
from explainers.evaluation.outputs import require_all, write_all
from explainers.evaluation.plan import TARGETS, Plan
from explainers.evaluation.run import Watch, run
from explainers.evaluation.store import Store
from explainers.metrics import available as all_metrics
from explainers.metrics import metric
from explainers.metrics.curves import STEPS
from explainers.parameters import whole
from explainers.preprocessing import PREPROCESSINGS
from explainers.voc import Photograph, photographs, plain

EXAMPLE = """examples:
  the table of paper 000, with fewer images for the method that takes long:
  python -m explainers evaluate --data VOC2007 --model network.keras --labels labels.txt \\
      --preprocess signed --out results \\
      --methods h2o,h2o-thresholded,grad-cam,fem,lime,rise,lrp,multiscale,random \\
      --metrics iauc,dauc,is,ds,ipgs,dngs,sparsity --steps 100 --limit-for h2o=16

  that of paper 004: methods under several settings, and what three of them agree on:
  ... --methods occ-10=occluding-patches:box=10,occ-50=occluding-patches:box=50,\\
grad-0=gradient,grad-5=gradient:dilations=5,c-mwp \\
      --metrics scg,ccg --agreement occ-10,grad-5,c-mwp

  the demo's scenes and network, whose truth is known to the pixel:
  python -m explainers evaluate --data demo --out results --methods occlusion,lrp,random \
      --metrics relevance-inside,relevance-on-shortcut --target annotated --limit 50

  a folder of pictures without annotations, and a parameter whose value has commas:
  ... --data PICTURES --methods red=occlusion:box=20,random --set red.fill=255,0,0 \\
      --metrics iauc,dauc,deletion

An interrupted evaluation goes on where it was when the same command is run again; where all is
done, that only writes the tables anew. Methods and images may be added, settings not changed; a
finished folder is not gone on with by a command that asks for less.
"""

LOG_SECONDS = 60

Labels = Callable[[str | None], list[str] | None]
Setting = Callable[[str], tuple[str, Any]]


def add_evaluate(commands: Any, *, labels: Labels, setting: Setting) -> None:
    """Add the command to the parsers; labels and setting read what other commands take too."""
    parser = commands.add_parser(
        "evaluate",
        help="how faithful methods are, over a folder of photographs",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--data", required=True, metavar="DIR",
        help="a folder in PASCAL VOC layout, or one of pictures alone; "
        f"{DEMO!r} for the bundled drawn scenes",
    )  # fmt: skip
    add("--split", default="val", metavar="NAME", help="a list in ImageSets/Main, if any (val)")
    add(
        "--model", metavar="M.keras",
        help=f"the Keras network; with --data {DEMO} the bundled one where none is given",
    )  # fmt: skip
    add("--labels", metavar="A,B,C or FILE", help="comma-separated, or a file with one per line")
    add("--preprocess", default="none", metavar="NAME", help=f"{', '.join(PREPROCESSINGS)}")
    add(
        "--methods", required=True, metavar="A,B",
        help="methods by name, or random; NAME=METHOD:key=value:key=value for one under another "
        "name and with parameters; NAME-thresholded for H2O's published view of a map",
    )  # fmt: skip
    add("--metrics", required=True, metavar="X,Y", help=", ".join(all_metrics()))
    add("--out", required=True, metavar="DIR", help="a new folder, or one to go on with")
    add(
        "--set", action="append", default=[], metavar="NAME.KEY=VALUE",
        help="a parameter of one of the methods; its value may have commas",
    )  # fmt: skip
    add("--agreement", metavar="A,B,C", help="methods whose best pixels are intersected (scg, ccg)")
    add(
        "--target", default="top", choices=TARGETS,
        help="which labels are explained, where a metric is about one: that with the highest "
        "score (top), those above their threshold, or those annotated",
    )  # fmt: skip
    add("--limit", type=int, metavar="N", help="the first N photographs only")
    add(
        "--limit-for", action="append", default=[], metavar="NAME=N",
        help="fewer photographs for one of the methods",
    )  # fmt: skip
    add("--steps", type=int, default=STEPS, help=f"of the curves ({STEPS})")
    add("--seed", type=int, default=0, help="of everything that is drawn by chance (0)")
    add("--sheet", type=int, default=6, metavar="N", help="photographs in the contact sheet (6)")
    add(
        "--keep-maps", action="store_true",
        help="keep every map, as DIR/maps/METHOD/IMAGE.npz; without it those of the contact sheet, "
        "and those that other maps are made of",
    )  # fmt: skip
    parser.set_defaults(run=lambda options: _evaluate(options, labels, setting))


def _evaluate(options: argparse.Namespace, labels: Labels, setting: Setting) -> int:
    plan = _plan(options, labels, setting)
    store, explainers = Store(options.out, plan.settings()), plan.explainers()
    require_all(plan, store)
    with store.open(), _Progress(plan, store) as progress:
        failures = run(
            plan,
            store,
            explainers,
            watch=progress,
            sheet=options.sheet,
            keep_maps=options.keep_maps,
        )
        written = write_all(
            plan, store, failures, sheet_of=options.sheet, advance=progress.summed_up
        )
    if progress.interrupted:
        print(
            f"interrupted; {progress.done} of {progress.total} are done, the same command goes on.",
            file=sys.stderr,
        )
        return 130
    for path in written:
        print(path)
    for one in failures:
        where = one.image if one.column is None else f"{one.image} ({one.column})"
        print(f"not evaluated: {where}: {one.message}", file=sys.stderr)
    return 1 if failures else 0


def _plan(options: argparse.Namespace, labels: Labels, setting: Setting) -> Plan:
    metrics = tuple(metric(name) for name in _names(options.metrics))
    columns = parse(
        options.methods,
        setting=setting,
        settings=options.set,
        seed=options.seed,
        agreement=options.agreement,
        metrics=metrics,
    )
    limits = _limits(options.limit_for)
    whole("--sheet", options.sheet, minimum=0)
    if Path(options.out).is_file():
        raise ExplainerError(f"{options.out} is a file; expected a folder to write.")
    drawn = options.data == DEMO
    if options.model is None and not drawn:
        raise ExplainerError("--model is missing; expected the Keras network's file.")
    found: Sequence[Photograph | Drawing] = (
        drawings(options.split)
        if drawn
        else plain(options.data) or photographs(options.data, options.split)
    )
    return Plan(
        _classifier(options, labels),
        found,
        columns,
        metrics,
        target=options.target,
        steps=options.steps,
        seed=options.seed,
        limit=options.limit,
        limits=limits,
    )


def _classifier(options: argparse.Namespace, labels: Labels) -> Classifier:
    if options.model is None:
        return demo.classifier()
    return Classifier.from_keras(
        options.model, labels=labels(options.labels), preprocess=options.preprocess
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _limits(texts: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in texts:
        name, equals, count = (part.strip() for part in text.partition("="))
        if not (equals and count.isdecimal()):
            raise ExplainerError(f"--limit-for {text!r} is no limit; expected NAME=N.")
        if name in found:
            raise ExplainerError(f"--limit-for is given twice for {name}.")
        found[name] = int(count)
    return found


class _Progress(Watch):
    """A bar over columns and images, and one for the map being made; the time left by column.

    Where there is no terminal, a line every minute instead.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.left = dict.fromkeys((one.name for one in plan.columns), 0)
        self.done = 0
        for column in plan.columns:
            for photograph in plan.photographs[: plan.count(column)]:
                there = store.has(column.name, photograph.name)
                self.done += there
                self.left[column.name] += not there
        self.total = self.done + sum(self.left.values())
        self.seconds: dict[str, list[float]] = {name: [] for name in self.left}
        self.interrupted = False
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._all = self._bars.add_task(
            "evaluating", total=self.total, note="", completed=self.done
        )
        self._map = self._bars.add_task("", total=None, note="predictions", visible=False)
        self._since = self._said = time.monotonic()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._bars.stop()
        self.interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        return self.interrupted

    def step(self, column: str, image: str, done: int, total: int) -> None:
        self._bars.update(
            self._map, description=f"{column}, {image}", completed=done, total=total, visible=True
        )

    def finished(self, column: str, image: str) -> None:
        now = time.monotonic()
        self.seconds[column].append(now - self._since)
        self._since = now
        self.done += 1
        self.left[column] -= 1
        note = self.time_left()
        self._bars.update(self._all, completed=self.done, note=note)
        self._bars.update(self._map, visible=False)
        if not self._console.is_terminal and now - self._said >= LOG_SECONDS:
            self._console.print(f"{self.done} of {self.total} evaluated, {note}")
            self._said = now

    def summed_up(self, done: int, total: int) -> None:
        """So many means and intervals are worked out."""
        self._bars.update(self._all, description="summing up", completed=done, total=total, note="")
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= LOG_SECONDS:
            self._console.print(f"{done} of {total} summed up")
            self._said = now

    def time_left(self) -> str:
        """From the mean time of each column's images so far; columns not met yet are missing."""
        known = [name for name in self.left if self.seconds[name]]
        means = {name: sum(self.seconds[name]) / len(self.seconds[name]) for name in known}
        left = sum(means[name] * self.left[name] for name in known)
        more = any(self.left[name] for name in self.left if name not in means)
        return f"{'over' if more else 'about'} {in_words(left)} left"


def in_words(seconds: float) -> str:
    """A time as people say it: in seconds, minutes, or hours."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return f"{round(seconds / length)} {unit}s"
    count = max(1, round(seconds))
    return f"{count} {'second' if count == 1 else 'seconds'}"
