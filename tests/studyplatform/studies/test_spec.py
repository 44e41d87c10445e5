"""A faulty spec is refused in sentences that name the path in the file."""

from collections.abc import Callable

import pytest

from studyplatform.participation.texts import placeholders
from studyplatform.results import columns
from studyplatform.studies.spec import Spec, SpecError, load
from studyplatform.studies.spec.checks import STUDY_PLACEHOLDERS

SpecText = Callable[..., str]


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(text)
    return caught.value.problems


def test_the_preset_is_the_papers_study(spec_text: SpecText):
    spec = load(spec_text())
    assert len(spec.conditions()) == 6
    assert spec.tasks.total == 14
    assert {label: sum(n.values()) for label, n in spec.tasks.new_images.items()} == {
        "cat": 7,
        "horse": 7,
    }
    assert spec.tasks.examples == {"TP": 6, "FP": 3, "FN": 3}
    yes = sum(n.get("TP", 0) + n.get("FP", 0) for n in spec.tasks.new_images.values())
    assert yes == 7  # always yes and always no score alike
    assert spec.block_orders() == [["cat", "horse"], ["horse", "cat"]]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"colour": "red"}, "colour: unknown key; check its spelling or take it out"),
        (
            {"tasks": {"exmaples": {"TP": 6}}},
            "tasks.exmaples: unknown key; check its spelling or take it out",
        ),
        ({"title": ...}, "title: missing; expected here"),
        (
            {"tasks": {"examples": {"TP": 7, "FP": 3, "FN": 3}}},
            "tasks: examples TP 7 + FP 3 + FN 3 make 13, expected 12 (examples_per_task)",
        ),
        (
            {"pay": {"bonus_per_correct": -0.5}},
            "pay.bonus_per_correct: Input should be greater than or equal to 0 (found -0.5)",
        ),
        (
            {"tasks": {"new_images": {"cat": {"TP": 2, "XX": 1}}}},
            "tasks.new_images.cat.XX",
        ),
        ({"tasks": {"new_images": {"cat": {"TP": 0}}}}, "tasks: no task for label 'cat'"),
        ({"heatmaps": {"lrp": ...}}, "factors.heatmap has the level 'lrp' but heatmaps.lrp is"),
        ({"heatmaps": {"rise": {"method": "rise"}}}, "heatmaps.rise is no level of"),
        (
            {"factors": {"scores": {"levels": ["hidden", "seen"]}}},
            "factors.scores has 'seen'; expected hidden and shown",
        ),
        ({"exits": {"full": {"code": "CDEMO01"}}}, "exits: two outcomes have the same code"),
        ({"slug": "My Study"}, "slug: "),
        ({"contacts": []}, "contacts: "),
        (
            {"stimuli": {"thresholds": {"cat": 2}}},
            "stimuli.thresholds.cat: Input should be less than 1 (found 2)",
        ),
        ({"stimuli": {"thresholds": "f2"}}, "stimuli.thresholds: Input should be 'f1'"),
        ({"questions": [{"key": "a", "type": "text", "prompt": "?"}]}, "questions has 0 of type"),
        (
            {"recruitment": {"return_url": "https://a.example/{code}{x}"}},
            "recruitment.return_url: String should match pattern",
        ),
        (
            {"recruitment": {"return_url": "https://a.example/{{code}}"}},
            "recruitment.return_url: String should match pattern",
        ),
        (
            {"recruitment": {"study_parameter": "PROLIFIC_PID"}},
            "recruitment: two parameters are named 'PROLIFIC_PID'; expected three different names",
        ),
        (
            {"recruitment": {"person_parameter": "token"}},
            "recruitment: a parameter is named 'token', which the site's own links use",
        ),
        (
            {"recruitment": {"submission_parameter": "source"}},
            "recruitment: a parameter is named 'source', which the site's own links use",
        ),
        ({"recruitment": {"person_parameter": "a&b"}}, "recruitment.person_parameter: String"),
        (
            {"exclusions": [{"key": "fast", "rule": "faster_than_minutes"}]},
            "exclusions.0: faster_than_minutes needs a value; expected minutes above 0",
        ),
        (
            {"exclusions": [{"key": "fast", "rule": "faster_than_minutes", "value": 0}]},
            "exclusions.0: faster_than_minutes needs a value; expected minutes above 0",
        ),
        (
            {"factors": {"factor_status": {"levels": ["a", "b"]}}},
            "factors.factor_status: the name begins with 'factor_', which exports put before",
        ),
    ],
)
def test_one_fault_is_one_sentence_with_its_path(spec_text: SpecText, changes: dict, expected: str):
    found = problems(spec_text(**changes))
    assert any(problem.startswith(expected) for problem in found), found
    assert not any("\n" in problem for problem in found)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("heatmap is none", "instructions.0.when: cannot read 'heatmap is none'"),
        ("colour == red", "instructions.0.when: no factor 'colour'; there are: heatmap, scores"),
        ("heatmap == rise", "instructions.0.when: factor 'heatmap' has no level 'rise'"),
        ("heatmap == lrp or scores == shown", "instructions.0.when: cannot read"),
    ],
)
def test_a_bad_when_says_what_there_is(spec_text: SpecText, when: str, expected: str):
    page = {"title": "A", "body": "B", "when": when}
    [problem] = problems(spec_text(instructions=[page]))
    assert problem.startswith(expected)


def test_a_figure_may_not_show_a_tasks_label(spec_text: SpecText):
    page = {"title": "A", "body": "B", "figures": [{"label": "cat", "outcome": "TP"}]}
    [problem] = problems(spec_text(instructions=[page]))
    assert problem.startswith("instructions.0.figures.0.label: 'cat' is a task's label")


PREDICTION = {"key": "prediction", "type": "prediction", "prompt": "Will it?"}


@pytest.mark.parametrize("change", [{"when": "heatmap != none"}, {"required": False}])
def test_the_prediction_is_asked_of_everybody(spec_text: SpecText, change: dict):
    [problem] = problems(spec_text(questions=[PREDICTION | change]))
    assert problem.startswith("questions.0: the prediction is asked of everybody")
    # The control: it is the change that is refused.
    assert load(spec_text(questions=[PREDICTION])).prediction.required


def test_two_options_never_store_the_same_value(spec_text: SpecText):
    options = [{"value": "a", "label": "One"}, {"value": "a", "label": "Other"}]
    question = {"key": "liked", "type": "choice", "prompt": "Which?", "options": options}
    [problem] = problems(spec_text(afterwards=[question]))
    assert problem == (
        "afterwards.0: two options have the value 'a'; expected one value per option"
    )
    options[1]["value"] = "b"
    assert load(spec_text(afterwards=[question])).afterwards[0].options[1].value == "b"


def test_no_two_questions_share_a_column_of_the_export(spec_text: SpecText):
    """`correct` is exported as `answer_correct`: no question may have that key itself."""

    def text(key: str) -> dict[str, str]:
        return {"key": key, "type": "text", "prompt": "?"}

    [problem] = problems(spec_text(questions=[PREDICTION, text("correct"), text("answer_correct")]))
    assert problem.startswith("questions.2.key: 'answer_correct' begins with 'answer_'")
    spec = load(spec_text(questions=[PREDICTION, text("correct"), text("predicted")]))
    names = [column.name for column in columns.task_columns([spec])]
    assert {"answer_correct", "answer_predicted", "correct", "predicted"} <= set(names)
    assert len(set(names)) == len(names)


def test_the_address_back_to_the_panel_carries_the_code(spec_text: SpecText):
    changed = {"return_url": "https://a.example/%7Bx%7D?done={code}#end"}
    recruitment = load(spec_text(recruitment=changed)).recruitment
    assert recruitment.return_address("C0DE") == "https://a.example/%7Bx%7D?done=C0DE#end"


def test_a_bare_yes_is_an_answer(spec_text: SpecText):
    """YAML reads yes as true; quoted or not, it means the same here."""
    text = spec_text()
    assert "answer: 'yes'" in text
    bare = text.replace("answer: 'yes'", "answer: yes")
    assert load(bare).sha256() == load(text).sha256()


def test_every_fault_is_told_at_once(spec_text: SpecText):
    found = problems(spec_text(colour="red", title=..., pay={"base": -1}))
    assert len(found) == 3
    across = problems(spec_text(heatmaps={"lrp": ..., "rise": {"method": "rise"}}))
    assert len(across) == 2


@pytest.mark.parametrize("text", ["", "- a\n- b", "just words"])
def test_a_file_that_is_no_mapping(text: str):
    assert problems(text) == [
        "the file is empty or no mapping; expected keys such as title, factors"
    ]


def test_a_file_that_is_no_yaml_names_the_line():
    [problem] = problems("title: a\nslug: [b\n")
    assert problem.startswith("line ")
    assert "no YAML" in problem


def test_yaml_builds_no_python_objects():
    [problem] = problems("!!python/object/apply:os.system ['true']")
    assert "tags" in problem


def test_the_hash_depends_on_order_only_where_order_counts(spec_text: SpecText):
    spec = load(spec_text())
    data = spec.model_dump(mode="json")
    turned = dict(reversed(list(data.items())))
    assert Spec.model_validate(turned).sha256() == spec.sha256()
    # The order of factors decides about that of conditions, the order of labels about blocks.
    for part, key in (("factors", None), ("tasks", "new_images")):
        mapping = data[part][key] if key else data[part]
        other = dict(reversed(list(mapping.items())))
        changed = {**data, part: {**data[part], key: other} if key else other}
        assert Spec.model_validate(changed).sha256() != spec.sha256()
    assert load(spec_text(seed=2)).sha256() != spec.sha256()


def test_a_design_of_too_many_conditions_is_refused(spec_text: SpecText):
    many = {f"f{n}": {"levels": ["a", "b", "c"]} for n in range(5)}
    [problem] = problems(spec_text(factors={**many, "heatmap": ..., "scores": ...}, heatmaps={}))
    assert "243 conditions; expected at most 100" in problem


def test_names_too_long_for_the_key_of_a_condition_are_refused(spec_text: SpecText):
    long = {f"f{n}{'x' * 36}": {"levels": ["y" * 40]} for n in range(2)}
    found = problems(spec_text(factors=long))
    assert any("too long together" in problem for problem in found)


def test_a_misspelt_placeholder_is_named(spec_text: SpecText):
    [problem] = problems(spec_text(information="It takes {minuts} minutes, {n_tasks} tasks."))
    assert problem.startswith("information: {minuts} stands for nothing; there are: {labels}, ")


def test_placeholders_are_those_that_pages_fill(spec_text: SpecText):
    spec = load(spec_text())
    assert set(placeholders(spec, ["cat"])) == set(STUDY_PLACEHOLDERS)
