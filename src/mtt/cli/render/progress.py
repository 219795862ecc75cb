"""How far reading and neighbour lists are, on a terminal; in pipes and files nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mtt import progress
from mtt.cli.render import terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars:
    """A bar for every piece of work that runs; gone when it is done."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._off = False

    def __call__(self, work: str, count: int, share: float | None) -> None:
        if self._bars is None and not self._off:
            self._start()
        if self._bars is None:
            return
        if work not in self._tasks:
            self._tasks[work] = self._bars.add_task(work, total=None, count="")
        total = None if share is None else 1.0
        self._bars.update(
            self._tasks[work], completed=share or 0.0, total=total, count=f"{count:,}", refresh=True
        )

    def over(self, work: str) -> None:
        """Take the bar of ``work`` off the terminal."""
        task = self._tasks.pop(work, None)
        if self._bars is not None and task is not None:
            self._bars.remove_task(task)
            if not self._tasks:
                self.stop()

    def stop(self) -> None:
        """Take all bars off the terminal."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def _start(self) -> None:
        console = terminal.rich_console()
        if not console.is_terminal:
            self._off = True
            return
        from rich.errors import LiveError
        from rich.progress import BarColumn, Progress, TextColumn

        bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[count]}", markup=False),
            console=console,
            transient=True,
        )
        try:
            bars.start()
        except LiveError:  # a table of checks is being shown
            return
        self._bars = bars


@contextmanager
def bars() -> Iterator[None]:
    """Show what long work of the block is at."""
    shown = Bars()
    try:
        with progress.watching(shown):
            yield
    finally:
        shown.stop()
