"""The plan: what it accepts, and one clear sentence for what it does not."""

import json

import pytest

from analysis.errors import AnalysisError
from analysis.plan import Plan


def test_reads_every_key_and_ignores_others(plan):
    plan |= {"unheard_of": 1, "preregistered": [*plan["preregistered"], "confidence", "accuracy:x"]}
    read = Plan.from_dict(plan)
    assert read.factors == {"heatmap": ("none", "lrp", "multiscale"), "scores": ("hidden", "shown")}
    assert read.n_tasks == 14
    assert read.equivalence_bounds == {"accuracy": 0.1}
    assert read.label("heatmap:scores") == "heatmap × scores"
    assert read.label("multiscale") == "multi-scale"


def test_knows_what_was_preregistered(plan):
    plan["preregistered"].append("confidence")
    read = Plan.from_dict(plan)
    assert read.is_preregistered("accuracy", "heatmap")
    assert not read.is_preregistered("accuracy", "scores")
    assert not read.is_preregistered("accuracy", "heatmap:scores")
    assert read.is_preregistered("confidence")
    assert not read.is_preregistered("saliency_ratio", "heatmap")


def test_an_empty_plan_is_the_papers_design():
    assert Plan.from_dict({}) == Plan()
    assert Plan().alpha == 0.05


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("alpha", "small", "alpha must be a number between 0 and 0.5, not text"),
        ("alpha", 1, "alpha"),
        ("alpha", True, "alpha"),
        ("factors", [], "factors must be an object"),
        ("factors", {"heatmap": ["none"]}, "factors.heatmap needs at least two"),
        ("factors", {"heatmap": ["none", "none"]}, "factors.heatmap"),
        ("factors", {name: ["a", "b"] for name in "wxyz"}, "at most three"),
        ("confidence", "sure", "confidence must be a list of 2 to 20 texts, not text"),
        ("confidence", ["one"], "confidence must be a list of 2 to 20 texts, not a list"),
        ("confidence", ["x"] * 21, "confidence must be a list of 2 to 20 texts"),
        ("confidence", ["low", 2], "confidence must be a list of 2 to 20 texts, not the number 2"),
        ("n_tasks", 0, "n_tasks"),
        ("n_tasks", 1.5, "n_tasks"),
        ("simulated", "no", "simulated must be true or false"),
        ("equivalence_bounds", {"accuracy": -1}, "equivalence_bounds.accuracy"),
        ("preregistered", [3], "preregistered.0"),
        ("n_tasks", 10**400, "n_tasks must be a whole number from 1 to 10000, not the number 1000"),
        ("equivalence_bounds", {"accuracy": 10**400}, "equivalence_bounds.accuracy"),
        ("equivalence_bounds", {"accuracy": float("nan")}, "equivalence_bounds.accuracy"),
        ("preregistered", [{"outcome": "accuracy", "factor": ["a"]}], "preregistered.0.factor"),
        ("preregistered", [{"outcome": "accuracy", "text": ["a"]}], "preregistered.0.text"),
        ("participant", "condition", "participant is 'condition', a column with another meaning"),
        ("participant", "status", "participant is 'status'"),
        ("participant", "heatmap", "participant is 'heatmap'"),
        ("participant", "code", "participant is 'code'"),
        ("factors", {"excluded": ["a", "b"]}, "a factor is called 'excluded'"),
        ("factors", {"mean": ["a", "b"]}, "a factor is called 'mean'"),
        ("labels", [], None),
        ("title", 3, "title must be text"),
    ],
)
def test_a_wrong_value_is_named(plan, key, value, said):
    plan[key] = value
    if said is None:
        assert Plan.from_dict(plan).labels == {}
        return
    with pytest.raises(AnalysisError, match=said):
        Plan.from_dict(plan)


def test_names_with_one_meaning_stay_usable():
    plan = {"factors": {"group": ["a", "b"], "condition": ["a", "b"]}, "participant": "seconds"}
    read = Plan.from_dict(plan)
    assert (list(read.factors), read.participant) == (["group", "condition"], "seconds")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "must hold a JSON object, not a list"),
        ('"x"', "must hold a JSON object, not text"),
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"n_tasks": ' + "9" * 5000 + "}", "4300 digits"),
    ],
)
def test_a_file_that_is_no_object_is_an_error(tmp_path, content, said):
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(AnalysisError, match=r"plan\.json") as error:
        Plan.from_file(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_yaml_like_booleans_stay_levels(tmp_path, plan):
    plan["factors"]["scores"] = [True, False]
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan))
    assert Plan.from_file(path).factors["scores"] == ("true", "false")
