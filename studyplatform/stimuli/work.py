"""What each kind of job does."""

from .models import Job
from .services import drafts, faithfulness
from .services.jobs import Work

WORK: dict[str, Work] = {
    Job.Kind.MEASURE: faithfulness.faithfulness_do,
    Job.Kind.PREPARE: drafts.draft_prepare,
}


def of(job: Job) -> Work:
    return WORK[job.kind]
