"""Previews of a draft, which end when the draft changes under them."""

from django.db import transaction

from studyplatform.studies.models import StudyVersion

from ..models import Answer, Reward, Session


@transaction.atomic
def previews_discard(*, version: StudyVersion) -> int:
    """Delete the previews of a draft and return how many there were; others are left alone.

    Their pages follow from a spec that is about to change. They are no data and never counted.
    """
    previews = Session.objects.filter(
        version=version, version__published_at=None, source=Session.Source.PREVIEW
    )
    Answer.objects.filter(session__in=previews).delete()
    Reward.objects.filter(session__in=previews).delete()
    n = previews.count()
    previews.delete()
    return n
