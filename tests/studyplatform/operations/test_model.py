"""The model of simulated participants does what it states. Without HTTP, with fixed seeds."""

import pytest

from studyplatform.operations.simulation.model import (
    BASE,
    SALIENCY,
    SCREENING_RIGHT,
    Effect,
    Participant,
    TaskFacts,
    read_effect,
)
from studyplatform.studies.spec import Spec, load

from ..factories import PRESET

SPEC: Spec = load(PRESET.read_text())
LEVELS = {"heatmap": "multiscale", "scores": "hidden"}
TASKS = [TaskFacts(i, outcome, outcome in {"TP", "FP"}) for i, outcome in enumerate(BASE, 1)]
# Standard error of a rate from 4,000 answers is below .008; of a participant's share it is small.
N = 4_000


def share_right(outcome: str, effects: tuple[Effect, ...] = (), levels: dict = LEVELS) -> float:
    task = next(task for task in TASKS if task.outcome == outcome)
    people = (Participant(SPEC, seed=7, number=i, effects=effects) for i in range(N))
    return sum(person.answer_task(task, levels).right for person in people) / N


@pytest.mark.parametrize("outcome", BASE)
def test_rates_without_effect_are_those_stated(outcome: str) -> None:
    assert share_right(outcome) == pytest.approx(BASE[outcome], abs=0.025)


def test_a_planted_effect_shows_at_its_level_and_nowhere_else() -> None:
    effect = (Effect("heatmap", "multiscale", 0.2),)
    assert share_right("FP", effect) == pytest.approx(BASE["FP"] + 0.2, abs=0.025)
    elsewhere = LEVELS | {"heatmap": "lrp"}
    assert share_right("FP", effect, elsewhere) == pytest.approx(BASE["FP"], abs=0.025)


def test_the_right_answer_is_what_the_classifier_did() -> None:
    for task in TASKS:
        for i in range(50):
            answer = Participant(SPEC, seed=1, number=i).answer_task(task, LEVELS)
            assert ((answer.values["prediction"] == "yes") == task.assigned) is answer.right


def test_confidence_follows_being_right_a_little() -> None:
    steps = [option.value for option in SPEC.questions[-1].options]
    by_right: dict[bool, list[int]] = {True: [], False: []}
    for i in range(N):
        answer = Participant(SPEC, seed=3, number=i).answer_task(TASKS[1], LEVELS)
        by_right[answer.right].append(steps.index(str(answer.values["confidence"])))
    means = {right: sum(found) / len(found) for right, found in by_right.items()}
    # .07 on a scale of which a step is .25.
    assert means[True] - means[False] == pytest.approx(0.28, abs=0.1)


@pytest.mark.parametrize("heatmap", SALIENCY)
def test_features_mix_as_the_heatmap_says(heatmap: str) -> None:
    codes = []
    for i in range(N // 4):
        answer = Participant(SPEC, seed=5, number=i).answer_task(TASKS[0], {"heatmap": heatmap})
        assert len({code.code for code in answer.codes}) == len(answer.codes)
        for code in answer.codes:
            assert code.code in str(answer.values["sensitive"])
            assert code.code not in str(answer.values["ignores"]).split(", ")
        codes += answer.codes
    saliency = sum(code.group == "saliency" for code in codes) / len(codes)
    assert saliency == pytest.approx(SALIENCY[heatmap], abs=0.035)


def test_screening_is_answered_rightly_as_often_as_stated() -> None:
    right = n = 0
    for i in range(N // 4):
        values = Participant(SPEC, seed=5, number=i).answer_screening()
        right += sum(values[item.key] == item.answer for item in SPEC.screening.items)
        n += len(SPEC.screening.items)
    assert right / n == pytest.approx(SCREENING_RIGHT, abs=0.02)


def test_answers_depend_on_seed_and_number_and_on_no_order() -> None:
    def answers(seed: int, number: int, tasks: list[TaskFacts]) -> dict[int, dict]:
        person = Participant(SPEC, seed=seed, number=number)
        return {task.number: person.answer_task(task, LEVELS).values for task in tasks}

    assert answers(1, 1, TASKS) == answers(1, 1, TASKS[::-1])
    assert answers(1, 1, TASKS) != answers(1, 2, TASKS)
    assert answers(1, 1, TASKS) != answers(2, 1, TASKS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("multiscale:+0.1", "cannot read"),
        ("heatmap=multiscale", "cannot read"),
        ("heatmap=multiscale:lots", "cannot read"),
        ("heat=multiscale:+0.1", "no factor 'heat'; there are: heatmap, scores"),
        ("heatmap=cam:+0.1", "no level 'cam'; it has: none, lrp, multiscale"),
        ("heatmap=lrp:+1.5", "no difference of probabilities"),
    ],
)
def test_an_effect_that_cannot_be_is_told(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_effect(text, SPEC)


def test_an_effect_is_read() -> None:
    assert read_effect("heatmap=multiscale:-0.1", SPEC) == Effect("heatmap", "multiscale", -0.1)


def accuracies(seed: int, effects: tuple[Effect, ...] = ()) -> dict[str, list[float]]:
    """Return heatmap level -> accuracies of 32 participants on 4 TP, 3 FP and 7 FN tasks."""
    outcomes = ["TP"] * 4 + ["FP"] * 3 + ["FN"] * 7
    tasks = [TaskFacts(i, out, out in {"TP", "FP"}) for i, out in enumerate(outcomes, 1)]
    found: dict[str, list[float]] = {"none": [], "lrp": [], "multiscale": []}
    for number in range(96):
        level = list(found)[number % 3]
        person = Participant(SPEC, seed=seed, number=number, effects=effects)
        right = sum(person.answer_task(task, {"heatmap": level}).right for task in tasks)
        found[level].append(right / len(tasks))
    return found


def test_nothing_planted_is_seldom_found_and_what_is_planted_is() -> None:
    """One-way F test over the heatmaps: at 5 %, more than 4 of 20 runs reject with p < .003."""
    from scipy import stats

    p_values = [stats.f_oneway(*accuracies(seed).values()).pvalue for seed in range(1, 21)]
    assert sum(p < 0.05 for p in p_values) <= 4
    planted = accuracies(1, (Effect("heatmap", "multiscale", 0.2),))
    assert stats.f_oneway(*planted.values()).pvalue < 0.05
    means = {level: sum(values) / len(values) for level, values in planted.items()}
    assert max(means, key=lambda level: means[level]) == "multiscale"
