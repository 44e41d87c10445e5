"""Everything that writes stimuli: images, classifiers, tasks, heatmaps, and publishing."""

from .classifiers import (
    classifier_register,
    classifier_register_demo,
    classifier_train,
    predictions_ensure,
)
from .errors import StimuliError
from .images import ImportReport, image_set_import_demo, image_set_import_voc
from .jobs import job_cancel, job_request, job_retry
from .ledger import heatmaps_retry, ledger_drain, ledger_sweep
from .preparation import stimuli_prepare, study_create_with_stimuli, study_replace_draft
from .publishing import publish_problems, version_publish

__all__ = [
    "ImportReport",
    "StimuliError",
    "classifier_register",
    "classifier_register_demo",
    "classifier_train",
    "heatmaps_retry",
    "image_set_import_demo",
    "image_set_import_voc",
    "job_cancel",
    "job_request",
    "job_retry",
    "ledger_drain",
    "ledger_sweep",
    "predictions_ensure",
    "publish_problems",
    "stimuli_prepare",
    "study_create_with_stimuli",
    "study_replace_draft",
    "version_publish",
]
