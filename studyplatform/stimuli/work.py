"""What each kind of job does."""

from .models import Job
from .services.jobs import Work

WORK: dict[str, Work] = {}


def of(job: Job) -> Work:
    return WORK[job.kind]
