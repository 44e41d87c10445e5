"""Whether a new image can be looked up: shown elsewhere on the way, or nearly so."""

from collections import defaultdict
from collections.abc import Iterator

from ..fingerprints import BITS, NEAR, distance
from .finding import Rule, Severity, Trouble
from .material import Material


def _shown_elsewhere(material: Material) -> Iterator[Trouble]:
    places = defaultdict(list)
    for shown in material.shown():
        # The same content may have been imported twice, in two sets; it is the same image.
        places[shown.image.sha256].append(shown)
    for task in material.tasks:
        others = [
            shown.where
            for shown in places[task.image.sha256]
            if shown.place != "task" or shown.task != task.number
        ]
        if others:
            yield Trouble(
                f"The new image of task {task.number} is also shown elsewhere: "
                f"{', '.join(others)}. Whoever sees it there knows the answer.",
                "Take another new image, or another image in those places.",
                where=f"Task {task.number}",
                evidence=(task.image.sha256,),
                task=task.number,
            )


def _near_duplicates(material: Material) -> Iterator[Trouble]:
    for task in material.tasks:
        for example in task.examples.all():
            one, other = task.image, example.image
            if one.sha256 == other.sha256 or not (one.fingerprint and other.fingerprint):
                continue  # the same image is an error of its own
            apart = distance(one.fingerprint, other.fingerprint)
            if apart <= NEAR:
                yield Trouble(
                    f"The new image of task {task.number} looks nearly the same as its example "
                    f"{example.position}: {apart} of {BITS} bits of their perceptual hashes "
                    "differ.",
                    "Look at both, and swap one of them; give a reason if they are different "
                    "pictures after all.",
                    where=f"Task {task.number}, example {example.position}",
                    evidence=(one.sha256, other.sha256),
                    task=task.number,
                )


SHOWN_ELSEWHERE = Rule("new-image-shown", Severity.ERROR, _shown_elsewhere)
NEAR_DUPLICATE = Rule("near-duplicate", Severity.WARNING, _near_duplicates)
