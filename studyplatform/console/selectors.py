"""What the pages show, in as many queries however much there is."""

from dataclasses import dataclass

from django.db.models import Count, F, JSONField, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from studyplatform.participation.models import Event, Session
from studyplatform.stimuli.models import Heatmap, NeededHeatmap
from studyplatform.studies.models import Condition, Membership, Study, StudyVersion, Team
from studyplatform.studies.selectors import Person, studies_for, teams_for

PROBLEMS_SHOWN = 20


@dataclass(frozen=True)
class Problems:
    """What participants reported as wrong: the newest reports, and how many there are in all."""

    newest: list[Event]
    total: int

    @property
    def more(self) -> int:
        return self.total - len(self.newest)


def problems_of(study: Study) -> Problems:
    """Return the study's reports of problems, of every source and version, in two queries."""
    reports = Event.objects.filter(session__study=study, kind="problem").select_related("session")
    return Problems(list(reports.order_by("-at", "-pk")[:PROBLEMS_SHOWN]), reports.count())


def study_list(user: Person) -> QuerySet[Study]:
    """Return the person's studies, each with title, number, target, completed, needed, done."""
    latest = StudyVersion.objects.filter(study=OuterRef("pk")).order_by("-number")
    # The spec is kept as text, for the order of its keys; PostgreSQL looks into JSON alone.
    titled = latest.annotate(parsed=Cast("data", JSONField()), name=KT("parsed__title"))
    completed = Session.objects.filter(
        study=OuterRef("pk"), source=Session.Source.REAL, status=Session.Status.COMPLETED
    )
    rendered = Q(heatmap__state=Heatmap.State.DONE) & ~Q(overlay_sha256="")
    needed = NeededHeatmap.objects.filter(stimulus_set__version=OuterRef("latest"))
    target = Condition.objects.filter(version=OuterRef("latest"))
    return studies_for(user).annotate(
        latest=Subquery(latest.values("pk")[:1]),
        title=Subquery(titled.values("name")[:1]),
        number=Subquery(latest.values("number")[:1]),
        completed=_count(completed, "study", Count("pk")),
        needed=_count(needed, "stimulus_set", Count("pk")),
        done=_count(needed, "stimulus_set", Count("pk", filter=rendered)),
        target=_count(target, "version", Count("pk") * F("target")),
    )


def team_list(user: Person) -> QuerySet[Team]:
    """Return the person's teams by name, each with role, members and studies."""
    own = Membership.objects.filter(team=OuterRef("pk"), user=user.pk)
    return teams_for(user).annotate(
        role=Subquery(own.values("role")[:1]),
        members=_count(Membership.objects.filter(team=OuterRef("pk")), "team", Count("pk")),
        n_studies=_count(Study.objects.filter(team=OuterRef("pk")), "team", Count("pk")),
    )


def _count(rows: QuerySet, by: str, what: Count | Combinable) -> Coalesce:
    counted = rows.order_by().values(by).annotate(n=what).values("n")[:1]
    return Coalesce(Subquery(counted), 0)
