"""Negative controls as conditions: a heatmap of a randomised network, an edge map."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explainers.metrics.sanity import randomised
from studyplatform.stimuli import media, pictures, runtime, selectors, services
from studyplatform.stimuli.models import Heatmap, NeededHeatmap
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import StudyError, team_get_or_create
from studyplatform.studies.spec import load

SpecText = Callable[..., str]


@pytest.fixture
def own_files(published_study: StudyVersion, settings: Any, tmp_path: Path) -> None:
    """The shared study's files, copied: heatmaps are rendered here."""
    settings.MEDIA_ROOT = shutil.copytree(media.root(), tmp_path / "media")


@pytest.fixture
def with_levels(own_files: None, spec_text: SpecText) -> Callable[..., StudyVersion]:
    """Make a draft of one task and one example with these levels of `heatmap`."""

    def make(levels: dict[str, dict[str, Any]], **changes: Any) -> StudyVersion:
        text = spec_text(
            **{
                "slug": "controls",
                "factors": {"heatmap": {"levels": ["none", *levels]}},
                "heatmaps": {"lrp": ..., "multiscale": ..., **levels},
                "stimuli": {"split": "all"},
                "tasks": {
                    "new_images": {"cat": {"TP": 1}},
                    "examples": {"TP": 1},
                    "examples_per_task": 1,
                },
                "instructions": [],
                "screening": {"items": []},
                **changes,
            }
        )
        return services.study_create_with_stimuli(
            team=team_get_or_create(name="New team"), spec_text=text
        )

    return make


def row_of(version: StudyVersion, level: str) -> Heatmap:
    [needed] = version.stimulus_set.needed_heatmaps.filter(level=level)
    return Heatmap.objects.select_related("classifier", "image").get(pk=needed.heatmap_id)


def lrp(**more: Any) -> dict[str, Any]:
    return {"method": "lrp", "parameters": {"composite": "preset-a-flat"}, **more}


LEVELS = {
    "own": lrp(),
    "random": lrp(network="randomised"),
    "other": lrp(network="randomised", network_seed=7),
    "lines": {"method": "edges"},
}


def test_each_control_is_one_line_and_a_heatmap_of_its_own(
    with_levels: Callable[..., StudyVersion],
):
    before = set(Heatmap.objects.filter(method="lrp").values_list("key", flat=True))
    version = with_levels(LEVELS)
    rows = {level: row_of(version, level) for level in LEVELS}
    assert [row.network_seed for row in rows.values()] == [None, 0, 7, None]
    assert len({row.key for row in rows.values()}) == 4
    # The key of a heatmap of the trained network is the one it always had.
    assert rows["own"].key in before
    assert not before & {rows["random"].key, rows["other"].key}
    services.ledger_drain(version=version)
    maps = {}
    for level in LEVELS:
        row = row_of(version, level)
        maps[level] = np.load(media.heatmap_path(row.key, row.content_sha256))
    row = rows["other"]
    drawn = runtime.classifier(row.classifier)
    from explainers import create

    expected = create("lrp", randomised(drawn, seed=7), **lrp()["parameters"]).explain(
        pictures.pixels_of(row.image.sha256), "cat"
    )
    np.testing.assert_allclose(
        maps["other"], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )
    for one in maps:
        for other in maps:
            assert (one == other) is bool(np.array_equal(maps[one], maps[other]))
    entries = services.publishing.manifest(version.stimulus_set)["heatmaps"]
    assert {entry["level"]: entry.get("network_seed", "as trained") for entry in entries} == {
        "own": "as trained", "random": 0, "other": 7, "lines": "as trained",
    }  # fmt: skip
    assert NeededHeatmap.objects.filter(overlay_sha256="", level__in=LEVELS).count() == 0


def test_what_participants_read_beside_it_is_the_specs_choice(spec_text: SpecText):
    def meaning(**method: Any) -> str | None:
        levels = {"heatmap": "one"}
        spec = load(
            spec_text(
                factors={"heatmap": {"levels": ["none", "one"]}},
                heatmaps={"lrp": ..., "multiscale": ..., "one": method},
                instructions=[],
                screening={"items": []},
                afterwards=[],
            )
        )
        return selectors.heatmap_meaning(spec, levels)

    assert meaning(method="lrp") == "support"
    assert meaning(method="lrp", network="randomised") == "support"
    assert meaning(method="fem") == "answer"
    assert meaning(method="edges") == "edges"
    assert meaning(method="edges", meaning="support") == "support"
    assert meaning(method="gradient", meaning="answer") == "answer"


def test_a_network_is_randomised_only_where_one_is_read(
    with_levels: Callable[..., StudyVersion],
):
    with pytest.raises(StudyError) as caught:
        with_levels({"lines": {"method": "edges", "network": "randomised"}})
    assert caught.value.problems == ["heatmaps.lines.network: edges reads no network; take it out."]


def test_names_are_for_labels_the_classifier_has(with_levels: Callable[..., StudyVersion]):
    with pytest.raises(StudyError) as caught:
        with_levels({"lines": {"method": "edges"}}, label_names={"cta": "a cat"})
    [problem] = caught.value.problems
    assert problem.startswith("label_names.cta: the classifier 'demo' has no label 'cta'; it has")
