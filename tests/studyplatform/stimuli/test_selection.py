"""Known answers on tables small enough to work out by hand."""

import numpy as np
import pytest

from studyplatform.stimuli import selection
from studyplatform.stimuli.selection import Need, Table, TooFewImagesError

FREE = Need({}, {})
# Five horses, five pictures without; the scores do not separate them.
TRUTH = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], bool)
SCORES = np.array([0.9, 0.8, 0.7, 0.4, 0.1, 0.6, 0.5, 0.3, 0.2, 0.05])


def f1(threshold: float) -> float:
    """The definition, counted one by one."""
    assigned = [score > threshold for score in SCORES]
    tp = sum(a and t for a, t in zip(assigned, TRUTH, strict=True))
    fp = sum(a and not t for a, t in zip(assigned, TRUTH, strict=True))
    fn = sum(t and not a for a, t in zip(assigned, TRUTH, strict=True))
    return 2 * tp / (2 * tp + fp + fn)


def test_outcomes_need_a_score_above_the_threshold():
    truth = np.array([True, True, False, False])
    scores = np.array([0.6, 0.5, 0.6, 0.5])
    assert selection.outcomes(truth, scores, 0.5).tolist() == ["TP", "FN", "FP", "TN"]


def test_free_threshold_has_the_best_f1():
    """By hand: above .7 lie 3 TP, 0 FP, 2 FN: F1 = 6/8; no other cut is better."""
    found = selection.choose_threshold("horse", TRUTH, SCORES, FREE, 0.0)
    assert found == pytest.approx(0.65)
    assert f1(found) == 0.75
    assert max(f1(t) for t in np.linspace(0, 1, 1001)) == 0.75


def test_needed_outcomes_move_the_threshold():
    """Two false positives exist only below .5; of those cuts .35 is the best: F1 = 8/11."""
    found = selection.choose_threshold("horse", TRUTH, SCORES, Need({}, {"FP": 2}), 0.0)
    assert found == pytest.approx(0.35)
    assert f1(found) == pytest.approx(8 / 11)
    allowed = np.linspace(0.06, 0.49, 200)
    assert max(f1(t) for t in allowed) == pytest.approx(8 / 11)


def test_new_images_must_lie_a_margin_away():
    """.4 and .1 both lie .35 below .75 and .85 only; F1 is 4/7 at .75, 2/6 at .85."""
    one = selection.choose_threshold("horse", TRUTH, SCORES, Need({"FN": 1}, {}), 0.2)
    assert one == pytest.approx(0.65)
    two = selection.choose_threshold("horse", TRUTH, SCORES, Need({"FN": 2}, {}), 0.35)
    assert two == pytest.approx(0.75)


def test_too_few_is_one_sentence_with_both_numbers():
    with pytest.raises(TooFewImagesError, match=r"'horse' has \d true positives .*; 9 are needed"):
        selection.choose_threshold("horse", TRUTH, SCORES, Need({"TP": 3}, {"TP": 6}), 0.0)


def test_without_positives_the_threshold_is_a_half():
    nowhere = np.zeros(10, bool)
    assert selection.choose_threshold("dog", nowhere, SCORES, FREE, 0.0) == 0.5


def test_no_score_lies_on_the_threshold():
    rng = np.random.default_rng(3)
    scores = rng.random(50).astype(np.float32).astype(float)
    scores[1] = np.nextafter(scores[0], 1)
    truth = rng.random(50) < 0.5
    found = selection.choose_threshold("x", truth, scores, FREE, 0.0)
    assert found not in scores


def table(scores: np.ndarray, truth: np.ndarray, angles: np.ndarray) -> Table:
    """Embeddings on the unit circle: cosine is that of the angle between."""
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    keys = [f"{number:02d}" for number in range(len(scores))]
    return Table(keys, {"horse": truth}, {"horse": scores}, embeddings)


# Twelve true positives with scores .60 to .82, then three false positives.
ROW = table(
    np.concatenate([np.linspace(0.60, 0.82, 12), [0.70, 0.75, 0.80]]),
    np.array([True] * 12 + [False] * 3),
    np.concatenate([np.linspace(0.0, 1.1, 12), [0.0, 0.5, 1.0]]),
)


def test_new_image_is_the_one_nearest_the_median():
    [task] = selection.choose_tasks(
        ROW, {"horse": 0.5}, {"horse": {"FP": 1}}, {"TP": 2}, margin=0.05, seed=1
    )
    assert (task.image, task.outcome, task.score) == (13, "FP", pytest.approx(0.75))


def test_examples_are_the_most_similar_nearest_first():
    """The new image stands at .5; the true positives at 0, .1, .. 1.1."""
    [task] = selection.choose_tasks(
        ROW, {"horse": 0.5}, {"horse": {"FP": 1}}, {"TP": 4, "FP": 1}, margin=0.05, seed=1
    )
    images = [example.image for example in task.examples]
    assert images[0] == 5
    assert set(images[1:3]) == {4, 6}
    assert images[3] in {3, 7}
    assert [example.outcome for example in task.examples] == ["TP"] * 4 + ["FP"]
    assert task.examples[1].similarity == pytest.approx(np.cos(0.1), abs=1e-6)


def test_no_new_image_is_an_example_of_any_task():
    tasks = selection.choose_tasks(
        ROW, {"horse": 0.5}, {"horse": {"TP": 4, "FP": 1}}, {"TP": 8, "FP": 2}, margin=0, seed=1
    )
    new = {task.image for task in tasks}
    assert len(new) == 5
    for task in tasks:
        assert new.isdisjoint(example.image for example in task.examples)


def test_one_image_too_few_is_refused():
    with pytest.raises(TooFewImagesError, match="8 true positives beside the new images; 9 are"):
        selection.choose_tasks(
            ROW, {"horse": 0.5}, {"horse": {"TP": 4}}, {"TP": 9}, margin=0, seed=1
        )


def test_a_margin_leaves_out_the_unstable():
    with pytest.raises(TooFewImagesError, match=r"1 false positives at least 0\.049"):
        selection.choose_tasks(
            ROW, {"horse": 0.7501}, {"horse": {"FP": 2}}, {"TP": 1}, margin=0.049, seed=1
        )


def test_the_choice_does_not_depend_on_the_order_of_import():
    order = np.random.default_rng(2).permutation(15)
    shuffled = Table(
        [ROW.keys[i] for i in order],
        {"horse": ROW.truth["horse"][order]},
        {"horse": ROW.scores["horse"][order]},
        ROW.embeddings[order],
    )

    def keys(of: Table) -> list[tuple[str, list[str]]]:
        return [
            (of.keys[task.image], [of.keys[example.image] for example in task.examples])
            for task in selection.choose_tasks(
                of, {"horse": 0.5}, {"horse": {"TP": 3, "FP": 1}}, {"TP": 6}, margin=0, seed=4
            )
        ]

    assert keys(ROW) == keys(shuffled)


def test_the_seed_orders_the_tasks():
    def order(seed: int) -> list[str]:
        tasks = selection.choose_tasks(
            ROW, {"horse": 0.5}, {"horse": {"TP": 3, "FP": 2}}, {"TP": 1}, margin=0, seed=seed
        )
        return [task.outcome for task in tasks]

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(20)}) > 1


def test_illustration_avoids_new_images_and_rather_examples():
    def choose(never: set[int], rather_not: set[int]) -> int:
        return selection.choose_illustration(
            ROW, {"horse": 0.5}, "horse", "FP", never=never, rather_not=rather_not, seed=1
        )

    assert choose(set(), set()) == 13
    assert choose({13}, {12}) == 14
    assert choose({13}, {12, 14}) in {12, 14}
    with pytest.raises(TooFewImagesError, match="0 false positives for the instructions"):
        choose({12, 13, 14}, set())


def test_a_new_image_is_not_taken_from_a_label_that_needs_it():
    """Image 1 is the median true positive of "a", but "b" has only it as its true positive."""
    truth = {"a": np.array([1, 1, 1, 0], bool), "b": np.array([0, 1, 0, 0], bool)}
    scores = {"a": np.array([0.9, 0.8, 0.7, 0.1]), "b": np.array([0.1, 0.9, 0.1, 0.1])}

    def new_images(needed_by_b: int) -> dict[str, int]:
        tasks = selection.choose_tasks(
            Table(list("wxyz"), truth, scores, np.eye(4, dtype=np.float32)),
            {"a": 0.5, "b": 0.5},
            {"a": {"TP": 1}, "b": {"TP": needed_by_b, "TN": 1}},
            {},
            margin=0.0,
            seed=0,
        )
        return {task.label: task.image for task in tasks if task.outcome == "TP"}

    assert new_images(0) == {"a": 1}  # the counterpart: nobody else needs it
    alone = new_images(1)
    assert alone["b"] == 1
    assert alone["a"] in {0, 2}
