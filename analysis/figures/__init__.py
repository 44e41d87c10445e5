"""The figures: drawn without a display, readable in grey and by colour-blind eyes.

Every function returns a `Chart`: the figure, the frame it shows, a caption and a description.
"""

from .answers import calibration_curve, confidence_shares, outcome_shares
from .means import cell_means, correct_answers, means_by_factor
from .style import cell_label, svg

__all__ = [
    "calibration_curve",
    "cell_label",
    "cell_means",
    "confidence_shares",
    "correct_answers",
    "means_by_factor",
    "outcome_shares",
    "svg",
]
