"""The participant's way as a list of items: one item is one page with an address of its own.

The list follows from the spec, the condition and the number of tasks; the position of a session
is the key of one of its items. Before consent there is no condition and the list is short.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from studyplatform.studies import when
from studyplatform.studies.spec import InstructionPage, Question, ScreeningItem, Spec


class Stage(StrEnum):
    INFORMATION = "information"
    CONSENT = "consent"
    INSTRUCTIONS = "instructions"
    SCREENING = "screening"
    TASK = "task"
    AFTERWARDS = "afterwards"
    FEEDBACK = "feedback"
    EXIT = "exit"


ASKING = frozenset({Stage.CONSENT, Stage.SCREENING, Stage.TASK, Stage.AFTERWARDS})
_KEY = re.compile(
    r"information|consent|instructions/[1-9]\d{0,2}|screening|task/[1-9]\d{0,2}"
    r"|afterwards|feedback|exit"
)


@dataclass(frozen=True)
class Item:
    """A page: its stage and, where the stage has several pages, its number from 1."""

    stage: Stage
    number: int = 0

    @property
    def key(self) -> str:
        """The name under which answers and events are stored, and the end of the address."""
        return f"{self.stage}/{self.number}" if self.number else str(self.stage)

    @property
    def asks(self) -> bool:
        """Whether something is answered here: answers to it are stored once and are final."""
        return self.stage in ASKING


INFORMATION = Item(Stage.INFORMATION)
CONSENT = Item(Stage.CONSENT)
EXIT = Item(Stage.EXIT)


class Way:
    """The items of one session, in order."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = tuple(items)
        self._places = {item.key: place for place, item in enumerate(self.items)}

    def find(self, key: str) -> Item | None:
        place = self._places.get(key)
        return None if place is None else self.items[place]

    def after(self, item: Item) -> Item:
        """Return the item that follows; the exit follows itself."""
        return self.items[min(self._places[item.key] + 1, len(self.items) - 1)]

    def before(self, item: Item) -> Item:
        return self.items[max(self._places[item.key] - 1, 0)]

    def precedes(self, item: Item, position: str) -> bool:
        """Return whether `item` comes before the item with the key `position`."""
        return self._places[item.key] < self._places[position]

    def open_to_look_back(self, item: Item, position: str) -> bool:
        """Return whether a participant at `position` may turn back to `item`.

        Instructions may be read again until the tasks begin.
        """
        stage = self.items[self._places[position]].stage
        return (
            item.stage is Stage.INSTRUCTIONS
            and stage in {Stage.INSTRUCTIONS, Stage.SCREENING}
            and self.precedes(item, position)
        )

    def completes(self, item: Item) -> bool:
        """Return whether the answer to `item` is the last one of the study."""
        return item == next(item for item in reversed(self.items) if item.asks)


def is_item_key(text: str) -> bool:
    """Return whether `text` names an item that some study could have."""
    return _KEY.fullmatch(text) is not None


def way(spec: Spec, levels: Mapping[str, str] | None, n_tasks: int) -> Way:
    """Return the items of a session; `levels` is None until consent has given a condition."""
    if levels is None:
        return Way([INFORMATION, CONSENT, EXIT])
    items = [INFORMATION, CONSENT]
    items += [
        Item(Stage.INSTRUCTIONS, number + 1)
        for number in range(len(instruction_pages(spec, levels)))
    ]
    if screening_items(spec, levels):
        items.append(Item(Stage.SCREENING))
    items += [Item(Stage.TASK, number + 1) for number in range(n_tasks)]
    if questions(spec.afterwards, levels):
        items.append(Item(Stage.AFTERWARDS))
    return Way([*items, Item(Stage.FEEDBACK), EXIT])


def instruction_pages(spec: Spec, levels: Mapping[str, str]) -> list[InstructionPage]:
    return [page for page in spec.instructions if when.holds(page.when, levels)]


def screening_items(spec: Spec, levels: Mapping[str, str]) -> list[ScreeningItem]:
    return [item for item in spec.screening.items if when.holds(item.when, levels)]


def questions(asked: Sequence[Question], levels: Mapping[str, str]) -> list[Question]:
    return [question for question in asked if when.holds(question.when, levels)]
