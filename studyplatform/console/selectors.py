"""What the list of studies shows, in one query however many there are."""

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from studyplatform.participation.models import Session
from studyplatform.stimuli.models import Heatmap, NeededHeatmap
from studyplatform.studies.models import Condition, Study, StudyVersion
from studyplatform.studies.selectors import Person, studies_for


def study_list(user: Person) -> QuerySet[Study]:
    """Return the person's studies, each with title, number, target, completed, needed, done."""
    latest = StudyVersion.objects.filter(study=OuterRef("pk")).order_by("-number")
    completed = Session.objects.filter(
        study=OuterRef("pk"), source=Session.Source.REAL, status=Session.Status.COMPLETED
    )
    rendered = Q(heatmap__state=Heatmap.State.DONE) & ~Q(overlay_sha256="")
    needed = NeededHeatmap.objects.filter(stimulus_set__version=OuterRef("latest"))
    target = Condition.objects.filter(version=OuterRef("latest"))
    return studies_for(user).annotate(
        latest=Subquery(latest.values("pk")[:1]),
        title=Subquery(latest.annotate(name=KT("data__title")).values("name")[:1]),
        number=Subquery(latest.values("number")[:1]),
        completed=_count(completed, "study", Count("pk")),
        needed=_count(needed, "stimulus_set", Count("pk")),
        done=_count(needed, "stimulus_set", Count("pk", filter=rendered)),
        target=_count(target, "version", Count("pk") * F("target")),
    )


def _count(rows: QuerySet, by: str, what: Count | Combinable) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=what).values("n")[:1]
    return Coalesce(Subquery(counted), 0)
