"""F1 over thresholds as SVG: the curve, where enough images remain, and the threshold chosen.

Without style attributes, which the content policy refuses; the stylesheet gives the colours.
"""

from itertools import groupby

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from studyplatform.stimuli.choices import LabelChoice

_WIDTH, _HEIGHT = 340, 130
_LEFT, _TOP, _ACROSS, _DOWN = 30, 8, 300, 96


def f1_chart(choice: LabelChoice) -> SafeString:
    """Return the chart of a label as an <svg> element that also says it in words."""
    best, f1 = choice.best
    words = escape(
        f"F1 of {choice.label} over thresholds from 0 to {choice.top:.2f}: highest, {f1:.2f}, at "
        f"{best:.2f}; at the threshold {choice.threshold:.3f} it is {choice.f1:.2f}."
    )
    points = " ".join(f"{_x(choice, at):.1f},{_y(f1):.1f}" for at, f1, _ in choice.curve)
    bottom, right = _TOP + _DOWN, _LEFT + _ACROSS
    return mark_safe(
        f'<svg class="curve" role="img" aria-label="{words}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}">{_enough(choice)}'
        f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
        f'<line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" y2="{bottom}"/>'
        f'<polyline class="f1" points="{points}"/>{_threshold(choice)}'
        + _text(_LEFT - 4, _TOP + 8, "1", "end")
        + _text(_LEFT - 4, bottom, "0", "end")
        + _text(_LEFT - 4, _TOP + _DOWN / 2 + 4, "F1", "end")
        + _text(_LEFT, bottom + 14, "0", "start")
        + _text(right, bottom + 14, f"{choice.top:.2f}", "end")
        + "</svg>"
    )


def _enough(choice: LabelChoice) -> str:
    """The stretches of thresholds that leave enough images of each outcome."""
    half = choice.top / (len(choice.curve) - 1) / 2
    parts = []
    for enough, run in groupby(choice.curve, key=lambda point: point[2]):
        stretch = list(run)
        if enough:
            left, right = _x(choice, stretch[0][0] - half), _x(choice, stretch[-1][0] + half)
            left, right = max(left, _LEFT), min(right, _LEFT + _ACROSS)
            parts.append(
                f'<rect class="enough" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" '
                f'height="{_DOWN}"/>'
            )
    return "".join(parts)


def _threshold(choice: LabelChoice) -> str:
    x = _x(choice, choice.threshold)
    return (
        f'<line class="at" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + _DOWN + 4}"/>'
        + _text(x, _TOP + _DOWN + 16, f"{choice.threshold:.3f}", "middle", "at")
    )


def _text(x: float, y: float, words: str, anchor: str, of: str = "") -> str:
    kind = f' class="{of}"' if of else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _x(choice: LabelChoice, threshold: float) -> float:
    return _LEFT + _ACROSS * threshold / choice.top


def _y(f1: float) -> float:
    return _TOP + _DOWN * (1 - f1)
