"""Score charts as SVG: horizontal bars, each label's threshold as a red line with its value.

Drawn with presentation attributes alone, which the content policy allows; style attributes and
<style> it does not.
"""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from studyplatform.stimuli.selectors import ScoreBar

MAX_BARS = 8  # more would not be legible twelve times on one screen
_ROW, _LEFT, _BARS, _WIDTH = 16, 78, 112, 224
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


def score_chart(bars: Sequence[ScoreBar]) -> SafeString:
    """Return the chart of these scores as an <svg> element that also says them in words."""
    drawn = shown(bars)
    height = _ROW * len(drawn) + 2
    rows = format_html_join("", "{}", ((_row(bar, place),) for place, bar in enumerate(drawn)))
    words = "; ".join(_in_words(bar) for bar in drawn)
    return format_html(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}" '
        'font-size="11" font-family="system-ui, sans-serif">{}</svg>',
        _("Scores: {scores}").format(scores=words),
        _WIDTH,
        height,
        _WIDTH,
        height,
        rows,
    )


def _in_words(bar: ScoreBar) -> str:
    text = (
        _("{label} {score}, above its threshold {threshold}")
        if bar.assigned
        else _("{label} {score}, not above its threshold {threshold}")
    )
    return text.format(label=bar.label, score=f"{bar.score:.2f}", threshold=f"{bar.threshold:.2f}")


def _row(bar: ScoreBar, place: int) -> SafeString:
    top = place * _ROW + 1
    line = _LEFT + _BARS * bar.threshold
    label = bar.label if len(bar.label) <= 12 else f"{bar.label[:11]}…"
    return format_html(
        '<text x="{}" y="{}" text-anchor="end" fill="{}" font-weight="{}">{}</text>'
        '<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>'
        '<rect x="{}" y="{}" width="{:.1f}" height="{}" fill="{}"/>'
        '<line x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}" stroke="{}" stroke-width="2"/>'
        '<text x="{}" y="{}" fill="{}">{:.2f}</text>',
        *(_LEFT - 5, top + 11, _INK, "700" if bar.is_question else "400", label),
        *(_LEFT, top + 3, _BARS, _ROW - 6, _TRACK),
        *(_LEFT, top + 3, max(_BARS * bar.score, 1.0), _ROW - 6),
        _QUESTION if bar.is_question else _OTHER,
        *(line, line, top, top + _ROW - 1, _RED),
        *(_LEFT + _BARS + 6, top + 11, _RED, bar.threshold),
    )
