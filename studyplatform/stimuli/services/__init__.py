"""Everything that writes stimuli: images, classifiers, tasks, heatmaps, and publishing."""

from .choosing import example_swap, label_choose_again, new_image_swap, threshold_set
from .classifier_jobs import (
    PREPROCESSINGS,
    classifier_registration_request,
    classifier_training_request,
)
from .classifiers import (
    FineTuning,
    classifier_register,
    classifier_register_demo,
    classifier_train,
    predictions_ensure,
)
from .drafts import (
    RedoNeededError,
    draft_amend,
    draft_create,
    draft_discard,
    draft_save,
    material_problems,
    prepare_request,
)
from .errors import StimuliError
from .faithfulness import faithfulness_request
from .image_jobs import image_import_request, server_folders
from .images import (
    ImportReport,
    image_set_import,
    image_set_import_demo,
    image_set_import_folders,
    image_set_import_voc,
)
from .jobs import job_cancel, job_request, job_retry
from .ledger import heatmaps_retry, ledger_drain, ledger_sweep
from .linting import (
    lint_reason_give,
    lint_reason_withdraw,
    lint_reasons_give,
    version_lint,
)
from .preparation import stimuli_prepare, study_create_with_stimuli, study_replace_draft
from .publishing import manifest_of, publish_problems, version_publish

__all__ = [
    "PREPROCESSINGS",
    "FineTuning",
    "ImportReport",
    "RedoNeededError",
    "StimuliError",
    "classifier_register",
    "classifier_register_demo",
    "classifier_registration_request",
    "classifier_train",
    "classifier_training_request",
    "draft_amend",
    "draft_create",
    "draft_discard",
    "draft_save",
    "example_swap",
    "faithfulness_request",
    "heatmaps_retry",
    "image_import_request",
    "image_set_import",
    "image_set_import_demo",
    "image_set_import_folders",
    "image_set_import_voc",
    "job_cancel",
    "job_request",
    "job_retry",
    "label_choose_again",
    "ledger_drain",
    "ledger_sweep",
    "lint_reason_give",
    "lint_reason_withdraw",
    "lint_reasons_give",
    "manifest_of",
    "material_problems",
    "new_image_swap",
    "predictions_ensure",
    "prepare_request",
    "publish_problems",
    "server_folders",
    "stimuli_prepare",
    "study_create_with_stimuli",
    "study_replace_draft",
    "threshold_set",
    "version_lint",
    "version_publish",
]
