"""Tags of the participant's pages."""

from django import template
from django.utils.safestring import SafeString

from studyplatform.participation.charts import score_chart
from studyplatform.stimuli.selectors import Box, ScoreBar

register = template.Library()


@register.filter
def chart(scores: tuple[ScoreBar, ...]) -> SafeString:
    """Return the chart of an exhibit's scores."""
    return score_chart(scores)


@register.filter
def percent(box: Box) -> dict[str, str]:
    """Return a box given in fractions as percentages for an SVG's x, y, width, height."""
    names = ("x", "y", "width", "height")
    return {name: f"{100 * value:.2f}%" for name, value in zip(names, box, strict=True)}
