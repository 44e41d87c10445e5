"""Any method becomes a condition by naming it in the spec: from the file to its overlays."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image as PillowImage

from explainers import available, registry
from studyplatform.stimuli import media, selectors, services
from studyplatform.stimuli.models import Heatmap, Prediction, StimulusSet
from studyplatform.stimuli.services import publishing
from studyplatform.studies.models import StudyVersion
from studyplatform.studies.services import StudyError, team_get_or_create

from ...explainers.methods import ON_SCENES, cheap

SpecText = Callable[..., str]


@pytest.fixture
def own_files(published_study: StudyVersion, settings: Any, tmp_path: Path) -> None:
    """The shared study's files, copied: heatmaps are rendered here."""
    settings.MEDIA_ROOT = shutil.copytree(media.root(), tmp_path / "media")


@pytest.fixture
def naming(own_files: None, spec_text: SpecText) -> Callable[..., str]:
    """The preset with a level "the-NAME" per method, one task and one example; as YAML."""

    def text(methods: dict[str, dict[str, Any]], **changes: Any) -> str:
        levels = {f"the-{name}": name for name in methods}
        return spec_text(
            **{
                "slug": "methods",
                "factors": {"heatmap": {"levels": ["none", *levels]}},
                "heatmaps": {
                    "lrp": ...,
                    "multiscale": ...,
                    **{
                        level: {"method": name, "parameters": methods[name]}
                        for level, name in levels.items()
                    },
                },
                "stimuli": {"split": "all"},
                "tasks": {
                    "new_images": {"cat": {"TP": 1}},
                    "examples": {"TP": 1},
                    "examples_per_task": 1,
                },
                "screening": {"items": []},
                **changes,
            }
        )

    return text


def create(text: str) -> StudyVersion:
    return services.study_create_with_stimuli(
        team=team_get_or_create(name="New team"), spec_text=text
    )


def redness(overlay_sha256: str) -> np.ndarray:
    """How far red exceeds green, per pixel: 0 where the picture is grey."""
    with PillowImage.open(media.display_path(overlay_sha256)) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(float)
    return pixels[..., 0] - pixels[..., 1]


def test_every_method_makes_a_condition_with_pictures(naming: Callable[..., str]):
    version = create(naming({name: cheap(name, ON_SCENES) for name in available()}))
    assert services.ledger_drain(version=version) > 0
    services.lint_reasons_give(
        version=version, code="trivial-strategy", reason="One task is enough here."
    )
    assert services.publish_problems(version=version) == []
    frozen = services.version_publish(version=version)
    [task] = selectors.tasks_of(frozen)
    for name in available():
        levels = {"heatmap": f"the-{name}", "scores": "hidden"}
        [(_, [exhibit])] = selectors.task_exhibits(task, levels).groups
        assert exhibit.heatmap is not None, name
        rows = frozen.stimulus_set.needed_heatmaps.filter(level=levels["heatmap"])
        assert len(rows) == 3  # the example, and two figures of the instructions
        whole = registry.method(name).class_agnostic
        for row in rows.select_related("heatmap"):
            assert (row.heatmap.label == "") is whole
            full = {**registry.parameters(name), **cheap(name, ON_SCENES)}
            del full["batch_size"]
            assert row.heatmap.parameters == json.loads(json.dumps(full))
        drawn = np.stack([redness(row.overlay_sha256) for row in rows])
        # Something is red and something is redder: neither bare photographs nor even covers. (One
        # even map of the three may be: that of a multi-scale tree whose root stands for all.)
        assert ((drawn > 40).mean((1, 2)) > 0.005).all(), name
        low, high = np.percentile(drawn, [5, 99.5], axis=(1, 2))
        assert np.median(high - low) > 25, name


def test_a_method_that_knows_no_label_makes_one_heatmap_of_an_image(
    own_files: None, spec_text: SpecText
):
    """However many labels the image is an example for; every task finds it all the same."""
    levels = {"the-fem": {"method": "fem"}, "the-gradient": {"method": "gradient"}}
    version = create(
        spec_text(
            slug="methods",
            factors={"heatmap": {"levels": ["none", *levels]}},
            heatmaps={"lrp": ..., "multiscale": ..., **levels},
            stimuli={"split": "all", "overlay_scale": "label"},
            tasks={"new_images": {"cat": {"TP": 1, "FN": 1}, "horse": {"FP": 1, "FN": 1}}},
        )
    )
    needed = version.stimulus_set.needed_heatmaps.select_related("heatmap")
    shown = {
        (one.heatmap.image_id, one.heatmap.label) for one in needed.filter(level="the-gradient")
    }
    images = {image for image, _ in shown}
    rows = [(one.heatmap.image_id, one.heatmap.label) for one in needed.filter(level="the-fem")]
    assert sorted(rows) == sorted((image, "") for image in images)
    assert len(images) < len(shown)  # some images are examples for both labels
    services.ledger_drain(version=version)
    for task in selectors.tasks_of(version):
        groups = selectors.task_exhibits(task, {"heatmap": "the-fem", "scores": "hidden"}).groups
        assert all(exhibit.heatmap for _, exhibits in groups for exhibit in exhibits)
    assert not [p for p in services.publish_problems(version=version) if "not in the ledger" in p]
    needed.filter(level="the-fem").update(strongest=None, weakest=None)
    found = " ".join(services.publish_problems(version=version))
    assert "screening.items.heatmap_a: the the-fem heatmap of the TP image of 'car' has no" in found


def test_the_documented_example_makes_a_study(own_files: None, spec_text: SpecText):
    text = (Path(__file__).parents[3] / "docs" / "spec.md").read_text()
    [block] = [b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "grid:" in b]
    example = yaml.safe_load(block)
    unused = {"lrp": ..., "multiscale": ...}
    version = create(
        spec_text(
            slug="documented",
            factors=example["factors"],
            heatmaps={**unused, **example["heatmaps"]},
            stimuli={"split": "all"},
        )
    )
    shown = {(one.level, one.heatmap.method) for one in version.stimulus_set.needed_heatmaps.all()}
    assert shown == {("rise", "rise"), ("grad-cam", "grad-cam")}


def test_the_documentation_says_what_red_means_for_every_method():
    """Those that are not named there are the ones whose red is support."""
    text = (Path(__file__).parents[3] / "docs" / "spec.md").read_text()
    rows = dict(re.findall(r"^\| (`.*?) \| \*(.*?)\* \|", text, re.MULTILINE))
    named = {name: words for names, words in rows.items() for name in re.findall("`(.*?)`", names)}
    for name in available():
        found = registry.method(name)
        if found.shows == "edges":
            assert named[name] == "Edges in the picture"
        elif found.class_agnostic:
            assert named[name] == "Matters for the program's answer"
        elif found.shows == "influence":
            assert named[name] == "Matters for the label"
        else:
            assert name not in named


def test_a_batch_size_is_used_but_asks_for_no_other_heatmap(naming: Callable[..., str]):
    create(naming({"occlusion": {"box": 48}}))
    rows = Heatmap.objects.filter(method="occlusion")
    keys = {row.key for row in rows}
    assert all("batch_size" not in row.parameters for row in rows)
    rows.update(state=Heatmap.State.DONE, content_sha256="0" * 64)
    again = create(naming({"occlusion": {"box": 48, "batch_size": 2}}, slug="again"))
    assert {row.key for row in rows.all()} == keys
    assert again.stimulus_set.needed_heatmaps.count() == len(keys)
    alone = create(naming({"occlusion": {"box": 32, "batch_size": 2}}, slug="alone"))
    [used] = {
        one.heatmap.parameters["batch_size"] for one in alone.stimulus_set.needed_heatmaps.all()
    }
    assert used == 2
    entered = publishing.manifest(alone.stimulus_set)["heatmaps"]
    assert all("batch_size" not in one["parameters"] for one in entered)


def test_a_heatmap_that_failed_is_tried_with_the_new_batch_size(naming: Callable[..., str]):
    first = create(naming({"occlusion": {"box": 48}}))
    done, failed, *_ = (one.heatmap for one in first.stimulus_set.needed_heatmaps.order_by("pk"))
    Heatmap.objects.filter(pk=done.pk).update(state=Heatmap.State.DONE, content_sha256="0" * 64)
    Heatmap.objects.filter(pk=failed.pk).update(state=Heatmap.State.FAILED)
    create(naming({"occlusion": {"box": 48, "batch_size": 2}}, slug="smaller"))
    failed.refresh_from_db()
    assert failed.parameters["batch_size"] == 2
    done.refresh_from_db()
    assert "batch_size" not in done.parameters


def test_a_network_that_will_not_do_is_refused_at_the_door(
    naming: Callable[..., str], tmp_path: Path
):
    """Grad-CAM and FEM find no convolution, LRP no way through a layer; each level is named."""
    import keras

    from explainers import demo

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((96, 96, 3)),
            layers.AveragePooling2D(24),
            layers.LayerNormalization(name="the_layer"),
            layers.Flatten(),
            layers.Dense(8, activation="sigmoid"),
        ]
    )
    model.save(tmp_path / "dense.keras")
    services.classifier_register(
        name="dense", path=tmp_path / "dense.keras", labels=list(demo.LABELS), preprocess="unit"
    )
    levels = ("fem", "gradient", "grad-cam", "lrp", "occlusion")
    with pytest.raises(StudyError) as caught:
        create(
            naming({name: {} for name in levels}, stimuli={"split": "all", "classifier": "dense"})
        )
    found = dict(problem.split(": ", 1) for problem in caught.value.problems)
    assert set(found) == {"heatmaps.the-fem", "heatmaps.the-grad-cam", "heatmaps.the-lrp"}
    assert "convolution" in found["heatmaps.the-fem"]
    assert "convolution" in found["heatmaps.the-grad-cam"]
    assert "the_layer" in found["heatmaps.the-lrp"]
    assert not Prediction.objects.filter(classifier__name="dense").exists()


@pytest.mark.parametrize("name", available())
def test_a_wrong_value_is_refused_at_the_door(naming: Callable[..., str], name: str):
    """For every parameter of every method: before a score, a row or a heatmap is made."""
    before = Heatmap.objects.count()
    for parameter in registry.parameters(name):
        with pytest.raises(StudyError) as caught:
            create(naming({name: {parameter: {"x": 1}}}))
        [problem] = caught.value.problems
        assert problem.startswith(f"heatmaps.the-{name}: "), parameter
        assert parameter.replace("_", " ") in problem.replace("_", " ")
        assert "\n" not in problem
    assert Heatmap.objects.count() == before
    assert StimulusSet.objects.count() == 1
