"""What each kind of job does."""

from .models import Job
from .services import classifier_jobs, drafts, faithfulness, image_jobs
from .services.jobs import Work

WORK: dict[str, Work] = {
    Job.Kind.IMPORT: image_jobs.image_import,
    Job.Kind.TRAIN: classifier_jobs.classifier_make,
    Job.Kind.MEASURE: faithfulness.faithfulness_do,
    Job.Kind.PREPARE: drafts.draft_prepare,
}


def of(job: Job) -> Work:
    return WORK[job.kind]
