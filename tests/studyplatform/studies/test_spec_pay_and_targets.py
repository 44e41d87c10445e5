"""Pay by rules, and targets by condition: closed forms, and what is refused where."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from studyplatform.studies.spec import Pay, Spec, SpecError, load

SpecText = Callable[..., str]
STEPS = [{"correct": 8, "bonus": 1}, {"correct": 12, "bonus": 2.5}]
TELLS = {"information": "Up to {maximum}: {bonus_steps}."}


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(text)
    return caught.value.problems


@pytest.mark.parametrize(
    ("rules", "earned"),
    [
        ({"bonus_per_correct": 0.5}, {0: "0", 7: "3.50", 14: "7.00"}),
        ({"bonus_from": STEPS}, {0: "0", 7: "0", 8: "1", 11: "1", 12: "2.5", 14: "2.5"}),
        (
            {"bonus_per_correct": 0.1, "bonus_from": STEPS},
            {7: "0.7", 8: "1.8", 12: "3.7", 14: "3.9"},
        ),
        ({}, {0: "0", 14: "0"}),
    ],
)
def test_what_right_predictions_earn(rules: dict, earned: dict[int, str]):
    pay = Pay(base=Decimal("4"), **rules)
    assert {n: pay.bonus(n) for n in earned} == {n: Decimal(text) for n, text in earned.items()}
    assert pay.total(14) == 4 + Decimal(earned[14])
    assert all(pay.bonus(n) <= pay.bonus(n + 1) for n in range(14))


def test_the_maximum_is_what_all_right_earns(spec_text: SpecText):
    assert load(spec_text()).maximum_pay == Decimal("15.00")
    assert load(spec_text(pay={"bonus_from": STEPS}, **TELLS)).maximum_pay == Decimal("17.50")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (STEPS[::-1], "pay: bonus_from goes from 2.5 for 12 right to 1 for 8; expected steps"),
        (
            [STEPS[0], dict(STEPS[0])],
            "pay: bonus_from goes from 1 for 8 right to 1 for 8; expected",
        ),
        ([{"correct": 15, "bonus": 1}], "pay.bonus_from.0.correct: 15 of 14 tasks cannot be"),
        ([{"correct": 0, "bonus": 1}], "pay.bonus_from.0.correct: Input should be greater"),
        ([{"correct": 3, "bonus": -1}], "pay.bonus_from.0.bonus: Input should be greater"),
        ([{"correct": 3}], "pay.bonus_from.0.bonus: missing; expected here"),
    ],
)
def test_steps_that_cannot_be_are_refused(spec_text: SpecText, steps: list, expected: str):
    [problem] = problems(spec_text(pay={"bonus_from": steps}, **TELLS))
    assert problem.startswith(expected)


def test_participants_are_told_of_the_steps_and_of_no_others(spec_text: SpecText):
    [problem] = problems(spec_text(pay={"bonus_from": STEPS}))
    assert problem == "information: lacks {bonus_steps}, which tells participants of pay.bonus_from"
    [problem] = problems(spec_text(**TELLS))
    assert problem == "information: {bonus_steps} tells of pay.bonus_from, which is missing"


TARGETS = {"heatmap == none": 24, "heatmap != none and scores == hidden": 8, "otherwise": 12}


def test_a_target_of_its_own_for_each_condition(spec_text: SpecText):
    spec = load(spec_text(target_per_condition=TARGETS))
    found = {tuple(levels.values()): spec.target(levels) for levels in spec.conditions()}
    assert found == {
        ("none", "hidden"): 24, ("none", "shown"): 24,
        ("lrp", "hidden"): 8, ("lrp", "shown"): 12,
        ("multiscale", "hidden"): 8, ("multiscale", "shown"): 12,
    }  # fmt: skip
    assert {load(spec_text()).target(levels) for levels in spec.conditions()} == {16}


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (0, "target_per_condition: Input should be greater than or equal to 1 (found 0)"),
        ("many", "target_per_condition: Input should be a valid integer"),
        ({"otherwise": 0}, "target_per_condition.otherwise: Input should be greater than"),
        ({"heatmap is none": 3}, "target_per_condition.heatmap is none: cannot read"),
        ({" ": 3}, "target_per_condition. : the name is empty; expected FACTOR == LEVEL"),
        ({"heatmap == x": 3}, "target_per_condition.heatmap == x: factor 'heatmap' has no level"),
        (
            {"heatmap != none": 3, "scores == hidden": 2},
            "target_per_condition: no number for heatmap none, scores shown; add it, or 'otherwise",
        ),
        (
            {"heatmap == none": 3, "scores == hidden": 2, "otherwise": 1},
            "target_per_condition: heatmap none, scores hidden gets a number by 'heatmap == none' "
            "and by 'scores == hidden'; expected one",
        ),
        (
            {"heatmap == none": 3, "heatmap != none": 2, "otherwise": 1},
            "target_per_condition.otherwise: stands for no condition; take it out",
        ),
    ],
)
def test_targets_that_leave_doubt_are_refused(spec_text: SpecText, targets: object, expected: str):
    found = problems(spec_text(target_per_condition=... if targets is None else targets))
    assert found[0].startswith(expected), found


def documented(word: str) -> dict[str, Any]:
    """Return the example of docs/spec.md that holds this word."""
    text = (Path(__file__).parents[3] / "docs" / "spec.md").read_text()
    [block] = [one for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if word in one]
    example: dict[str, Any] = yaml.safe_load(block)
    return example


def test_the_documented_examples_do_what_is_said_of_them(spec_text: SpecText):
    pay = documented("bonus_from")["pay"]
    assert Pay.model_validate(pay).total(11) == Decimal("6.10")
    targets = documented("otherwise")["target_per_condition"]
    levels = ["none", "random", "edges"]
    controls = documented("network: randomised")["heatmaps"]
    spec = load(
        spec_text(
            target_per_condition=targets,
            pay=pay,
            factors={"heatmap": {"levels": levels}},
            heatmaps={"lrp": ..., "multiscale": ..., **controls},
            **TELLS,
        )
    )
    assert [spec.target(condition) for condition in spec.conditions()] == [24, 30, 12, 12, 24, 24]


def test_a_spec_that_uses_nothing_new_has_the_hash_it_had():
    """Published versions carry it: of the presets as they were before these keys came."""
    from ..published import PRESET

    known = {
        "forward_simulation": "cf7819e92553ecd257657823fadf7ba85d631a6a411bca15b8d9aea2408daf2d",
        "photographs": "19e671fd9892c796c5c96318969767acc010fd3e521ac0996139aa2352a6a66c",
    }
    for name, sha256 in known.items():
        text = PRESET.with_stem(name).read_text()
        assert load(text).sha256() == sha256
        # The control: each new key counts once it says something.
        assert load(text + "label_names: {cat: a cat}\n").sha256() != sha256


def test_new_keys_are_in_the_schema_and_survive_storage(spec_text: SpecText):
    schema = Spec.model_json_schema()
    assert {"label_names", "translations", "target_per_condition"} <= set(schema["properties"])
    assert "bonus_from" in schema["$defs"]["Pay"]["properties"]
    assert {"network", "network_seed", "meaning"} <= set(
        schema["$defs"]["HeatmapMethod"]["properties"]
    )
    spec = load(
        spec_text(
            target_per_condition=TARGETS,
            pay={"bonus_from": STEPS},
            heatmaps={"lrp": {"network": "randomised", "network_seed": 3, "meaning": "support"}},
            **TELLS,
        )
    )
    assert Spec.model_validate(spec.model_dump(mode="json")) == spec
    assert spec.heatmaps["lrp"].randomised_with == 3
    assert spec.heatmaps["multiscale"].randomised_with is None


def test_a_seed_without_a_randomised_network_is_refused(spec_text: SpecText):
    [problem] = problems(spec_text(heatmaps={"lrp": {"network_seed": 3}}))
    assert problem.startswith("heatmaps.lrp: network_seed is given, but network is 'trained'")
