"""What was measured of the heatmaps a stimulus set shows, and how far the measuring is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Count, F, Q, QuerySet
from django.urls import reverse

from studyplatform.studies.models import StudyVersion

from ..models import Example, Heatmap, Job, MeasuredMap, NeededHeatmap, StimulusSet, Task
from ..selectors import Picture
from . import metrics

Outcome = float | str
"""A metric's value, or the reason why there is none."""

Outcomes = dict[str, Outcome]

_OF_HEATMAP = "heatmap__measured__"


@dataclass(frozen=True)
class ShownMap:
    """A rendered heatmap as the study shows it, and what was measured of it.

    outcomes: by metric, empty where it was not measured yet; random: those of the random map for
    the same image and label. recipe, random_recipe: how they were measured, "" where they were not.
    problem: why the heatmap cannot be used, "" where it can.
    """

    level: str
    heatmap: Heatmap
    overlay: Picture | None
    outcomes: Outcomes
    random: Outcomes
    recipe: str
    random_recipe: str
    problem: str

    @property
    def place(self) -> tuple[str, str]:
        """The image's content, and the label ("" for the whole prediction)."""
        return self.heatmap.image.sha256, self.heatmap.label


@dataclass(frozen=True)
class ShownPlace:
    """One of a task's examples, or (without task and position) an illustration, with its maps.

    label: in question; outcome: of the image for that label.
    """

    task: Task | None
    position: int | None
    label: str
    outcome: str
    image_sha256: str
    maps: tuple[ShownMap, ...]


@dataclass(frozen=True)
class Coverage:
    """How many heatmaps the study shows, how many are rendered, and how many are measured.

    unusable: of the measured, those whose file is no map.
    """

    shown: int
    rendered: int
    measured: int
    unusable: int

    @property
    def missing(self) -> int:
        return self.rendered - self.measured


def stimulus_set_of(version: StudyVersion) -> StimulusSet | None:
    return (
        StimulusSet.objects.filter(version=version).select_related("classifier", "version").first()
    )


def coverage(stimulus_set: StimulusSet) -> Coverage:
    """Count in one query."""
    rendered = Q(heatmap__state=Heatmap.State.DONE)
    measured = rendered & Q(
        **{
            f"{_OF_HEATMAP}content_sha256": F("heatmap__content_sha256"),
            f"{_OF_HEATMAP}recipe": metrics.recipe(),
        }
    )
    usable = Q(**{f"{_OF_HEATMAP}problem": ""})
    counts = NeededHeatmap.objects.filter(stimulus_set=stimulus_set).aggregate(
        shown=Count("pk"),
        rendered=Count("pk", filter=rendered),
        measured=Count("pk", filter=measured),
        unusable=Count("pk", filter=measured & ~usable),
    )
    return Coverage(**counts)


def places(stimulus_set: StimulusSet) -> list[tuple[str, str]]:
    """Return (image's content, label) of all rendered heatmaps, each once; labels first."""
    rows = _rendered(stimulus_set).order_by("heatmap__label", "heatmap__image__name")
    found = rows.values_list("heatmap__image__sha256", "heatmap__label")
    return sorted(dict.fromkeys(found), key=lambda place: (not place[1], place[1]))


def shown_maps(
    stimulus_set: StimulusSet, images: Sequence[str] | None = None, *, any_recipe: bool = False
) -> list[ShownMap]:
    """Return the rendered heatmaps by place, then in the order of the spec's levels.

    images: the contents of some images only. any_recipe: with what was measured otherwise than
    now. In four queries however many there are.
    """
    needed = _rendered(stimulus_set)
    if images is not None:
        needed = needed.filter(heatmap__image__sha256__in=images)
    rows = (
        needed.select_related("heatmap__image", "heatmap__measured")
        .prefetch_related("heatmap__measured__values")
        .order_by("pk")
    )
    random = _random(stimulus_set, images, any_recipe)
    order = {level: n for n, level in enumerate(stimulus_set.version.spec.heatmaps)}
    found = [_shown(row, random, stimulus_set, any_recipe) for row in rows]

    def by_place(one: ShownMap) -> tuple[object, ...]:
        sha256, label = one.place
        return not label, label, one.heatmap.image.name, sha256, order.get(one.level, len(order))

    return sorted(found, key=by_place)


def shown_places(stimulus_set: StimulusSet) -> list[ShownPlace]:
    """Return where which measured heatmaps are shown: tasks by number, then illustrations.

    Of a place whose heatmaps are not measured there is nothing; what was measured otherwise than
    now is there, with its recipe. In six queries.
    """
    maps: dict[tuple[str, str], list[ShownMap]] = {}
    for one in shown_maps(stimulus_set, any_recipe=True):
        if one.outcomes:
            maps.setdefault(one.place, []).append(one)
    examples = Example.objects.filter(task__stimulus_set=stimulus_set)
    examples = examples.select_related("task", "image").order_by("task__number", "position")
    of_tasks = [
        ShownPlace(one.task, one.position, one.task.label, one.outcome, one.image.sha256, ())
        for one in examples
    ]
    figures = stimulus_set.illustrations.select_related("image").order_by("pk")
    of_figures = [
        ShownPlace(None, None, one.label, one.outcome, one.image.sha256, ()) for one in figures
    ]
    found = (
        replace(
            place,
            maps=(
                *maps.get((place.image_sha256, place.label), ()),
                *maps.get((place.image_sha256, ""), ()),
            ),
        )
        for place in (*of_tasks, *of_figures)
    )
    return [place for place in found if place.maps]


def latest_job(stimulus_set: StimulusSet) -> Job | None:
    """Return the newest job that measures these stimuli."""
    return _jobs(stimulus_set).first()


def latest_result(stimulus_set: StimulusSet) -> Job | None:
    """Return the newest such job that came to its end."""
    return _jobs(stimulus_set).filter(state=Job.State.DONE).order_by("-finished_at").first()


def _jobs(stimulus_set: StimulusSet) -> QuerySet[Job]:
    return Job.objects.filter(
        kind=Job.Kind.MEASURE,
        study=stimulus_set.version.study_id,
        parameters={"stimulus_set": stimulus_set.pk},
    )


def _rendered(stimulus_set: StimulusSet) -> QuerySet[NeededHeatmap]:
    return NeededHeatmap.objects.filter(
        stimulus_set=stimulus_set, heatmap__state=Heatmap.State.DONE
    )


def _random(
    stimulus_set: StimulusSet, images: Sequence[str] | None, any_recipe: bool
) -> dict[str, tuple[Outcomes, str]]:
    """By key: all random maps of these images under the classifier, and how they were measured."""
    of_set = NeededHeatmap.objects.filter(stimulus_set=stimulus_set)
    wanted = of_set.values("heatmap__image__sha256") if images is None else images
    rows = MeasuredMap.objects.filter(
        heatmap=None,
        classifier__sha256=stimulus_set.classifier.sha256,
        image__sha256__in=wanted,
    ).prefetch_related("values")
    if not any_recipe:
        rows = rows.filter(recipe=metrics.recipe())
    return {row.key: (_outcomes(row), row.recipe) for row in rows}


def _shown(
    row: NeededHeatmap,
    random: dict[str, tuple[Outcomes, str]],
    stimulus_set: StimulusSet,
    any_recipe: bool,
) -> ShownMap:
    heatmap = row.heatmap
    measured: MeasuredMap | None = getattr(heatmap, "measured", None)
    if measured is not None and not (
        measured.content_sha256 == heatmap.content_sha256
        and (any_recipe or measured.recipe == metrics.recipe())
    ):
        measured = None
    key = metrics.random_key(stimulus_set.classifier, heatmap.image.sha256, heatmap.label)
    chance, chance_recipe = random.get(key, ({}, ""))
    return ShownMap(
        row.level,
        heatmap,
        _overlay(row),
        _outcomes(measured) if measured else {},
        chance,
        measured.recipe if measured else "",
        chance_recipe,
        measured.problem if measured else "",
    )


def _overlay(row: NeededHeatmap) -> Picture | None:
    if not row.overlay_sha256:
        return None
    side = row.heatmap.image.display_size
    return Picture(reverse("stimuli:picture", args=[row.overlay_sha256]), side, side)


def _outcomes(measured: MeasuredMap) -> Outcomes:
    return {
        one.metric: one.reason if one.value is None else one.value for one in measured.values.all()
    }
