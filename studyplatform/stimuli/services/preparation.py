"""From a draft's spec to its stimuli: thresholds, tasks, examples, illustrations, ledger rows."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import ProtectedError

from studyplatform.studies.models import StudyVersion, Team
from studyplatform.studies.services import check_slug_free, study_create, version_replace_spec
from studyplatform.studies.spec import HeatmapMethod, Outcome, Spec, load

from .. import deciding, materials, pictures, runtime, selection
from ..models import (
    Example,
    Heatmap,
    Illustration,
    Image,
    ImageSet,
    NeededHeatmap,
    Prediction,
    StimulusSet,
    Task,
    TrainedClassifier,
)
from .classifiers import check_fit, predictions_ensure
from .errors import StimuliError
from .images import Progress, silent


def study_create_with_stimuli(
    *, team: Team, spec_text: str, progress: Progress = silent
) -> StudyVersion:
    """Make a study and its stimuli, or nothing of either; returns the draft version.

    A team that is not saved yet is saved with them. Scores of images are kept even where it
    fails: they are true whatever the study.
    Raises SpecError, StudyError (address taken) and StimuliError.
    """
    spec = load(spec_text)
    check_slug_free(spec.slug)
    _materials(team, spec, progress)
    with transaction.atomic():
        if team.pk is None:
            team.save()
        version = study_create(team=team, spec_text=spec_text)
        stimuli_prepare(version=version)
    return version


def study_replace_draft(
    *, version: StudyVersion, spec_text: str, progress: Progress = silent
) -> StudyVersion:
    """Give a draft another spec, and stimuli that follow from it; both or neither.

    Heatmaps rendered before stay in the ledger and are not rendered again. Raises as
    `study_create_with_stimuli`, and StudyError for a version that is published or was walked.
    """
    _materials(version.study.team, load(spec_text), progress)
    with transaction.atomic():
        # The lock comes first: stimuli must not go while somebody publishes them.
        StudyVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
        try:
            StimulusSet.objects.filter(version=version, version__published_at=None).delete()
            replaced = version_replace_spec(version=version, spec_text=spec_text)
        except ProtectedError:
            raise StimuliError(
                f"Sessions were begun with {version}, so it is not replaced; take another slug."
            ) from None
        stimuli_prepare(version=replaced)
    return replaced


def stimuli_prepare(*, version: StudyVersion, progress: Progress = silent) -> StimulusSet:
    """Choose a version's tasks, examples and illustrations, and enter its heatmaps in the ledger.

    The same spec, images and classifier give the same stimuli. A second call returns what is
    there; an interrupted one goes on where it stopped. Raises StimuliError in one sentence: an
    unknown image set, classifier, label or heatmap method, or too few images of an outcome.
    """
    found = StimulusSet.objects.filter(version=version).first()
    if found:
        return found
    spec = version.spec
    image_set, classifier, images = _materials(version.study.team, spec, progress)
    try:
        table = table_of(classifier, images)
        thresholds = thresholds_of(spec, classifier, table)
        tasks = selection.choose_tasks(
            table,
            thresholds,
            spec.tasks.new_images,
            spec.tasks.examples,
            margin=spec.tasks.margin,
            seed=spec.seed,
        )
        illustrations = _illustrations(spec, table, thresholds, tasks)
    except selection.TooFewImagesError as error:
        raise StimuliError(
            f"{error} Images come from {image_set.name!r} (split: {spec.stimuli.split}); ask for "
            "fewer tasks or examples, take another split, or lower tasks.margin."
        ) from error
    with transaction.atomic():
        # The lock makes a second caller wait, and then find the set.
        locked = StudyVersion.objects.select_for_update(of=("self",), no_key=True).get(
            pk=version.pk
        )
        found = StimulusSet.objects.filter(version=version).first()
        if found:
            return found
        if deciding.of_tasks(locked.spec) != deciding.of_tasks(spec):
            raise StimuliError("The study was changed while its tasks were chosen.")
        stimulus_set = StimulusSet.objects.create(
            version=version, image_set=image_set, classifier=classifier, thresholds=thresholds
        )
        _store_tasks(stimulus_set, tasks, images)
        Illustration.objects.bulk_create(
            Illustration(
                stimulus_set=stimulus_set, label=label, outcome=outcome, image=images[image]
            )
            for (label, outcome), image in illustrations.items()
        )
        needed_heatmaps_ensure(stimulus_set=stimulus_set)
    return stimulus_set


def needed_heatmaps_ensure(*, stimulus_set: StimulusSet) -> None:
    """Enter every heatmap the stimuli show in the ledger; rows that are there are shared."""
    wanted: list[tuple[str, Heatmap]] = []
    for level, image, label in shown_heatmaps(stimulus_set):
        method = stimulus_set.version.spec.heatmaps[level]
        wanted.append((level, _ledger_row(stimulus_set.classifier, image, label, method)))
    Heatmap.objects.bulk_create(
        {row.key: row for _, row in wanted}.values(), ignore_conflicts=True, batch_size=500
    )
    ids: dict[str, int] = {}
    for level in {level for level, _ in wanted}:
        rows = [row for its, row in wanted if its == level]
        for start in range(0, len(rows), 500):
            found = Heatmap.objects.filter(key__in=[row.key for row in rows[start : start + 500]])
            ids.update(found.values_list("key", "pk"))
            # A batch size is no part of the key: one that failed is to be tried with the new one.
            open_states = (Heatmap.State.PENDING, Heatmap.State.FAILED)
            found.filter(state__in=open_states).update(parameters=rows[0].parameters)
    NeededHeatmap.objects.bulk_create(
        (
            NeededHeatmap(stimulus_set=stimulus_set, heatmap_id=ids[row.key], level=level)
            for level, row in wanted
        ),
        ignore_conflicts=True,
        batch_size=500,
    )


def shown_heatmaps(stimulus_set: StimulusSet) -> Iterator[tuple[str, Image, str]]:
    """Yield (level, image, label) of every heatmap that some condition shows, each once.

    Image by image, so that quick and slow methods take turns and the time left can be told. The
    label is "" where the method is class-agnostic: its map is the same for all labels.
    """
    from explainers import registry

    spec = stimulus_set.version.spec
    shown: dict[tuple[int, str], Image] = {}
    examples = Example.objects.filter(task__stimulus_set=stimulus_set).order_by(
        "task__number", "position"
    )
    for example in examples.select_related("image", "task"):
        shown.setdefault((example.image_id, example.task.label), example.image)
    wanted = deciding.figures_with_heatmap(spec)
    for one in stimulus_set.illustrations.select_related("image").order_by("pk"):
        if (one.label, one.outcome) in wanted:
            shown.setdefault((one.image_id, one.label), one.image)
    agnostic = {
        level
        for level, method in spec.heatmaps.items()
        if registry.method(method.method).class_agnostic
    }
    seen: set[tuple[str, int]] = set()
    for (_, label), image in shown.items():
        for level in spec.heatmaps:
            if level not in agnostic:
                yield level, image, label
            elif (level, image.pk) not in seen:
                seen.add((level, image.pk))
                yield level, image, ""


def _materials(
    team: Team, spec: Spec, progress: Progress
) -> tuple[ImageSet, TrainedClassifier, list[Image]]:
    """Return image set, classifier, and the split's images by content, all with their scores."""
    image_set, classifier = materials_find(team=team, spec=spec)
    chosen = images_of(image_set, spec)
    if not chosen:
        raise StimuliError(
            f"stimuli.split: the image set {image_set.name!r} has no {spec.stimuli.split} images."
        )
    methods_check(spec=spec, classifier=classifier, image=chosen[0])
    predictions_ensure(classifier=classifier, images=chosen, progress=progress)
    return image_set, classifier, chosen


def images_of(image_set: ImageSet, spec: Spec) -> list[Image]:
    """Return the images stimuli are chosen from, by content."""
    images = image_set.images.order_by("sha256")
    if spec.stimuli.split != "all":
        images = images.filter(split=spec.stimuli.split)
    return list(images)


def materials_find(*, team: Team, spec: Spec) -> tuple[ImageSet, TrainedClassifier]:
    """Return the image set and the classifier a spec names; StimuliError where they do not fit.

    The team's own come before shared ones of the same name. Reads rows alone, no network.
    """
    wanted = spec.stimuli
    image_set = materials.image_set_named(team, wanted.images)
    if image_set is None:
        raise StimuliError(f"stimuli.images: there is no image set {wanted.images!r}.")
    classifier = materials.classifier_named(team, wanted.classifier)
    if classifier is None:
        raise StimuliError(f"stimuli.classifier: there is no classifier {wanted.classifier!r}.")
    check_fit(classifier, image_set)
    _check_labels(spec, classifier, image_set)
    return image_set, classifier


def _check_labels(spec: Spec, classifier: TrainedClassifier, image_set: ImageSet) -> None:
    named = [(f"tasks.new_images.{label}", label) for label in spec.tasks.labels]
    named += [(f"{path}.label", figure.label) for path, figure in spec.figures()]
    if isinstance(spec.stimuli.thresholds, dict):
        named += [(f"stimuli.thresholds.{label}", label) for label in spec.stimuli.thresholds]
    problems = [
        f"label_names.{label}: the classifier {classifier.name!r} has no label {label!r}; "
        f"it has {', '.join(classifier.labels)}."
        for label in spec.label_names
        if label not in classifier.labels
    ]
    for path, label in named:
        if label not in classifier.labels:
            problems.append(
                f"{path}: the classifier {classifier.name!r} has no label {label!r}; "
                f"it has {', '.join(classifier.labels)}."
            )
        elif label not in image_set.labels:
            problems.append(
                f"{path}: no image of {image_set.name!r} carries the label {label!r}; "
                f"there are {', '.join(image_set.labels)}."
            )
    if problems:
        raise StimuliError(problems)


def methods_check(*, spec: Spec, classifier: TrainedClassifier, image: Image) -> None:
    """Raise StimuliError unless every heatmap method can be computed on an image of this size."""
    from explainers import ExplainerError, registry

    problems = []
    for level, method in spec.heatmaps.items():
        try:
            explainer = runtime.explainer(
                classifier, method.method, method.parameters, method.randomised_with
            )
            # Checks parameters against the image's size, and predicts nothing yet.
            explainer.iter_explain(pictures.pixels_of(image.sha256), spec.tasks.labels[0])
        except ExplainerError as error:
            problems.append(f"heatmaps.{level}: {error}")
            continue
        if method.network == "randomised" and not registry.method(method.method).reads_network:
            problems.append(
                f"heatmaps.{level}.network: {method.method} reads no network; take it out."
            )
    if problems:
        raise StimuliError(problems)


def table_of(classifier: TrainedClassifier, images: list[Image]) -> selection.Table:
    """Return scores, truth and embeddings of images of one set; all of them have been scored."""
    predictions = {
        prediction.image_id: prediction
        for prediction in Prediction.objects.filter(
            classifier=classifier, image__image_set_id=images[0].image_set_id
        )
    }
    rows = [predictions[image.pk] for image in images]
    return selection.Table(
        keys=[image.sha256 for image in images],
        truth={
            label: np.array([label in image.labels for image in images])
            for label in classifier.labels
        },
        scores={
            label: np.array([row.scores[label] for row in rows]) for label in classifier.labels
        },
        embeddings=np.stack([np.frombuffer(row.embedding, "<f4") for row in rows]),
    )


def thresholds_of(
    spec: Spec, classifier: TrainedClassifier, table: selection.Table
) -> dict[str, float]:
    """Return the threshold of every label: the one the spec gives, else the one of best F1."""
    given = spec.stimuli.thresholds if isinstance(spec.stimuli.thresholds, dict) else {}
    thresholds = {}
    for label in classifier.labels:
        truth, scores, need = table.truth[label], table.scores[label], need_of(spec, label)
        if label in given:
            selection.check_threshold(label, truth, scores, given[label], need, spec.tasks.margin)
            thresholds[label] = given[label]
        else:
            thresholds[label] = selection.choose_threshold(
                label, truth, scores, need, spec.tasks.margin
            )
    return thresholds


def need_of(spec: Spec, label: str) -> selection.Need:
    """Return how many images of each outcome the spec's tasks or figures need of a label."""
    if label in spec.tasks.new_images:
        return selection.Need(spec.tasks.new_images[label], spec.tasks.examples)
    figures: dict[Outcome, int] = {
        figure.outcome: 1 for _, figure in spec.figures() if figure.label == label
    }
    return selection.Need({}, figures)


def _illustrations(
    spec: Spec,
    table: selection.Table,
    thresholds: dict[str, float],
    tasks: list[selection.ChosenTask],
) -> dict[tuple[str, str], int]:
    new = {task.image for task in tasks}
    examples = {example.image for task in tasks for example in task.examples}
    chosen: dict[tuple[str, str], int] = {}
    for _, figure in spec.figures():
        if (figure.label, figure.outcome) not in chosen:
            chosen[figure.label, figure.outcome] = selection.choose_illustration(
                table,
                thresholds,
                figure.label,
                figure.outcome,
                never=new,
                rather_not=examples,
                seed=spec.seed,
            )
    return chosen


def _store_tasks(
    stimulus_set: StimulusSet, chosen: list[selection.ChosenTask], images: list[Image]
) -> None:
    for number, one in enumerate(chosen, start=1):
        task = Task.objects.create(
            stimulus_set=stimulus_set,
            label=one.label,
            number=number,
            image=images[one.image],
            outcome=one.outcome,
            score=one.score,
        )
        Example.objects.bulk_create(
            Example(
                task=task,
                image=images[example.image],
                outcome=example.outcome,
                position=position,
                similarity=example.similarity,
            )
            for position, example in enumerate(one.examples, start=1)
        )


def _ledger_row(
    classifier: TrainedClassifier,
    image: Image,
    label: str,
    wanted: HeatmapMethod,
) -> Heatmap:
    from explainers import registry

    method, chosen = wanted.method, wanted.parameters

    # With their defaults, so that a row says all that went into it; without the batch size, which
    # changes speed and rounding only.
    parameters = {**registry.parameters(method), **chosen}
    del parameters["batch_size"]
    question: dict[str, Any] = {
        "classifier": classifier.sha256,
        "preprocess": classifier.preprocess,
        "labels": classifier.labels,
        "image": image.sha256,
        "label": label,
        "method": method,
        "parameters": parameters,
    }
    if wanted.randomised_with is not None:
        question["network_seed"] = wanted.randomised_with
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    if "batch_size" in chosen:  # a large network may need a small one
        parameters["batch_size"] = chosen["batch_size"]
    return Heatmap(
        key=hashlib.sha256(text.encode()).hexdigest(),
        classifier=classifier,
        image=image,
        label=label,
        method=method,
        parameters=parameters,
        network_seed=wanted.randomised_with,
    )
