"""A progress bar for commands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def bar(title: str) -> Iterator[Callable[..., None]]:
    """Yield `tick(done, total, what="")`; the bar is drawn on standard error, if a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=1, visible=False)

        def tick(done: float, total: float, what: str = "") -> None:
            progress.update(
                task,
                completed=done,
                total=total,
                description=f"{title}: {what}" if what else title,
                visible=True,
            )

        yield tick
