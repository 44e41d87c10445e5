"""Image sets and classifiers, as far as the one who asks may know of them.

Each belongs to a team, or to none: those made by commands and the demo's are shared with all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.utils import timezone

from studyplatform.studies.models import Study, Team
from studyplatform.studies.selectors import Person, studies_for, teams_for

from .models import Image, ImageSet, Job, StimulusSet, TrainedClassifier

SHOWN_AFTERWARDS = timedelta(days=1)
_ENDED_BADLY = (Job.State.FAILED, Job.State.CANCELLED)


@dataclass(frozen=True)
class SplitCount:
    """How many images carry a label, by split; label: "all" for the whole set."""

    label: str
    train: int
    val: int

    @property
    def total(self) -> int:
        return self.train + self.val


@dataclass(frozen=True)
class Contents:
    """What an image set holds, and the ids of those images that were asked for."""

    images: SplitCount
    labels: list[SplitCount]
    found: list[int]


def image_set_named(team: Team, name: str) -> ImageSet | None:
    """Return what a spec of this team calls by this name: the team's own, else the shared one."""
    return _own_first(ImageSet.objects.filter(_owned(team), name=name)).first()


def classifier_named(team: Team, name: str) -> TrainedClassifier | None:
    """Return what a spec of this team calls by this name: the team's own, else the shared one."""
    return _own_first(TrainedClassifier.objects.filter(_owned(team), name=name)).first()


def image_sets_for(user: Person) -> QuerySet[ImageSet]:
    """Return the image sets of the person's teams and the shared ones, newest first."""
    if not user.is_authenticated or not user.is_active:
        return ImageSet.objects.none()
    found = ImageSet.objects.filter(_seen(user)).select_related("team")
    return found.order_by("-created_at", "-pk")


def image_sets_counted(user: Person) -> QuerySet[ImageSet]:
    """Return them with `n_train` and `n_val`, the number of images of each split."""
    return image_sets_for(user).annotate(
        n_train=Count("images", filter=Q(images__split="train")),
        n_val=Count("images", filter=Q(images__split="val")),
    )


def image_set_get_for(user: Person, image_set_id: int) -> ImageSet:
    """Return an image set; ImageSet.DoesNotExist also for those of other teams."""
    return image_sets_for(user).get(pk=image_set_id)


def image_sets_of(team: Team) -> QuerySet[ImageSet]:
    """Return what a team may train on: its own image sets and the shared ones, by name."""
    return ImageSet.objects.filter(_owned(team)).order_by("name")


def contents_of(image_set: ImageSet, *, label: str = "", split: str = "") -> Contents:
    """Return what the set holds, and which of its images have a label and a split ("" is any).

    One query. Labels are not looked for in SQL: SQLite knows no members of a JSON list.
    """
    counts: dict[str, dict[str, int]] = {one: {} for one in image_set.labels}
    of_split: dict[str, int] = {}
    found: list[int] = []
    rows = image_set.images.order_by("split", "name").values_list("pk", "split", "labels")
    for image_id, its_split, its_labels in rows:
        of_split[its_split] = of_split.get(its_split, 0) + 1
        for one in its_labels:
            of_label = counts.setdefault(one, {})
            of_label[its_split] = of_label.get(its_split, 0) + 1
        if split in ("", its_split) and (not label or label in its_labels):
            found.append(image_id)
    lines = [SplitCount(one, n.get("train", 0), n.get("val", 0)) for one, n in counts.items()]
    return Contents(
        SplitCount("all", of_split.get("train", 0), of_split.get("val", 0)), lines, found
    )


def images_of(image_ids: Sequence[int]) -> list[Image]:
    """Return these images, in this order, in one query."""
    found = Image.objects.in_bulk(image_ids)
    return [found[image_id] for image_id in image_ids if image_id in found]


def classifiers_for(user: Person) -> QuerySet[TrainedClassifier]:
    """Return the classifiers of the person's teams and the shared ones, newest first.

    Each knows in `seen_uses` the stimuli made with it, of the person's own studies only.
    """
    if not user.is_authenticated or not user.is_active:
        return TrainedClassifier.objects.none()
    uses = StimulusSet.objects.filter(version__study__in=studies_for(user).values("pk"))
    return (
        TrainedClassifier.objects.filter(_seen(user))
        .select_related("team", "image_set")
        .prefetch_related(
            Prefetch(
                "stimulusset_set",
                queryset=uses.select_related("version__study").order_by("version__study__slug"),
                to_attr="seen_uses",
            )
        )
        .order_by("-created_at", "-pk")
    )


def classifier_get_for(user: Person, classifier_id: int) -> TrainedClassifier:
    """Return a classifier; TrainedClassifier.DoesNotExist also for those of other teams."""
    return classifiers_for(user).get(pk=classifier_id)


def classifiers_of(team: Team) -> QuerySet[TrainedClassifier]:
    """Return the classifiers a team may build on: its own and the shared ones, by name."""
    return TrainedClassifier.objects.filter(_owned(team)).order_by("name")


def studies_using(classifier: TrainedClassifier) -> list[Study]:
    """Return the studies of a classifier that `classifiers_for` found, each once."""
    uses: list[StimulusSet] = getattr(classifier, "seen_uses", [])
    return list({use.version.study_id: use.version.study for use in uses}.values())


def precision_rows(
    classifier: TrainedClassifier,
) -> list[tuple[str, float | None, float | None]]:
    """Return (label, on training images, on validation images); None where there was none."""
    found: Mapping[str, Mapping[str, float]] = classifier.average_precision
    train, val = found.get("train", {}), found.get("val", {})
    return [(label, train.get(label), val.get(label)) for label in classifier.labels]


def jobs_shown(user: Person, kind: Job.Kind) -> list[Job]:
    """Return the open jobs of a kind, and those that lately ended without what was asked for."""
    lately = Q(state__in=_ENDED_BADLY, finished_at__gt=timezone.now() - SHOWN_AFTERWARDS)
    going = Q(state__in=[Job.State.PENDING, Job.State.RUNNING])
    jobs = Job.objects.filter(going | lately, kind=kind, team__in=teams_for(user))
    return list(jobs.select_related("team")[:10])


def _seen(user: Person) -> Q:
    return Q(team__isnull=True) | Q(team__in=teams_for(user))


def _owned(team: Team) -> Q:
    shared = Q(team__isnull=True)
    return shared if team.pk is None else shared | Q(team=team)


def _own_first(found: QuerySet) -> QuerySet:
    return found.order_by(F("team").asc(nulls_last=True))
