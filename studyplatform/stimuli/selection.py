"""From scores to tasks: thresholds, outcomes, new images, examples. Arrays in, indices out.

Paper 001 section 5 gives the counts of examples and that they resemble the new image; thresholds,
similarity and the choice of new images are ours (each function says how).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studyplatform.studies.spec import Outcome

OUTCOMES: tuple[Outcome, ...] = ("TP", "FP", "FN", "TN")
CURVE_POINTS = 101
_PLURALS = {
    "TP": "true positives",
    "FP": "false positives",
    "FN": "false negatives",
    "TN": "true negatives",
}


class TooFewImagesError(ValueError):
    """Too few images of an outcome; the message names label, outcome, how many, how many needed."""

    def __init__(self, label: str, outcome: str, found: int, needed: int, where: str) -> None:
        are = "is" if needed == 1 else "are"
        super().__init__(
            f"Label {label!r} has {found} {_PLURALS[outcome]} {where}; {needed} {are} needed."
        )


@dataclass(frozen=True)
class Need:
    """How many images of each outcome a label must have: new images, and others beside them."""

    new: Mapping[Outcome, int]
    others: Mapping[Outcome, int]

    def total(self, outcome: Outcome) -> int:
        return self.new.get(outcome, 0) + self.others.get(outcome, 0)


@dataclass(frozen=True)
class Table:
    """The images stimuli may be chosen from.

    keys: content hashes, for ties that do not depend on the order of import.
    truth, scores: label -> (N,) whether it is there, and the classifier's score.
    embeddings: (N, features) float32, rows of length 1.
    """

    keys: Sequence[str]
    truth: Mapping[str, NDArray[np.bool_]]
    scores: Mapping[str, NDArray[np.float64]]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True)
class ChosenExample:
    image: int
    outcome: str
    similarity: float


@dataclass(frozen=True)
class ChosenTask:
    label: str
    image: int
    outcome: str
    score: float
    examples: tuple[ChosenExample, ...]


def outcomes(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], threshold: float
) -> NDArray[np.str_]:
    """Return (N,) TP, FP, FN or TN; a label is assigned when its score is above the threshold."""
    assigned = scores > threshold
    return np.where(truth, np.where(assigned, "TP", "FN"), np.where(assigned, "FP", "TN"))


def choose_threshold(
    label: str,
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    need: Need,
    margin: float,
) -> float:
    """Return the threshold of best F1 among those that leave enough images of each outcome.

    New images must also lie at least `margin` from it. Candidates are the middles between
    neighbouring scores; of equal ones the lowest is taken. Without a positive image F1 is
    undefined, the threshold then 0.5. Raises TooFewImagesError where no threshold will do, for the
    one that comes nearest. Ours: the paper does not say how its thresholds were set.
    """
    distinct = np.unique(scores)
    candidates = (distinct[:-1] + distinct[1:]) / 2
    # Two float neighbours can have one of them as their rounded middle; the rest is safe.
    candidates = candidates[(candidates >= distinct[:-1]) & (candidates < distinct[1:])]
    if len(candidates) == 0 or not truth.any():
        candidates = np.array([0.5])
    missing, f1 = _missing_and_f1(truth, scores, candidates, need, margin)
    order = np.lexsort((-f1, missing))  # fewest missing first, then best F1, then the lowest
    best = float(candidates[order[0]])
    if missing[order[0]]:
        check_threshold(label, truth, scores, best, need, margin)
    return best


def check_threshold(
    label: str,
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    threshold: float,
    need: Need,
    margin: float,
) -> None:
    """Raise TooFewImagesError unless this threshold leaves enough images of each outcome."""
    found = outcomes(truth, scores, threshold)
    stable = np.abs(scores - threshold) >= margin
    at = f"at the threshold {threshold:.3f}"
    for outcome in OUTCOMES:
        is_one = found == outcome
        if is_one.sum() < need.total(outcome):
            raise TooFewImagesError(label, outcome, int(is_one.sum()), need.total(outcome), at)
        far = int((is_one & stable).sum())
        if far < need.new.get(outcome, 0):
            where = f"at least {margin:g} from the threshold {threshold:.3f}"
            raise TooFewImagesError(label, outcome, far, need.new[outcome], where)


def choose_tasks(
    table: Table,
    thresholds: Mapping[str, float],
    new_images: Mapping[str, Mapping[Outcome, int]],
    examples: Mapping[Outcome, int],
    *,
    margin: float,
    seed: int,
) -> list[ChosenTask]:
    """Return the tasks label by label, shuffled within a label, each with its examples.

    New images are those nearest the median score of their label and outcome (mid-range), at least
    `margin` from the threshold (stable); none serves twice, and none is an example of any task. An
    image that another label needs for its own new images or examples is passed over. Examples are,
    per outcome, those of largest cosine between penultimate activations and the new image's; in the
    order TP, FP, FN, TN. Raises TooFewImagesError.
    """
    choice = _Choice(table, thresholds, new_images, examples, margin=margin, seed=seed)
    chosen = {label: choice.new_images(label) for label in new_images}
    return [task for label, pairs in chosen.items() for task in choice.tasks(label, pairs)]


def choose_label_anew(
    table: Table,
    thresholds: Mapping[str, float],
    new_images: Mapping[str, Mapping[Outcome, int]],
    examples: Mapping[Outcome, int],
    *,
    label: str,
    kept: Mapping[str, Iterable[int]],
    barred: Iterable[int],
    margin: float,
    seed: int,
) -> list[ChosenTask]:
    """Return one label's tasks as `choose_tasks` would choose them beside those of the others.

    kept: label -> the new images of its tasks, for the other labels. barred: images that are shown
    already and so cannot be new (the other labels' examples, figures). Raises TooFewImagesError.
    """
    choice = _Choice(table, thresholds, new_images, examples, margin=margin, seed=seed)
    for other, images in kept.items():
        for image in images:
            choice.take(other, image)
    return choice.tasks(label, choice.new_images(label, barred=frozenset(barred)))


class _Choice:
    """Which images are new images of which label so far; see `choose_tasks`."""

    def __init__(
        self,
        table: Table,
        thresholds: Mapping[str, float],
        wanted: Mapping[str, Mapping[Outcome, int]],
        examples: Mapping[Outcome, int],
        *,
        margin: float,
        seed: int,
    ) -> None:
        self.table, self.wanted, self.examples, self.seed = table, wanted, examples, seed
        self.found = {
            label: outcomes(table.truth[label], table.scores[label], thresholds[label])
            for label in wanted
        }
        self.far = {
            label: np.abs(table.scores[label] - thresholds[label]) >= margin for label in wanted
        }
        self.margin = margin
        self.taken: set[int] = set()
        # Images of a label and outcome that it needs neither for new images nor for examples.
        self.spare = {
            (label, str(outcome)): int((self.found[label] == outcome).sum())
            - counts.get(outcome, 0)
            - examples.get(outcome, 0)
            for label, counts in wanted.items()
            for outcome in OUTCOMES
        }

    def take(self, label: str, image: int) -> None:
        self.taken.add(image)
        for key in self._of_others(label, image):
            self.spare[key] -= 1

    def new_images(
        self, label: str, *, barred: frozenset[int] = frozenset()
    ) -> list[tuple[int, str]]:
        """Take and return the (image, outcome) of a label's tasks."""
        chosen: list[tuple[int, str]] = []
        for outcome in OUTCOMES:
            count = left = self.wanted[label].get(outcome, 0)
            for image in nearest_median(self.table, label, self.found[label] == outcome, self.seed):
                if not left:
                    break
                needed = any(self.spare[key] <= 0 for key in self._of_others(label, image))
                if not self.far[label][image] or image in self.taken or image in barred or needed:
                    continue
                chosen.append((image, outcome))
                self.take(label, image)
                left -= 1
            if left:
                where = (
                    f"at least {self.margin:g} from the threshold, not yet a new image, "
                    "and not needed for another label"
                )
                raise TooFewImagesError(label, outcome, count - left, count, where)
        return chosen

    def tasks(self, label: str, pairs: Sequence[tuple[int, str]]) -> list[ChosenTask]:
        """Return a label's tasks, shuffled, with examples that are no new image of any label."""
        place = list(self.wanted).index(label)
        order = np.random.default_rng([self.seed, place]).permutation(len(pairs))
        return [
            ChosenTask(
                label=label,
                image=image,
                outcome=outcome,
                score=float(self.table.scores[label][image]),
                examples=choose_examples(
                    self.table, label, image, self.found[label], self.examples, self.taken
                ),
            )
            for image, outcome in (pairs[i] for i in order)
        ]

    def _of_others(self, label: str, image: int) -> list[tuple[str, str]]:
        return [(other, str(self.found[other][image])) for other in self.wanted if other != label]


def choose_illustration(
    table: Table,
    thresholds: Mapping[str, float],
    label: str,
    outcome: str,
    *,
    never: Iterable[int],
    rather_not: Iterable[int],
    seed: int,
) -> int:
    """Return the image of this label and outcome nearest its median score.

    None of `never` (new images: the page would show them twice), and none of `rather_not`
    (examples) while there are others. Raises TooFewImagesError.
    """
    found = outcomes(table.truth[label], table.scores[label], thresholds[label])
    barred, avoided = set(never), set(rather_not)
    ranked = [i for i in nearest_median(table, label, found == outcome, seed) if i not in barred]
    if not ranked:
        raise TooFewImagesError(label, outcome, 0, 1, "for the instructions")
    return next((image for image in ranked if image not in avoided), ranked[0])


def nearest_median(table: Table, label: str, among: NDArray[np.bool_], seed: int) -> list[int]:
    """Return the images of `among` (N,) by distance of their score to their median."""
    images = np.flatnonzero(among)
    if len(images) == 0:
        return []
    scores = table.scores[label]
    distance = np.abs(scores[images] - np.median(scores[images]))
    return [
        image
        for _, _, image in sorted(
            (float(d), _ticket(table.keys[int(i)], seed), int(i))
            for d, i in zip(distance, images, strict=True)
        )
    ]


def choose_examples(
    table: Table,
    label: str,
    new_image: int,
    found: NDArray[np.str_],
    counts: Mapping[Outcome, int],
    taken: set[int],
) -> tuple[ChosenExample, ...]:
    """Return a new image's examples: of each outcome those most similar, none of `taken`.

    found (N,): the outcomes for the label. Raises TooFewImagesError.
    """
    cosine = table.embeddings @ table.embeddings[new_image]
    chosen: list[ChosenExample] = []
    for outcome in OUTCOMES:
        count = counts.get(outcome, 0)
        pool = [int(image) for image in np.flatnonzero(found == outcome) if image not in taken]
        if len(pool) < count:
            raise TooFewImagesError(label, outcome, len(pool), count, "beside the new images")
        pool.sort(key=lambda image: (-float(cosine[image]), table.keys[image]))
        chosen += [ChosenExample(image, outcome, float(cosine[image])) for image in pool[:count]]
    return tuple(chosen)


def f1_curve(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], need: Need, margin: float, top: float
) -> list[tuple[float, float, bool]]:
    """Return (threshold, F1, whether enough images of each outcome remain) from 0 to `top`."""
    points = np.linspace(0.0, top, CURVE_POINTS)
    missing, f1 = _missing_and_f1(truth, scores, points, need, margin)
    return [
        (float(point), float(value), not lacking)
        for point, value, lacking in zip(points, f1, missing, strict=True)
    ]


def _missing_and_f1(
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    candidates: NDArray[np.float64],
    need: Need,
    margin: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    there, absent = np.sort(scores[truth]), np.sort(scores[~truth])
    missing = np.zeros(len(candidates), np.int64)
    counts: dict[str, NDArray[np.int64]] = {}
    for outcome in OUTCOMES:
        pool = there if outcome in {"TP", "FN"} else absent
        if outcome in {"TP", "FP"}:
            counts[outcome] = len(pool) - np.searchsorted(pool, candidates, side="right")
            far = len(pool) - np.searchsorted(pool, candidates + margin, side="left")
        else:
            counts[outcome] = np.searchsorted(pool, candidates, side="right")
            far = np.searchsorted(pool, candidates - margin, side="right")
        missing += np.maximum(need.total(outcome) - counts[outcome], 0)
        missing += np.maximum(need.new.get(outcome, 0) - far, 0)
    divisor = 2 * counts["TP"] + counts["FP"] + counts["FN"]
    return missing, np.divide(
        2.0 * counts["TP"], divisor, out=np.zeros(len(candidates)), where=divisor > 0
    )


def _ticket(key: str, seed: int) -> str:
    """Settle ties by lot: the same for the same seed, whatever the order of import."""
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()
