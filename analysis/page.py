"""The report as one HTML page that needs nothing else: no scripts, no network, no other file."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from .plan import Plan
from .section import Chart, Section, Table
from .wording import p_value, unit

CSS = """
:root { color-scheme: light; }
html { font-size: 17px; }
body { margin: 0; background: #fff; color: #1d1d1f; line-height: 1.55;
  font-family: Charter, "Bitstream Charter", "Source Serif 4", Cambria, Georgia,
  "Liberation Serif", serif; }
main { max-width: 47rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; font-weight: 600; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3.2rem 0 .6rem; padding-top: 1rem;
  border-top: 1px solid #d9d9de; font-weight: 600; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
p { margin: .6rem 0; }
a { color: #0b5394; }
.lead, .intro, figcaption, caption, .note, footer, nav, dl { color: #4a4a52; }
.lead { font-size: .92rem; margin: 0; }
nav { font-size: .92rem; margin: 1.6rem 0 0; }
nav ul { margin: .2rem 0; padding: 0; list-style: none; columns: 2; column-gap: 2rem; }
nav li { break-inside: avoid; }
.finding { margin: .5rem 0; }
.tag { font-size: .72rem; font-family: "Helvetica Neue", Arial, "Liberation Sans", sans-serif;
  padding: .1rem .4rem; border: 1px solid #8d99a6; border-radius: .2rem; color: #4a4a52;
  vertical-align: .08em; }
.tag.preregistered { background: #0b5394; border-color: #0b5394; color: #fff; }
.banner { border: 2px solid #8a4b00; background: #fff6e5; color: #5c3200; padding: .7rem 1rem;
  margin: 1.5rem 0; font-weight: 600; }
.brief { background: #f6f7f9; border-left: 4px solid #0072b2; padding: .6rem 1.2rem;
  margin: 1.6rem 0; }
.brief h2 { border: 0; margin: .2rem 0 .4rem; padding: 0; font-size: 1.05rem; }
.missing { border-left: 4px solid #b07a00; background: #fdf8ec; padding: .5rem 1rem;
  margin: 1rem 0; font-size: .92rem; }
.missing ul, .brief ul { margin: .2rem 0; padding-left: 1.1rem; }
.scroll { overflow-x: auto; margin: 1.4rem 0 .3rem; }
table { border-collapse: collapse; font-size: .84rem; line-height: 1.35; width: 100%;
  font-variant-numeric: lining-nums tabular-nums; border-top: 1.5px solid #1d1d1f;
  border-bottom: 1.5px solid #1d1d1f; }
caption { text-align: left; padding: 0 0 .5rem; font-size: .9rem; }
caption b, figcaption b { color: #1d1d1f; font-weight: 600; }
th { font-weight: 600; vertical-align: bottom; border-bottom: 1px solid #1d1d1f; }
th, td { padding: .28rem .55rem; text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
th.number, td.number { text-align: right; }
td.number, td.text { white-space: nowrap; }
td.long { min-width: 14rem; }
tr.rule td { border-top: 1px solid #d9d9de; }
.note { font-size: .84rem; margin: .3rem 0 1.2rem; }
figure { margin: 2rem 0 1.6rem; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption { font-size: .9rem; margin-top: .5rem; }
dl { font-size: .84rem; display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
footer { font-size: .84rem; }
@media (max-width: 40rem) { nav ul { columns: 1; } html { font-size: 16px; } }
@media print { html { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  table, figure { break-inside: avoid; } h2, h3, caption { break-after: avoid; }
  .scroll { overflow: visible; } }
"""

# Names of what could not be computed, in words.
TEST_WORDS = {
    "all tests": "Tests",
    "shapiro_wilk": "Shapiro-Wilk",
    "levene": "Levene",
    "anova_type_iii": "Analysis of variance, Type III",
    "anova_type_ii": "Analysis of variance, Type II",
    "anova_type_iii_hc3": "Analysis of variance, HC3",
    "anova_type_iii_hc0": "Analysis of variance, HC0",
    "tukey_hsd": "Tukey HSD",
    "games_howell": "Games-Howell",
    "kruskal_wallis": "Kruskal-Wallis",
    "dunn_holm": "Dunn",
    "object_present": "The baseline “is the object there?”",
}


class Page:
    """Numbers tables and figures through the page and writes it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tables = 0
        self.figures = 0

    def write(
        self,
        *,
        lead: str,
        banner: str,
        brief: Sequence[str],
        notes: Sequence[str],
        sections: Sequence[Section],
        images: dict[str, bytes],
        made: dict[str, str],
    ) -> str:
        """The whole page; `images` holds each chart's SVG under its name."""
        body = [f"<h1>{escape(self.plan.title)}</h1>", f'<p class="lead">{escape(lead)}</p>']
        if banner:
            body.append(f'<p class="banner" role="note">{escape(banner)}</p>')
        body.append(
            '<section class="brief" aria-labelledby="brief"><h2 id="brief">In brief</h2>'
            + _paragraphs(brief)
            + "</section>"
        )
        links = "".join(f'<li><a href="#{s.key}">{escape(s.title)}</a></li>' for s in sections)
        body.append(
            f'<nav aria-label="Contents"><ul>{links}<li><a href="#made">How this report was made'
            "</a></li></ul></nav>"
        )
        if notes:
            body.append(_listed("About the data", notes))
        body += [self._section(section, images) for section in sections]
        rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in made.items())
        body.append(f'<h2 id="made">How this report was made</h2><dl>{rows}</dl>')
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.plan.title)}: report</title><style>{CSS}</style></head>\n"
            "<body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"
        )

    def _section(self, section: Section, images: dict[str, bytes]) -> str:
        parts = [f'<h2 id="{section.key}">{escape(section.title)}</h2>']
        if section.intro:
            parts.append(f'<p class="intro">{escape(section.intro)}</p>')
        if section.not_computed:
            lines = [
                f"{self._test_words(name)}: {reason}"
                for name, reason in section.not_computed.items()
            ]
            parts.append(_listed("Not computed", lines))
        if section.notes:
            parts.append(_listed("Note", section.notes))
        parts.append(_paragraphs(section.sentences))
        parts += [self._figure(chart, images[chart.name]) for chart in section.charts]
        parts += [self._table(table) for table in section.tables]
        return "\n".join(parts)

    def _test_words(self, name: str) -> str:
        test, _, factor = name.partition(".")
        who = ""
        for suffix, group in (("_everyone", ", everyone"), ("_passed", ", without failures")):
            if test.endswith(suffix):
                test, who = test.removesuffix(suffix), group
        words = TEST_WORDS.get(test, test.replace("_", " ").capitalize()) + who
        return f"{words} ({self.plan.label(factor)})" if factor else words

    def _figure(self, chart: Chart, image: bytes) -> str:
        self.figures += 1
        data = base64.b64encode(image).decode("ascii")
        return (
            f'<figure><img alt="{escape(chart.alt)}" src="data:image/svg+xml;base64,{data}">'
            f"<figcaption><b>Figure {self.figures}.</b> {escape(chart.caption)}</figcaption>"
            "</figure>"
        )

    def _table(self, table: Table) -> str:
        self.tables += 1
        columns = table.columns or [(str(c), str(c)) for c in table.frame.columns]
        cells = [
            [format_cell(row, key, self.plan, table.digits) for _, key in columns]
            for _, row in table.frame.iterrows()
        ]
        numeric = [
            all(_is_numeric(row, key) for _, row in table.frame.iterrows()) for _, key in columns
        ]
        head = "".join(
            f'<th scope="col"{_class(number)}>{escape(_capital(name))}</th>'
            for (name, _), number in zip(columns, numeric, strict=True)
        )
        lines = []
        rules = set() if numeric[0] else _rules([row[0] for row in cells])
        for i, row in enumerate(cells):
            tds = "".join(
                f"<td{_class(number, text)}>{escape(text)}</td>"
                for text, number in zip(row, numeric, strict=True)
            )
            lines.append(f"<tr{' class=rule' if i in rules else ''}>{tds}</tr>")
        note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
        return (
            f'<div class="scroll"><table><caption><b>Table {self.tables}.</b> '
            f"{escape(table.caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table></div>{note}"
        )


def _listed(title: str, lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="missing"><b>{escape(title)}</b><ul>{items}</ul></div>'


def _capital(words: str) -> str:
    symbol = re.match(r"(p|n|z|df|ηp²|ω²|of|against)( |$)", words)
    return words if symbol else words[:1].upper() + words[1:]


def _class(number: bool, text: str = "") -> str:
    if number:
        return ' class="number"'
    return ' class="long"' if len(text) > 34 else ' class="text"'


def _rules(first: list[str]) -> set[int]:
    """Rows above which a thin rule sets off a run of equal entries in the first column."""
    starts = [i for i in range(len(first)) if i == 0 or first[i] != first[i - 1]]
    lengths = dict(zip(starts, np.diff([*starts, len(first)]), strict=True))
    return {
        start for before, start in pairwise(starts) if lengths[start] > 1 or lengths[before] > 1
    }


_TAGS = ("Preregistered", "Exploratory")


def _paragraphs(sentences: Sequence[str]) -> str:
    """Plain sentences run together; a finding stands alone behind its tag."""
    parts: list[str] = []
    running: list[str] = []
    for sentence in [*sentences, ""]:
        tag, _, rest = sentence.partition(": ")
        finding = tag in _TAGS
        if (finding or not sentence) and running:
            parts.append(f"<p>{' '.join(running)}</p>")
            running = []
        if finding:
            words = _unbroken(escape(rest[:1].upper() + rest[1:]))
            parts.append(
                f'<p class="finding"><span class="tag {tag.lower()}">{tag}</span> {words}</p>'
            )
        elif sentence:
            running.append(_unbroken(escape(sentence)))
    return "".join(parts)


def _unbroken(text: str) -> str:
    """Keep a statistic on one line: no break inside `F(2, 90) = 3.07` or `[.000, .146]`."""
    text = re.sub(r" (=|≈|&lt;|&gt;) ", "\u00a0\\1\u00a0", text)
    return re.sub(r"([(\[][\d.−]+,) ([\d.−]+[)\]])", "\\1\u00a0\\2", text)


def _is_numeric(row: pd.Series, key: str | tuple[str, str]) -> bool:
    if isinstance(key, tuple) or key in ("df", "named"):
        return True
    value = row[key]
    return value is None or (
        isinstance(value, int | float | np.number) and not isinstance(value, bool)
    )


# Columns whose values lie between -1 and 1 by definition, printed without a leading zero.
_UNIT = {"effect_size", "omega_squared"}


def format_cell(row: pd.Series, key: str | tuple[str, str], plan: Plan, digits: int = 3) -> str:
    """The text of one table cell: an interval, degrees of freedom, a p value, a number, words."""
    if isinstance(key, tuple):
        low, high = row[key[0]], row[key[1]]
        if not (_finite(low) and _finite(high)):
            return "–"
        of = "effect_size" if row.get("effect") == "partial eta squared" else key[0]
        return f"[{_decimal(low, of, digits)}, {_decimal(high, of, digits)}]"
    if key == "df":
        parts = [row.get(name) for name in ("df1", "df2")]
        return ", ".join(f"{x:.1f}".removesuffix(".0") for x in parts if _finite(x)) or "–"
    if key == "named":
        return f"{row['symbol']} = {row['statistic']:.3f}"
    value = row[key]
    if key == "p" or key.startswith("p_"):
        return p_value(value).removeprefix("p = ").removeprefix("p ") if _finite(value) else "–"
    if isinstance(value, str):
        return plan.label(value)
    if not _finite(value):
        return "–"
    if isinstance(value, int | np.integer) or (key not in _FRACTIONS and float(value).is_integer()):
        return f"{int(value)}"
    return _decimal(float(value), key, digits)


_FRACTIONS = {"mean", "sd", "median", "min", "max", "statistic", "difference", "accuracy", *_UNIT}


def _decimal(value: float, key: str, digits: int) -> str:
    text = unit(value) if key in _UNIT else f"{value:.{digits}f}"
    return text.replace("-", "−")


def _finite(value: Any) -> bool:
    return (
        value is not None
        and isinstance(value, int | float | np.number)
        and bool(np.isfinite(float(value)))
    )
