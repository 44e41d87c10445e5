"""Tags of the participant's pages."""

from django import template
from django.utils.safestring import SafeString

from studyplatform.participation.charts import score_chart
from studyplatform.stimuli.selectors import Box, ScoreBar

register = template.Library()


@register.filter
def chart(scores: tuple[ScoreBar, ...], names: object = None) -> SafeString:
    """Return the chart of an exhibit's scores; `names` are labels as participants read them."""
    return score_chart(scores, names if isinstance(names, dict) else None)


@register.filter
def percent(box: Box) -> dict[str, str]:
    """Return a box given in fractions as percentages for an SVG's x, y, width, height."""
    names = ("x", "y", "width", "height")
    return {name: f"{100 * value:.2f}%" for name, value in zip(names, box, strict=True)}
