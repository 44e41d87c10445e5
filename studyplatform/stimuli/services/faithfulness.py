"""Measures how faithful the rendered heatmaps of a study are: once per map, beside a random one.

A map's insertion and deletion curve cost one prediction per step each, in one batch; every metric
is worked out from these two curves and the map.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from studyplatform.studies.models import StudyVersion

from .. import media, pictures, runtime
from ..faithfulness import metrics, selectors
from ..faithfulness.summary import summary_make
from ..models import Heatmap, Image, Job, MeasuredMap, MeasuredValue, NeededHeatmap, StimulusSet
from .errors import StimuliError
from .jobs import Tick, job_request

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainers import Classifier
    from explainers.demo import Scene


class UnusableMapError(Exception):
    """A heatmap that cannot be measured; the message says what is wrong with its file."""


@dataclass(frozen=True)
class _Map:
    """What is to be measured: a heatmap's content, or (None) the random map of image and label."""

    key: str
    image: Image
    label: str
    heatmap: Heatmap | None

    @property
    def content_sha256(self) -> str:
        return self.heatmap.content_sha256 if self.heatmap else ""


def faithfulness_request(*, version: StudyVersion, user_id: int | None = None) -> Job:
    """Ask for a job that measures the version's rendered heatmaps; the open one where there is.

    Raises StimuliError where no heatmap is rendered.
    """
    stimulus_set = selectors.stimulus_set_of(version)
    if stimulus_set is None or not selectors.coverage(stimulus_set).rendered:
        raise StimuliError(
            f"No heatmap of version {version.number} is rendered yet; measure them once some are."
        )
    return job_request(
        team=version.study.team,
        study=version.study,
        kind=Job.Kind.MEASURE,
        subject=f"version {version.number}",
        parameters={"stimulus_set": stimulus_set.pk},
        user_id=user_id,
    )


def faithfulness_do(job: Job, tick: Tick) -> dict[str, Any]:
    """Do such a job: measure what is not measured yet, and sum up."""
    found = StimulusSet.objects.select_related("classifier", "version").filter(
        pk=job.parameters["stimulus_set"]
    )
    stimulus_set = found.first()
    if stimulus_set is None:
        raise StimuliError("The draft has other stimuli by now; ask for them to be measured.")
    faithfulness_measure(stimulus_set=stimulus_set, tick=tick)
    return summary_make(stimulus_set)


def faithfulness_measure(*, stimulus_set: StimulusSet, tick: Tick) -> int:
    """Measure the rendered heatmaps, and a random map per image and label; returns how many.

    What is measured of the same content in the same way is left as it is, so that this goes on
    where it was stopped. A heatmap whose file is gone, damaged or of another size is kept with the
    reason, and tried again the next time. Raises ExplainerError where the network cannot be used.
    """
    maps, done = _maps(stimulus_set), _done(stimulus_set)
    tick(0, len(maps), "Loading the classifier")
    measured = 0
    for number, one in enumerate(maps, start=1):
        if done.get(one.key) != one.content_sha256:
            _measure(one, stimulus_set)
            measured += 1
        tick(number, len(maps), "Measuring")
    return measured


def _maps(stimulus_set: StimulusSet) -> list[_Map]:
    """Image by image, the random map after the heatmaps of its label."""
    rows = Heatmap.objects.filter(
        needed_by__stimulus_set=stimulus_set, state=Heatmap.State.DONE
    ).select_related("image")
    found: dict[str, _Map] = {}
    random: dict[str, _Map] = {}
    for row in rows.order_by("image__sha256", "label", "pk"):
        found[row.key] = _Map(row.key, row.image, row.label, row)
        key = metrics.random_key(stimulus_set.classifier, row.image.sha256, row.label)
        random.setdefault(key, _Map(key, row.image, row.label, None))
    both = [*found.values(), *random.values()]
    return sorted(both, key=lambda one: (one.image.sha256, one.label, one.heatmap is None))


def _done(stimulus_set: StimulusSet) -> dict[str, str]:
    """Return key -> content of what is measured in the present way."""
    images = NeededHeatmap.objects.filter(stimulus_set=stimulus_set)
    rows = MeasuredMap.objects.filter(
        image__sha256__in=images.values("heatmap__image__sha256"),
        recipe=metrics.recipe(),
        problem="",
    )
    return dict(rows.values_list("key", "content_sha256"))


def _measure(one: _Map, stimulus_set: StimulusSet) -> None:
    classifier = runtime.classifier(stimulus_set.classifier)
    scene = _scene(one.image.name, one.image.sha256)
    names = metrics.names(one.label, drawn=scene is not None and _is_drawn(one.label))
    problem = ""
    outcomes: dict[str, float | str] = dict.fromkeys(names, metrics.UNUSABLE)
    try:
        pixels = _pixels(one.image)
        heatmap = _raw(one.heatmap, pixels) if one.heatmap else _random(one, classifier, pixels)
    except UnusableMapError as error:
        problem = str(error)
    else:
        outcomes = _judged(one, classifier, pixels, heatmap, scene, names)
    _store(one, stimulus_set, outcomes, problem)


def _store(
    one: _Map, stimulus_set: StimulusSet, outcomes: dict[str, float | str], problem: str
) -> None:
    with transaction.atomic():
        measured, _ = MeasuredMap.objects.update_or_create(
            key=one.key,
            defaults={
                "heatmap": one.heatmap,
                "classifier": stimulus_set.classifier,
                "image": one.image,
                "label": one.label,
                "content_sha256": one.content_sha256,
                "recipe": metrics.recipe(),
                "problem": problem,
                "measured_at": timezone.now(),
            },
        )
        measured.values.all().delete()
        MeasuredValue.objects.bulk_create(
            MeasuredValue(measured=measured, metric=name, reason=found)
            if isinstance(found, str)
            else MeasuredValue(measured=measured, metric=name, value=found)
            for name, found in outcomes.items()
        )


def _judged(
    one: _Map,
    classifier: "Classifier",
    pixels: "NDArray[np.uint8]",
    heatmap: "NDArray[np.float32]",
    scene: "Scene | None",
    names: tuple[str, ...],
) -> dict[str, float | str]:
    """Return every metric's value, or the reason why there is none."""
    from explainers.evaluation.columns import Column
    from explainers.evaluation.judging import Judge, Maps
    from explainers.evaluation.judging import Scene as Judged
    from explainers.metrics import metric

    judge = Judge(classifier, tuple(map(metric, names)), settings.FAITHFULNESS_STEPS, metrics.SEED)
    column = Column("shown", method=one.heatmap.method if one.heatmap else metrics.RANDOM)
    targets = (classifier.index(one.label),) if one.label else ()
    judged = Judged(
        one.image.name,
        pixels,
        np.empty(0, np.float32),  # no map is made here
        targets,
        mask=_truth("needed", scene, one.label),
        shortcut=_truth("shortcut", scene, one.label),
    )
    # One map for the label and for what judges any map: its curves are made once.
    values = judge.judge(column, judged, [Maps(heatmap, dict.fromkeys(targets, heatmap))]).values
    return {
        value.metric: value.outcome.value if isinstance(value.outcome, str) else value.outcome
        for value in values
    }


def _truth(what: str, scene: "Scene | None", label: str) -> Callable[[int], "NDArray[np.bool_]"]:
    """Return what gives the scene's pixels; it is asked for where there is a scene alone."""

    def where(target: int) -> "NDArray[np.bool_]":
        from explainers.metrics import ground_truth

        assert scene is not None
        found: NDArray[np.bool_] = getattr(ground_truth, what)(scene, label)
        return found

    return where


def _raw(heatmap: Heatmap, pixels: "NDArray[np.uint8]") -> "NDArray[np.float32]":
    """Return the rendered map `(H, W)`; UnusableMapError where its file is none of this image."""
    from explainers import ExplainerError
    from explainers.metrics.maps import check_map

    try:
        content = media.heatmap_path(heatmap.key, heatmap.content_sha256).read_bytes()
    except OSError:
        raise UnusableMapError("Its file is missing; render it again.") from None
    if hashlib.sha256(content).hexdigest() != heatmap.content_sha256:
        raise UnusableMapError("Its file is not the one that was rendered; render it again.")
    try:
        raw: NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
        check_map(raw, pixels.shape[:2])
    except ExplainerError as error:
        raise UnusableMapError(str(error)) from None
    except (ValueError, EOFError):
        raise UnusableMapError("Its file holds no map.") from None
    return raw


def _pixels(image: Image) -> "NDArray[np.uint8]":
    try:
        return pictures.pixels_of(image.sha256)
    except OSError:
        raise UnusableMapError("Its image's file is missing or damaged.") from None


def _random(
    one: _Map, classifier: "Classifier", pixels: "NDArray[np.uint8]"
) -> "NDArray[np.float32]":
    """Return a map of chance: another one for each image and label, always the same."""
    from explainers import CLASS_AGNOSTIC
    from explainers.evaluation.columns import Noise

    seed = int.from_bytes(hashlib.sha256(one.label.encode()).digest()[:4])
    return Noise(classifier, seed=seed).explain(pixels, CLASS_AGNOSTIC)


def _is_drawn(label: str) -> bool:
    from explainers import demo

    return label in demo.LABELS


@lru_cache(maxsize=4)
def _scene(name: str, sha256: str) -> "Scene | None":
    """Return the demo's scene that an image is, by its name and pixels; None for any other."""
    from explainers import demo

    scene = demo.named(name)
    return scene if scene and pictures.pixels_sha256(scene.image) == sha256 else None
