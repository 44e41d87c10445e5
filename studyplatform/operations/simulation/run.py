"""Many simulated participants at once."""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from defusedcsv import csv

from studyplatform.studies.spec import Spec

from .model import Effect, Participant
from .walk import Walk, WalkError, walk


@dataclass
class Run:
    """What became of the participants; `failed` holds one sentence for each without a code."""

    walks: list[Walk] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def by_condition(self) -> Counter[str]:
        return Counter(one.condition for one in self.walks)

    @property
    def turns(self) -> int:
        return sum(one.turns for one in self.walks)


def simulate(
    spec: Spec,
    *,
    base: str,
    entry: str,
    participants: int,
    seed: int,
    effects: Sequence[Effect] = (),
    concurrency: int = 8,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Run:
    """Let participants 1 to n walk through the study at `base`, `concurrency` at a time."""
    run = Run()
    started = time.monotonic()

    def one(number: int) -> Walk:
        participant = Participant(spec, seed=seed, number=number, effects=effects)
        return walk(participant, base=base, entry=entry)

    with ThreadPoolExecutor(concurrency) as pool:
        waiting = {pool.submit(one, number): number for number in range(1, participants + 1)}
        for done, future in enumerate(as_completed(waiting), start=1):
            try:
                found = future.result()
            except (WalkError, OSError) as error:
                run.failed.append(f"participant {waiting[future]}: {error}")
            else:
                if found.code == spec.exits.completed.code:
                    run.walks.append(found)
                else:
                    run.failed.append(
                        f"participant {waiting[future]}: ended with the code {found.code}, "
                        f"expected {spec.exits.completed.code}"
                    )
            progress(done, participants)
    run.seconds = time.monotonic() - started
    return run


class CodesError(Exception):
    """Codes that could not be written where they were asked for; the message says why."""


def check_codes_path(path: Path) -> None:
    """Raise CodesError unless `write_codes` can write to `path`: before anybody walks."""
    if "\0" in str(path):
        raise CodesError(f"{str(path)!r} is no path; expected one without a NUL character")
    try:
        if path.exists() and not path.is_file():
            raise CodesError(f"{path} is no file; expected the name of a file to write")
        _draft_beside(path).touch()
        _draft_beside(path).unlink()
    except OSError as error:
        raise CodesError(f"{path} cannot be written: {error.strerror}") from error


def _draft_beside(path: Path) -> Path:
    return path.parent / f".codes.{os.getpid()}.tmp"


def write_codes(path: Path, walks: Sequence[Walk]) -> int:
    """Write the codes of the simulated texts as the analysis reads them; return the rows."""
    draft = _draft_beside(path)
    rows = [
        (one.participant_id, task, code.code, code.group)
        for one in sorted(walks, key=lambda one: one.participant_id)
        for task, code in sorted(one.codes, key=lambda pair: pair[0])
    ]
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["participant_id", "task", "code", "group"])
        writer.writerows(rows)
    os.replace(draft, path)
    return len(rows)
