"""From a spec to a published study, and what is refused on the way."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from studyplatform.stimuli import media, selectors, services
from studyplatform.stimuli.models import (
    Example,
    Heatmap,
    Illustration,
    NeededHeatmap,
    Prediction,
    StimulusSet,
    Task,
    TrainedClassifier,
)
from studyplatform.studies.models import Study, StudyVersion, Team
from studyplatform.studies.services import StudyError, version_amend, version_sha256
from studyplatform.studies.spec import SpecError

from ..published import SMALL

SpecText = Callable[..., str]


def create(text: str) -> StudyVersion:
    return services.study_create_with_stimuli(team=Team(name="New team"), spec_text=text)


def refused(text: str) -> list[str]:
    """Return the problems with which this spec is refused; nothing of it may stay."""
    with pytest.raises((StudyError, SpecError)) as caught:
        create(text)
    assert not Study.objects.filter(slug="other").exists()
    assert not Team.objects.filter(name="New team").exists()
    assert StimulusSet.objects.count() == 1
    return caught.value.problems


@pytest.fixture
def other(published_study: StudyVersion, spec_text: SpecText) -> Callable[..., str]:
    """The small study's spec under another slug, with changes."""

    def text(**changes: object) -> str:
        merged = {**SMALL, "slug": "other"}
        for key, value in changes.items():
            is_both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = {**merged[key], **value} if is_both else value
        return spec_text(**merged)

    return text


def test_tasks_are_what_the_spec_asks_for(published_study: StudyVersion):
    found = Counter(Task.objects.values_list("label", "outcome"))
    assert found == {
        ("cat", "TP"): 1,
        ("cat", "FN"): 1,
        ("horse", "FP"): 1,
        ("horse", "FN"): 1,
    }


def test_new_images_are_examples_nowhere_and_stand_apart_from_thresholds(
    published_study: StudyVersion,
):
    new = set(Task.objects.values_list("image_id", flat=True))
    assert len(new) == 4
    assert new.isdisjoint(Example.objects.values_list("image_id", flat=True))
    assert new.isdisjoint(Illustration.objects.values_list("image_id", flat=True))
    thresholds = published_study.stimulus_set.thresholds
    for task in Task.objects.all():
        assert abs(task.score - thresholds[task.label]) >= 0.05


def test_outcomes_follow_from_scores_and_truth(published_study: StudyVersion):
    stimulus_set = published_study.stimulus_set
    scores = dict(Prediction.objects.values_list("image_id", "scores"))
    shown = [(t.label, t.image, t.outcome) for t in Task.objects.select_related("image")]
    shown += [
        (e.task.label, e.image, e.outcome) for e in Example.objects.select_related("task", "image")
    ]
    assert len(shown) == 4 * 13
    for label, image, outcome in shown:
        assigned = scores[image.pk][label] > stimulus_set.thresholds[label]
        assert (
            outcome
            == {
                (True, True): "TP",
                (True, False): "FN",
                (False, True): "FP",
                (False, False): "TN",
            }[label in image.labels, assigned]
        )


def test_scores_are_the_networks_own(published_study: StudyVersion):
    """Asked again through the library, the network says what is stored."""
    import numpy as np

    from explainers import demo
    from studyplatform.stimuli import pictures

    task = Task.objects.select_related("image").first()
    assert task is not None
    network = demo.classifier()
    [again] = network.predict(pictures.pixels_of(task.image.sha256)[None])
    stored = Prediction.objects.get(image=task.image).scores
    assert np.allclose([stored[label] for label in network.labels], again, atol=1e-5)
    assert task.score == stored[task.label]


def test_heatmaps_explain_the_label_in_question(published_study: StudyVersion):
    """Every example in both methods, for its task's label; figures only where they show one."""
    wanted = {(e.image_id, e.task.label) for e in Example.objects.select_related("task")}
    figures = {
        (figure.label, figure.outcome)
        for _, figure in published_study.spec.figures()
        if figure.heatmap
    }
    for one in Illustration.objects.all():
        if (one.label, one.outcome) in figures:
            wanted.add((one.image_id, one.label))
    for level in ("lrp", "multiscale"):
        needed = NeededHeatmap.objects.filter(level=level).select_related("heatmap")
        assert {(n.heatmap.image_id, n.heatmap.label) for n in needed} == wanted
    assert {h.parameters.get("depth") for h in Heatmap.objects.filter(method="multiscale")} == {2}


def test_the_same_spec_gives_the_same_stimuli_and_shares_their_heatmaps(
    published_study: StudyVersion, other: SpecText
):
    def chosen(version: StudyVersion) -> list[object]:
        return [
            (task.label, task.image_id, task.outcome, list(task.examples.values_list("image_id")))
            for task in selectors.tasks_of(version)
        ]

    rows = Heatmap.objects.count()
    second = create(other())
    assert chosen(second) == chosen(published_study)
    assert Heatmap.objects.count() == rows
    assert selectors.render_progress(second).rendered == selectors.render_progress(second).total
    [problem] = services.publish_problems(version=second)
    assert problem.startswith(f"{rows} of {rows} heatmaps are not rendered yet. ")
    # The overlays are missing; composing them renders nothing anew.
    assert services.ledger_drain() == 0
    assert services.publish_problems(version=second) == []


def test_preparing_twice_returns_what_is_there(published_study: StudyVersion):
    before = list(Task.objects.values())
    again = services.stimuli_prepare(version=published_study)
    assert again.pk == published_study.stimulus_set.pk
    assert list(Task.objects.values()) == before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"stimuli": {"images": "nowhere"}},
            "stimuli.images: there is no image set 'nowhere'.",
        ),
        (
            {"stimuli": {"classifier": "nobody"}},
            "stimuli.classifier: there is no classifier 'nobody'.",
        ),
        (
            {"tasks": {"new_images": {"zebra": {"TP": 1}}}},
            "tasks.new_images.zebra: the classifier 'demo' has no label 'zebra'; "
            "it has cat, horse, dog, cow, bird, car, boat, tree.",
        ),
    ],
)
def test_what_is_not_there_is_named(other: SpecText, changes: dict, sentence: str):
    assert refused(other(**changes)) == [sentence]


def test_too_few_images_of_an_outcome_is_one_sentence(other: SpecText):
    [problem] = refused(other(tasks={"new_images": {"cat": {"FP": 150}}}))
    assert problem.startswith("Label 'cat' has ")
    assert "false positives" in problem
    assert "153 are needed" in problem


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"depth": 0}, "heatmaps.multiscale: depth is 0; expected 1 or more."),
        ({"depth": 9}, "heatmaps.multiscale: "),
        ({"depht": 2}, "heatmaps.multiscale: multiscale has no parameter 'depht'"),
    ],
)
def test_parameters_are_checked_before_anything_is_made(
    other: SpecText, parameters: dict, sentence: str
):
    heatmaps = {"multiscale": {"method": "multiscale", "parameters": parameters}}
    [problem] = refused(other(heatmaps=heatmaps))
    assert problem.startswith(sentence)


def test_an_unknown_method_is_named(other: SpecText):
    [problem] = refused(other(heatmaps={"multiscale": {"method": "tea-leaves"}}))
    assert problem.startswith("heatmaps.multiscale: There is no method 'tea-leaves'")


def test_a_taken_slug_is_refused(other: SpecText):
    assert refused(other(slug="small")) == [
        "slug: there is already a study 'small'; choose another slug."
    ]


def test_given_thresholds_are_kept(other: SpecText):
    version = create(other(stimuli={"thresholds": {"tree": 0.42}}))
    assert version.stimulus_set.thresholds["tree"] == 0.42


def test_publishing_freezes_spec_and_stimuli(published_study: StudyVersion):
    version = published_study
    assert version.study.state == Study.State.RUNNING
    assert version.sha256 == version_sha256(version.spec, version.manifest)
    assert len(version.manifest["tasks"]) == 4
    assert len(version.manifest["heatmaps"]) == NeededHeatmap.objects.count()
    contents = {one["content"] for one in version.manifest["heatmaps"]}
    assert contents == set(Heatmap.objects.values_list("content_sha256", flat=True))
    assert version.manifest["classifier"]["sha256"] == TrainedClassifier.objects.get().sha256


def test_the_hash_follows_every_heatmap(published_study: StudyVersion):
    changed = services.publishing.manifest(published_study.stimulus_set)
    assert version_sha256(published_study.spec, changed) == published_study.sha256
    changed["heatmaps"][0]["content"] = "0" * 64
    assert version_sha256(published_study.spec, changed) != published_study.sha256


def test_a_published_version_is_published_once(published_study: StudyVersion):
    with pytest.raises(StudyError, match="published already"):
        services.version_publish(version=published_study)


@pytest.fixture
def draft(published_study: StudyVersion) -> StudyVersion:
    """The small study as it was before it was published: nothing blocks it."""
    StudyVersion.objects.update(published_at=None, sha256="", manifest={})
    Study.objects.update(state=Study.State.DRAFT)
    version = StudyVersion.objects.get(pk=published_study.pk)
    assert services.publish_problems(version=version) == []
    return version


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda s: s.tasks.first().delete(), "There are 0 "),
        (
            lambda s: s.tasks.first().examples.first().delete(),
            "Task 1 has 5 examples of a true positive; the spec asks for 6.",
        ),
        (lambda s: s.illustrations.filter(label="boat").delete(), "screening.items.0.figure"),
        (
            lambda s: Prediction.objects.filter(image=s.tasks.first().image).delete(),
            "1 of ",
        ),
        (lambda s: s.needed_heatmaps.first().delete(), "heatmaps are not in the ledger"),
        (
            lambda s: Heatmap.objects.filter(needed_by=s.needed_heatmaps.first()).update(
                state="failed"
            ),
            "heatmaps failed",
        ),
        (lambda s: s.needed_heatmaps.update(overlay_sha256=""), "not rendered yet"),
        (
            lambda s: s.needed_heatmaps.update(strongest=None, weakest=None),
            "no part that is clearly weaker",
        ),
        (
            lambda s: s.needed_heatmaps.update(overlay_sha256="0" * 64),
            "picture files are missing on disk",
        ),
        (lambda s: s.delete(), "The stimuli are not prepared"),
    ],
)
def test_what_is_missing_blocks_publishing(draft: StudyVersion, spoil, sentence: str):
    spoil(draft.stimulus_set)
    version = StudyVersion.objects.get(pk=draft.pk)
    problems = services.publish_problems(version=version)
    assert any(sentence in problem for problem in problems)
    with pytest.raises(StudyError) as caught:
        services.version_publish(version=version)
    assert caught.value.problems == problems
    version.refresh_from_db()
    assert version.published_at is None
    assert version.sha256 == ""


def test_a_failure_hides_none_that_wait(draft: StudyVersion):
    """One failed though it has its overlay, one of the others waits: each is told."""
    first, second = draft.stimulus_set.needed_heatmaps.order_by("pk")[:2]
    Heatmap.objects.filter(pk=first.heatmap_id).update(state="failed")
    NeededHeatmap.objects.filter(pk=second.pk).update(overlay_sha256="")
    problems = " ".join(services.publish_problems(version=draft))
    assert "heatmaps failed" in problems
    assert "heatmaps are not rendered yet" in problems


def test_a_draft_with_another_spec_gets_stimuli_that_follow_from_it(
    draft: StudyVersion, spec_text: SpecText
):
    text = spec_text(**{**SMALL, "tasks": {"new_images": {"cat": {"TP": 1}, "dog": {"FN": 1}}}})
    replaced = services.study_replace_draft(version=draft, spec_text=text)
    assert [(t.label, t.outcome) for t in selectors.tasks_of(replaced)] == [
        ("cat", "TP"),
        ("dog", "FN"),
    ]
    assert StimulusSet.objects.count() == 1
    assert "not rendered yet" in services.publish_problems(version=replaced)[0]


def test_a_spec_that_will_not_do_leaves_the_draft_as_it_was(
    draft: StudyVersion, spec_text: SpecText
):
    before = list(Task.objects.values())
    text = spec_text(**{**SMALL, "tasks": {"new_images": {"cat": {"TP": 150}}}})
    with pytest.raises(services.StimuliError, match="are needed"):
        services.study_replace_draft(version=draft, spec_text=text)
    assert list(Task.objects.values()) == before
    assert services.publish_problems(version=StudyVersion.objects.get(pk=draft.pk)) == []


def test_a_published_study_is_not_replaced(published_study: StudyVersion, spec_text: SpecText):
    with pytest.raises(StudyError, match="is published and cannot change"):
        services.study_replace_draft(version=published_study, spec_text=spec_text(**SMALL))
    assert Task.objects.count() == 4


def test_an_amendment_gets_stimuli_of_its_own(published_study: StudyVersion, spec_text: SpecText):
    text = spec_text(**{**SMALL, "title": "Another title"})
    amended = version_amend(study=published_study.study, spec_text=text)
    services.stimuli_prepare(version=amended)
    services.ledger_drain()
    frozen = services.version_publish(version=amended)
    assert frozen.number == 2
    assert frozen.sha256 != published_study.sha256
    assert StudyVersion.objects.get(pk=published_study.pk).sha256 == published_study.sha256


def test_a_file_that_is_no_model_is_refused(media_root: Path, tmp_path: Path, db: None):
    path = tmp_path / "network.keras"
    path.write_text("none")
    with pytest.raises(services.StimuliError, match="cannot be read as a Keras model"):
        services.classifier_register(name="x", path=path, labels=["cat"], preprocess="unit")
    assert not TrainedClassifier.objects.exists()
    assert not media.classifier_path(media.file_sha256(path)).exists()


def test_labels_must_match_the_outputs(media_root: Path, db: None):
    from explainers import demo

    with pytest.raises(services.StimuliError, match="2 labels are given for a network with 8"):
        services.classifier_register(
            name="x", path=demo.NETWORK_PATH, labels=["cat", "dog"], preprocess="unit"
        )


def test_images_of_another_size_are_refused(published_study: StudyVersion, other: SpecText):
    TrainedClassifier.objects.update(size=224)
    [problem] = refused(other())
    assert "are 96 px, the classifier 'demo' takes 224 px" in problem
