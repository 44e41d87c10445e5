"""The files an evaluation ends in; made of what is stored, without a prediction."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from defusedcsv import csv

from explainers.errors import ExplainerError
from explainers.evaluation import plots, sheet, tables
from explainers.evaluation.plan import Plan
from explainers.evaluation.run import Failure
from explainers.evaluation.statistics import Results, images
from explainers.evaluation.store import Store, write
from explainers.metrics import Reason

VALUES = "values.csv"
KINDS = ("method", "thresholded", "order", "colours")
_TABLES = {
    "table-000": tables.table_000,
    "table-002": tables.table_002,
    "table-004": tables.table_004,
}


def require_all(plan: Plan, store: Store) -> None:
    """ExplainerError where the folder has tables of more than the plan is about.

    They would be overwritten by those of less. What an interrupted evaluation has done beyond the
    plan stays, and is in no table.
    """
    if not (store.folder / VALUES).is_file():
        return
    asked = {
        (column.name, one.name)
        for column in plan.columns
        for one in plan.photographs[: plan.count(column)]
    }
    more: dict[str, int] = {}
    for column, _ in sorted(store.units() - asked):
        more[column] = more.get(column, 0) + 1
    if more:
        also = ", ".join(f"{column} on {images(count)}" for column, count in more.items())
        raise ExplainerError(
            f"{store.folder} has tables of more than is asked for now ({also}); ask for all of it, "
            "or choose another folder."
        )


def write_all(
    plan: Plan,
    store: Store,
    failures: Sequence[Failure] = (),
    *,
    sheet_of: int = 0,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Write values, summary, tables, curves and the contact sheet (of so many images).

    Returns their paths. The same stored values give the same files. advance: is told how many of
    how many means are worked out, which takes long for their intervals.
    """
    results = Results(plan, store, failures)
    found: dict[str, str | bytes] = {
        VALUES: _csv(
            ("image", "method", "target", "metric", "setting", "value", "reason"), _values(results)
        ),
        "summary.csv": _csv(
            (
                "method", "metric", "setting", "compared_on", "mean", "low", "high", "n",
                "left_out", "reasons",
            ),
            _summary(results, advance),
        ),
    }  # fmt: skip
    for name, make in _TABLES.items():
        made = make(results)
        if made:
            found[f"{name}.md"] = tables.markdown(made)
            found[f"{name}.tex"] = tables.latex(made)
    for group in results.groups(KINDS):
        curves = plots.mean_curves(results, group)
        if curves:
            stem = f"curves-{group.name}" if group.name else "curves"
            head = ("method", "measured", "curve", "fraction", "mean", "low", "high", "n")
            found[f"{stem}.csv"] = _csv(head, plots.rows(curves))
            found |= {f"{stem}.{end}": drawn for end, drawn in plots.figure(curves).items()}
    pictures = sheet.contact_sheet(results, sheet_of)
    if pictures is not None:
        found["contact-sheet.png"] = pictures
    for name, content in found.items():
        write(store.folder / name, content)
    return [store.folder / name for name in found]


def _values(results: Results) -> Iterator[tuple[Any, ...]]:
    for image, column, value in results.rows:
        there = not isinstance(value.outcome, Reason)
        numbers = (value.outcome, "") if there else ("", value.outcome)
        yield image, column, value.target, value.metric, value.setting, *numbers


def _summary(results: Results, advance: Callable[[int, int], None]) -> Iterator[tuple[Any, ...]]:
    """Each mean on the images that all methods have in common, and on the method's own."""
    groups = [
        ("all methods' images" if not group.name else f"all methods' images, {group.name}", group)
        for group in results.groups(KINDS)
    ]
    groups += [("own images", results.alone(column.name)) for column in results.plan.columns]
    wanted = [
        (metric, setting, compared_on, group)
        for metric in results.plan.metrics
        for setting in results.settings_of(metric)
        for compared_on, group in groups
    ]
    for done, (metric, setting, compared_on, group) in enumerate(wanted, start=1):
        found = results.compare(metric, group, setting)
        advance(done, len(wanted))
        for name, cell in found.cells.items():
            reasons = found.left_out[name]
            why = "; ".join(f"{reason}: {count}" for reason, count in reasons.items())
            means = (cell.mean, cell.low, cell.high, cell.n)
            yield name, metric.name, setting, compared_on, *means, sum(reasons.values()), why


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return buffer.getvalue()
