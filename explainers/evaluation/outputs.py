"""The files an evaluation ends in; made of what is stored, without a prediction."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from explainers.evaluation import plots, sheet, tables
from explainers.evaluation.plan import Plan
from explainers.evaluation.run import Failure
from explainers.evaluation.statistics import Results
from explainers.evaluation.store import Store, write
from explainers.metrics import Reason

KINDS = ("method", "thresholded", "order", "colours")
_TABLES = {
    "table-000": tables.table_000,
    "table-002": tables.table_002,
    "table-004": tables.table_004,
}


def write_all(
    plan: Plan, store: Store, failures: Sequence[Failure] = (), *, images: int = 0
) -> list[Path]:
    """Write values, summary, tables, curves and the contact sheet (of so many images).

    Returns their paths. The same stored values give the same files.
    """
    results = Results(plan, store, failures)
    found: dict[str, str | bytes] = {
        "values.csv": _csv(
            ("image", "method", "target", "metric", "setting", "value", "reason"), _values(results)
        ),
        "summary.csv": _csv(
            (
                "method", "metric", "setting", "images", "mean", "low", "high", "n", "left_out",
                "reasons",
            ),
            _summary(results),
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
    pictures = sheet.contact_sheet(results, images)
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


def _summary(results: Results) -> Iterator[tuple[Any, ...]]:
    """Each mean on the images that all methods have in common, and on the method's own."""
    groups = [
        ("in common" if not group.name else f"in common, {group.name}", group)
        for group in results.groups(KINDS)
    ]
    groups += [("own", results.alone(column.name)) for column in results.plan.columns]
    for metric in results.plan.metrics:
        for setting in results.settings_of(metric):
            for images, group in groups:
                found = results.compare(metric, group, setting)
                for name, cell in found.cells.items():
                    reasons = found.left_out[name]
                    why = "; ".join(f"{reason}: {count}" for reason, count in reasons.items())
                    means = (cell.mean, cell.low, cell.high, cell.n)
                    yield name, metric.name, setting, images, *means, sum(reasons.values()), why


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return buffer.getvalue()
