"""Drafts edited in the console: what stays, what is made anew, and by whom."""

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from studyplatform.participation.services import entry_link, previews_discard
from studyplatform.stimuli import deciding, services
from studyplatform.stimuli.models import (
    Example,
    HandChange,
    Job,
    LintReason,
    NeededHeatmap,
    StimulusSet,
    Task,
)
from studyplatform.stimuli.services import jobs
from studyplatform.studies.models import Study, StudyVersion
from studyplatform.studies.services import ConflictError, StudyError, text_sha256, version_freeze
from studyplatform.studies.spec import load

from ..factories import make_session
from ..participation.study import make_study, spec_data
from ..published import SMALL, preset_with

pytestmark = pytest.mark.django_db


def text_with(**changes: Any) -> str:
    return yaml.safe_dump(spec_data(**changes))  # keys in the order of make_study's text


def methods_with(parameters: dict[str, Any]) -> dict[str, Any]:
    heatmaps = spec_data()["heatmaps"]
    return heatmaps | {"multiscale": heatmaps["multiscale"] | {"parameters": parameters}}


@pytest.fixture
def draft() -> StudyVersion:
    return make_study(publish=False)


def asked_for() -> list[str]:
    return list(Job.objects.order_by("pk").values_list("state", flat=True))


def test_other_words_leave_the_stimuli(draft: StudyVersion) -> None:
    tasks = set(Task.objects.values_list("pk", flat=True))
    effect = services.draft_save(version=draft, spec_text=text_with(title="New", seed=1))
    assert effect == "none"
    assert set(Task.objects.values_list("pk", flat=True)) == tasks
    assert StudyVersion.objects.get().spec.title == "New"
    assert asked_for() == []


def test_another_method_leaves_the_tasks_and_takes_out_the_heatmaps(draft: StudyVersion) -> None:
    tasks = set(Task.objects.values_list("pk", flat=True))
    assert NeededHeatmap.objects.exists()
    effect = services.draft_save(
        version=draft, spec_text=text_with(heatmaps=methods_with({"depth": 2}))
    )
    assert effect == "heatmaps"
    assert set(Task.objects.values_list("pk", flat=True)) == tasks
    assert not NeededHeatmap.objects.exists(), "those of the other method must not be published"
    assert asked_for() == ["pending"]


def test_other_tasks_are_chosen_anew_only_by_consent(draft: StudyVersion) -> None:
    text = text_with(seed=2)
    with pytest.raises(services.RedoNeededError):
        services.draft_save(version=draft, spec_text=text)
    assert (StudyVersion.objects.get().spec.seed, Task.objects.count()) == (1, 4)
    assert services.draft_save(version=draft, spec_text=text, redo=True) == "tasks"
    assert StudyVersion.objects.get().spec.seed == 2
    assert not StimulusSet.objects.exists()
    assert asked_for() == ["pending"]


def test_a_later_spec_ends_the_job_of_an_earlier_one(draft: StudyVersion) -> None:
    services.draft_save(version=draft, spec_text=text_with(seed=2), redo=True)
    services.draft_save(version=draft, spec_text=text_with(seed=3))
    assert asked_for() == ["cancelled", "pending"]
    services.draft_save(version=draft, spec_text=text_with(seed=3, title="Only words"))
    assert asked_for() == ["cancelled", "pending"]


def test_the_first_of_two_people_wins_and_the_second_is_told(draft: StudyVersion) -> None:
    began = text_sha256(draft.written)
    services.draft_save(version=draft, spec_text=text_with(title="Hers"), began_with=began)
    with pytest.raises(ConflictError):
        services.draft_save(
            version=draft, spec_text=text_with(title="His", seed=9), began_with=began, redo=True
        )
    assert StudyVersion.objects.get().spec.title == "Hers"
    assert Task.objects.count() == 4


def test_a_draft_somebody_previews_changes_once_the_previews_are_gone(
    draft: StudyVersion, client: Any
) -> None:
    client.get(entry_link(draft.study, "preview", condition=draft.conditions.first().key))
    make_session(draft, 0, source="preview", task_order=[])
    with pytest.raises(StudyError, match="opened a preview"):
        services.draft_save(version=draft, spec_text=text_with(title="New"))
    assert StudyVersion.objects.get().spec.title != "New"
    assert previews_discard(version=draft) == 2
    services.draft_save(version=draft, spec_text=text_with(title="New"))
    assert StudyVersion.objects.get().spec.title == "New"


def test_previews_of_what_is_published_and_sessions_that_count_stay() -> None:
    version = make_study()
    make_session(version, 0, source="preview")
    draft = make_study(spec_data(slug="other"), publish=False)
    make_session(draft, 0, source="pilot")
    assert previews_discard(version=version) == previews_discard(version=draft) == 0
    assert version.sessions.count() == draft.sessions.count() == 1


def test_an_amendment_has_the_published_stimuli_at_once() -> None:
    version = make_study()
    before = [(t.number, t.label, t.image_id, t.outcome) for t in Task.objects.all()]
    amended = services.draft_amend(study=version.study)
    assert (amended.number, amended.written) == (2, version.written)
    mine = Task.objects.filter(stimulus_set__version=amended)
    assert [(t.number, t.label, t.image_id, t.outcome) for t in mine] == before
    assert Example.objects.filter(task__in=mine).count() == 4 * 12
    theirs, ours = (
        list(v.stimulus_set.needed_heatmaps.values_list("level", "heatmap", "overlay_sha256"))
        for v in (version, amended)
    )
    assert theirs == ours
    assert ours
    illustrations = amended.stimulus_set.illustrations
    assert illustrations.count() == version.stimulus_set.illustrations.count() > 0
    assert asked_for() == []
    with pytest.raises(StudyError, match="still a draft"):
        services.draft_amend(study=version.study)


def test_what_was_done_by_hand_and_why_warnings_stand_goes_along(draft: StudyVersion) -> None:
    then = datetime(2030, 1, 1, tzinfo=UTC)
    HandChange.objects.create(
        stimulus_set=draft.stimulus_set, label="cat", what="Another example.", by_name="alice"
    )
    LintReason.objects.create(
        version=draft, code="trivial", digest="0" * 64, sentence="w", reason="r", by_name="alice"
    )
    HandChange.objects.update(at=then)
    LintReason.objects.update(at=then)
    version_freeze(version=draft, manifest={})
    amended = services.draft_amend(study=draft.study)
    [change] = amended.stimulus_set.hand_changes.all()
    [reason] = amended.lint_reasons.all()
    assert (change.what, change.by_name, change.at) == ("Another example.", "alice", then)
    assert (reason.reason, reason.by_name, reason.at) == ("r", "alice", then)
    assert HandChange.objects.count() == LintReason.objects.count() == 2


def test_a_study_of_drafts_alone_is_not_amended(draft: StudyVersion) -> None:
    with pytest.raises(StudyError, match="published yet"):
        services.draft_amend(study=draft.study)


@pytest.mark.parametrize(
    ("changes", "tasks", "heatmaps", "n_jobs"),
    [
        ({}, 4, True, 0),
        ({"heatmaps": methods_with({"depth": 2})}, 4, False, 1),
        ({"seed": 5}, 0, False, 1),
    ],
)
def test_a_duplicate_takes_over_what_its_spec_allows(
    changes: dict[str, Any], tasks: int, heatmaps: bool, n_jobs: int
) -> None:
    origin = make_study(spec_data(stimuli=spec_data()["stimuli"] | _named("trial")))
    text = text_with(slug="again", stimuli=spec_data()["stimuli"] | _named("trial"), **changes)
    made = services.draft_create(team=origin.study.team, spec_text=text, origin=origin)
    assert Task.objects.filter(stimulus_set__version=made).count() == tasks
    assert NeededHeatmap.objects.filter(stimulus_set__version=made).exists() == heatmaps
    assert Job.objects.count() == n_jobs


def test_a_duplicate_takes_nothing_over_where_the_names_mean_something_else() -> None:
    origin = make_study()  # its spec says demo, its images are called trial
    made = services.draft_create(
        team=origin.study.team, spec_text=text_with(slug="again"), origin=origin
    )
    assert not StimulusSet.objects.filter(version=made).exists()
    assert asked_for() == ["pending"]


def test_a_draft_is_discarded_with_its_stimuli_and_its_job() -> None:
    version = make_study()
    second = services.draft_amend(study=version.study)
    services.draft_save(version=second, spec_text=text_with(seed=8), redo=True)
    assert not services.draft_discard(version=second)
    assert StudyVersion.objects.get() == version
    assert Task.objects.count() == 4
    assert asked_for() == ["cancelled"]
    with pytest.raises(StudyError, match="is published"):
        services.draft_discard(version=version)
    other = make_study(spec_data(slug="other"), publish=False)
    make_session(other, 0, source="pilot")
    with pytest.raises(StudyError, match="Sessions were begun"):
        services.draft_discard(version=other)
    assert Study.objects.filter(slug="other").exists()


def test_the_job_chooses_the_tasks_and_enters_the_heatmaps(published_study: StudyVersion) -> None:
    """With the real network and images: a duplicate with other tasks, then with another method."""
    made = services.draft_create(
        team=published_study.study.team, spec_text=preset_with(**(SMALL | {"slug": "again"}))
    )
    job = Job.objects.get()
    assert jobs.job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.result["tasks"]) == ("done", 4)
    assert job.result["heatmaps"] == made.stimulus_set.needed_heatmaps.count() > 0

    deeper = {
        "multiscale": {"parameters": {"depth": 0}},
        "lrp": {"parameters": {"composite": ".."}},
    }
    text = preset_with(**(SMALL | {"slug": "again", "heatmaps": deeper}))
    services.draft_save(version=made, spec_text=text)
    job = Job.objects.latest("pk")
    jobs.job_run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert [problem.partition(":")[0] for problem in job.problems] == [
        "heatmaps.lrp",
        "heatmaps.multiscale",
    ]
    assert not made.stimulus_set.needed_heatmaps.exists()

    text = preset_with(
        **(SMALL | {"slug": "again", "heatmaps": {"multiscale": {"parameters": {"depth": 1}}}})
    )
    services.draft_save(version=made, spec_text=text)
    assert jobs.job_run(job_id=Job.objects.latest("pk").pk)
    depths = made.stimulus_set.needed_heatmaps.filter(level="multiscale").values_list(
        "heatmap__parameters__depth", flat=True
    )
    assert set(depths) == {1}


def test_tasks_chosen_for_an_earlier_spec_are_not_stored(published_study: StudyVersion) -> None:
    text = preset_with(**(SMALL | {"slug": "again"}))
    made = services.draft_create(team=published_study.study.team, spec_text=text)
    stale = StudyVersion.objects.select_related("study__team").get(pk=made.pk)
    assert stale.spec.seed == 1
    services.draft_save(version=made, spec_text=text.replace("seed: 1\n", "seed: 2\n"))
    with pytest.raises(StudyError, match="was changed while"):
        services.stimuli_prepare(version=stale)
    assert not StimulusSet.objects.filter(version=made).exists()


def test_what_decides_about_tasks_and_heatmaps() -> None:
    spec = load(text_with())
    counterbalance = spec_data()["tasks"] | {"counterbalance": False}
    drawn = spec_data()["stimuli"] | {"overlay_percentile": 90}
    for changes, effect in (
        ({"tasks": counterbalance}, "none"),
        ({"target_per_condition": 3}, "none"),
        ({"stimuli": drawn}, "heatmaps"),
        ({"stimuli": spec_data()["stimuli"] | {"split": "all"}}, "tasks"),
        ({"screening": {}}, "none"),
        ({"screening": {}, "instructions": []}, "tasks"),
    ):
        assert deciding.effect_of(spec, load(text_with(**changes))) == effect, changes
    new_images = spec_data()["tasks"]["new_images"]
    turned = spec_data()["tasks"] | {"new_images": dict(reversed(new_images.items()))}
    straight, other = (
        load(yaml.safe_dump(spec_data(tasks=tasks), sort_keys=False))
        for tasks in (spec_data()["tasks"], turned)
    )
    assert deciding.effect_of(straight, other) == "tasks", "labels number the tasks"


def _named(name: str) -> dict[str, str]:
    return {"images": name, "classifier": name}
