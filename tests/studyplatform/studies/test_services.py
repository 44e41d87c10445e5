"""Studies are made whole, published versions cannot change, states move one way."""

from collections.abc import Callable

import pytest

from studyplatform.studies import services
from studyplatform.studies.models import Condition, Study, StudyVersion
from studyplatform.studies.spec import SpecError

pytestmark = pytest.mark.django_db
SpecText = Callable[..., str]


@pytest.fixture
def draft(spec_text: SpecText) -> StudyVersion:
    team = services.team_get_or_create(name="Alice's team")
    return services.study_create(team=team, spec_text=spec_text())


@pytest.fixture
def frozen(draft: StudyVersion) -> StudyVersion:
    return services.version_freeze(version=draft, manifest={"tasks": []})


def test_a_study_is_made_with_its_conditions(draft: StudyVersion):
    assert (draft.number, draft.study.state) == (1, Study.State.DRAFT)
    found = list(draft.conditions.values_list("key", "target"))
    assert found == [
        ("heatmap-none_scores-hidden", 16),
        ("heatmap-none_scores-shown", 16),
        ("heatmap-lrp_scores-hidden", 16),
        ("heatmap-lrp_scores-shown", 16),
        ("heatmap-multiscale_scores-hidden", 16),
        ("heatmap-multiscale_scores-shown", 16),
    ]


def test_a_faulty_spec_leaves_nothing(spec_text: SpecText):
    team = services.team_get_or_create(name="Alice's team")
    with pytest.raises(SpecError):
        services.study_create(team=team, spec_text=spec_text(title=...))
    assert not Study.objects.exists()
    assert not Condition.objects.exists()


def test_a_slug_is_taken_once(draft: StudyVersion, spec_text: SpecText):
    with pytest.raises(services.StudyError, match="already a study 'demo'"):
        services.study_create(team=draft.study.team, spec_text=spec_text())
    assert StudyVersion.objects.count() == 1


def test_a_draft_takes_another_spec(draft: StudyVersion, spec_text: SpecText):
    levels = ["none", "lrp"]
    text = spec_text(
        factors={"heatmap": {"levels": levels}}, heatmaps={"multiscale": ...}, title="New"
    )
    changed = services.version_replace_spec(version=draft, spec_text=text)
    assert changed.spec.title == "New"
    assert changed.conditions.count() == 4
    with pytest.raises(services.StudyError, match="'else' is another study"):
        services.version_replace_spec(version=draft, spec_text=spec_text(slug="else"))


def test_freezing_sets_hash_and_runs_the_study(frozen: StudyVersion):
    assert frozen.published_at is not None
    assert frozen.study.state == Study.State.RUNNING
    assert frozen.sha256 == services.version_sha256(frozen.spec, {"tasks": []})


@pytest.mark.parametrize(
    "change",
    [
        lambda version, text: services.version_replace_spec(version=version, spec_text=text),
        lambda version, text: services.version_freeze(version=version, manifest={"tasks": [1]}),
    ],
)
def test_what_is_published_cannot_change(frozen: StudyVersion, spec_text: SpecText, change):
    before = StudyVersion.objects.values().get()
    with pytest.raises(services.StudyError, match="is published and cannot change"):
        change(frozen, spec_text(title="Another"))
    assert StudyVersion.objects.values().get() == before
    assert Condition.objects.count() == 6


def test_a_draft_held_since_before_publishing_cannot_change_it_either(
    draft: StudyVersion, spec_text: SpecText
):
    """The instance still says draft; the service looks at the row."""
    stale = StudyVersion.objects.get(pk=draft.pk)
    services.version_freeze(version=draft, manifest={})
    assert stale.published_at is None
    with pytest.raises(services.StudyError, match="cannot change"):
        services.version_replace_spec(version=stale, spec_text=spec_text(title="Another"))


def test_an_amendment_is_the_next_draft(frozen: StudyVersion, spec_text: SpecText):
    study = frozen.study
    second = services.version_amend(study=study, spec_text=spec_text(title="Amended"))
    assert (second.number, second.published_at) == (2, None)
    assert second.conditions.count() == 6
    frozen.refresh_from_db()
    assert frozen.spec.title != "Amended"
    with pytest.raises(services.StudyError, match="Version 2 of 'demo' is still a draft"):
        services.version_amend(study=study, spec_text=spec_text())
    with pytest.raises(services.StudyError, match="is another study"):
        services.version_amend(study=study, spec_text=spec_text(slug="else"))


def test_states_move_one_way(frozen: StudyVersion, spec_text: SpecText):
    study = frozen.study
    assert services.study_pause(study=study).state == Study.State.PAUSED
    with pytest.raises(services.StudyError, match="is paused and cannot be paused"):
        services.study_pause(study=study)
    assert services.study_resume(study=study).state == Study.State.RUNNING
    assert services.study_close(study=study).state == Study.State.CLOSED
    for move in (services.study_pause, services.study_resume, services.study_close):
        with pytest.raises(services.StudyError, match="is closed and cannot be"):
            move(study=study)
    with pytest.raises(services.StudyError, match="closed study is not amended"):
        services.version_amend(study=study, spec_text=spec_text())


def test_a_draft_can_be_neither_paused_nor_closed(draft: StudyVersion):
    for move in (services.study_pause, services.study_close):
        with pytest.raises(services.StudyError, match="is draft and cannot be"):
            move(study=draft.study)


def test_publishing_an_amendment_leaves_a_paused_study_paused(
    frozen: StudyVersion, spec_text: SpecText
):
    services.study_pause(study=frozen.study)
    second = services.version_amend(study=frozen.study, spec_text=spec_text())
    services.version_freeze(version=second, manifest={})
    frozen.study.refresh_from_db()
    assert frozen.study.state == Study.State.PAUSED


def test_the_text_is_kept_as_it_was_written(draft: StudyVersion, spec_text: SpecText):
    text = "# Why we ask this.\n" + spec_text(title="New")
    changed = services.version_replace_spec(
        version=draft, spec_text=text.replace("\n", "\r\n"), began_with=""
    )
    assert changed.text == changed.written == text
    StudyVersion.objects.update(text="")
    assert StudyVersion.objects.get().written.startswith("slug: demo\ntitle: New\n")


def test_a_change_begun_from_another_text_is_refused(draft: StudyVersion, spec_text: SpecText):
    began = services.text_sha256(draft.written)
    services.version_replace_spec(
        version=draft, spec_text=spec_text(title="Hers"), began_with=began
    )
    with pytest.raises(services.ConflictError):
        services.version_replace_spec(
            version=draft, spec_text=spec_text(title="His"), began_with=began
        )
    now = StudyVersion.objects.get()
    assert now.spec.title == "Hers"
    services.version_replace_spec(
        version=draft, spec_text=spec_text(title="His"), began_with=services.text_sha256(now.text)
    )
    assert StudyVersion.objects.get().spec.title == "His"


def test_a_draft_is_discarded_and_a_study_of_drafts_alone_with_it(
    frozen: StudyVersion, spec_text: SpecText
):
    second = services.version_amend(study=frozen.study, spec_text=spec_text(title="Amended"))
    assert not services.version_discard(version=second)
    assert list(frozen.study.versions.values_list("number", flat=True)) == [1]
    with pytest.raises(services.StudyError, match="is published and cannot change"):
        services.version_discard(version=frozen)
    other = services.study_create(team=frozen.study.team, spec_text=spec_text(slug="other"))
    assert services.version_discard(version=other)
    assert not Study.objects.filter(slug="other").exists()
    assert Condition.objects.count() == 6
