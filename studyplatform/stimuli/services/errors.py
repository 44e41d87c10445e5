"""What stops the making of stimuli."""

from studyplatform.studies.services import StudyError

LISTED = 20


class StimuliError(StudyError):
    """Stimuli cannot be made, rendered or published; `problems` holds one sentence per reason."""


def listed(problems: list[str]) -> list[str]:
    """Return the first problems, and how many more there are: a page must stay readable."""
    more = len(problems) - LISTED
    return problems if more <= 0 else [*problems[:LISTED], f"And {more} more like these."]
