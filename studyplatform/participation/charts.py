"""Score charts as SVG: horizontal bars, each label's threshold as a red line with its value.

Drawn with presentation attributes alone, which the content policy allows; style attributes and
<style> it does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from studyplatform.stimuli.selectors import ScoreBar

from .texts import number

MAX_BARS = 8  # more would not be legible twelve times on one screen
_ROW, _LEFT, _BARS, _WIDTH = 14, 78, 112, 224
_BEYOND = 5  # how far a bar reaches beyond its line at the least, white border of the line and all
_QUESTION, _OTHER, _RED, _TRACK, _INK = "#1f5fa8", "#8a94a3", "#b3151b", "#e6e9ee", "#1c2430"


def shown(bars: Sequence[ScoreBar]) -> list[ScoreBar]:
    """Return the bars a chart draws, in the classifier's order.

    Of a classifier with many labels: the one in question and the highest of the others.
    """
    if len(bars) <= MAX_BARS:
        return list(bars)
    ranked = sorted(bars, key=lambda bar: (not bar.is_question, -bar.score))
    kept = {bar.label for bar in ranked[:MAX_BARS]}
    return [bar for bar in bars if bar.label in kept]


def score_chart(bars: Sequence[ScoreBar], names: Mapping[str, str] | None = None) -> SafeString:
    """Return the chart of these scores as an <svg> element that also says them in words.

    `names` are labels as participants read them, where they differ.
    """
    named = names or {}
    drawn = [replace(bar, label=named.get(bar.label, bar.label)) for bar in shown(bars)]
    height = _ROW * len(drawn) + 2
    words = escape(_("Scores: {scores}").format(scores="; ".join(_in_words(bar) for bar in drawn)))
    return mark_safe(
        f'<svg class="chart" role="img" aria-label="{words}" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-size="11" font-family="system-ui, sans-serif">'
        + "".join(_row(bar, place) for place, bar in enumerate(drawn))
        + "</svg>"
    )


def _in_words(bar: ScoreBar) -> str:
    text = (
        _("{label} {score}, above its threshold {threshold}")
        if bar.assigned
        else _("{label} {score}, not above its threshold {threshold}")
    )
    return text.format(label=bar.label, score=number(bar.score), threshold=number(bar.threshold))


def _row(bar: ScoreBar, place: int) -> str:
    top = place * _ROW + 1
    line = _LEFT + _BARS * bar.threshold
    # A score just above its threshold must be seen to be above.
    length = max(_BARS * bar.score, _BARS * bar.threshold + _BEYOND if bar.assigned else 1)
    name = escape(bar.label if len(bar.label) <= 12 else f"{bar.label[:11]}…")
    weight, colour = ("700", _QUESTION) if bar.is_question else ("400", _OTHER)
    return (
        f'<text x="{_LEFT - 5}" y="{top + 10}" text-anchor="end" fill="{_INK}" '
        f'font-weight="{weight}">{name}</text>'
        f'<rect x="{_LEFT}" y="{top + 2}" width="{_BARS}" height="{_ROW - 5}" fill="{_TRACK}"/>'
        f'<rect x="{_LEFT}" y="{top + 2}" width="{length:.1f}" '
        f'height="{_ROW - 5}" fill="{colour}"/>'
        # White around the line, so that it stands out from a bar that crosses it.
        + "".join(
            f'<line x1="{line:.1f}" x2="{line:.1f}" y1="{top}" y2="{top + _ROW - 1}" '
            f'stroke="{stroke}" stroke-width="{width}"/>'
            for stroke, width in (("#ffffff", 5), (_RED, 2))
        )
        + f'<text x="{_LEFT + _BARS + 6}" y="{top + 10}" fill="{_RED}">'
        f"{number(bar.threshold)}</text>"
    )
