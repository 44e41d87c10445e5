"""What stops the making of stimuli."""

from studyplatform.studies.services import StudyError


class StimuliError(StudyError):
    """Stimuli cannot be made, rendered or published; `problems` holds one sentence per reason."""
