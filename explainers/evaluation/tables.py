"""Tables in the papers' layouts, as Markdown and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan

from explainers.evaluation.judging import BASE_NAMES
from explainers.evaluation.judging import setting as setting_of
from explainers.evaluation.statistics import (
    Cell,
    Comparison,
    Group,
    Results,
    ahead_of_random,
    images,
    left_out,
    marks,
)
from explainers.metrics import Metric
from explainers.metrics.gain import BASES, RHOS

_ARROWS = {"higher": " ↑", "lower": " ↓", None: ""}
_LEGEND = (
    "Means over images with 95 % bootstrap intervals (BCa) in brackets; bold: best, underlined: "
    "second best; arrows: the better direction."
)
FEW = 10
_FEW = (
    f"Fewer than {FEW} images: an interval of so few says little, and which method is best may be "
    "chance."
)


@dataclass(frozen=True)
class Entry:
    """One cell as printed. mark: "best", "second" or ""."""

    text: str
    interval: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """rows: a label and its entries; without entries the label heads the rows below."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry, ...]], ...]
    notes: tuple[str, ...]


def table_000(results: Results) -> list[Table]:
    """000's Table 1: metrics down, methods across."""
    chosen = [one for one in results.plan.metrics if not {"gain", "ca-deletion"} & set(one.needs)]
    return [
        _across(results, group, chosen, "Faithfulness by metric and method", 3)
        for group in results.groups()
        if chosen
    ]


def table_002(results: Results) -> list[Table]:
    """002's Table 1: CA-deletion, methods across; the two controls beside MC-RISE."""
    chosen = [one for one in results.plan.metrics if "ca-deletion" in one.needs]
    return [
        _across(results, group, chosen, "CA-deletion", 4)
        for group in results.groups(("method", "thresholded", "order", "colours"))
        if chosen
    ]


def table_004(results: Results) -> list[Table]:
    """004's Table 1: methods down, base images across, for each share of pixels; all x 100."""
    chosen = [one for one in results.plan.metrics if "gain" in one.needs]
    pairs = [
        tuple(one for one in chosen if one.name in names)
        for names in (("scg", "ccg"), ("scg-published", "ccg-published"))
    ]
    return [_gains(results, group, pair) for group in results.groups() for pair in pairs if pair]


def _across(
    results: Results, group: Group, chosen: Sequence[Metric], title: str, decimals: int
) -> Table:
    comparisons = [results.compare(metric, group) for metric in chosen]
    rows = [
        (
            f"{one.metric.label}{_ARROWS[one.metric.better]}",
            (
                *_entries(one, group.columns, decimals),
                Entry(str(max((cell.n for cell in one.cells.values()), default=0))),
            ),
        )
        for one in comparisons
    ]
    return Table(
        _title(title, group),
        ("", *group.columns, "n"),
        tuple(rows),
        _notes(results, group, comparisons, f"n: {_n(results)} all methods have a value."),
    )


def _n(results: Results) -> str:
    one_each = results.plan.target == "top"
    return "images for which" if one_each else "images for at least one label of which"


def _gains(results: Results, group: Group, chosen: Sequence[Metric]) -> Table:
    """Single methods on the images that all have, by the published rule each on its own;
    agreements on those that each has.
    """
    published = any("published" in one.name for one in chosen)
    agreements = [
        one.name
        for one in results.plan.columns
        if one.kind == "agreement" and set(one.parents) <= set(group.columns)
    ]
    head, compared = [""], []
    rows: list[tuple[str, tuple[Entry, ...]]] = []
    for metric in chosen:
        head += [
            f"{metric.label.split(',')[0]}×100{_ARROWS[metric.better]}, {BASE_NAMES[base]}"
            for base in BASES
        ]
    for rho in sorted(RHOS, reverse=True):
        rows.append((f"ρ = {rho:.0%}".replace("%", " %"), ()))
        by_row: dict[str, list[Entry]] = {one: [] for one in (*group.columns, *agreements)}
        for metric in chosen:
            for base in BASES:
                setting = setting_of(base, rho)
                single = results.compare(metric, group, setting, together=not published)
                compared.append(single)
                entries = _entries(single, group.columns, 1, scale=100, n=True)
                for name, entry in zip(group.columns, entries, strict=True):
                    by_row[name].append(entry)
                for name in agreements:
                    own = results.compare(metric, results.alone(name), setting)
                    compared.append(own)
                    by_row[name].append(_agreement(own, name, single, metric))
        rows += [(name, tuple(entries)) for name, entries in by_row.items()]
    title = "Confidence gain by the published rule" if published else "Confidence gain"
    notes = _notes(
        results,
        group,
        compared,
        f"In parentheses the number of images: {_n(results)} "
        + ("the method has" if published else "all single methods have")
        + " a value; of methods that agree (+), those on which they do, bold where their CCG is "
        "above that of the best single method.",
    )
    return Table(_title(title, group), tuple(head), tuple(rows), notes)


def _agreement(own: Comparison, name: str, single: Comparison, metric: Metric) -> Entry:
    found = own.cells.get(name)
    best = max((one.mean for one in single.cells.values() if one.n), default=float("nan"))
    above = metric.name.startswith("ccg") and found is not None and found.mean > best
    return _entry(found, 1, "best" if above else "", scale=100, n=True)


def _entries(
    comparison: Comparison,
    columns: Sequence[str],
    decimals: int,
    *,
    scale: float = 1,
    n: bool = False,
) -> list[Entry]:
    means = {name: cell.mean * scale for name, cell in comparison.cells.items()}
    marked = marks(means, comparison.metric.better, decimals)
    return [
        _entry(comparison.cells.get(one), decimals, marked.get(one, ""), scale=scale, n=n)
        for one in columns
    ]


def _entry(
    cell: Cell | None, decimals: int, mark: str, *, scale: float = 1, n: bool = False
) -> Entry:
    if cell is None or cell.n == 0:
        return Entry("–")
    mean, low, high = (
        f"{value * scale:z.{decimals}f}" for value in (cell.mean, cell.low, cell.high)
    )
    between = "" if isnan(cell.low) else f"[{low}, {high}]"
    return Entry(mean, f"{between} ({cell.n})".strip() if n else between, mark)


def _title(title: str, group: Group) -> str:
    return f"{title}, {images(len(group.images))}"


def _notes(
    results: Results, group: Group, comparisons: Iterable[Comparison], about: str
) -> tuple[str, ...]:
    comparisons = list(comparisons)
    found, ahead = left_out(comparisons), ahead_of_random(results, group, comparisons)
    few = any(0 < cell.n < FEW for one in comparisons for cell in one.cells.values())
    out = f"Left out as undefined. {' '.join(found)}" if found else "No value was undefined."
    failed = sorted({one.image for one in results.failures})
    return (
        f"{_LEGEND} {about}",
        *([_FEW] if few else []),
        *([f"Better than random, image by image: {'; '.join(ahead)}."] if ahead else []),
        out,
        *([f"Not evaluated: {', '.join(failed)}."] if failed else []),
    )


# -- printing ------------------------------------------------------------------------------------


def markdown(tables: Iterable[Table]) -> str:
    return "\n".join(_markdown(one) for one in tables)


def _markdown(table: Table) -> str:
    lines = [f"**{table.title}**", "", _row(table.head), "|---" * len(table.head) + "|"]
    for label, entries in table.rows:
        if not entries:
            lines.append(_row([f"*{label}*", *[""] * (len(table.head) - 1)]))
            continue
        lines.append(_row([label, *map(_markdown_entry, entries)]))
    for note in table.notes:
        lines += ["", _MARKDOWN.sub(r"\\\g<0>", note)]
    return "\n".join(lines) + "\n"


_MARKDOWN = re.compile(r"[\\`*|<]")  # in the names of images and labels


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_entry(entry: Entry) -> str:
    wrap = {"best": "**{}**", "second": "<u>{}</u>", "": "{}"}[entry.mark]
    return f"{wrap.format(entry.text)} {entry.interval}".strip()


def latex(tables: Iterable[Table]) -> str:
    return "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n" + "\n".join(
        _latex(one) for one in tables
    )


def _latex(table: Table) -> str:
    width = len(table.head)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(f'{table.title}. {table.notes[0]}')}}}",
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
        r"\toprule",
        rf"{' & '.join(map(_escaped, table.head))} \\",
        r"\midrule",
    ]
    for label, entries in table.rows:
        if entries:
            cells = " & ".join((_escaped(label), *map(_latex_entry, entries)))
        else:
            cells = rf"\multicolumn{{{width}}}{{l}}{{\textit{{{_escaped(label)}}}}}"
        lines.append(rf"{cells} \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {_escaped(note)}" for note in table.notes[1:]]
    return "\n".join([*lines, r"\end{table}", ""])


def _latex_entry(entry: Entry) -> str:
    wrap = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}[entry.mark]
    mean = wrap % _escaped(entry.text)
    return rf"{mean} {{\scriptsize {_escaped(entry.interval)}}}" if entry.interval else mean


_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "×": r"$\times$",
    "ρ": r"$\rho$",
    "²": r"$^2$",
    "–": "--",
}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)
